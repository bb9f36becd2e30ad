"""The Mutate API's words. A mutation is one entry of the request's `mutations` array."""

import json
from typing import Any

Mutation = dict[str, dict[str, Any]]

GUARD_FIELD = (
    "_sync_guard"  # never exists: unsetting it changes nothing, and still checks the revision
)


def create(document: dict[str, Any]) -> Mutation:
    """Fails with `documentAlreadyExistsError` where the id is taken."""
    return {"create": document}


def patch(
    document_id: str, rev: str, *, set_: dict[str, Any], unset: tuple[str, ...] = ()
) -> Mutation:
    """Sets and unsets top-level fields, where the document's `_rev` is still `rev`."""
    operations: dict[str, Any] = {"id": document_id, "ifRevisionID": rev, "set": set_}
    return {"patch": {**operations, "unset": list(unset)} if unset else operations}


def guard(document_id: str, rev: str) -> Mutation:
    """Changes nothing; fails where the document is gone, or its `_rev` no longer `rev`."""
    return {"patch": {"id": document_id, "ifRevisionID": rev, "unset": [GUARD_FIELD]}}


def delete(document_id: str) -> Mutation:
    """Succeeds where the document is already gone, hence `guarded_delete`."""
    return {"delete": {"id": document_id}}


def guarded_delete(document_id: str, rev: str) -> list[Mutation]:
    """Deletes the document as it was read; a delete by id has no `ifRevisionID` of its own."""
    return [guard(document_id, rev), delete(document_id)]


def assert_absent(document_id: str, type_: str) -> list[Mutation]:
    """Fails where the document exists: made and deleted again within the transaction."""
    return [create({"_id": document_id, "_type": type_}), delete(document_id)]


def encoded(mutations: list[Mutation]) -> bytes:
    """The mutations as the request carries them, without the brackets around them."""
    return json.dumps(mutations, ensure_ascii=False, separators=(",", ":")).encode()[1:-1]
