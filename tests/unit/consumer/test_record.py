from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.errors import MalformedRecordError, NewerSchemaError
from consumer.record import Record, parse
from outbox.event import ChangeEvent, EventType
from tests.unit.consumer.samples import event, record

UUID_TEXT = b"00000000-0000-0000-0000-000000000007"


def with_header(name: str, value: bytes | None) -> Record:
    good = record(event(7))
    others = tuple(each for each in good.headers if each[0] != name)
    return replace(good, headers=(*others, (name, value)))


def without_header(name: str) -> Record:
    good = record(event(7))
    return replace(good, headers=tuple(each for each in good.headers if each[0] != name))


def test_parse_gives_back_the_event() -> None:
    assert parse(record(event(7, source="admin"))) == event(7, source="admin")


def test_a_delete_carries_the_id_only() -> None:
    assert parse(record(event(7, None))).is_delete


@pytest.mark.parametrize("kind", list(EventType))
def test_every_event_type_is_known(kind: EventType) -> None:
    assert parse(with_header("eventType", kind.encode())).type is kind


def test_optional_headers_have_defaults() -> None:
    headers = ("id", "eventType", "revision", "occurredAt")
    good = record(event(7))
    bare = replace(good, headers=tuple(each for each in good.headers if each[0] in headers))

    assert parse(bare) == event(7)


def test_unknown_payload_fields_are_kept_for_the_mapping() -> None:
    odd = replace(record(event(7)), value=b'{"id": "prod_1", "title": "Shirt", "new": [1]}')

    assert parse(odd).payload["new"] == [1]


def test_an_unknown_header_need_not_be_text() -> None:
    assert parse(with_header("x-trace", b"\xff\xfe")).revision == 7


@pytest.mark.parametrize("name", ["id", "eventType", "revision", "occurredAt"])
def test_a_missing_required_header_is_named(name: str) -> None:
    with pytest.raises(MalformedRecordError, match=f"required header missing: {name}"):
        parse(without_header(name))


@pytest.mark.parametrize("name", ["id", "eventType", "revision", "occurredAt"])
def test_a_null_required_header_counts_as_missing(name: str) -> None:
    with pytest.raises(MalformedRecordError, match=f"required header missing: {name}"):
        parse(with_header(name, None))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", b"not-a-uuid"),
        ("eventType", b"product.renamed"),  # nobody has decided what it means
        ("revision", b"0"),  # revisions start at 1
        ("revision", b"-1"),
        ("revision", b"one"),
        ("revision", b"1.5"),
        ("revision", b"9" * 5_000),  # more digits than Python turns into a number
        ("revision", b"9007199254740993"),  # no longer exact in Sanity
        ("occurredAt", b"2026-11-23T08:00:00"),  # no time zone
        ("occurredAt", b"yesterday"),
        ("occurredAt", b"9999-12-31T23:59:59Z"),  # a minute later there is no date
        ("occurredAt", b"0001-01-01T00:00:00+10:00"),  # in UTC there is no such date
        ("schemaVersion", b"0"),
        ("schemaVersion", b"latest"),
        ("runId", b"nobody"),
        ("source", b"\xff"),  # a known header must be text
    ],
)
def test_a_header_that_breaks_the_contract_is_malformed(name: str, value: bytes) -> None:
    with pytest.raises(MalformedRecordError):
        parse(with_header(name, value))


@pytest.mark.parametrize(
    "value",
    [
        None,  # Kafka's null records are not used
        b"",
        b"{",
        b"\xff\xfe\x00",  # neither text nor JSON
        b'"text"',
        b"[]",
        b"null",
        b"7",
        b'{"id": ' + b"9" * 5_000 + b"}",  # a number that Python refuses
        b'{"deep": ' + b"[" * 100_000,  # deeper than any parser goes
    ],
)
def test_a_value_that_is_no_json_object_is_malformed(value: bytes | None) -> None:
    with pytest.raises(MalformedRecordError):
        parse(replace(record(event(7)), value=value))


@pytest.mark.parametrize(
    "key",
    [
        None,
        b"",
        b"drafts.prod_1",  # a dot would hit an editor's draft
        b"-prod",
        b"prod 1",
        b"prod_1\n",
        b"x" * 81,
        "prod_\u00e9".encode(),
        b"\xff",
    ],
)
def test_a_key_that_can_be_no_document_id_is_malformed(key: bytes | None) -> None:
    with pytest.raises(MalformedRecordError):
        parse(replace(record(event(7)), key=key))


def test_the_longest_key_is_taken() -> None:
    assert parse(replace(record(event(7)), key=b"x" * 80)).aggregate_id == "x" * 80


@pytest.mark.parametrize("version", [b"2", b"17", b"9" * 5_000])
def test_a_newer_schema_halts_and_says_what_to_do(version: bytes) -> None:
    with pytest.raises(NewerSchemaError, match="upgrade the consumer"):
        parse(with_header("schemaVersion", version))


def test_a_newer_schema_halts_whatever_else_the_record_holds() -> None:
    newer = Record("live", 0, 3, None, b"\xff", (("schemaVersion", b"2"), ("source", b"\xff")))

    with pytest.raises(NewerSchemaError, match="live:0:3"):
        parse(newer)


headers = st.lists(
    st.tuples(
        st.sampled_from(
            ["id", "eventType", "revision", "occurredAt", "schemaVersion", "runId", "other"]
        ),
        st.none() | st.binary(max_size=12) | st.sampled_from([UUID_TEXT, b"product.updated", b"1"]),
    ),
    max_size=8,
)


@given(
    key=st.none() | st.binary(max_size=10),
    value=st.none() | st.binary(max_size=40) | st.just(b"{}"),
    headers=headers,
)
def test_any_record_is_an_event_or_is_refused_by_name(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, Any]]
) -> None:
    with suppress(MalformedRecordError, NewerSchemaError):
        assert isinstance(parse(Record("live", 0, 0, key, value, tuple(headers))), ChangeEvent)
