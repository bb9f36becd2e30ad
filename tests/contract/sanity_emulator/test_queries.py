import json

import pytest

from tests.contract.sanity_emulator.emulator_process import EDITOR, VIEWER
from tests.contract.sanity_emulator.lake import (
    BEFORE_RELEASES,
    Lake,
    create,
    delete,
    patch,
    reference,
)

CONSUMER_QUERY = (
    '*[_id in $ids || (_id in path("versions.**") && string::split(_id, ".")[2] in $published)]'
)


@pytest.fixture
def shelf(lake: Lake) -> Lake:
    lake.mutate(
        create("jeans", "Jeans", price=80),
        create("shirt", "Shirt", price=30, addons=[reference("jeans", weak=True)]),
        create("drafts.shirt", "Shirt, draft", price=31),
        create("drafts.new", "New, draft"),
        create("versions.r1.shirt", "Shirt, release", price=32),
        {"create": {"_id": "sync.tombstone.cap", "_type": "sync.tombstone"}},
        {"create": {"_id": "settings", "_type": "settings"}},
    )
    return lake


def test_get_and_post_answer_alike(shelf: Lake) -> None:
    query, params = "*[_id == $id][0]{_id, title}", {"id": "shirt"}

    by_get = shelf.ask(query, **params).json()
    by_post = shelf.post("query", {"query": query, "params": params}).json()

    assert by_get["result"] == by_post["result"] == {"_id": "shirt", "title": "Shirt"}
    assert by_get["query"] == by_post["query"] == query
    assert isinstance(by_get["ms"], int)
    assert by_get["syncTags"]


def test_return_query_false_leaves_the_query_out(shelf: Lake) -> None:
    answer = shelf.post("query", {"query": "count(*)"}, returnQuery="false").json()

    assert "query" not in answer


def test_the_consumers_query_finds_published_drafts_versions_and_tombstones(shelf: Lake) -> None:
    published = ["shirt", "cap", "unknown"]
    ids = [f"{prefix}{each}" for each in published for prefix in ("", "drafts.", "sync.tombstone.")]
    body = {"query": CONSUMER_QUERY, "params": {"ids": ids, "published": published}}

    answer = shelf.post("query", body, perspective="raw").json()

    found = [document["_id"] for document in answer["result"]]
    assert found == ["drafts.shirt", "shirt", "sync.tombstone.cap", "versions.r1.shirt"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('*[_type == "product" && price > 30]._id', ["drafts.shirt", "jeans", "versions.r1.shirt"]),
        ('*[_type == "settings" || _id == "jeans"]._id', ["jeans", "settings"]),
        ('*[_type in ["settings", "sync.tombstone"]]._id', ["settings", "sync.tombstone.cap"]),
        ('*[references("jeans")]._id', ["shirt"]),
        ('*[_type == "product" && references("jeans")]._id', ["shirt"]),
        ('*[!(_id in path("drafts.**")) && _type == "product"]._id',
         ["jeans", "shirt", "versions.r1.shirt"]),
        ('*[_id in path("drafts.*")]._id', ["drafts.new", "drafts.shirt"]),
        ('*[_id in path("sync.tombstone.*")]._id', ["sync.tombstone.cap"]),
        ('*[_id in path("*")]._id', ["jeans", "settings", "shirt"]),
        ('*[sanity::versionOf("shirt")]._id', ["drafts.shirt", "shirt", "versions.r1.shirt"]),
        ('*[sanity::partOfRelease("r1")]._id', ["versions.r1.shirt"]),
        ('*[_type == "product" && (sanity::partOfRelease("r1"))]._id', ["versions.r1.shirt"]),
        ('*[_type == "product" && (_id in path("drafts.**") && price > 30)]._id', ["drafts.shirt"]),
        ('*[_id == "shirt"][0].addons[]->title', ["Jeans"]),
        ('*[_id == "jeans"]{"by": *[references(^._id)]._id}', [{"by": ["shirt"]}]),
        ("*[price > 0] | order(price desc)[0...2]._id", ["jeans", "versions.r1.shirt"]),
        ("count(*)", 7),
        ('count(*[_type == "product"])', 5),
        ('*[title match "rele*"]._id', ["versions.r1.shirt"]),
        ('*[_id == "nope"][0]', None),
        ('*[_id == "drafts." + "shirt"][0]._id', "drafts.shirt"),
        ('*[_id in [] || _id == "shirt"]._id', ["shirt"]),
        ('*[_type == "settings"]{"n": count(*[_type == "product" && !(_id in path("drafts.**"))])}',
         [{"n": 3}]),
        ('array::unique(*[_type == "product"]._type)', ["product"]),
    ],
)  # fmt: skip
def test_filters_mean_the_same_with_and_without_an_index(
    shelf: Lake, query: str, expected: object
) -> None:
    assert shelf.query(query, perspective="raw") == expected


