"""Removes tombstones that have outlived their use: no older record can come any more."""

import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from consumer import mutation
from consumer.budget import Lane
from consumer.content_lake import ContentLake
from consumer.document import timestamp
from consumer.queries import load


def old_tombstones(lake: ContentLake, before: datetime) -> Iterator[list[dict[str, Any]]]:
    """Tombstones made before a moment, in pages of at most 500: `_id`, `_rev`, `deletedAt`."""
    after = ""
    while True:
        page = lake.query(
            load("tombstones"), {"before": timestamp(before), "after": after}, Lane.REPLAY
        )
        if not page:
            return
        yield page
        after = page[-1]["_id"]


def remove_tombstones(lake: ContentLake, tombstones: list[dict[str, Any]]) -> None:
    """Deletes them as they were read, in one transaction.

    Raises `RevisionConflictError` where a product has been restored meanwhile: run it again.
    """
    mutations = [
        step for each in tombstones for step in mutation.guarded_delete(each["_id"], each["_rev"])
    ]
    lake.commit(str(uuid.uuid4()), mutations, Lane.REPLAY)
