import pytest

from tests.contract.sanity_emulator.emulator_process import EDITOR
from tests.contract.sanity_emulator.lake import BEFORE_RELEASES, Lake, create, delete, patch
from tests.contract.sanity_emulator.listener import listening

PRODUCTS = '*[_type == "product"]'


def test_a_listener_is_welcomed_and_told_of_a_change(lake: Lake) -> None:
    with listening(lake, PRODUCTS) as events:
        welcome = events.next()
        first = lake.mutate(create("a"))["transactionId"]
        appeared = events.next()
        second = lake.mutate(patch("a", set={"title": "New"}))["transactionId"]
        updated = events.next()

    assert welcome.name == "welcome"
    assert welcome.data["listenerName"]
    assert appeared.name == "mutation"
    assert appeared.id == f"{first}#a"
    assert appeared.data["transition"] == "appear"
    assert appeared.data["identity"] == "g-consumer"
    assert updated.data == {
        "eventId": f"{second}#a",
        "documentId": "a",
        "transactionId": second,
        "transition": "update",
        "identity": "g-consumer",
        "previousRev": first,
        "resultRev": second,
        "timestamp": updated.data["timestamp"],
        "visibility": "transaction",
        "transactionTotalEvents": 1,
        "transactionCurrentEvent": 1,
        "mutations": [{"patch": {"id": "a", "set": {"title": "New"}}}],
    }


def test_the_filter_decides_what_appears_and_disappears(lake: Lake) -> None:
    lake.mutate(create("a", price=1), create("b", price=1))
    with listening(lake, "*[price > $least]", **{"$least": "5"}) as events:
        events.next()
        lake.mutate(patch("a", set={"price": 2}))
        lake.mutate(patch("a", set={"price": 7}), patch("b", set={"price": 2}))
        lake.mutate(patch("a", set={"price": 3}))
        seen = [events.next().data for _ in range(2)]

    assert [each["transition"] for each in seen] == ["appear", "disappear"]
    assert [each["transactionTotalEvents"] for each in seen] == [1, 1]


def test_a_deletion_carries_its_revision(lake: Lake) -> None:
    first = lake.mutate(create("a"))["transactionId"]
    with listening(lake, PRODUCTS) as events:
        events.next()
        second = lake.mutate(delete("a"))["transactionId"]
        event = events.next().data

    assert event["transition"] == "disappear"
    assert (event["previousRev"], event["resultRev"]) == (first, second)


def test_options_add_result_previous_and_effects_and_leave_mutations_out(lake: Lake) -> None:
    lake.mutate(create("a", "Old"))
    options = {
        "includeResult": "true",
        "includePreviousRevision": "true",
        "includeMutations": "false",
        "effectFormat": "mendoza",
    }
    with listening(lake, PRODUCTS, **options) as events:
        events.next()
        lake.mutate(patch("a", set={"title": "New"}))
        event = events.next().data

    assert "mutations" not in event
    assert (event["previous"]["title"], event["result"]["title"]) == ("Old", "New")
    assert event["effects"] == {
        "apply": [0, event["result"]],
        "revert": [0, event["previous"]],
    }


def test_events_of_one_transaction_are_counted(lake: Lake) -> None:
    with listening(lake, PRODUCTS) as events:
        events.next()
        lake.mutate(create("a"), create("b"), {"create": {"_id": "c", "_type": "other"}})
        seen = [events.next().data for _ in range(2)]

    assert [each["transactionCurrentEvent"] for each in seen] == [1, 2]
    assert {each["transactionTotalEvents"] for each in seen} == {2}


def test_drafts_and_versions_are_told_of_on_request(lake: Lake) -> None:
    ids = ["drafts.a", "versions.r1.a", "a"]
    with (
        listening(lake, PRODUCTS) as plain,
        listening(lake, PRODUCTS, includeAllVersions="true") as all_versions,
    ):
        plain.next()
        all_versions.next()
        lake.mutate(*(create(each) for each in ids))
        assert plain.next().data["documentId"] == "a"
        assert [all_versions.next().data["documentId"] for _ in ids] == ids


def test_older_api_versions_are_told_of_drafts(lake: Lake) -> None:
    older = lake.seen_by(EDITOR, version=BEFORE_RELEASES)
    with listening(older, PRODUCTS) as events:
        events.next()
        lake.mutate(create("versions.r1.a"), create("drafts.a"))
        assert events.next().data["documentId"] == "drafts.a"
    older.close()


def test_anonymous_listeners_hear_nothing_private(lake: Lake) -> None:
    anonymous = lake.seen_by(None)
    with listening(anonymous, "*", includeAllVersions="true") as events:
        events.next()
        lake.mutate(create("drafts.a"), create("sync.tombstone.a"))
        lake.mutate(create("a"))
        assert events.next().data["documentId"] == "a"
    anonymous.close()


def test_a_cut_listener_resumes_where_it_was(lake: Lake) -> None:
    with listening(lake, PRODUCTS, enableResume="true") as events:
        events.next()
        lake.mutate(create("a"))
        seen = events.next()
        assert lake.admin("DELETE", "listeners")["ended"] >= 1
        assert events.ended()
    lake.mutate(create("b"))
    lake.mutate(create("c"))

    with listening(lake, PRODUCTS, last_event_id=seen.id, enableResume="true") as events:
        assert events.next().name == "welcomeback"
        assert [events.next().data["documentId"] for _ in range(2)] == ["b", "c"]
        lake.mutate(create("d"))
        assert events.next().data["documentId"] == "d"


def test_a_listener_that_was_away_too_long_is_reset(lake: Lake) -> None:
    with listening(lake, PRODUCTS, last_event_id="long-gone#a", enableResume="true") as events:
        assert events.next().name == "reset"
        lake.mutate(create("a"))
        assert events.next().data["documentId"] == "a"


@pytest.mark.parametrize("query", ["*[_id == ", "*[_id == $missing]", "count(1)"])
def test_a_bad_query_is_told_inside_the_stream(lake: Lake, query: str) -> None:
    with listening(lake, query) as events:
        event = events.next()

    assert event.name == "channelError"
    assert event.data["error"]["description"]


def test_events_can_be_held_back(calm: Lake) -> None:
    calm.admin("PUT", "weather", json={"streamDelayMs": 200})
    with listening(calm, PRODUCTS) as events:
        events.next()
        calm.mutate(create("a"))
        assert calm.get("a") is not None
        assert events.next().data["documentId"] == "a"


def test_dry_runs_and_refusals_are_silent(lake: Lake) -> None:
    with listening(lake, PRODUCTS) as events:
        events.next()
        lake.mutate(create("a"), dryRun="true")
        lake.send(create("b"), patch("missing", set={"x": 1}))
        lake.mutate(create("c"))
        assert events.next().data["documentId"] == "c"
