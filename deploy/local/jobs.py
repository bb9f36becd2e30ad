"""Commands that prepare the servers: roles, schemas, topics, connector. Each may run again."""

import hashlib
import http
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.addresses import ADMIN_EMAIL, addresses
from deploy.local.install import ROOT
from deploy.local.instance import Instance
from deploy.local.postgres import Postgres
from deploy.local.process import POLL_SECONDS, Cancel, run
from deploy.local.server import get

ROLES: Final = ROOT / "deploy" / "postgres" / "roles.sql"


CONNECTOR_FILE: Final = ROOT / "deploy" / "connect" / "outbox-connector.json"
TOPICS_FILE: Final = ROOT / "deploy" / "kafka" / "topics.yaml"
CONNECTOR_SECONDS: Final = 20  # a worker that just started needs one or two to run its task
CODE: Final = frozenset({".py", ".sql", ".json", ".yaml", ".toml"})


@dataclass(frozen=True)
class Job:
    """One step of the life cycle, which may run again.

    `run` returns what to show. A job is left out while nothing of `sources` has changed since it
    last ran on the same data, as starting six Python programs is half of a warm start; `holds` may
    look at the servers besides. A job that is asked for by name always runs.
    """

    name: str
    needs: Sequence[str]
    run: Callable[[Instance, Cancel], str]
    server: str  # whose data it prepares: its stamp goes when they go
    sources: Sequence[Path] = ()
    holds: Callable[[Instance, Cancel], bool] = lambda _instance, _cancel: True
    state: Callable[[Instance], str] | None = None  # of what it left behind, for `status`

    def ensure(self, instance: Instance, cancel: Cancel, *, always: bool = False) -> str:
        """Run the job unless it has been done."""
        stamp = instance.directory / self.server / "stamps" / self.name
        wanted = _digest(self.sources)
        done = stamp.exists() and stamp.read_text() == wanted
        if done and self.sources and not always and self.holds(instance, cancel):
            return "unchanged"
        shown = self.run(instance, cancel)
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(wanted)
        return shown


def _digest(sources: Sequence[Path]) -> str:
    """What all code and settings below these paths say."""
    digest = hashlib.sha256()
    for source in sources:
        files = sorted(source.rglob("*")) if source.is_dir() else [source]
        for file in files:
            if file.suffix in CODE and file.is_file():
                digest.update(f"{file.relative_to(ROOT)}\0".encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()


def apply_roles(instance: Instance, cancel: Cancel) -> str:
    """Make the databases and roles, or set their passwords anew."""
    secrets = instance.credentials
    passwords = {
        "SHOP_OWNER_PASSWORD": secrets.shop_owner_password,
        "COMMERCE_APP_PASSWORD": secrets.commerce_app_password,
        "OUTBOX_REPLICATION_PASSWORD": secrets.outbox_replication_password,
        "SYNC_LEDGER_PASSWORD": secrets.sync_ledger_password,
    }
    Postgres(instance).run_sql(ROLES, passwords, cancel)
    return "databases and roles"


def migrate_outbox(instance: Instance, cancel: Cancel) -> str:
    """Bring schema `outbox` up to date; makes the publication and the replication slot."""
    _run(instance, cancel, "outbox", "migrate", names=("OUTBOX_DSN",))
    return "schema outbox, publication, slot"


def migrate_commerce(instance: Instance, cancel: Cancel) -> str:
    """Bring schema `commerce` up to date, as the owner of its objects."""
    owner = {"COMMERCE_POSTGRES_DSN": addresses(instance)["OUTBOX_DSN"]}
    _run(instance, cancel, "commerce", "migrate", values=owner)
    return "schema commerce"


def migrate_ledger(instance: Instance, cancel: Cancel) -> str:
    """Bring schema `sync` of the consumer's ledger up to date."""
    _run(instance, cancel, "consumer", "migrate", names=("CONSUMER_LEDGER_DSN",))
    return "schema sync"


def create_admin(instance: Instance, cancel: Cancel) -> str:
    """Make the administrator who may log in to the Admin API."""
    names = ("COMMERCE_POSTGRES_DSN", "COMMERCE_ADMIN_EMAIL", "COMMERCE_ADMIN_PASSWORD")
    _run(instance, cancel, "commerce", "create-admin", names=names)
    return ADMIN_EMAIL


def apply_topics(instance: Instance, cancel: Cancel) -> str:
    """Create the topics of `deploy/kafka/topics.yaml`."""
    _run(instance, cancel, "outbox", "topics", "apply", names=("KAFKA_BOOTSTRAP_SERVERS",))
    return "topics"


def register_connector(instance: Instance, cancel: Cancel) -> str:
    """Hand Debezium's connector to Connect."""
    names = ("OUTBOX_DSN", "CONNECT_URL", "KAFKA_BOOTSTRAP_SERVERS")
    _run(instance, cancel, "outbox", "connector", "register", names=names)
    return "registered"


def connector_state(instance: Instance) -> str:
    """One look at the connector and its task.

    "ready", "failed", "missing", "paused", "starting", or "stopped" when no worker answers.
    """
    status, body = get(instance.ports.of("connect"), "/connectors/outbox/status")
    if status == http.HTTPStatus.NOT_FOUND:
        return "missing"
    if status != http.HTTPStatus.OK:
        return "starting" if status else "stopped"
    found = json.loads(body)
    tasks = [task["state"] for task in found["tasks"]]
    states = {found["connector"]["state"], *tasks}
    if "FAILED" in states:
        return "failed"
    if states & {"PAUSED", "STOPPED"}:
        return "paused"
    return "ready" if states == {"RUNNING"} and tasks else "starting"


def connector_runs(instance: Instance, cancel: Cancel) -> bool:
    """Whether Connect still has the connector, and runs its task soon."""
    deadline = time.monotonic() + CONNECTOR_SECONDS
    while time.monotonic() < deadline and not cancel.wait(POLL_SECONDS):
        state = connector_state(instance)
        if state in {"ready", "missing", "failed"}:
            return state == "ready"
    return False


def _run(
    instance: Instance,
    cancel: Cancel,
    program: str,
    *arguments: str,
    names: Sequence[str] = (),
    values: Mapping[str, str] | None = None,
) -> None:
    """Run one of our programs with these settings of `stack.env`, and `values`, alone."""
    known = addresses(instance)
    settings = {name: known[name] for name in names} | dict(values or {})
    command = instance.python(f"{program}.cli:app", *arguments, values=settings)
    run(" ".join((program, *arguments)), command, cancel)


OUTBOX: Final = ROOT / "outbox"
COMMERCE: Final = ROOT / "commerce"
CONSUMER: Final = ROOT / "consumer"
JOBS: Final[tuple[Job, ...]] = (
    Job("roles", ("postgres",), apply_roles, "postgres"),
    Job("outbox-schema", ("roles",), migrate_outbox, "postgres", (OUTBOX,)),
    Job("commerce-schema", ("outbox-schema",), migrate_commerce, "postgres", (COMMERCE, OUTBOX)),
    Job("admin", ("commerce-schema",), create_admin, "postgres", (COMMERCE,)),
    Job("ledger", ("roles",), migrate_ledger, "postgres", (CONSUMER, OUTBOX)),
    Job("topics", ("kafka",), apply_topics, "kafka", (OUTBOX, TOPICS_FILE)),
    Job(
        "connector",
        ("connect", "outbox-schema", "topics"),
        register_connector,
        "kafka",
        (OUTBOX, CONNECTOR_FILE),
        connector_runs,
        connector_state,
    ),
)
