import json
from typing import Any

from tests.contract.sanity_emulator.lake import Lake, create


def export(lake: Lake, **query: str) -> list[dict[str, Any]]:
    response = lake.http.get(f"/{lake.version}/data/export/{lake.dataset}", params=query)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in response.text.splitlines()]


def test_export_brings_every_document_that_the_token_may_see(lake: Lake) -> None:
    lake.mutate(create("a"), create("drafts.a"), {"create": {"_id": "s", "_type": "settings"}})
    anonymous = lake.seen_by(None)

    assert [each["_id"] for each in export(lake)] == ["a", "drafts.a", "s"]
    assert [each["_id"] for each in export(anonymous)] == ["a", "s"]
    assert [each["_id"] for each in export(lake, types="settings,nothing")] == ["s"]
    assert export(lake)[0] == lake.get("a")
    anonymous.close()


def test_export_by_cursor_comes_in_pages(lake: Lake) -> None:
    for start in range(0, 12_000, 3_000):
        lake.mutate(*(create(f"p{number:05d}") for number in range(start, start + 3_000)))

    first = export(lake, nextCursor="")
    cursor = first.pop()
    second = export(lake, nextCursor=cursor["nextCursor"])

    assert cursor.keys() == {"nextCursor"}
    ids = [each["_id"] for each in (*first, *second)]
    assert ids == [f"p{number:05d}" for number in range(12_000)]


def test_a_cursor_that_is_none_is_refused(lake: Lake) -> None:
    path = f"/{lake.version}/data/export/{lake.dataset}"

    assert lake.http.get(path, params={"nextCursor": "no cursor!"}).status_code == 400
