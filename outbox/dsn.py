"""A DSN as a setting: one that can't be read is refused without being shown."""

from typing import Annotated

import psycopg
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, SecretStr


def _require_readable(dsn: SecretStr) -> SecretStr:
    """The complaints of libpq quote the text, and with it the password."""
    try:
        parts = conninfo_to_dict(dsn.get_secret_value())
    except psycopg.Error:
        raise ValueError(
            "is no DSN like postgresql://role:password@host:5432/database, or host=... dbname=..."
        ) from None
    # A password with @ or / in it ends early, and its rest would be shown as a host or a port.
    host, ports = str(parts.get("host") or ""), str(parts.get("port") or "")
    if "@" in host or not all(port.isdecimal() for port in ports.split(",") if port):
        raise ValueError(
            "has a host or port that can't be one: write @ : / in a password as %40 %3A %2F"
        )
    return dsn


Dsn = Annotated[SecretStr, AfterValidator(_require_readable)]
