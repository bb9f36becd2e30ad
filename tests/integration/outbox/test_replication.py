"""Publication and slot: made once, checked always, never silently made anew."""

import secrets
import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from deploy.local.instance import Instance
from deploy.local.ports import Ports, free_base
from deploy.local.postgres import Postgres
from deploy.local.process import Command
from outbox import EventType, NewEvent, publish
from outbox.errors import (
    PublicationError,
    ReplicationError,
    SlotLostError,
    SlotMissingError,
    WalLevelError,
)
from outbox.migrate import MIGRATIONS, SCHEMA, migrate
from outbox.replication import (
    find_slot,
    has_passed,
    prepare_replication,
    require_publication,
    require_slot,
)
from tests.fix_backend import FIRST_BASE, SCRATCH
from tests.integration.outbox.conftest import fresh_database

Connection = psycopg.Connection[Any]


@pytest.fixture
def slot() -> str:
    return f"outbox_{secrets.token_hex(4)}"


def received(conn: Connection, slot: str, publication: str = "outbox") -> int:
    """How many rows of outbox.event the slot has for a reader."""
    rows = conn.execute(
        "select data from pg_logical_slot_peek_binary_changes(%s, null, null, "
        "'proto_version', '1', 'publication_names', %s)",
        [slot, publication],
    ).fetchall()
    return sum(1 for (data,) in rows if data[:1] == b"I")


def test_publication_and_slot_are_made_and_twice_is_harmless(owner: Connection, slot: str) -> None:
    made = prepare_replication(owner, slot=slot)

    assert made == ["publication outbox", f"replication slot {slot}"]
    assert prepare_replication(owner, slot=slot) == []
    require_publication(owner, "outbox")
    found = require_slot(owner, slot)
    assert found.failover == (owner.info.server_version >= 170000)
    assert found.wal_status == "reserved"


def test_what_is_written_after_the_migration_waits_in_the_slot(
    owner: Connection, app: Connection, slot: str
) -> None:
    prepare_replication(owner, slot=slot)
    for number in range(50):
        publish(app, NewEvent(f"p{number}", EventType.CREATED, {"id": f"p{number}"}))
    app.commit()

    assert received(owner, slot) == 50


def test_a_connection_inside_a_transaction_is_refused(owner: Connection, slot: str) -> None:
    with owner.transaction(), pytest.raises(ReplicationError, match="not inside a transaction"):
        prepare_replication(owner, slot=slot)


def test_a_publication_that_loses_rows_is_refused(owner: Connection, slot: str) -> None:
    prepare_replication(owner, slot=slot)

    owner.execute("alter publication outbox set (publish_via_partition_root = false)")
    with pytest.raises(PublicationError, match="publish_via_partition_root is off"):
        prepare_replication(owner, slot=slot)
    owner.execute("alter publication outbox set (publish_via_partition_root = true)")
    owner.execute("alter publication outbox set (publish = 'insert')")
    with pytest.raises(PublicationError, match="no heartbeat moves the slot"):
        prepare_replication(owner, slot=slot)
    owner.execute("alter publication outbox set (publish = 'insert, update, truncate')")
    with pytest.raises(PublicationError, match="deletes or truncates"):
        prepare_replication(owner, slot=slot)
    owner.execute("alter publication outbox set (publish = 'insert, update')")
    owner.execute("alter publication outbox drop table outbox.heartbeat")
    with pytest.raises(PublicationError, match=r"lacks outbox\.heartbeat"):
        prepare_replication(owner, slot=slot)


def test_a_publication_of_some_rows_or_columns_is_refused(owner: Connection, slot: str) -> None:
    prepare_replication(owner, slot=slot)
    whole = "outbox.event, outbox.heartbeat"
    columns = "id, aggregatetype, aggregateid, type, payload, revision, route, occurred_at"

    owner.execute(
        "alter publication outbox set table outbox.event where (source <> 'seed'), outbox.heartbeat"
    )
    with pytest.raises(PublicationError, match=r"row filter .* rows of outbox\.event"):
        prepare_replication(owner, slot=slot)
    owner.execute(f"alter publication outbox set table outbox.event ({columns}), outbox.heartbeat")
    with pytest.raises(PublicationError, match=r"column list .* columns of outbox\.event"):
        prepare_replication(owner, slot=slot)
    owner.execute(f"alter publication outbox set table {whole}")
    require_publication(owner, "outbox")


