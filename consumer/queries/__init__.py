"""GROQ by name: each file of this folder holds one query, with comments that say what it is for."""

from functools import cache
from importlib import resources


@cache
def load(name: str) -> str:
    """The query of `<name>.groq`, without its comment lines."""
    text = resources.files(__name__).joinpath(f"{name}.groq").read_text()
    return " ".join(line for line in text.splitlines() if not line.startswith("//")).strip()
