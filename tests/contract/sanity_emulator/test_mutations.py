import re
import uuid

import pytest

from tests.contract.sanity_emulator.lake import Lake, create, delete, patch, product


def test_create_stores_the_document_with_system_attributes(lake: Lake) -> None:
    answer = lake.mutate(create("prod_1", specs=[{"_key": "prod_1", "lang": "en"}]))

    stored = lake.get("prod_1")
    assert stored is not None
    assert stored["specs"] == [{"_key": "prod_1", "lang": "en"}]
    assert stored["_rev"] == answer["transactionId"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stored["_createdAt"])
    assert stored["_createdAt"] == stored["_updatedAt"]
    assert answer["results"] == [{"id": "prod_1", "operation": "create"}]


def test_create_without_an_id_gets_one(lake: Lake) -> None:
    answer = lake.mutate({"create": {"_type": "product"}})

    assert lake.get(answer["results"][0]["id"]) is not None


def test_create_with_a_prefix_gets_an_id_below_it(lake: Lake) -> None:
    answer = lake.mutate({"create": {"_id": "drafts.", "_type": "product"}})

    assert re.fullmatch(r"drafts\.[0-9a-f-]{36}", answer["results"][0]["id"])


def test_create_keeps_given_times_and_not_a_given_revision(lake: Lake) -> None:
    lake.mutate(create("a", _createdAt="2020-01-01T00:00:00Z", _rev="mine"))

    stored = lake.get("a")
    assert stored is not None
    assert stored["_createdAt"] == "2020-01-01T00:00:00Z"
    assert stored["_rev"] != "mine"


def test_create_if_not_exists_leaves_an_existing_document_alone(lake: Lake) -> None:
    lake.mutate(create("a", "Old"))
    before = lake.get("a")

    answer = lake.mutate({"createIfNotExists": product("a", "New")})

    assert answer["results"] == [{"id": "a", "operation": "none"}]
    assert lake.get("a") == before


def test_create_or_replace_replaces_everything_but_the_time_of_creation(lake: Lake) -> None:
    lake.mutate(create("a", subtitle="gone", _createdAt="2020-01-01T00:00:00Z"))

    lake.mutate({"createOrReplace": {"_id": "a", "_type": "other", "title": "New"}})

    stored = lake.get("a")
    assert stored is not None
    assert "subtitle" not in stored
    assert stored["_type"] == "other"
    assert stored["_createdAt"] == "2020-01-01T00:00:00Z"


def test_patch_changes_only_what_it_names(lake: Lake) -> None:
    lake.mutate(create("a", "Old", specs=[{"_key": "k", "content": "text"}]))

    lake.mutate(patch("a", set={"title": "New"}))

    stored = lake.get("a")
    assert stored is not None
    assert (stored["title"], stored["specs"]) == ("New", [{"_key": "k", "content": "text"}])


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ({"set": {'specs[_key=="b"].content': "x"}}, ["1", "x"]),
        ({"setIfMissing": {"specs": []}}, ["1", "2"]),
        ({"unset": ['specs[_key=="a"]']}, ["2"]),
        ({"insert": {"after": "specs[-1]", "items": [{"_key": "c", "content": "3"}]}},
         ["1", "2", "3"]),
        ({"insert": {"before": "specs[0]", "items": [{"_key": "c", "content": "3"}]}},
         ["3", "1", "2"]),
        ({"insert": {"replace": "specs[0]", "items": [{"_key": "c", "content": "3"}]}},
         ["3", "2"]),
        ({"diffMatchPatch": {"specs[0].content": "@@ -1 +1,2 @@\n 1\n+!\n"}}, ["1!", "2"]),
        ({"set": {"specs[7].content": "x"}}, ["1", "2"]),
    ],
)  # fmt: skip
def test_patch_operations_on_an_array(
    lake: Lake, operations: dict[str, object], expected: list[str]
) -> None:
    specs = [{"_key": "a", "content": "1"}, {"_key": "b", "content": "2"}]
    lake.mutate(create("x", specs=specs))

    lake.mutate(patch("x", **operations))

    stored = lake.get("x")
    assert stored is not None
    assert [spec["content"] for spec in stored["specs"]] == expected


def test_patch_makes_missing_parents_and_counts(lake: Lake) -> None:
    lake.mutate(create("a", count=5))

    lake.mutate(
        patch("a", set={"sync.revision": 7}, inc={"count": 2}), patch("a", dec={"count": 1})
    )

    stored = lake.get("a")
    assert stored is not None
    assert (stored["sync"], stored["count"]) == ({"revision": 7}, 6)


