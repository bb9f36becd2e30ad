"""From write to document, one event at a time."""

import statistics
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpx
import psycopg
from rich.progress import track

from deploy.demo.editor import Editor
from outbox import NewEvent, publish

PRODUCTS: Final = 10  # renamed in turn
WARM_UP_EVENTS: Final = 20  # JVM, connection pools, caches
PATIENCE_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.001


@dataclass(frozen=True, slots=True)
class Figures:
    """Milliseconds from the start of COMMIT until a reader sees the document, sorted."""

    milliseconds: Sequence[float]
    mutates: int
    reads: int

    def told(self) -> str:
        """The figures beside the budget."""
        count = len(self.milliseconds)
        cuts = statistics.quantiles(self.milliseconds, n=100, method="inclusive")
        return (
            f"write to document, {count} events one at a time, no added latency\n"
            f"  p50 {cuts[49]:.1f} ms (budget 30)   p95 {cuts[94]:.1f} ms   "
            f"p99 {cuts[98]:.1f} ms (budget 100)   slowest {self.milliseconds[-1]:.1f} ms\n"
            f"requests of the consumer per event: {self.mutates / count:.2f} mutate, "
            f"{self.reads / count:.2f} reads"
        )


def measure(values: Mapping[str, str], *, events: int, every_ms: int) -> Figures:
    """Renames products, each as soon as the pause is over; see `Figures`."""
    editor = Editor(
        values["SANITY_API_HOST"],
        project_id=values["SANITY_PROJECT_ID"],
        dataset=values["SANITY_DATASET"],
        token=values["SANITY_EDITOR_TOKEN"],
    )
    products = [f"prod_{uuid.uuid4().hex}" for _ in range(PRODUCTS)]
    with psycopg.connect(values["COMMERCE_POSTGRES_DSN"]) as connection:
        for number in range(WARM_UP_EVENTS):
            _rename(connection, editor, products[number % PRODUCTS], f"warm up {number}")
        since = _last_request(values)
        taken = []
        for number in track(range(events), "measuring", transient=True):
            started = time.monotonic()
            product_id = products[number % PRODUCTS]
            taken.append(_rename(connection, editor, product_id, f"title {number}"))
            time.sleep(max(0.0, every_ms / 1000 - (time.monotonic() - started)))
    mutates, reads = _consumer_requests(values, since)
    return Figures(sorted(taken), mutates, reads)


def _rename(connection: psycopg.Connection, editor: Editor, product_id: str, title: str) -> float:
    """Milliseconds until the document carries `title`."""
    payload = {"id": product_id, "title": title}
    publish(connection, NewEvent(product_id, "product.updated", payload))
    started = time.perf_counter()
    connection.commit()
    deadline = started + PATIENCE_SECONDS
    while time.perf_counter() < deadline:
        document = editor.document(product_id)
        if document is not None and document["title"] == title:
            return (time.perf_counter() - started) * 1000
        time.sleep(POLL_SECONDS)
    raise TimeoutError(f"{product_id} has no document {title!r} after {PATIENCE_SECONDS} s")


def _requests(values: Mapping[str, str], since: int) -> list[dict[str, object]]:
    url = f"{values['SANITY_API_HOST']}/_emulator/requests"
    answer = httpx.get(url, params={"since": since}, timeout=30, trust_env=False)
    answer.raise_for_status()
    requests: list[dict[str, object]] = answer.json()["requests"]
    return requests


def _last_request(values: Mapping[str, str]) -> int:
    return max((int(str(each["seq"])) for each in _requests(values, 0)), default=0)


def _consumer_requests(values: Mapping[str, str], since: int) -> tuple[int, int]:
    """Mutate requests and reads, of the consumer alone."""
    own = [each for each in _requests(values, since) if each["who"] == "consumer"]
    mutates = sum(each["route"] == "mutate" for each in own)
    return mutates, len(own) - mutates
