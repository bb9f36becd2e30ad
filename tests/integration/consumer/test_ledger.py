import socket
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from consumer.decide import Change
from consumer.ledger import Entry, PostgresLedger, migrate_ledger
from tests.fix_backend import Servers
from tests.unit.consumer.samples import change


@pytest.fixture
def ledger_dsn(postgres_dsn: str) -> Iterator[str]:
    """A database of its own with the ledger's schema in it."""
    name = "ledger_test"
    with psycopg.connect(postgres_dsn, autocommit=True) as admin:
        admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
        dsn = make_conninfo(postgres_dsn, dbname=name)
        try:
            assert migrate_ledger(dsn) == ["0001_ledger.sql"]
            yield dsn
        finally:
            admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def ledger(ledger_dsn: str) -> Iterator[PostgresLedger]:
    """The ledger of dataset `production` in project `shop`."""
    opened = PostgresLedger(ledger_dsn, project_id="shop", dataset="production")
    yield opened
    opened.close()


def entry(its_change: Change, outcome: str, **fields: Any) -> Entry:
    return Entry(its_change, its_change.product_id, outcome, **fields)


def rows(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as connection:
        return connection.execute(query).fetchall()


def test_migrating_twice_is_harmless(ledger_dsn: str) -> None:
    assert migrate_ledger(ledger_dsn) == []


def test_the_highest_applied_revision_is_kept(ledger: PostgresLedger) -> None:
    assert ledger.record([entry(change(2), "patched", transaction_id="t2")])
    assert ledger.record([entry(change(1), "stale")])
    assert ledger.record([entry(change(3, product="other"), "created", transaction_id="t3")])

    assert ledger.applied_revisions(["prod_1", "other", "unknown"]) == {"prod_1": 2, "other": 3}


def test_a_parked_revision_does_not_count_as_applied(
    ledger: PostgresLedger, ledger_dsn: str
) -> None:
    ledger.record([entry(change(4), "patched", transaction_id="t4")])
    ledger.record([entry(change(5), "parked", error="refused")])

    assert ledger.applied_revisions(["prod_1"]) == {"prod_1": 4}
    stored = "select revision, parked_revision, outcome, error from sync.product"
    assert rows(ledger_dsn, stored) == [(4, 5, "parked", "refused")]

    ledger.record([entry(change(6), "patched", transaction_id="t6")])

    assert rows(ledger_dsn, stored) == [(6, None, "patched", None)]


def test_a_product_whose_first_revision_is_parked_has_none_applied(
    ledger: PostgresLedger,
) -> None:
    ledger.record([entry(change(1), "parked", error="refused")])

    assert ledger.applied_revisions(["prod_1"]) == {"prod_1": 0}


def test_changes_tell_before_and_after_and_skips_leave_none(
    ledger: PostgresLedger, ledger_dsn: str
) -> None:
    its_change = change(2, "New")
    written = Entry(
        its_change,
        "prod_1",
        "patched",
        transaction_id="t2",
        before={"title": "Old"},
        after={"title": "New"},
    )

    ledger.record([written])
    ledger.record([entry(change(2, "New"), "duplicate")])

    assert rows(ledger_dsn, "select before, after, transaction_id from sync.change") == [
        ({"title": "Old"}, {"title": "New"}, "t2")
    ]


def test_datasets_do_not_see_each_other(ledger: PostgresLedger, ledger_dsn: str) -> None:
    ledger.record([entry(change(2), "patched", transaction_id="t2")])
    staging = PostgresLedger(ledger_dsn, project_id="shop", dataset="staging")

    assert staging.applied_revisions(["prod_1"]) == {}
    staging.close()


def test_old_changes_are_pruned(ledger: PostgresLedger, ledger_dsn: str) -> None:
    ledger.record([entry(change(2), "patched", transaction_id="t2")])
    ledger.record([entry(change(3), "patched", transaction_id="t3")])
    with psycopg.connect(ledger_dsn) as connection:
        connection.execute(
            "update sync.change set recorded_at = now() - interval '91 days' where revision = 2"
        )

    assert ledger.prune(90) == 1
    assert rows(ledger_dsn, "select revision from sync.change") == [(3,)]


def test_a_ledger_that_is_down_says_so_at_once_and_raises_nothing(servers: Servers) -> None:
    del servers
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    ledger = PostgresLedger(
        f"postgresql://nobody@127.0.0.1:{port}/none", project_id="shop", dataset="production"
    )

    assert ledger.record([entry(change(1), "created", transaction_id="t1")]) is False
    assert ledger.applied_revisions(["prod_1"]) == {}
    ledger.close()


def test_a_text_that_postgres_can_t_store_does_not_stop_the_ledger(
    ledger: PostgresLedger, ledger_dsn: str
) -> None:
    strange = Entry(
        change(1), "prod_1", "patched", transaction_id="t1", after={"title": "a\x00b\ud800 \\u0000"}
    )

    assert ledger.record([strange])
    assert ledger.record([entry(change(2), "patched", transaction_id="t2")])

    stored = rows(ledger_dsn, "select after->>'title' from sync.change order by id")
    assert stored == [("a\ufffdb? \\u0000",), (None,)]
