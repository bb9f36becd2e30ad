import json
from typing import Any

import pytest

from tests.contract.sanity_emulator.emulator_process import VIEWER
from tests.contract.sanity_emulator.lake import Lake, create, delete, patch


@pytest.fixture
def written(lake: Lake) -> Lake:
    lake.mutate(create("a", "1"), create("b"), transaction_id="first")
    lake.mutate(patch("a", set={"title": "2"}), transaction_id="second")
    lake.mutate(patch("b", set={"title": "other"}), transaction_id="third")
    lake.mutate(delete("a"), transaction_id="last")
    return lake


def documents(lake: Lake, ids: str, **query: str) -> list[dict[str, Any]]:
    path = f"/{lake.version}/data/history/{lake.dataset}/documents/{ids}"
    response = lake.http.get(path, params=query)
    assert response.status_code == 200, response.text
    return list(response.json()["documents"])


def transactions(lake: Lake, ids: str, **query: str) -> list[dict[str, Any]]:
    path = f"/{lake.version}/data/history/{lake.dataset}/transactions/{ids}"
    response = lake.http.get(path, params=query)
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def test_a_document_at_a_revision(written: Lake) -> None:
    assert documents(written, "a", revision="first")[0]["title"] == "1"
    assert documents(written, "a", revision="third")[0]["title"] == "2"
    assert documents(written, "a", revision="last") == []


def test_a_document_at_a_time(written: Lake) -> None:
    assert documents(written, "a,b", time="2020-01-01T00:00:00Z") == []
    assert [each["_id"] for each in documents(written, "a,b", time="2999-01-01T00:00:00Z")] == ["b"]


def test_the_last_revision_of_a_deleted_document(written: Lake) -> None:
    (document,) = documents(written, "a", lastRevision="true")

    assert (document["title"], document["_rev"]) == ("2", "second")


def test_one_way_to_choose_is_needed(written: Lake) -> None:
    path = f"/{written.version}/data/history/{written.dataset}/documents/a"

    assert written.http.get(path).status_code == 400


def test_transactions_of_a_document_in_their_order(written: Lake) -> None:
    found = transactions(written, "a")

    assert [each["id"] for each in found] == ["first", "second", "last"]
    assert found[0]["documentIDs"] == ["a", "b"]
    assert found[0]["author"] == "g-consumer"
    assert found[1]["mutations"] == [{"patch": {"id": "a", "set": {"title": "2"}}}]


def test_transactions_can_be_chosen(written: Lake) -> None:
    between = {"fromTransaction": "second", "toTransaction": "third"}

    assert [each["id"] for each in transactions(written, "a,b", **between)] == ["second", "third"]
    assert [each["id"] for each in transactions(written, "a", reverse="true", limit="1")] == [
        "last"
    ]
    bare = transactions(written, "a", excludeContent="true", includeIdentifiedDocumentsOnly="true")
    assert "mutations" not in bare[0]
    assert bare[0]["documentIDs"] == ["a"]


def test_transactions_carry_effects_on_request(written: Lake) -> None:
    first, second, last = transactions(written, "a", effectFormat="mendoza")

    assert first["effects"]["a"]["revert"] == [0, None]
    assert second["effects"]["a"]["revert"][1]["title"] == "1"
    assert second["effects"]["a"]["apply"][1]["title"] == "2"
    assert last["effects"]["a"]["apply"] == [0, None]


def test_history_needs_a_token(written: Lake) -> None:
    anonymous, viewer = written.seen_by(None), written.seen_by(VIEWER)
    path = f"/{written.version}/data/history/{written.dataset}/documents/a"

    assert anonymous.http.get(path, params={"revision": "first"}).status_code == 401
    assert viewer.http.get(path, params={"revision": "first"}).status_code == 200
    anonymous.close()
    viewer.close()
