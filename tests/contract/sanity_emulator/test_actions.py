from typing import Any

import httpx
import pytest

from tests.contract.sanity_emulator.emulator_process import EDITOR, VIEWER
from tests.contract.sanity_emulator.lake import (
    BEFORE_RELEASES,
    Lake,
    create,
    patch,
    product,
    reference,
)


def action(name: str, **fields: Any) -> dict[str, Any]:
    return {"actionType": f"sanity.action.document.{name}", **fields}


def send(lake: Lake, *actions: dict[str, Any], **options: Any) -> httpx.Response:
    return lake.post("actions", {"actions": list(actions), **options})


def act(lake: Lake, *actions: dict[str, Any], **options: Any) -> str:
    response = send(lake, *actions, **options)
    assert response.status_code == httpx.codes.OK, response.text
    return str(response.json()["transactionId"])


def edit(**patch_operations: Any) -> dict[str, Any]:
    return action("edit", draftId="drafts.a", publishedId="a", patch=patch_operations)


PUBLISH = action("publish", draftId="drafts.a", publishedId="a")


def titles(lake: Lake) -> dict[str, str]:
    found = lake.query("*[]{_id, title}", perspective="raw")
    return {each["_id"]: each["title"] for each in found}


def test_create_makes_a_draft_once(lake: Lake) -> None:
    attributes = product("drafts.a", _rev="made by a client")
    make = action("create", publishedId="a", attributes=attributes, ifExists="fail")

    transaction_id = act(lake, make)
    again = send(lake, make)
    act(lake, {**make, "ifExists": "ignore"})

    draft = lake.get("drafts.a")
    assert draft is not None
    assert draft["_rev"] == transaction_id
    assert again.status_code == 409
    assert again.json()["error"]["type"] == "actionError"
    assert again.json()["error"]["items"][0]["error"]["type"] == "documentAlreadyExistsError"


def test_edit_makes_the_draft_from_the_published_document(lake: Lake) -> None:
    lake.mutate(create("a", "Old", subtitle="kept"))

    act(lake, edit(unset=["_empty_action_guard_pseudo_field_"]))
    act(lake, edit(set={"title": "New"}))

    draft = lake.get("drafts.a")
    assert draft is not None
    assert (draft["title"], draft["subtitle"]) == ("New", "kept")
    assert titles(lake)["a"] == "Old"


def test_edit_of_nothing_is_refused(lake: Lake) -> None:
    response = send(lake, edit(set={"title": "New"}))

    assert response.status_code == 409
    assert response.json()["error"]["items"][0]["error"]["type"] == "documentNotFoundError"


def test_publish_replaces_the_published_document_and_drops_the_draft(lake: Lake) -> None:
    lake.mutate(create("a", "Old", _createdAt="2020-01-01T00:00:00Z"))
    act(lake, edit(set={"title": "New"}))

    transaction_id = act(lake, PUBLISH)

    published = lake.get("a")
    assert titles(lake) == {"a": "New"}
    assert published is not None
    assert published["_rev"] == transaction_id
    assert published["_createdAt"] == "2020-01-01T00:00:00Z"


def test_a_first_publish_creates(lake: Lake) -> None:
    lake.mutate(create("drafts.a", "Draft"))

    act(lake, PUBLISH)

    assert titles(lake) == {"a": "Draft"}


def test_publish_is_guarded_by_the_revisions_it_names(lake: Lake) -> None:
    seen = lake.mutate(create("a"), create("drafts.a", "Draft"))["transactionId"]
    lake.mutate(patch("a", set={"title": "Changed meanwhile"}))

    refused = send(lake, {**PUBLISH, "ifPublishedRevisionId": seen})
    draft_refused = send(lake, {**PUBLISH, "ifDraftRevisionId": "other"})

    for response in (refused, draft_refused):
        assert response.status_code == 409
        item = response.json()["error"]["items"][0]["error"]
        assert item["type"] == "documentRevisionIDDoesNotMatchError"
    act(lake, {**PUBLISH, "ifDraftRevisionId": seen})
    assert titles(lake) == {"a": "Draft"}


def test_publish_makes_references_strong_that_are_to_be(lake: Lake) -> None:
    later = {**reference("b", weak=True), "_strengthenOnPublish": {"type": "product"}}
    still = {**later, "_key": "w", "_strengthenOnPublish": {"type": "product", "weak": True}}
    lake.mutate(create("b"), create("drafts.a", refs=[later, still]))

    act(lake, PUBLISH)

    published = lake.get("a")
    assert published is not None
    first, second = published["refs"]
    assert first == reference("b")
    assert second == {**reference("b", weak=True), "_key": "w"}


