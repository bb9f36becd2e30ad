import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from consumer.document import (
    Document,
    FieldMapping,
    Sync,
    group_by_product,
    kept_documents,
    load_mapping,
    new_document,
    published_id,
    restored_document,
    sync_object,
    timestamp,
    tombstone_body,
)
from consumer.errors import MalformedRecordError, SettingsError
from tests.unit.consumer.samples import (
    MAPPING,
    NOW,
    PRODUCT,
    SPECS,
    TOMBSTONE,
    document,
    event,
    state,
    tombstone,
)

SYNC_OF_3 = {
    "revision": 3,
    "eventId": "00000000-0000-0000-0000-000000000003",
    "occurredAt": "2026-11-23T08:00:03.000Z",
    "syncedAt": "2026-11-24T08:00:00.000Z",
}


def mapping_file(folder: Path, text: str) -> Path:
    path = folder / "mapping.toml"
    path.write_text(text)
    return path


def test_the_shipped_mapping_owns_the_title_only() -> None:
    mapping = load_mapping()

    assert mapping.owned == {"title": "title"}
    assert (mapping.type, mapping.id_prefix, mapping.default_language) == ("product", "", "en")


def test_a_mapping_file_adds_a_field_without_code(tmp_path: Path) -> None:
    path = mapping_file(tmp_path, '[owned]\ntitle = "title"\nhandle = "meta.handle"\n')
    mapping = load_mapping(path)
    its_event = event(1, payload={"title": "Shirt", "meta": {"handle": "shirt"}})

    assert mapping.owned_fields(its_event) == {"title": "Shirt", "handle": "shirt"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("type = ", "mapping.toml"),  # no TOML
        ("", "owned"),  # nothing owned
        ('[owned]\nhandle = "handle"', 'owned needs a "title"'),
        ('[owned]\ntitle = "title"\nsync = "x"', "owned can't name sync"),
        ('[owned]\ntitle = "title"\nspecs = "x"', "owned can't name specs"),  # the editors'
        ('[owned]\ntitle = "title"\naddons = "x"', "owned can't name addons"),  # the editors'
        ('[owned]\ntitle = "title"\n_id = "id"', "owned"),  # Sanity's own
        ('[owned]\ntitle = "title"\n"a.b" = "x"', "owned"),  # top-level fields only
        ('[owned]\ntitle = "a..b"', "owned.title"),
        ('[owned]\ntitle = ""', "owned.title"),
        ('type = "sync.tombstone"\n[owned]\ntitle = "title"', "type"),
        ('id_prefix = "drafts."\n[owned]\ntitle = "title"', "id_prefix"),
        ('id_prefix = "-"\n[owned]\ntitle = "title"', "id_prefix"),
        ('languages = []\n[owned]\ntitle = "title"', "languages"),
        ('languages = ["english"]\n[owned]\ntitle = "title"', "languages"),
        ('languages = ["de"]\n[owned]\ntitle = "title"', "default_language 'en'"),
        ('lang = "en"\n[owned]\ntitle = "title"', "lang"),  # a misspelt key is no key
    ],
)
def test_a_wrong_mapping_file_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named.replace("(", r"\(")):
        load_mapping(mapping_file(tmp_path, text))


def test_a_missing_mapping_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        load_mapping(tmp_path / "nowhere.toml")


def test_null_in_the_payload_means_an_absent_field() -> None:
    assert MAPPING.owned_fields(event(1, payload={"title": None})) == {"title": None}


@pytest.mark.parametrize(
    "payload",
    [
        {},  # no such field
        {"title": "\ud800"},  # half of a surrogate pair can't be sent
        {"title": float("nan")},  # JSON has no such number
        {"title": json.loads("[" * 800 + "]" * 800)},  # deeper than Sanity goes
        {"title": json.loads('{"a":' * 30 + "1" + "}" * 30)},
    ],
)
def test_a_payload_that_the_mapping_cannot_read_is_malformed(payload: dict[str, Any]) -> None:
    with pytest.raises(MalformedRecordError):
        MAPPING.owned_fields(event(1, payload=payload))


def test_a_nested_field_is_taken_as_it_is() -> None:
    nested = [{"a": [{"b": {}}]}, [], 1]

    assert MAPPING.owned_fields(event(1, payload={"title": nested})) == {"title": nested}


def test_a_payload_whose_path_ends_early_is_malformed() -> None:
    mapping = FieldMapping(owned={"title": "meta.title"})

    with pytest.raises(MalformedRecordError, match=r"meta\.title"):
        mapping.owned_fields(event(1, payload={"meta": "text"}))


def test_the_id_prefix_stands_before_the_product_id() -> None:
    assert FieldMapping(id_prefix="shop-", owned={"title": "title"}).document_id("p") == "shop-p"


def test_a_document_id_too_long_for_a_release_is_malformed() -> None:
    mapping = FieldMapping(id_prefix="shop-", owned={"title": "title"})

    with pytest.raises(MalformedRecordError, match="longer than 80"):
        mapping.document_id("x" * 76)


def test_a_new_document_is_the_one_of_scenario_1() -> None:
    title = "Premium Cotton T-Shirt"

    assert new_document(event(3, title), {"title": title}, MAPPING, NOW) == {
        "_id": PRODUCT,
        "_type": "product",
        "title": title,
        "specs": [{"_key": PRODUCT, "_type": "spec", "title": title, "lang": "en", "content": ""}],
        "sync": SYNC_OF_3,
    }