def test_parameters_are_json(shelf: Lake) -> None:
    query = "*[_id in $ids && price >= $least]._id"

    assert shelf.query(query, ids=["jeans", "shirt"], least=40) == ["jeans"]


def test_a_result_follows_the_last_commit(shelf: Lake) -> None:
    assert shelf.query('count(*[_type == "settings"])') == 1
    shelf.mutate(delete("settings"), create("a", "Shirt"), patch("jeans", set={"title": "Shirt"}))

    assert shelf.query('*[title == "Shirt"]._id') == ["a", "jeans", "shirt"]
    assert shelf.query('count(*[_type == "settings"])') == 0


@pytest.mark.parametrize(
    ("perspective", "expected"),
    [
        ("published", {"jeans": "Jeans", "shirt": "Shirt"}),
        ("drafts", {"jeans": "Jeans", "shirt": "Shirt, draft", "new": "New, draft"}),
        ("previewDrafts", {"jeans": "Jeans", "shirt": "Shirt, draft", "new": "New, draft"}),
        ("r1", {"jeans": "Jeans", "shirt": "Shirt, release"}),
        ("r1,drafts", {"jeans": "Jeans", "shirt": "Shirt, release", "new": "New, draft"}),
    ],
)
def test_perspectives_lay_drafts_and_releases_over_the_published(
    shelf: Lake, perspective: str, expected: dict[str, str]
) -> None:
    found = shelf.query('*[_type == "product"]{_id, title}', perspective=perspective)
    by_id = {
        document_id: shelf.query("*[_id == $id][0].title", perspective=perspective, id=document_id)
        for document_id in expected
    }

    assert {document["_id"]: document["title"] for document in found} == expected
    assert by_id == expected


def test_a_perspective_shows_where_a_document_came_from(shelf: Lake) -> None:
    query = '*[_id == "shirt"][0]._originalId'

    assert shelf.query(query, perspective="drafts") == "drafts.shirt"
    assert shelf.query(query, perspective="published") == "shirt"
    assert shelf.query(query, perspective="raw") is None


def test_raw_stands_alone(shelf: Lake) -> None:
    assert shelf.ask("*", perspective="raw,drafts").status_code == 400


def test_the_default_perspective_depends_on_the_api_version(shelf: Lake) -> None:
    older = shelf.seen_by(EDITOR, version=BEFORE_RELEASES)

    assert "drafts.shirt" in older.query("*[]._id")
    assert "drafts.shirt" not in shelf.query("*[]._id")
    older.close()


def test_older_api_versions_see_no_release_versions(shelf: Lake) -> None:
    for version in (BEFORE_RELEASES, "v1"):
        older = shelf.seen_by(EDITOR, version=version)
        assert older.query('*[_id in path("versions.**")]._id', perspective="raw") == []
        assert "versions.r1.shirt" not in older.query("*[]._id", perspective="raw")
        older.close()