def test_a_missing_publication_is_named(owner: Connection) -> None:
    with pytest.raises(PublicationError, match="outbox migrate"):
        require_publication(owner, "nothing_here")


def test_a_slot_that_is_gone_is_not_made_again_unasked(owner: Connection, slot: str) -> None:
    prepare_replication(owner, slot=slot)
    owner.execute("select pg_drop_replication_slot(%s)", [slot])

    with pytest.raises(SlotMissingError, match=r"is gone: .*--recreate-slot"):
        prepare_replication(owner, slot=slot)
    assert find_slot(owner, slot) is None
    assert prepare_replication(owner, slot=slot, recreate_slot=True) == [f"replication slot {slot}"]


def test_a_healthy_slot_is_never_made_anew_even_when_asked(
    owner: Connection, app: Connection, slot: str
) -> None:
    prepare_replication(owner, slot=slot)
    publish(app, NewEvent("p1", EventType.CREATED, {"id": "p1"}))
    app.commit()

    assert prepare_replication(owner, slot=slot, recreate_slot=True) == []
    assert received(owner, slot) == 1


def test_a_slot_of_another_database_is_refused(
    owner: Connection, slot: str, postgres_dsn: str
) -> None:
    with fresh_database(postgres_dsn) as name:
        dsn = make_conninfo(postgres_dsn, dbname=name)
        with psycopg.connect(dsn, autocommit=True) as elsewhere:
            elsewhere.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])

        with pytest.raises(ReplicationError, match=f"belongs to database {name}"):
            prepare_replication(owner, slot=slot)


def test_a_missing_slot_is_named(owner: Connection, slot: str) -> None:
    with pytest.raises(SlotMissingError, match=slot):
        require_slot(owner, slot)
    assert not has_passed(owner, slot, "0/1")


class TunedPostgres(Postgres):
    """A server of its own, whose settings a test may change before it is started again."""

    tuning: tuple[str, ...] = ()

    def command(self) -> Command:
        """The ordinary command; of two options of one name the later counts."""
        command = super().command()
        return replace(command, arguments=(*command.arguments, *self.tuning))


@pytest.fixture(scope="module")
def own_server() -> Iterator[TunedPostgres]:
    with free_base(FIRST_BASE) as lease:
        directory = SCRATCH / f"test-{lease.base}"
        server = TunedPostgres(Instance(directory, Ports(lease.base)))
        server.instance.remember()
        try:
            server.start()
            server.wait_ready()
            yield server
        finally:
            server.stop()
            shutil.rmtree(directory)


def test_a_lost_slot_is_named_loudly_with_the_way_out(own_server: TunedPostgres) -> None:
    own_server.tuning = ("-c", "max_slot_wal_keep_size=1MB")
    own_server.restart()

    with psycopg.connect(own_server.superuser_dsn("postgres"), autocommit=True) as conn:
        migrate(conn, MIGRATIONS, schema=SCHEMA)
        prepare_replication(conn)
        for _ in range(3):
            conn.execute("create table filler as select 1")
            conn.execute("drop table filler")
            conn.execute("select pg_switch_wal()")
        conn.execute("checkpoint")

        with pytest.raises(SlotLostError, match=r"is lost .*--recreate-slot.*reset-offsets"):
            prepare_replication(conn)
        with pytest.raises(SlotLostError):
            require_slot(conn, "outbox")
        made = prepare_replication(conn, recreate_slot=True)
        assert made == ["replication slot outbox"]
        assert not require_slot(conn, "outbox").is_lost
        conn.execute("select pg_drop_replication_slot('outbox')")


def test_a_server_without_logical_wal_is_refused(own_server: TunedPostgres) -> None:
    own_server.tuning = ("-c", "wal_level=replica")
    own_server.restart()

    with (
        psycopg.connect(own_server.superuser_dsn("postgres"), autocommit=True) as conn,
        pytest.raises(WalLevelError, match=r"wal_level=replica; .*wal_level=logical"),
    ):
        prepare_replication(conn)
