"""The one oracle: documents equal commerce, and no document ever saw its revision fall."""

import time
from collections.abc import Iterable
from typing import Any, Final

import httpx

from deploy.demo.admin import Admin
from deploy.demo.check import Comparison, compare
from deploy.demo.editor import Editor

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


def fallen_revisions(sanity_api_host: str, *, project_id: str, dataset: str) -> list[str]:
    """Every write that put a document or tombstone below a revision its product had before."""
    response = httpx.get(
        f"{sanity_api_host}/_emulator/history",
        params={"project": project_id, "dataset": dataset},
        timeout=30,
    )
    response.raise_for_status()
    states = [
        (entry["seq"], document_id, entry["revision"])
        for document_id, entries in response.json()["documents"].items()
        for entry in entries
        if entry["revision"] is not None
    ]
    return list(_falls(sorted(states)))


def _falls(states: Iterable[tuple[int, str, int]]) -> Iterable[str]:
    """Per document: an editor's draft is an old copy by right, but a document never goes back."""
    highest: dict[str, int] = {}
    for seq, document_id, revision in states:
        if revision < highest.get(document_id, 0):
            before = highest[document_id]
            yield f"transaction {seq}: {document_id} fell from {before} to {revision}"
        highest[document_id] = max(revision, highest.get(document_id, 0))


def specs_by_language(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A document's specs, by language."""
    return {spec["lang"]: spec for spec in document["specs"]}