def test_a_new_document_of_a_nameless_product_has_an_empty_spec_title() -> None:
    new = new_document(event(3, "x"), {"title": None}, MAPPING, NOW)

    assert "title" not in new
    assert new["specs"][0]["title"] == ""


def test_a_restored_document_keeps_the_editors_words_and_takes_the_new_title() -> None:
    kept = {"_id": PRODUCT, "_type": "product", "title": "Old", "specs": SPECS, "sync": {"x": 1}}

    restored = restored_document(kept, event(3, "New"), {"title": "New"}, NOW)

    assert restored == {**kept, "title": "New", "sync": SYNC_OF_3}


def test_a_restored_document_loses_an_owned_field_that_is_null_now() -> None:
    kept = {"_id": PRODUCT, "title": "Old", "handle": "old"}

    restored = restored_document(kept, event(3), {"title": "New", "handle": None}, NOW)

    assert "handle" not in restored


def test_a_tombstone_keeps_every_copy_without_sanitys_own_fields() -> None:
    published = document(2, _updatedAt="2026-01-01T00:00:00Z", _system={"base": 1})
    draft = document(1, id_=f"drafts.{PRODUCT}")

    body = tombstone_body(event(3, None), state(published, draft), PRODUCT, NOW)

    assert body["_id"] == TOMBSTONE
    assert body["_type"] == "sync.tombstone"
    assert body["sync"] == SYNC_OF_3
    kept = kept_documents(Document(body))
    assert [each["_id"] for each in kept] == [PRODUCT, f"drafts.{PRODUCT}"]
    assert all(each["specs"] == SPECS for each in kept)
    assert not {"_rev", "_updatedAt", "_system"} & kept[0].keys()


def test_a_second_tombstone_keeps_what_the_first_kept_unless_it_lies_there_anew() -> None:
    first = tombstone(2, [{"_id": PRODUCT, "title": "Kept"}, {"_id": f"drafts.{PRODUCT}"}])
    republished = document(1, "Anew")

    body = tombstone_body(event(3, None), state(republished, tombstone=first), PRODUCT, NOW)

    kept = {each["_id"]: each.get("title") for each in kept_documents(Document(body))}
    assert kept == {PRODUCT: "Anew", f"drafts.{PRODUCT}": None}


@pytest.mark.parametrize("kept", [None, "", "{", "{}", "7", '["text", {"no": "id"}]', 7, []])
def test_a_tombstone_that_somebody_spoilt_keeps_nothing(kept: object) -> None:
    assert kept_documents(Document({"_id": TOMBSTONE, "kept": kept})) == []


@pytest.mark.parametrize(
    "sync",
    [
        None,  # made by hand, or by the reference's own subscriber
        "text",
        {},
        {"revision": "3"},
        {"revision": None},
    ],
)
def test_a_document_without_our_sync_counts_as_revision_0(sync: object) -> None:
    assert Document({"_id": PRODUCT, "sync": sync}).sync == Sync()


def test_what_is_odd_in_a_sync_object_is_read_as_absent() -> None:
    sync = {"revision": -4, "eventId": 7, "occurredAt": "2026-01-01T00:00:00", "deletedAt": 1}

    assert Document({"_id": PRODUCT, "sync": sync}).sync == Sync()


def test_a_sync_object_is_read_back_as_it_was_written() -> None:
    sync = Document({"_id": PRODUCT, "sync": sync_object(event(3), NOW, deleted=True)}).sync

    assert sync == Sync(
        3,
        "00000000-0000-0000-0000-000000000003",
        datetime(2026, 11, 23, 8, 0, 3, tzinfo=UTC),
        "2026-11-23T08:00:03.000Z",
    )


@pytest.mark.parametrize(
    ("document_id", "expected"),
    [
        ("p", "p"),
        ("drafts.p", "p"),
        ("versions.spring.p", "p"),
        ("sync.tombstone.p", "p"),
    ],
)
def test_published_id_takes_every_prefix_off(document_id: str, expected: str) -> None:
    assert published_id(document_id) == expected


def test_bodies_are_grouped_by_product() -> None:
    bodies = [
        {"_id": "versions.spring.p"},
        {"_id": "p"},
        {"_id": "drafts.p"},
        {"_id": "sync.tombstone.q"},
    ]

    by_product = group_by_product(bodies)

    assert [each.id for each in by_product["p"].documents] == ["drafts.p", "p", "versions.spring.p"]
    assert by_product["p"].tombstone is None
    assert by_product["q"].documents == ()
    assert by_product["q"].tombstone == Document({"_id": "sync.tombstone.q"})


def test_a_products_revision_is_the_highest_of_its_copies_and_its_tombstone() -> None:
    assert state().revision == 0
    assert state(document(2), document(5, id_="drafts.p")).revision == 5
    assert state(document(2), tombstone=tombstone(4)).revision == 4


def test_timestamps_are_utc_with_milliseconds() -> None:
    moment = datetime(2026, 11, 23, 9, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))

    assert timestamp(moment) == "2026-11-23T08:00:00.123Z"
