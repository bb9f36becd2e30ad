"""The command as an operator runs it: a process of its own, settings from the environment."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from deploy.local.install import ROOT
from outbox import EventType, NewEvent, publish
from tests.fix_backend import Servers
from tests.integration.outbox.conftest import Database, until
from tests.integration.outbox.pipeline import Pipeline, pipeline_on

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Outbox:
    """`python -m outbox` with just these settings."""

    values: Mapping[str, str]
    folder: Path = field(default=ROOT)

    def __call__(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "outbox", *arguments],
            env=self.environment | more,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "COLUMNS": "200", **self.values}


@pytest.fixture
def slot() -> str:
    return f"outbox_{secrets.token_hex(4)}"


@pytest.fixture
def outbox(database: Database, slot: str) -> Outbox:
    return Outbox({"OUTBOX_DSN": database.owner, "OUTBOX_SLOT": slot})


def test_migrate_makes_everything_and_twice_is_harmless(
    empty_dsn: str, servers: Servers, slot: str
) -> None:
    dsn = make_conninfo(
        servers.need("roles")["OUTBOX_DSN"], dbname=conninfo_to_dict(empty_dsn)["dbname"]
    )
    outbox = Outbox({"OUTBOX_DSN": dsn, "OUTBOX_SLOT": slot})

    planned, first, second = outbox("migrate", "--dry-run"), outbox("migrate"), outbox("migrate")

    assert "would apply 0001_event.sql" in planned.stdout
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "applied 0001_event.sql" in first.stdout
    assert f"made replication slot {slot}" in first.stdout
    assert second.stdout == "schema is up to date\npublication and slot are in order\n"


def test_a_lost_slot_makes_migrate_fail_until_the_loss_is_accepted(
    outbox: Outbox, owner: Connection, slot: str
) -> None:
    outbox("migrate")
    owner.execute("select pg_drop_replication_slot(%s)", [slot])

    refused = outbox("migrate")
    assert refused.returncode == 1
    assert "--recreate-slot" in refused.stderr
    assert outbox("migrate", "--recreate-slot").returncode == 0


def test_a_missing_or_wrong_setting_is_one_clear_sentence(outbox: Outbox) -> None:
    without = Outbox({})("migrate")
    assert (without.returncode, without.stdout) == (1, "")
    assert without.stderr == "outbox: set OUTBOX_DSN to the DSN of the owner of schema outbox\n"

    wrong = outbox("maintain", "--once", OUTBOX_KEEP_DAYS="0")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("outbox: OUTBOX_KEEP_DAYS: ")


def test_a_server_that_is_not_there_is_told_without_the_password() -> None:
    done = Outbox({"OUTBOX_DSN": "postgresql://owner:secret@127.0.0.1:1/shop"})("partitions")

    assert done.returncode == 1
    assert "127.0.0.1" in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_broker_or_worker_that_is_not_there_is_told(outbox: Outbox) -> None:
    topics = outbox("topics", "apply", KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    connector = outbox("connector", "status", CONNECT_URL="http://127.0.0.1:1")

    assert (topics.returncode, connector.returncode) == (1, 1)
    assert topics.stderr.startswith("outbox: no broker answers at 127.0.0.1:1")
    assert connector.stderr.startswith("outbox: Kafka Connect does not answer")


def test_the_heartbeat_topic_is_made_and_checked_for_the_topic_prefix(
    outbox: Outbox, kafka_bootstrap_servers: str
) -> None:
    prefix = f"t{secrets.token_hex(4)}"
    kafka = {"KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap_servers}

    made = outbox("topics", "apply", OUTBOX_TOPIC_PREFIX=prefix, **kafka)
    same = outbox("topics", "check", OUTBOX_TOPIC_PREFIX=prefix, **kafka)
    other = outbox("topics", "check", OUTBOX_TOPIC_PREFIX=f"{prefix}x", **kafka)

    assert (made.returncode, same.returncode) == (0, 0), made.stderr + same.stderr
    assert f"__debezium-heartbeat.{prefix}" in made.stdout
    assert other.returncode == 1
    assert f"__debezium-heartbeat.{prefix}x" in other.stdout


def test_every_command_explains_itself(outbox: Outbox) -> None:
    commands: list[tuple[str, ...]] = [
        (),
        ("migrate",),
        ("status",),
        ("canary",),
        ("maintain",),
        ("partitions",),
        ("advance-revisions",),
        *[("topics", each) for each in ("apply", "check", "register")],
        *[
            ("connector", each)
            for each in ("register", "status", "restart", "pause", "resume", "stop", "delete")
        ],
    ]
    # One process each would take a second each.
    code = (
        "import sys, json\nfrom typer.testing import CliRunner\nfrom outbox.cli import app\n"
        "runs = [CliRunner().invoke(app, [*c, '--help']) for c in json.loads(sys.argv[1])]\n"
        "print(json.dumps([[r.exit_code, 'Usage' in r.output] for r in runs]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(commands)],
        env=outbox.environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert json.loads(done.stdout) == [[0, True]] * len(commands)


def test_a_round_of_upkeep_by_hand_tells_what_it_left(outbox: Outbox, owner: Connection) -> None:
    outbox("migrate")
    old = datetime.now(UTC).date() - timedelta(days=9)
    with owner.transaction():
        owner.execute("set local lock_timeout = '5s'")
        owner.execute("select outbox.add_day(%s)", [old])
    name = f"event_{old:%Y%m%d}"

    planned, kept = outbox("maintain", "--dry-run"), outbox("maintain", "--once")
    assert name in planned.stdout
    assert kept.returncode == 1
    assert f"has not passed them: {name}" in kept.stderr
    assert '"event": "partition_kept_unread"' in kept.stdout

    dropped = outbox("maintain", "--once", "--drop-unread")
    assert dropped.returncode == 0, dropped.stderr
    assert name not in outbox("partitions").stdout
    assert outbox("maintain", "--drop-unread").returncode == 1


def floor_of(conn: Connection) -> int:
    ((floor,),) = conn.execute("select floor from outbox.revision_floor").fetchall()
    return int(floor)


def test_advancing_revisions_is_a_dry_run_unless_executed(
    outbox: Outbox, owner: Connection
) -> None:
    with owner.transaction():
        publish(owner, NewEvent("p1", EventType.CREATED, {"id": "p1"}))
        publish(owner, NewEvent("p1", EventType.UPDATED, {"id": "p1"}))

    planned = outbox("advance-revisions")
    assert planned.returncode == 0, planned.stderr
    assert "would raise the floor of revisions from 0 to 1,000,002" in planned.stdout
    assert "--execute" in planned.stdout
    assert floor_of(owner) == 0

    done = outbox("advance-revisions", "--margin", "10", "--execute")
    assert done.returncode == 0, done.stderr
    assert "raised the floor of revisions from 0 to 12" in done.stdout
    with owner.transaction():
        assert publish(owner, NewEvent("p1", EventType.UPDATED, {"id": "p1"})) == 13

    lower = outbox("advance-revisions", "--to", "12", "--execute")
    assert lower.returncode == 1
    assert "13" in lower.stderr
    assert floor_of(owner) == 12


@pytest.fixture
def service(outbox: Outbox) -> Iterator[subprocess.Popen[str]]:
    outbox("migrate")
    running = subprocess.Popen(
        [sys.executable, "-m", "outbox", "maintain"],
        env=outbox.environment | {"OUTBOX_MAINTAIN_INTERVAL_SECONDS": "0.2"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def test_the_service_keeps_days_ahead_and_stops_on_sigterm(
    service: subprocess.Popen[str], owner: Connection
) -> None:
    last = f"event_{datetime.now(UTC).date() + timedelta(days=14):%Y%m%d}"
    table = f"outbox.{last}"
    owner.execute(f"alter table outbox.event detach partition {table}")
    owner.execute(f"drop table {table}")

    def is_back() -> bool:
        query = "select count(*) = 1 from outbox.partitions() where name = %s"
        return owner.execute(query, [last]).fetchall() == [(True,)]

    until(is_back)
    service.send_signal(signal.SIGTERM)
    output, _ = service.communicate(timeout=20)

    assert service.returncode == 0
    events = [json.loads(line)["event"] for line in output.splitlines()]
    assert (events[0], events[-1]) == ("upkeep_started", "upkeep_stopped")
    assert "partition_made" in events


@pytest.fixture
def pipeline(
    database: Database, connect_url: str, kafka_bootstrap_servers: str
) -> Iterator[Pipeline]:
    with pipeline_on(database, connect_url, kafka_bootstrap_servers) as made:
        yield made


def test_the_connector_lives_its_life_by_commands(
    pipeline: Pipeline, owner: Connection, connect_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "connector.json"
    file.write_text(json.dumps(pipeline.config))
    outbox = Outbox(
        {
            "OUTBOX_DSN": pipeline.database.owner,
            "OUTBOX_SLOT": pipeline.name,
            "OUTBOX_TOPIC_PREFIX": pipeline.name,
            "OUTBOX_CONNECTOR": pipeline.name,
            "OUTBOX_CONNECTOR_FILE": str(file),
            "CONNECT_URL": connect_url,
            "KAFKA_BOOTSTRAP_SERVERS": pipeline.kafka,
        }
    )

    missing = outbox("connector", "status")
    assert missing.returncode == 1
    assert missing.stderr.startswith("outbox: ")
    planned = outbox("connector", "register", "--dry-run")
    assert "offset.mismatch.strategy" in planned.stdout
    registered = outbox("connector", "register")
    assert registered.returncode == 0, registered.stderr
    assert "RUNNING" in outbox("connector", "status", "--no-canary").stdout
    assert outbox("connector", "pause").returncode == 0
    until(lambda: "PAUSED" in outbox("connector", "status", "--no-canary").stdout)
    assert outbox("connector", "reset-offsets", "--yes").returncode == 1  # not stopped
    assert outbox("connector", "resume").returncode == 0
    with owner.transaction():
        publish(owner, NewEvent("p1", EventType.CREATED, {"id": "p1"}))
    assert [record.key for record in pipeline.records("product", 1)] == [b"p1"]
    assert outbox("connector", "stop").returncode == 0
    assert outbox("connector", "reset-offsets", "--yes").returncode == 0
    assert outbox("connector", "resume").returncode == 0
    assert outbox("connector", "restart", "--all").returncode == 0
    unconfirmed = outbox("connector", "delete")
    assert unconfirmed.returncode == 1
    assert outbox("connector", "delete", "--yes").returncode == 0
    assert outbox("connector", "status").returncode == 1
