import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outbox import EventType, NewEvent
from outbox.errors import (
    InvalidAggregateIdError,
    InvalidEventError,
    InvalidPayloadError,
    InvalidTypeError,
    PayloadTooLargeError,
)
from outbox.event import MAX_PAYLOAD_BYTES
from outbox.publish import (
    CHARACTERS_PER_CALL,
    EVENTS_PER_CALL,
    lock_aggregates_statement,
    publish_many_statements,
    publish_statement,
)


def event(aggregate_id: str = "prod_1", **fields: Any) -> NewEvent:
    values: dict[str, Any] = {"type": EventType.UPDATED, "payload": {"id": aggregate_id}}
    return NewEvent(aggregate_id, **(values | fields))


@pytest.mark.parametrize(
    "aggregate_id", ["", "a" * 81, "-a", "a.b", "drafts.a", "a b", "a\n", "ä", "a/b", "a\0"]
)
def test_an_aggregate_id_that_sanity_could_not_hold_is_refused(aggregate_id: str) -> None:
    with pytest.raises(InvalidAggregateIdError, match="1 to 80 of"):
        event(aggregate_id)
    with pytest.raises(InvalidAggregateIdError):
        lock_aggregates_statement("product", ["fine", aggregate_id])


@pytest.mark.parametrize("aggregate_id", ["a", "a" * 80, "_a-b_C9", "prod_01HXYZ"])
def test_ordinary_ids_are_taken(aggregate_id: str) -> None:
    assert event(aggregate_id).aggregate_id == aggregate_id


def test_something_else_than_text_is_no_aggregate_id() -> None:
    value: Any = 42
    with pytest.raises(InvalidAggregateIdError, match="42"):
        NewEvent(value, EventType.UPDATED, {})


@pytest.mark.parametrize("kind", ["", "product.renamed", "order.created", "created"])
def test_a_type_that_no_consumer_knows_is_refused(kind: str) -> None:
    with pytest.raises(InvalidTypeError, match=r"product\.sync_requested"):
        event(type=kind)


def test_another_aggregate_type_has_its_own_four_types() -> None:
    assert event(aggregate_type="order", type="order.deleted").type == "order.deleted"
    with pytest.raises(InvalidTypeError):
        event(aggregate_type="order")
    with pytest.raises(InvalidEventError, match="aggregate type"):
        event(aggregate_type="Product", type="Product.created")


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(InvalidEventError, match="source 'cron'"):
        event(source="cron")


@pytest.mark.parametrize("payload", [None, [], "{}", 1, [("a", 1)]])
def test_a_payload_that_is_no_object_is_refused(payload: Any) -> None:
    with pytest.raises(InvalidPayloadError, match="JSON object"):
        event(payload=payload)


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), datetime.now(UTC), Decimal(1), {1, 2}, b"x", "\ud800", "a\0b"],
)
def test_a_payload_that_jsonb_can_not_hold_is_refused(value: object) -> None:
    with pytest.raises(InvalidPayloadError, match="prod_1"):
        publish_statement(event(payload={"value": value}))


def test_a_text_that_only_looks_like_an_escaped_nul_is_taken() -> None:
    statement = publish_statement(event(payload={"text": "\\u0000"}))

    assert json.loads(statement[1]["payload"]) == {"text": "\\u0000"}


def test_a_payload_that_contains_itself_is_refused() -> None:
    payload: dict[str, Any] = {}
    payload["self"] = payload

    with pytest.raises(InvalidPayloadError, match="not JSON"):
        publish_statement(event(payload=payload))


def test_a_payload_is_measured_in_bytes() -> None:
    fits = {"t": "ä" * ((MAX_PAYLOAD_BYTES - len('{"t": ""}')) // 2)}
    too_large = {"t": fits["t"] + "ää"}

    publish_statement(event(payload=fits))
    with pytest.raises(PayloadTooLargeError, match=f"at most {MAX_PAYLOAD_BYTES}"):
        publish_statement(event(payload=too_large))


def test_publish_statement_has_placeholders_for_all_of_its_parameters() -> None:
    text, parameters = publish_statement(event(route="product.bulk"))

    assert all(f"%({name})s" in text for name in parameters)
    assert parameters["route"] == "product.bulk"
    assert parameters["type"] == "product.updated"


@given(
    ids=st.lists(st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9_-]{0,5}\Z"), unique=True, max_size=450)
)
def test_publish_many_keeps_id_order_over_all_of_its_calls(ids: list[str]) -> None:
    calls = list(publish_many_statements(event(each) for each in ids))
    sent = [entry["aggregateid"] for _, p in calls for entry in json.loads(p["events"])]

    assert sent == sorted(ids)
    assert all(len(json.loads(p["events"])) <= EVENTS_PER_CALL for _, p in calls)


def test_publish_many_splits_large_payloads_over_several_calls() -> None:
    payload = {"text": "x" * 800_000}

    calls = list(publish_many_statements(event(f"p{n:02}", payload=payload) for n in range(20)))

    assert len(calls) == 3
    assert all(len(p["events"]) <= CHARACTERS_PER_CALL + EVENTS_PER_CALL for _, p in calls)


def test_publish_many_refuses_one_aggregate_twice() -> None:
    with pytest.raises(InvalidEventError, match="prod_1 comes twice"):
        list(publish_many_statements([event(), event(type=EventType.DELETED)]))


def test_publish_many_refuses_events_of_different_runs() -> None:
    with pytest.raises(InvalidEventError, match="share"):
        list(publish_many_statements([event("a"), event("b", source="bulk")]))
