import json

from consumer import mutation


def test_a_patch_names_the_revision_that_was_read() -> None:
    assert mutation.patch("p", "r1", set_={"title": "A"}) == {
        "patch": {"id": "p", "ifRevisionID": "r1", "set": {"title": "A"}}
    }


def test_a_patch_unsets_only_where_there_is_something_to_unset() -> None:
    patch = mutation.patch("p", "r1", set_={"sync": {}}, unset=("handle",))

    assert patch["patch"]["unset"] == ["handle"]


def test_a_guard_changes_nothing() -> None:
    assert mutation.guard("p", "r1") == {
        "patch": {"id": "p", "ifRevisionID": "r1", "unset": ["_sync_guard"]}
    }


def test_a_guarded_delete_checks_first() -> None:
    assert mutation.guarded_delete("p", "r1") == [
        mutation.guard("p", "r1"),
        {"delete": {"id": "p"}},
    ]


def test_an_assertion_of_absence_leaves_nothing_behind() -> None:
    assert mutation.assert_absent("t", "sync.tombstone") == [
        {"create": {"_id": "t", "_type": "sync.tombstone"}},
        {"delete": {"id": "t"}},
    ]


def test_encoded_mutations_are_the_inside_of_a_json_array() -> None:
    mutations = [mutation.delete("a"), mutation.create({"_id": "b", "title": "Müller, 5\u20ac"})]

    encoded = mutation.encoded(mutations)

    assert json.loads(b"[" + encoded + b"]") == mutations
    assert "Müller, 5\u20ac".encode() in encoded  # as it is, so that the length is the real one


def test_no_mutations_encode_to_nothing() -> None:
    assert mutation.encoded([]) == b""
