import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from outbox.errors import (
    MigrationChangedError,
    MigrationError,
    MigrationFailedError,
    MigrationOrderError,
)
from outbox.migrate import migrate, pending


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_first.sql").write_text(
        "create table demo.first (id int);\ninsert into demo.first values (1);\n"
    )
    (tmp_path / "0002_second.sql").write_text("alter table demo.first add column title text;\n")
    return tmp_path


def up(dsn: str, folder: Path) -> list[str]:
    with psycopg.connect(dsn) as conn:
        return migrate(conn, folder, schema="demo")


def test_files_are_applied_once_and_up_twice_is_harmless(empty_dsn: str, folder: Path) -> None:
    assert up(empty_dsn, folder) == ["0001_first.sql", "0002_second.sql"]
    assert up(empty_dsn, folder) == []
    with psycopg.connect(empty_dsn) as conn:
        assert conn.execute("select id, title from demo.first").fetchall() == [(1, None)]


def test_of_two_migrators_at_once_each_file_is_applied_by_one(empty_dsn: str, folder: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: up(empty_dsn, folder), range(4)))

    assert sorted(itertools.chain.from_iterable(results)) == ["0001_first.sql", "0002_second.sql"]
    with psycopg.connect(empty_dsn) as conn:
        assert conn.execute("select count(*) from demo.first").fetchall() == [(1,)]


def test_pending_names_what_is_missing_and_changes_nothing(empty_dsn: str, folder: Path) -> None:
    with psycopg.connect(empty_dsn) as conn:
        assert pending(conn, folder, schema="demo") == ["0001_first.sql", "0002_second.sql"]
        assert conn.execute("select to_regnamespace('demo')").fetchone() == (None,)
    up(empty_dsn, folder)
    with psycopg.connect(empty_dsn) as conn:
        assert pending(conn, folder, schema="demo") == []


def test_a_changed_file_is_refused(empty_dsn: str, folder: Path) -> None:
    up(empty_dsn, folder)
    (folder / "0001_first.sql").write_text("create table demo.first (id bigint);\n")

    with pytest.raises(MigrationChangedError, match=r"0001_first\.sql was changed"):
        up(empty_dsn, folder)


def test_a_new_file_before_an_applied_one_is_refused(empty_dsn: str, folder: Path) -> None:
    up(empty_dsn, folder)
    (folder / "0003_third.sql").write_text("select 1;")
    up(empty_dsn, folder)
    (folder / "0003_third.sql").rename(folder / "0004_third.sql")
    (folder / "0004_third.sql").rename(folder / "0002_b.sql")
    (folder / "0002_second.sql").unlink()

    with pytest.raises(MigrationOrderError, match=r"0002_b\.sql is new"):
        up(empty_dsn, folder)


def test_files_of_an_older_release_leave_a_newer_database_alone(
    empty_dsn: str, folder: Path
) -> None:
    up(empty_dsn, folder)
    (folder / "0002_second.sql").unlink()

    assert up(empty_dsn, folder) == []


def test_a_failing_file_leaves_nothing_of_itself(empty_dsn: str, folder: Path) -> None:
    (folder / "0003_broken.sql").write_text(
        "create table demo.third (id int);\nselect no_such_function();\n"
    )

    with pytest.raises(MigrationFailedError, match=r"0003_broken\.sql: .*no_such_function"):
        up(empty_dsn, folder)

    with psycopg.connect(empty_dsn) as conn:
        assert conn.execute("select to_regclass('demo.third')").fetchone() == (None,)
        assert pending(conn, folder, schema="demo") == ["0003_broken.sql"]


def test_a_table_in_use_makes_the_migration_give_up_and_not_queue(
    empty_dsn: str, folder: Path
) -> None:
    up(empty_dsn, folder)
    (folder / "0003_third.sql").write_text("alter table demo.first add column price int;\n")

    with psycopg.connect(empty_dsn) as reader, psycopg.connect(empty_dsn) as conn:
        reader.execute("select * from demo.first")
        with pytest.raises(MigrationFailedError, match="lock timeout"):
            migrate(conn, folder, schema="demo", lock_timeout_seconds=0.05)


def test_a_connection_inside_a_transaction_is_refused(empty_dsn: str, folder: Path) -> None:
    with psycopg.connect(empty_dsn) as conn:
        conn.execute("select 1")
        with pytest.raises(MigrationError, match="not inside a transaction"):
            migrate(conn, folder, schema="demo")


def test_the_callers_row_factory_and_autocommit_do_not_matter(empty_dsn: str, folder: Path) -> None:
    with psycopg.connect(empty_dsn, row_factory=dict_row, autocommit=True) as conn:
        assert len(migrate(conn, folder, schema="demo")) == 2


def test_a_schema_made_beforehand_needs_no_right_on_the_database(
    empty_dsn: str, folder: Path
) -> None:
    with psycopg.connect(empty_dsn, autocommit=True) as admin:
        admin.execute("create role demo_owner_of_one_schema")
        try:
            admin.execute("create schema demo authorization demo_owner_of_one_schema")
            with psycopg.connect(empty_dsn) as conn:
                conn.execute("set role demo_owner_of_one_schema")
                conn.commit()
                assert len(migrate(conn, folder, schema="demo")) == 2
        finally:
            admin.execute("drop owned by demo_owner_of_one_schema cascade")
            admin.execute("drop role demo_owner_of_one_schema")
