import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from outbox.connector import Connect, cause, changes, read_config
from outbox.errors import ConnectorMissingError, ConnectorRefusedError, ConnectUnavailableError

SHIPPED = Path(__file__).parents[3] / "deploy" / "connect" / "outbox-connector.json"
Handler = Callable[[httpx.Request], httpx.Response]


def connect(handler: Handler) -> Connect:
    return Connect("http://connect.test", transport=httpx.MockTransport(handler))


def answers(*responses: httpx.Response) -> tuple[Handler, list[httpx.Request]]:
    """A handler that gives these one after another, and the requests it saw."""
    left = list(responses)
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return left.pop(0) if len(left) > 1 else left[0]

    return handle, seen


def status(connector: str, *tasks: str, trace: str = "") -> httpx.Response:
    return httpx.Response(
        200,
        json={
            "connector": {"state": connector},
            "tasks": [{"state": task, "trace": trace} for task in tasks],
        },
    )


def refusal(code: int, message: str) -> httpx.Response:
    return httpx.Response(code, json={"error_code": code, "message": message})


def test_the_first_answers_of_a_young_worker_are_tried_again() -> None:
    handler, seen = answers(
        refusal(404, "HTTP 404 Not Found"), refusal(409, "rebalance"), httpx.Response(201, json={})
    )

    with connect(handler) as api:
        api.put_config("outbox", {"a": "b"})

    assert [json.loads(request.content) for request in seen] == [{"a": "b"}] * 3


def test_what_connect_refuses_is_told_and_not_tried_again() -> None:
    handler, seen = answers(refusal(400, "Connector configuration is invalid: slot.name"))

    with connect(handler) as api, pytest.raises(ConnectorRefusedError, match=r"slot\.name"):
        api.put_config("outbox", {})
    assert len(seen) == 1


def test_an_unknown_connector_is_told() -> None:
    handler, _ = answers(refusal(404, "Connector outbox not found"))

    with connect(handler) as api:
        for ask in (api.status, api.config, api.pause, api.delete, api.restart):
            with pytest.raises(ConnectorMissingError, match="not found"):
                ask("outbox")


def test_nobody_there_is_told_with_the_address() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with connect(handle) as api, pytest.raises(ConnectUnavailableError, match=r"connect\.test"):
        api.status("outbox")


def test_a_status_names_task_states_and_the_trace() -> None:
    handler, _ = answers(status("RUNNING", "FAILED", trace="boom"))

    with connect(handler) as api:
        found = api.status("outbox")

    assert (found.is_running, found.has_failed, found.trace) == (False, True, "boom")


def test_waiting_ends_when_connector_and_task_run() -> None:
    handler, seen = answers(
        refusal(404, "no status yet"),
        status("UNASSIGNED"),
        status("RUNNING"),
        status("RUNNING", "FAILED", trace="from before the restart"),
        status("RUNNING", "RUNNING"),
    )

    with connect(handler) as api:
        assert api.wait_until_running("outbox").is_running
    assert len(seen) == 5


def test_the_cause_of_a_java_trace_is_its_last_cause() -> None:
    trace = (
        "org.apache.kafka.connect.errors.ConnectException: Could not start\n\tat A.b(C.java)\n"
        "Caused by: io.debezium.DebeziumException: outer\n\tat D.e(F.java)\n"
        "Caused by: org.postgresql.util.PSQLException: FATAL: no such database\n\t... 3 more"
    )

    assert cause(trace) == "org.postgresql.util.PSQLException: FATAL: no such database"
    assert cause("only one line") == "only one line"
    assert cause(None) == "no reason given"


def test_changes_are_told_by_setting() -> None:
    before = {"name": "outbox", "same": "1", "old": "1", "other": "1"}

    assert changes(before, {"same": "1", "other": "2", "new": "1"}) == {
        "new": ("", "1"),
        "old": ("1", ""),
        "other": ("1", "2"),
    }


@pytest.mark.parametrize("text", ["{", "[]", '{"tasks.max": 1}', '{"database.password": "clear"}'])
def test_a_connector_file_that_can_not_be_right_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "connector.json"
    file.write_text(text)

    with pytest.raises(ConnectorRefusedError):
        read_config(file)


def test_the_shipped_file_has_the_safe_settings() -> None:
    config = read_config(SHIPPED, {"slot.name": "mine"})

    assert config["slot.name"] == "mine"
    safe = {
        "snapshot.mode": "no_data",
        "offset.mismatch.strategy": "trust_offset",
        "lsn.flush.mode": "connector",
        "publication.autocreate.mode": "disabled",
        "tombstones.on.delete": "false",
        "extended.headers.enabled": "false",
        "message.prefix.exclude.list": ".*",
        "errors.tolerance": "none",
        "transforms.outbox.table.op.invalid.behavior": "fatal",
        "transforms.outbox.table.expand.json.payload": "false",
        "table.include.list": "outbox.event",
    }
    assert {key: config[key] for key in safe} == safe
    assert int(config["producer.override.max.request.size"]) > 1_048_576


def test_every_line_of_the_shipped_file_is_explained() -> None:
    readme = (SHIPPED.parent / "README.md").read_text(encoding="utf-8")

    assert [key for key in read_config(SHIPPED) if f"`{key}`" not in readme] == []