def test_anonymous_readers_never_see_ids_with_a_dot(shelf: Lake) -> None:
    anonymous, viewer = shelf.seen_by(None), shelf.seen_by(VIEWER)

    assert anonymous.query("*[]._id", perspective="raw") == ["jeans", "settings", "shirt"]
    assert anonymous.query('*[_type == "sync.tombstone"]', perspective="raw") == []
    assert anonymous.query('*[_id == "drafts.shirt"]', perspective="raw") == []
    assert anonymous.query("*[0].title", perspective="drafts") == "Jeans"
    assert len(viewer.query("*", perspective="raw")) == 7
    anonymous.close()
    viewer.close()


def test_a_private_dataset_shows_nothing_to_anonymous_readers(lake: Lake) -> None:
    private = Lake.fresh(lake.address, acl_mode="private")
    private.mutate(create("a"))
    anonymous, viewer = private.seen_by(None), private.seen_by(VIEWER)

    assert anonymous.query("*") == []
    assert anonymous.doc("a") == {"documents": [], "omitted": [{"id": "a", "reason": "permission"}]}
    assert viewer.query("*[]._id") == ["a"]
    for each in (private, anonymous, viewer):
        each.close()


def test_the_project_may_be_named_by_the_host(shelf: Lake) -> None:
    port = shelf.address.rsplit(":", 1)[1]
    del shelf.http.headers["X-Sanity-Project-ID"]
    shelf.http.headers["Host"] = f"shop.localhost:{port}"
    assert shelf.query('count(*[_type == "product"])') == 2

    del shelf.http.headers["Authorization"]
    shelf.http.headers["Host"] = f"other.localhost:{port}"
    assert shelf.ask("*").status_code == 404


def test_doc_answers_found_and_omitted(shelf: Lake) -> None:
    answer = shelf.doc("shirt", "nope", "drafts.shirt")

    assert [document["_id"] for document in answer["documents"]] == ["shirt", "drafts.shirt"]
    assert answer["omitted"] == [{"id": "nope", "reason": "existence"}]


def test_doc_brings_every_version_of_what_is_asked_for(shelf: Lake) -> None:
    answer = shelf.doc("shirt", "new", "jeans", "nope", includeAllVersions="true")

    assert [document["_id"] for document in answer["documents"]] == [
        "shirt",
        "drafts.shirt",
        "versions.r1.shirt",
        "drafts.new",
        "jeans",
    ]
    assert [omitted["id"] for omitted in answer["omitted"]] == ["new", "nope"]


def test_doc_without_content_brings_system_attributes_only(shelf: Lake) -> None:
    (document,) = shelf.doc("shirt", excludeContent="true")["documents"]

    assert document.keys() == {"_id", "_type", "_rev", "_createdAt", "_updatedAt"}


def test_doc_tells_an_anonymous_reader_of_missing_permission(shelf: Lake) -> None:
    anonymous = shelf.seen_by(None)

    omitted = anonymous.doc("drafts.shirt", "nope")["omitted"]

    assert [each["reason"] for each in omitted] == ["permission", "existence"]
    anonymous.close()


def test_doc_takes_two_hundred_ids(shelf: Lake) -> None:
    ids = [f"prod_{number:026d}" for number in range(200)]

    assert len(shelf.doc(*ids, includeAllVersions="true")["omitted"]) == 200


def test_functions_that_groq_js_lacks_are_refused_in_words(shelf: Lake) -> None:
    response = shelf.ask('*[_id == "shirt"]{"x": documents::get(@)}')

    assert response.status_code == 400
    assert "groq-js" in response.json()["error"]["description"]


def test_a_parameter_that_is_no_json_is_refused(shelf: Lake) -> None:
    path = f"/{shelf.version}/data/query/{shelf.dataset}"

    response = shelf.http.get(path, params={"query": "*[_id == $id]", "$id": "bare"})

    assert response.status_code == 400
    assert json.loads(response.text)["error"] == "Bad Request"
