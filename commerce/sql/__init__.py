"""Named statements of `queries.sql`; the file's format is that of the outbox package."""

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from outbox.sql import parse

MIGRATIONS: Final[Traversable] = files(__name__) / "migrations"


@cache
def queries() -> dict[str, str]:
    """All statements by name."""
    return parse((files(__name__) / "queries.sql").read_text(encoding="utf-8"))
