"""The one oracle: documents equal commerce, and no document ever saw its revision fall."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import httpx

from consumer.document import TOMBSTONE_PREFIX
from deploy.demo.admin import Admin
from deploy.demo.check import Comparison, compare
from deploy.demo.editor import Editor
from tests.fix_backend import Backend

PATIENCE_SECONDS: Final = 60.0
ALL_PRODUCTS: Final = '*[_type == "product"]'


def wait_until_in_step(
    admin: Admin, editor: Editor, *, patience_seconds: float = PATIENCE_SECONDS
) -> Comparison:
    """Waits until every document equals commerce; fails with the difference that stays."""
    deadline = time.monotonic() + patience_seconds
    while True:
        comparison = compare(admin.products(), editor.query(ALL_PRODUCTS))
        if comparison.is_equal:
            return comparison
        assert time.monotonic() < deadline, comparison
        time.sleep(0.1)


State = tuple[int, str, int]  # transaction, document id, revision after it


def past(backend: Backend) -> list[State]:
    """Every state that carried a revision, of every document, in the order of the transactions."""
    with httpx.Client(trust_env=False, timeout=30) as http:
        response = http.get(
            f"{backend.sanity_api_host}/_emulator/history",
            params={"project": backend.sanity_project_id, "dataset": backend.sanity_dataset},
        )
    response.raise_for_status()
    return sorted(
        (entry["seq"], document_id, entry["revision"])
        for document_id, entries in response.json()["documents"].items()
        for entry in entries
        if entry["revision"] is not None
    )


def falls(states: Iterable[State]) -> list[str]:
    """Every write that put a product below a revision that it had before.

    A product's published document and its tombstone count as one: a document at its tombstone's
    revision, or below, is a resurrection. Drafts and versions are copies of their own.
    """
    highest: dict[str, tuple[int, bool]] = {}
    found = []
    for seq, document_id, revision in states:
        product = document_id.removeprefix(TOMBSTONE_PREFIX)
        now = (revision, document_id != product)  # at one revision, buried comes last
        before = highest.get(product, now)
        if now < before:
            found.append(f"transaction {seq}: {document_id} at {revision}, after {before[0]}")
        highest[product] = max(now, before)
    return found


def repetitions(states: Iterable[State]) -> list[str]:
    """Every second write of one revision to one document; only where no editor writes too."""
    counts = Counter((document_id, revision) for _, document_id, revision in states)
    return [
        f"{document_id} at {revision}" for (document_id, revision), n in counts.items() if n > 1
    ]


def specs_by_language(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A document's specs, by language."""
    return {spec["lang"]: spec for spec in document["specs"]}
