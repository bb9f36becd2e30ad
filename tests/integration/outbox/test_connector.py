"""The connector's life over the real Connect, Debezium, Postgres and Kafka."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from outbox import EventType, NewEvent, publish, publish_many
from outbox.connector import read_config
from outbox.errors import (
    CanaryLostError,
    ConnectorMissingError,
    ConnectorRefusedError,
    PublicationError,
    SlotMissingError,
    TopicMismatchError,
)
from outbox.replication import find_slot, prepare_replication
from outbox.retention import Policy, maintain
from tests.fix_backend import Servers
from tests.integration.outbox.conftest import Database, copied_database, until
from tests.integration.outbox.pipeline import Pipeline, pipeline_on

Connection = psycopg.Connection[Any]


@pytest.fixture
def pipeline(
    database: Database, connect_url: str, kafka_bootstrap_servers: str
) -> Iterator[Pipeline]:
    with pipeline_on(database, connect_url, kafka_bootstrap_servers) as made:
        yield made


@pytest.fixture(scope="module")
def running(
    servers: Servers, template: str, connect_url: str, kafka_bootstrap_servers: str
) -> Iterator[Pipeline]:
    """One connector for the tests that leave it as it was."""
    with (
        copied_database(servers, template) as database,
        pipeline_on(database, connect_url, kafka_bootstrap_servers) as made,
    ):
        with psycopg.connect(database.owner, autocommit=True) as conn:
            made.register(conn)
        yield made


@pytest.fixture
def conn(running: Pipeline) -> Iterator[Connection]:
    with psycopg.connect(running.database.owner, autocommit=True) as conn:
        yield conn


def write(conn: Connection, *ids: str) -> None:
    with conn.transaction():
        publish_many(conn, [NewEvent(each, EventType.UPDATED, {"id": each}) for each in ids])


def keys(pipeline: Pipeline, count: int) -> list[str]:
    return [record.key.decode() for record in pipeline.records("product", count)]


def test_a_registered_connector_passes_a_canary(running: Pipeline, conn: Connection) -> None:
    assert running.connect.status(running.name).is_running
    assert running.canary(conn) < 60


def test_registering_twice_is_harmless(running: Pipeline, conn: Connection) -> None:
    assert running.register(conn).is_running


def test_no_secret_is_in_what_connect_answers_to_a_get(running: Pipeline, connect_url: str) -> None:
    """Known limit: PUT /connector-plugins/.../config/validate shows `${env:...}` in `tasks.max`.

    So whoever reaches the REST interface has the login; it stays on loopback.
    """
    paths = ("", "/config", "/tasks", "/status", "/tasks-config", "/offsets")
    urls = [f"{connect_url}/connectors/{running.name}{path}" for path in paths]
    urls.append(f"{connect_url}/connectors?expand=info&expand=status")
    texts = [httpx.get(url, trust_env=False).text for url in urls]
    passwords = {
        found
        for text in texts
        for found in re.findall(r'"database\.password"\s*:\s*"([^"]*)"', text)
    }

    assert passwords == {"${env:OUTBOX_DB_PASSWORD}"}


def test_a_password_in_clear_is_refused(tmp_path: Path, running: Pipeline) -> None:
    file = tmp_path / "connector.json"
    file.write_text(json.dumps(running.config | {"database.password": "secret"}))

    with pytest.raises(ConnectorRefusedError, match="config provider"):
        read_config(file)


def test_the_heartbeat_moves_the_slot_of_an_idle_outbox(
    running: Pipeline, conn: Connection
) -> None:
    """Other tables of the database are busy; not one event is written."""
    conn.execute("create table if not exists busy (filler text)")
    conn.execute("insert into busy select repeat('x', 500) from generate_series(1, 20000)")
    ((written,),) = conn.execute("select pg_current_wal_lsn()").fetchall()

    def has_passed() -> bool:
        query = "select confirmed_flush_lsn > %s from pg_replication_slots where slot_name = %s"
        return conn.execute(query, [written, running.name]).fetchall() == [(True,)]

    until(has_passed, seconds=60)
    slot = find_slot(conn, running.name)
    assert slot is not None
    assert slot.unread_bytes is not None
    assert slot.unread_bytes < 1_000_000


def test_a_message_in_the_wal_from_somebody_else_does_no_harm(
    running: Pipeline, conn: Connection
) -> None:
    conn.execute("select pg_logical_emit_message(true, 'somebody', 'else')")
    conn.execute("select pg_logical_emit_message(false, '', '{}')")

    assert running.canary(conn)


def test_a_partition_made_and_a_day_adopted_while_the_connector_runs_are_read(
    running: Pipeline, conn: Connection
) -> None:
    before = len(running.records("product.bulk", 0))
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    far = datetime.now(UTC) + timedelta(days=40)
    for name in ("tomorrow", "far"):
        partition = f"event_{tomorrow:%Y%m%d}"
        if name == "tomorrow":
            conn.execute(f"alter table outbox.event detach partition outbox.{partition}")
            conn.execute(f"drop table outbox.{partition}")
            maintain(conn, Policy(slot=running.name))
        conn.execute(
            "insert into outbox.event (aggregatetype, aggregateid, type, payload, revision, route, "
            "source, occurred_at) values ('product', %s, 'product.updated', '{}', 1, "
            "'product.bulk', 'api', %s)",
            [name, tomorrow if name == "tomorrow" else far],
        )
    found = running.records("product.bulk", before + 2)

    assert [record.key.decode() for record in found] == ["tomorrow", "far"]


def test_fifty_events_from_before_the_first_start_all_come(
    pipeline: Pipeline, owner: Connection
) -> None:
    ids = [f"before{number:02}" for number in range(50)]
    for aggregate_id in ids:
        write(owner, aggregate_id)

    pipeline.register(owner)

    assert keys(pipeline, 50) == ids


def test_registering_is_refused_while_the_partition_root_is_not_published(
    pipeline: Pipeline, owner: Connection
) -> None:
    owner.execute("alter publication outbox set (publish_via_partition_root = false)")

    with pytest.raises(PublicationError, match="publish_via_partition_root is off"):
        pipeline.register(owner)
    with pytest.raises(ConnectorMissingError):
        pipeline.connect.status(pipeline.name)


def test_registering_is_refused_without_a_slot(pipeline: Pipeline, owner: Connection) -> None:
    owner.execute("select pg_drop_replication_slot(%s)", [pipeline.name])

    with pytest.raises(SlotMissingError):
        pipeline.register(owner)
    with pytest.raises(ConnectorMissingError):
        pipeline.connect.status(pipeline.name)


def test_registering_is_refused_while_a_topic_is_missing(
    pipeline: Pipeline, owner: Connection
) -> None:
    """The connector would say RUNNING, and wait for the topic for ever."""
    other = replace(pipeline, name=f"{pipeline.name}x")
    prepare_replication(owner, slot=other.name)
    owner.execute("insert into outbox.route (name) values ('nowhere')")

    with pytest.raises(TopicMismatchError, match="outbox topics apply") as refusal:
        other.register(owner)
    for topic in (f"__debezium-heartbeat.{other.name}", other.topic("product")):
        assert topic in str(refusal.value)
    with pytest.raises(TopicMismatchError, match=re.escape(pipeline.topic("nowhere"))):
        pipeline.register(owner)
    for each in (pipeline, other):
        with pytest.raises(ConnectorMissingError):
            each.connect.status(each.name)


def test_a_configuration_that_connect_refuses_is_told(
    pipeline: Pipeline, owner: Connection
) -> None:
    config = pipeline.config | {"poll.interval.ms": "soon"}

    with pytest.raises(ConnectorRefusedError, match=r"poll\.interval\.ms"):
        pipeline.connect.put_config(pipeline.name, config)
    del owner


def test_a_day_dropped_before_it_was_read_is_delivered_all_the_same(
    pipeline: Pipeline, owner: Connection
) -> None:
    """Upkeep refuses this; a superuser in a hurry does it, while the connector stands still."""
    pipeline.register(owner)
    pipeline.connect.stop(pipeline.name)
    write(owner, "a", "b")
    today = f"event_{datetime.now(UTC):%Y%m%d}"
    assert maintain(owner, Policy(slot=pipeline.name)).dropped == []
    owner.execute(f"alter table outbox.event detach partition outbox.{today}")
    owner.execute(f"drop table outbox.{today}")
    write(owner, "c")  # lands in the default
    pipeline.connect.resume(pipeline.name)

    assert keys(pipeline, 3) == ["a", "b", "c"]


def test_a_failed_task_is_told_with_its_cause_and_restarted(
    pipeline: Pipeline, owner: Connection
) -> None:
    pipeline.register(owner)
    pipeline.connect.stop(pipeline.name)
    owner.execute("alter publication outbox rename to elsewhere")
    pipeline.connect.resume(pipeline.name)
    until(lambda: pipeline.connect.status(pipeline.name).has_failed, seconds=60)

    with pytest.raises(ConnectorRefusedError, match="ublication"):
        pipeline.connect.wait_until_running(pipeline.name)

    owner.execute("alter publication elsewhere rename to outbox")
    write(owner, "after")
    pipeline.connect.restart(pipeline.name)
    pipeline.connect.wait_until_running(pipeline.name)
    assert keys(pipeline, 1) == ["after"]


def test_a_deleted_connector_registered_again_goes_on_where_it_was(
    pipeline: Pipeline, owner: Connection
) -> None:
    pipeline.register(owner)
    write(owner, "first")
    assert keys(pipeline, 1) == ["first"]
    pipeline.connect.delete(pipeline.name)
    write(owner, "meanwhile")
    pipeline.register(owner)
    write(owner, "last")

    assert keys(pipeline, 3)[-2:] == ["meanwhile", "last"]


def test_a_slot_lost_behind_the_connectors_back_fails_loudly(
    pipeline: Pipeline, owner: Connection
) -> None:
    """Debezium makes a missing slot anew; its own offsets then show that a gap was skipped."""
    pipeline.register(owner)
    write(owner, "first")
    assert keys(pipeline, 1) == ["first"]
    pipeline.connect.stop(pipeline.name)
    owner.execute("select pg_drop_replication_slot(%s)", [pipeline.name])
    write(owner, "in_the_gap")
    pipeline.connect.resume(pipeline.name)

    until(lambda: pipeline.connect.status(pipeline.name).has_failed, seconds=60)


def test_running_proves_nothing_while_one_event_has_no_topic(
    pipeline: Pipeline, owner: Connection
) -> None:
    """Why the health of the connector is that of a canary."""
    pipeline.register(owner)
    assert pipeline.canary(owner)
    owner.execute("insert into outbox.route (name) values ('nowhere')")
    with owner.transaction():
        publish(owner, NewEvent("p1", EventType.UPDATED, {"id": "p1"}, route="nowhere"))

    with pytest.raises(CanaryLostError, match="did not reach"):
        pipeline.canary(owner, timeout_seconds=3)
    assert pipeline.connect.status(pipeline.name).is_running
