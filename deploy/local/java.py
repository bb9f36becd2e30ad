"""How a Java server is started: Java runtime and jars from packages, tuned for a quick start."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from deploy.local.install import HERE
from deploy.local.instance import Instance
from deploy.local.process import Command

# Measured: serial collector and C1 alone start fastest; the load of a test stack needs no more.
FLAGS: Final = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")


def java_command(
    instance: Instance,
    main: str,
    arguments: Sequence[str],
    values: Mapping[str, str] | None = None,
    flags: Sequence[str] = (),
) -> Command:
    """Run a main class on the jars of broker and Connect worker."""
    jars = sorted(str(jar) for jar in instance.packages.kafka_jars.glob("*.jar"))
    return Command(
        arguments=(
            str(instance.packages.java),
            *FLAGS,
            *flags,
            f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}",
            "-cp",
            ":".join(jars),
            main,
            *arguments,
        ),
        environment=instance.environment(values),
        directory=instance.directory,
    )


def write_properties(file: Path, settings: Mapping[str, object]) -> None:
    """Write a Java properties file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