def test_unpublish_keeps_the_content_as_a_draft(lake: Lake) -> None:
    lake.mutate(create("a"))

    act(lake, action("unpublish", draftId="drafts.a", publishedId="a"))

    assert titles(lake) == {"drafts.a": "Shirt"}


def test_unpublish_keeps_an_existing_draft(lake: Lake) -> None:
    lake.mutate(create("a"), create("drafts.a", "Draft"))

    act(lake, action("unpublish", draftId="drafts.a", publishedId="a"))

    assert titles(lake) == {"drafts.a": "Draft"}


def test_unpublish_is_refused_while_strongly_referenced(lake: Lake) -> None:
    lake.mutate(create("a"), create("b", refs=[reference("a")]))

    response = send(lake, action("unpublish", draftId="drafts.a", publishedId="a"))

    assert response.status_code == 409
    item = response.json()["error"]["items"][0]["error"]
    assert item["type"] == "documentHasExistingReferencesError"


def test_delete_names_the_drafts_it_takes_along(lake: Lake) -> None:
    lake.mutate(create("a"), create("drafts.a"))
    remove = action("delete", publishedId="a", includeDrafts=[])

    refused = send(lake, remove)
    act(lake, {**remove, "includeDrafts": ["drafts.a"]})

    assert refused.status_code == 400
    assert titles(lake) == {}


def test_discard_drops_a_draft_or_a_version_and_nothing_else(lake: Lake) -> None:
    lake.mutate(create("a"), create("drafts.a"), create("versions.r1.a"))

    act(lake, action("version.discard", versionId="drafts.a"))
    act(lake, action("discard", draftId="versions.r1.a"))
    published = send(lake, action("version.discard", versionId="a"))
    missing = send(lake, action("version.discard", versionId="drafts.a"))

    assert titles(lake) == {"a": "Shirt"}
    assert published.status_code == 400
    assert missing.status_code == 409


def test_versions_are_made_replaced_and_marked(lake: Lake) -> None:
    lake.mutate(create("a"))
    version = "versions.r1.a"

    act(lake, action("version.create", publishedId="a", baseId="a", versionId=version))
    act(lake, action("version.replace", document=product(version, "Release")))
    assert lake.query("*[0].title", perspective="r1") == "Release"

    act(lake, action("version.unpublish", versionId=version, publishedId="a"))
    assert lake.query("*", perspective="r1") == []


def test_actions_of_one_request_are_one_transaction(lake: Lake) -> None:
    lake.mutate(create("a"))

    refused = send(lake, edit(set={"title": "New"}), action("discard", draftId="drafts.b"))
    assert refused.json()["error"]["items"][0]["index"] == 1
    assert titles(lake) == {"a": "Shirt"}

    act(lake, edit(set={"title": "New"}), edit(set={"x": 1}), PUBLISH, transactionId="mine")
    assert titles(lake) == {"a": "New"}
    assert send(lake, PUBLISH, transactionId="mine").status_code == 409


def test_dry_run_is_an_option_of_the_body(lake: Lake) -> None:
    lake.mutate(create("a"))

    act(lake, edit(set={"title": "New"}), dryRun=True)

    assert titles(lake) == {"a": "Shirt"}


def test_readers_may_not_act(lake: Lake) -> None:
    lake.mutate(create("a"))
    viewer = lake.seen_by(VIEWER)

    response = send(viewer, edit(set={"title": "New"}))

    assert response.status_code == 403
    assert response.json()["error"]["type"] == "actionError"
    viewer.close()


@pytest.mark.parametrize("name", ["document.version.discard", "release.create"])
def test_older_api_versions_know_no_releases(lake: Lake, name: str) -> None:
    older = lake.seen_by(EDITOR, version=BEFORE_RELEASES)

    response = send(older, {"actionType": f"sanity.action.{name}"})

    assert response.status_code == 400
    assert response.json()["message"] == "action index 0: not supported for this API version"
    older.close()


def test_unknown_actions_are_refused(lake: Lake) -> None:
    for unknown in ("sanity.action.release.create", "dance", None):
        assert send(lake, {"actionType": unknown}).status_code == 400
