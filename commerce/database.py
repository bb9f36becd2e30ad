"""Connections to Postgres."""

from typing import Final

from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool

from commerce.settings import Settings

Connection = AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]

APPLICATION_NAME: Final = "commerce"


def new_pool(settings: Settings) -> Pool:
    """A closed pool; its connections commit on their own outside a transaction block."""
    dsn = settings.postgres_dsn.get_secret_value()
    timeout = round(settings.statement_timeout_seconds * 1000)
    given = conninfo_to_dict(dsn).get("options", "")
    return Pool(
        dsn,
        connection_class=Connection,
        kwargs={
            "autocommit": True,
            "row_factory": dict_row,
            "application_name": APPLICATION_NAME,
            # A prepared statement keeps the plan of the days when its table was small, until
            # the next ANALYZE; and `search` needs a plan for the very parameters it is given.
            "prepare_threshold": None,
            "options": f"{given} -c statement_timeout={timeout} -c timezone=UTC".strip(),
        },
        min_size=min(settings.pool_min_size, settings.pool_max_size),
        max_size=settings.pool_max_size,
        timeout=settings.pool_timeout_seconds,
        open=False,
    )
