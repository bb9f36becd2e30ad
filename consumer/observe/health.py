"""Liveness and readiness: what each lane is doing, and why it waits."""

import socket
import threading
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

import uvicorn
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from consumer.errors import SettingsError


class Condition(StrEnum):
    """What a lane is doing."""

    STARTING = "starting"  # joining its group
    RUNNING = "running"
    HALTED = "halted"  # somebody has to act; it tries again slowly
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class LaneHealth:
    """One lane's condition; `partitions` are those it holds now."""

    condition: Condition = Condition.STARTING
    reason: str | None = None
    partitions: tuple[int, ...] = ()


class Health:
    """The lanes' conditions, set by their loops and read over HTTP."""

    def __init__(self, lanes: list[str]) -> None:
        self._lock = threading.Lock()
        self._lanes = {lane: LaneHealth() for lane in lanes}

    def set(self, lane: str, condition: Condition, reason: str | None = None) -> None:
        """Says what `lane` is doing from now on."""
        with self._lock:
            self._lanes[lane] = replace(self._lanes[lane], condition=condition, reason=reason)

    def hold(self, lane: str, partitions: list[int]) -> None:
        """Says which partitions `lane` holds."""
        with self._lock:
            self._lanes[lane] = replace(self._lanes[lane], partitions=tuple(partitions))

    def snapshot(self) -> dict[str, LaneHealth]:
        """All lanes as they are now."""
        with self._lock:
            return dict(self._lanes)


def health_app(health: Health) -> FastAPI:
    """`/livez`: every loop runs. `/readyz`: every loop has joined its group and is not halted."""
    app = FastAPI(title="consumer", openapi_url=None)

    def answer(*conditions: Condition) -> JSONResponse:
        lanes = health.snapshot()
        is_good = all(lane.condition in conditions for lane in lanes.values())
        body = {"ok": is_good, "lanes": {name: asdict(lane) for name, lane in lanes.items()}}
        return JSONResponse(body, status_code=200 if is_good else 503)

    @app.get("/livez")
    def livez() -> JSONResponse:
        return answer(Condition.STARTING, Condition.RUNNING, Condition.HALTED)

    @app.get("/readyz")
    def readyz() -> JSONResponse:
        return answer(Condition.RUNNING)

    return app


class HealthServer:
    """Serves `health_app` from a thread of its own."""

    def __init__(self, health: Health, *, host: str, port: int) -> None:
        config = uvicorn.Config(health_app(health), log_config=None, access_log=False)
        self._server = uvicorn.Server(config)
        try:
            self._socket = socket.create_server((host, port))
        except OSError as exc:
            raise SettingsError(
                f"can't listen on {host}:{port}: {exc.strerror}; "
                "stop what holds the port, or set CONSUMER_PORT"
            ) from exc
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="health", daemon=True
        )

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Stops answering."""
        self._server.should_exit = True
        self._thread.join(timeout=5)
