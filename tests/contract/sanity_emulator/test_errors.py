"""The rows of the error table in docs/sanity-emulator.md."""

import pytest

from tests.contract.sanity_emulator.emulator_process import EXPIRED, OTHER_PROJECT, VIEWER
from tests.contract.sanity_emulator.lake import Lake, create, delete, patch, reference


def test_create_of_an_existing_document(lake: Lake) -> None:
    lake.mutate(create("a"))

    status, error, item = lake.refused(create("a"))

    assert (status, error["type"]) == (409, "mutationError")
    assert item == {
        "type": "documentAlreadyExistsError",
        "id": "a",
        "description": 'Document by ID "a" already exists',
    }


def test_patch_of_a_missing_document(lake: Lake) -> None:
    status, _, item = lake.refused(patch("a", set={"x": 1}, ifRevisionID="r"))

    assert status == 409
    assert item == {
        "type": "documentNotFoundError",
        "id": "a",
        "description": 'The document with the ID "a" was not found',
    }


def test_delete_of_a_strongly_referenced_document(lake: Lake) -> None:
    lake.mutate(create("a"), create("b", addons=[reference("a")]))

    status, _, item = lake.refused(delete("a"))

    assert status == 409
    assert item == {
        "type": "documentHasExistingReferencesError",
        "id": "a",
        "referencingIDs": ["b"],
        "description": 'Document "a" cannot be deleted as there are references to it from "b"',
    }


def test_a_strong_reference_to_nothing(lake: Lake) -> None:
    status, _, item = lake.refused(create("a", addons=[reference("b")]))

    assert status == 409
    assert item == {
        "type": "documentReferenceDoesNotExistError",
        "id": "a",
        "referenceID": "b",
        "description": 'Document "a" references non-existent document "b"',
    }


@pytest.mark.parametrize(
    "document_id",
    ["#x", "-a", "a..b", ".a", "a/b", "ä", "x" * 129, "versions.only", "a.versions.b", "a.-b"],
)
def test_a_malformed_id(lake: Lake, document_id: str) -> None:
    for mutation in (create(document_id), patch(document_id, set={"x": 1}), delete(document_id)):
        status, _, item = lake.refused(mutation)

        assert status == 400
        assert item == {
            "type": "validationError",
            "description": f'Malformed document ID: "{document_id}"',
            "value": document_id,
        }


@pytest.mark.parametrize(
    "document_id", ["a", "_x", "A-1_2", "drafts.a", "versions.r1.a", "sync.tombstone.a", "x" * 128]
)
def test_a_well_formed_id(lake: Lake, document_id: str) -> None:
    lake.mutate(create(document_id))

    assert lake.get(document_id) is not None


def test_a_change_of_type_by_patch(lake: Lake) -> None:
    lake.mutate(create("a"))

    status, _, item = lake.refused(patch("a", set={"_type": "other"}))

    assert status == 409
    assert item["type"] == "cannotModifyImmutableAttributeError"
    assert item["attribute"] == "_type"


@pytest.mark.parametrize(
    "mutation",
    [
        {"create": {"_id": "a"}},
        {"upsert": {"_id": "a"}},
        {"create": {"_id": "a", "_type": "t"}, "delete": {"id": "a"}},
        "text",
    ],
)
def test_what_is_no_mutation(lake: Lake, mutation: dict[str, object]) -> None:
    status, error, item = lake.refused(mutation)

    assert (status, error["type"], item["type"]) == (400, "mutationError", "validationError")


@pytest.mark.parametrize("path", ["a..", "['x", "a-b"])
def test_a_patch_with_a_path_that_is_none(lake: Lake, path: str) -> None:
    lake.mutate(create("a"))

    status, _, item = lake.refused(patch("a", set={path: 1}))

    assert (status, item["type"]) == (400, "validationError")


@pytest.mark.parametrize("body", ["no json", "[]", "{}", '{"mutations": {}}'])
def test_a_body_that_is_no_transaction(lake: Lake, body: str) -> None:
    response = lake.http.post(f"/{lake.version}/data/mutate/{lake.dataset}", content=body)

    assert response.status_code == 400
    assert response.json()["error"] == "Bad Request"
    assert response.headers["content-type"].startswith("application/json")


def test_a_reader_may_not_write(lake: Lake) -> None:
    lake.mutate(create("a"))
    for token in (VIEWER, None):
        reader = lake.seen_by(token)
        status, error, item = reader.refused(create("b"))
        assert status == 403
        assert error["description"] == (
            'transaction failed: Insufficient permissions; permission "create" required'
        )
        assert (item["type"], item["permission"]) == ("insufficientPermissionsError", "create")
        assert reader.refused(patch("a", set={"x": 1}))[2]["permission"] == "update"
        reader.close()


@pytest.mark.parametrize(
    ("token", "code", "message"),
    [
        ("nobody's", "SIO-401-ANF", "Session not found"),
        (EXPIRED, "SIO-401-AEX", "Session is expired, please re-authenticate"),
        (OTHER_PROJECT, "SIO-401-AWH", "Session does not match project host"),
    ],
)
def test_a_token_that_does_not_count(lake: Lake, token: str, code: str, message: str) -> None:
    stranger = lake.seen_by(token)

    for response in (stranger.send(create("a")), stranger.ask("*")):
        assert response.status_code == 401
        assert response.json() == {
            "statusCode": 401,
            "error": "Unauthorized",
            "message": message,
            "errorCode": code,
        }
    stranger.close()


def test_an_unknown_project(lake: Lake) -> None:
    elsewhere = lake.seen_by(None, project="nowhere")

    response = elsewhere.ask("*")

    assert response.status_code == 404
    assert response.json()["errorCode"] == "SIO-404-PNF"
    elsewhere.close()


def test_an_unknown_dataset(lake: Lake) -> None:
    path = f"/{lake.version}/data/query/nothing-here"

    response = lake.http.get(path, params={"query": "*"})

    assert response.status_code == 404
    assert response.json() == {
        "statusCode": 404,
        "error": "Dataset not found",
        "message": 'Dataset "nothing-here" not found for project ID "shop"',
    }


def test_a_missing_parameter(lake: Lake) -> None:
    response = lake.ask("*[_id == $id]")

    assert response.status_code == 400
    assert response.json()["error"]["description"] == "param $id referenced, but not provided"


def test_a_query_that_does_not_parse(lake: Lake) -> None:
    response = lake.ask("*[_id == ")

    error = response.json()["error"]
    assert response.status_code == 400
    assert error["type"] == "queryParseError"
    assert error["query"] == "*[_id == "
    assert isinstance(error["start"], int)


def test_a_body_over_four_megabytes(lake: Lake) -> None:
    response = lake.send(create("a", text="x" * 4_000_000))

    assert response.status_code == 413
    assert response.json()["message"] == "Request body exceeds limit of 4000000 bytes"
    assert lake.get("a") is None


def test_a_body_just_below_four_megabytes(lake: Lake) -> None:
    lake.mutate(create("a", text="x" * 3_999_000))

    assert lake.get("a") is not None


def test_an_api_version_that_is_none(lake: Lake) -> None:
    response = lake.http.get(f"/2025/data/query/{lake.dataset}", params={"query": "*"})

    assert response.status_code == 400
