"""What the consumer's correctness stands on: revisions, transaction ids, assertions."""

import uuid

from tests.contract.sanity_emulator.lake import Lake, create, delete, patch


def test_a_patch_with_the_read_revision_passes(lake: Lake) -> None:
    first = lake.mutate(create("a"))["transactionId"]

    second = lake.mutate(patch("a", set={"x": 1}, ifRevisionID=first))["transactionId"]

    assert lake.query("*[0]{x, _rev}") == {"x": 1, "_rev": second}


def test_a_patch_with_another_revision_is_refused_with_both_named(lake: Lake) -> None:
    current = lake.mutate(create("a"))["transactionId"]

    status, error, item = lake.refused(patch("a", set={"x": 1}, ifRevisionID="older"))

    description = f'Document "a" has unexpected revision ID ("{current}"), expected "older"'
    assert status == 409
    assert error == {
        "type": "mutationError",
        "description": f"Mutation failed: {description}",
        "items": [
            {
                "index": 0,
                "error": {
                    "type": "documentRevisionIDDoesNotMatchError",
                    "description": description,
                    "currentRevisionID": current,
                    "expectedRevisionID": "older",
                },
            }
        ],
    }
    assert item == error["items"][0]["error"]


def test_a_guard_without_effect_gives_a_new_revision(lake: Lake) -> None:
    first = lake.mutate(create("a"))["transactionId"]

    answer = lake.mutate(patch("a", unset=["_revision_lock_pseudo_field_"], ifRevisionID=first))

    stored = lake.get("a")
    assert stored is not None
    assert stored["_rev"] == answer["transactionId"] != first
    assert "_revision_lock_pseudo_field_" not in stored
    assert answer["results"] == [{"id": "a", "operation": "update"}]


def test_a_guarded_delete_is_a_guard_and_a_delete(lake: Lake) -> None:
    first = lake.mutate(create("a"))["transactionId"]
    guard = patch("a", unset=["_guard_"], ifRevisionID=first)

    lake.mutate(patch("a", set={"x": 1}))
    status, _, _ = lake.refused(guard, delete("a"))
    assert status == 409
    assert lake.get("a") is not None

    second = lake.mutate(patch("a", set={"x": 2}))["transactionId"]
    lake.mutate(patch("a", unset=["_guard_"], ifRevisionID=second), delete("a"))
    assert lake.get("a") is None


def test_create_and_delete_in_one_transaction_asserts_absence(lake: Lake) -> None:
    tombstone = {"create": {"_id": "sync.tombstone.a", "_type": "sync.tombstone"}}
    lake.mutate(tombstone, delete("sync.tombstone.a"), create("a"))
    assert lake.query("*[]._id", perspective="raw") == ["a"]

    lake.mutate(tombstone)
    status, _, item = lake.refused(tombstone, delete("sync.tombstone.a"), create("b"))

    assert (status, item["type"]) == (409, "documentAlreadyExistsError")
    assert lake.get("b") is None


def test_a_transaction_id_counts_once(lake: Lake) -> None:
    chosen = str(uuid.uuid4())
    lake.mutate(create("a"), transaction_id=chosen)

    again = lake.send(create("b"), transaction_id=chosen)

    assert again.status_code == 409
    assert again.json()["error"]["type"] == "transactionAlreadyExistsError"
    assert "items" not in again.json()["error"]
    assert lake.get("b") is None


def test_a_refused_transaction_leaves_its_id_free(lake: Lake) -> None:
    chosen = str(uuid.uuid4())
    lake.mutate(create("a"))
    assert lake.send(create("a"), transaction_id=chosen).status_code == 409

    lake.mutate(create("b"), transaction_id=chosen)

    assert lake.get("b") is not None


def test_a_transaction_id_is_free_in_another_dataset(lake: Lake) -> None:
    other = Lake.fresh(lake.address)
    lake.mutate(create("a"), transaction_id="same")

    other.mutate(create("a"), transaction_id="same")

    assert other.get("a") is not None
    other.close()


def test_history_tells_every_state_of_a_document(lake: Lake) -> None:
    lake.mutate(create("a", sync={"revision": 1}))
    lake.mutate(patch("a", set={"sync.revision": 2}))
    last = lake.mutate(delete("a"))["transactionId"]

    query = {"project": "shop", "dataset": lake.dataset}
    states = lake.admin("GET", "history", params=query)["documents"]["a"]
    same = lake.admin("GET", "history", params=query | {"id": "a"})["documents"]["a"]

    assert [state["revision"] for state in states] == [1, 2, None]
    assert [state["deleted"] for state in states] == [False, False, True]
    assert states[-1]["transactionId"] == last
    assert same == states