def test_patch_by_query_patches_every_match_and_may_match_nothing(lake: Lake) -> None:
    lake.mutate(create("a", "x"), create("b", "x"), create("c", "y"))
    by_title = {"query": "*[title == $title]", "set": {"seen": True}}

    answer = lake.mutate({"patch": {**by_title, "params": {"title": "x"}}})
    nothing = lake.mutate({"patch": {**by_title, "params": {"title": "z"}}})

    assert [each["id"] for each in answer["results"]] == ["a", "b"]
    assert lake.query("*[seen]._id") == ["a", "b"]
    assert nothing["results"] == []


def test_delete_by_id_and_by_query(lake: Lake) -> None:
    lake.mutate(create("a"), create("b"), create("c"), create("drafts.d"))

    answer = lake.mutate(delete("a"), delete("missing"))
    lake.mutate({"delete": {"query": '*[_id in ["b", "drafts.d"]]'}})

    assert [each["operation"] for each in answer["results"]] == ["delete", "none"]
    assert lake.query("*[]._id", perspective="raw") == ["c"]


def test_all_documents_of_a_transaction_carry_its_id_as_revision(lake: Lake) -> None:
    chosen = f"chosen-{uuid.uuid4()}"
    lake.mutate(create("a"), create("b"))

    answer = lake.mutate(patch("a", set={"x": 1}), patch("b", set={"x": 1}), transaction_id=chosen)

    assert answer["transactionId"] == chosen
    assert lake.query("*[]._rev") == [chosen, chosen]


def test_transaction_id_is_taken_from_the_query_string_too(lake: Lake) -> None:
    answer = lake.mutate(create("a"), transactionId="by-query-string")

    assert answer["transactionId"] == "by-query-string"


def test_one_refused_mutation_undoes_all(lake: Lake) -> None:
    lake.mutate(create("a"))

    status, error, _ = lake.refused(create("b"), patch("a", set={"x": 1}), create("a"))

    assert status == 409
    assert error["items"][0]["index"] == 2
    assert lake.query("*[]{_id, x}") == [{"_id": "a", "x": None}]


def test_mutations_of_one_transaction_see_each_other(lake: Lake) -> None:
    lake.mutate(create("a", "1"), patch("a", set={"title": "2"}), delete("a"), create("a", "3"))

    assert lake.query('*[_id == "a"][0].title') == "3"


def test_dry_run_answers_and_refuses_alike_and_stores_nothing(lake: Lake) -> None:
    lake.mutate(create("a"))

    answer = lake.mutate(create("b"), dryRun="true", transaction_id="tried")
    refused = lake.send(create("a"), dryRun="true")
    lake.mutate(create("c"), transaction_id="tried")

    assert answer["results"] == [{"id": "b", "operation": "create"}]
    assert refused.status_code == 409
    assert lake.query("*[]._id") == ["a", "c"]


def test_return_options_choose_what_results_hold(lake: Lake) -> None:
    bare = lake.mutate(create("a"), returnIds="false")
    both = lake.mutate(create("b"), returnDocuments="true")
    documents = lake.mutate(create("c"), returnIds="false", returnDocuments="true")

    assert bare["results"] == []
    assert both["results"][0].keys() == {"id", "operation", "document"}
    assert both["results"][0]["document"]["_rev"] == both["transactionId"]
    assert documents["results"][0].keys() == {"document"}


def test_array_keys_are_generated_on_request_only(lake: Lake) -> None:
    items = [{"a": 1}, {"_key": "kept"}, "text"]
    lake.mutate(create("without", items=items))
    lake.mutate(create("with", items=items), autoGenerateArrayKeys="true")
    lake.mutate(patch("without", set={"more": [{"b": [{"c": 1}]}]}), autoGenerateArrayKeys="true")

    plain, keyed = lake.get("without"), lake.get("with")
    assert plain is not None
    assert keyed is not None
    assert keyed["items"][0].keys() == {"a", "_key"}
    assert keyed["items"][1:] == [{"_key": "kept"}, "text"]
    assert plain["more"][0]["b"][0].keys() == {"c", "_key"}


@pytest.mark.parametrize("visibility", ["sync", "async", "deferred"])
def test_every_visibility_is_accepted(lake: Lake, visibility: str) -> None:
    lake.mutate(create("a"), visibility=visibility)

    assert lake.get("a") is not None


def test_unchanged_immutable_attributes_may_be_set(lake: Lake) -> None:
    lake.mutate(create("a"))

    lake.mutate(patch("a", set=product("a", "New")))

    assert lake.query("*[0].title") == "New"


def test_times_move_with_a_patch(lake: Lake) -> None:
    lake.mutate(create("a", _createdAt="2020-01-01T00:00:00Z", _updatedAt="2020-01-01T00:00:00Z"))

    lake.mutate(patch("a", set={"x": 1}))

    stored = lake.get("a")
    assert stored is not None
    assert stored["_createdAt"] == "2020-01-01T00:00:00Z"
    assert stored["_updatedAt"] > "2020-01-01T00:00:00Z"
