from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from consumer.budget import Lane
from consumer.content_lake import ContentLake
from consumer.errors import RevisionConflictError
from consumer.mutation import guarded_delete
from consumer.operations.prune import old_tombstones, remove_tombstones
from consumer.settings import SanitySettings
from tests.unit.consumer.fake_content_lake import FakeContentLake
from tests.unit.consumer.samples import TOMBSTONE, tombstone

BEFORE = datetime(2026, 10, 24, 8, 0, tzinfo=UTC)


class PagedLake(FakeContentLake):
    """Answers the tombstone query from a list, two at a time."""

    def __init__(self, tombstones: list[dict[str, Any]]) -> None:
        super().__init__(tombstones)
        self.queries: list[dict[str, Any]] = []

    def query(self, groq: str, params: dict[str, Any], lane: Lane) -> Any:
        assert "sync.tombstone" in groq
        assert lane is Lane.REPLAY
        self.queries.append(params)
        return [each for id_, each in sorted(self.documents.items()) if id_ > params["after"]][:2]


def stones(*names: str) -> list[dict[str, Any]]:
    return [{"_id": f"sync.tombstone.{each}", "_rev": f"rev-{each}"} for each in names]


def test_old_tombstones_come_in_pages() -> None:
    lake = PagedLake(stones("a", "b", "c"))

    pages = list(old_tombstones(lake, BEFORE))

    assert pages == [stones("a", "b"), stones("c")]
    assert lake.queries == [
        {"before": "2026-10-24T08:00:00.000Z", "after": ""},
        {"before": "2026-10-24T08:00:00.000Z", "after": "sync.tombstone.b"},
        {"before": "2026-10-24T08:00:00.000Z", "after": "sync.tombstone.c"},
    ]


def test_no_tombstones_are_no_pages() -> None:
    assert list(old_tombstones(PagedLake([]), BEFORE)) == []


def test_they_are_removed_as_they_were_read() -> None:
    lake = FakeContentLake(stones("a", "b"))

    remove_tombstones(lake, stones("a", "b"))

    assert lake.documents == {}
    ((_, mutations),) = lake.requests
    assert mutations == [
        *guarded_delete("sync.tombstone.a", "rev-a"),
        *guarded_delete("sync.tombstone.b", "rev-b"),
    ]


def test_a_tombstone_that_was_written_since_stays_with_all_others() -> None:
    newer = tombstone(4)
    lake = FakeContentLake([*stones("a"), newer.body])

    with pytest.raises(RevisionConflictError):
        remove_tombstones(lake, [*stones("a"), {"_id": TOMBSTONE, "_rev": "older"}])

    assert lake.documents.keys() == {"sync.tombstone.a", TOMBSTONE}


def test_the_query_leaves_its_comments_out() -> None:
    seen: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.content)
        return httpx.Response(200, json={"result": []})

    settings = SanitySettings(project_id="shop", dataset="production", token="secret")
    lake = ContentLake(settings, transport=httpx.MockTransport(answer))

    assert list(old_tombstones(lake, BEFORE)) == []
    assert b"//" not in seen[0]
    assert b"order(_id)" in seen[0]
