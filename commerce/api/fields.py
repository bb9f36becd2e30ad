"""The `fields` of a query: which parts of an answer the caller wants."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """`only` None: everything that is there by default; `without` is taken out in the end."""

    only: frozenset[Path] | None = None
    without: frozenset[Path] = frozenset()

    def apply(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The wanted parts of the document; ids always stay."""
        whole = dict(document)
        wanted: dict[str, Any] = whole if self.only is None else _pick(whole, self.only)
        return dict(_drop(wanted, self.without)) if self.without else wanted


def parse(text: str | None) -> Selection:
    """From Medusa's notation: `+a.b` adds, `-a` removes, `*rel` is all of a relation.

    One piece without a sign makes the list the only fields. A leading space is a `+` (an
    unencoded one arrives like that); empty pieces and unknown fields are ignored.
    """
    plain: set[Path] = set()
    added: set[Path] = set()
    removed: set[Path] = set()
    for piece in (text or "").split(","):
        name = piece.strip().lstrip("+*-").removesuffix(".*")
        if not name:
            continue
        path = tuple(name.split("."))
        if piece.lstrip().startswith("-"):
            removed.add(path)
        elif piece.startswith((" ", "+")) or piece.lstrip().startswith("*") or ".*" in piece:
            added.add(path)
        else:
            plain.add(path)
    return Selection(frozenset(plain | added) if plain else None, frozenset(removed))


def _pick(value: Any, paths: frozenset[Path]) -> Any:
    if () in paths:
        return value
    if isinstance(value, list):
        return [_pick(entry, paths) for entry in value]
    if not isinstance(value, dict):
        return value
    picked = {}
    for name, inner in value.items():
        deeper = frozenset(path[1:] for path in paths if path[0] == name)
        if deeper:
            picked[name] = _pick(inner, deeper)
        elif name == "id":
            picked[name] = inner
    return picked


def _drop(value: Any, paths: frozenset[Path]) -> Any:
    if isinstance(value, list):
        return [_drop(entry, paths) for entry in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for name, inner in value.items():
        deeper = frozenset(path[1:] for path in paths if path[0] == name)
        if () not in deeper or name == "id":
            kept[name] = _drop(inner, deeper - {()}) if deeper - {()} else inner
    return kept
