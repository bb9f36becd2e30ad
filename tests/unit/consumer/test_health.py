import asyncio
import socket
import urllib.request

import httpx
import pytest

from consumer.errors import SettingsError
from consumer.observe.health import Condition, Health, HealthServer, LaneHealth, health_app


def get(health: Health, path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(health_app(health))
        async with httpx.AsyncClient(transport=transport, base_url="http://consumer") as client:
            return await client.get(path)

    return asyncio.run(ask())


def test_lanes_start_as_starting() -> None:
    assert Health(["live", "bulk"]).snapshot() == {"live": LaneHealth(), "bulk": LaneHealth()}


def test_condition_and_partitions_are_kept_apart() -> None:
    health = Health(["live"])
    health.hold("live", [2, 0])
    health.set("live", Condition.HALTED, "wrong token")

    assert health.snapshot()["live"] == LaneHealth(Condition.HALTED, "wrong token", (2, 0))


def test_a_reason_goes_with_its_condition() -> None:
    health = Health(["live"])
    health.set("live", Condition.HALTED, "wrong token")
    health.set("live", Condition.RUNNING)

    assert health.snapshot()["live"].reason is None


def test_a_snapshot_does_not_change() -> None:
    health = Health(["live"])
    before = health.snapshot()
    health.set("live", Condition.RUNNING)

    assert before["live"].condition is Condition.STARTING


@pytest.mark.parametrize(
    ("live", "bulk", "is_alive", "is_ready"),
    [
        (Condition.RUNNING, Condition.RUNNING, True, True),
        (Condition.STARTING, Condition.RUNNING, True, False),
        (Condition.RUNNING, Condition.HALTED, True, False),  # a restart would not help
        (Condition.RUNNING, Condition.STOPPED, False, False),
        (Condition.STOPPED, Condition.STOPPED, False, False),
    ],
)
def test_what_is_answered(live: Condition, bulk: Condition, is_alive: bool, is_ready: bool) -> None:
    health = Health(["live", "bulk"])
    health.set("live", live)
    health.set("bulk", bulk, "why")

    livez, readyz = get(health, "/livez"), get(health, "/readyz")

    assert (livez.status_code, readyz.status_code) == (
        200 if is_alive else 503,
        200 if is_ready else 503,
    )
    assert readyz.json() == {
        "ok": is_ready,
        "lanes": {
            "live": {"condition": live, "reason": None, "partitions": []},
            "bulk": {"condition": bulk, "reason": "why", "partitions": []},
        },
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_it_answers_over_http_until_it_is_stopped() -> None:
    port = free_port()
    server = HealthServer(Health([]), host="127.0.0.1", port=port)
    server.start()

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/livez", timeout=10) as answer:
        assert answer.status == 200
    server.stop()


def test_a_port_that_is_taken_is_named() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(SettingsError, match=r"can't listen on 127\.0\.0\.1:.*set CONSUMER_PORT"),
    ):
        HealthServer(Health([]), host="127.0.0.1", port=listener.getsockname()[1])
