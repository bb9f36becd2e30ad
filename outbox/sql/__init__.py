"""Named statements: `-- name: <name>` begins one and the next name ends it.

The lines of comment right below the name tell why the statement is as it is.
"""

import re
from functools import cache
from importlib.resources import files
from typing import Final

NAME: Final = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


def parse(text: str) -> dict[str, str]:
    """Split `text` into its statements by name; a name that comes twice is an error."""
    _, *parts = NAME.split(text)
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) < len(names):
        raise ValueError(f"a statement's name comes twice among {names}")
    return {name: body.strip() for name, body in zip(names, bodies, strict=True)}


@cache
def statements(file: str) -> dict[str, str]:
    """The statements of `<file>.sql` beside this module."""
    return parse((files(__name__) / f"{file}.sql").read_text(encoding="utf-8"))
