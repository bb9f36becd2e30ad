"""What must hold at 100,000 documents."""

import statistics
import uuid
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from tests.contract.sanity_emulator.emulator_process import EmulatorProcess
from tests.contract.sanity_emulator.lake import Lake, patch
from tests.contract.sanity_emulator.test_queries import CONSUMER_QUERY

pytestmark = pytest.mark.large

DOCUMENTS = 100_000
BATCH = 1_000
START_BUDGET_MS = 5_000
PATCHES_BUDGET_MS = 15
QUERY_BUDGET_MS = 15


def identifier(number: int) -> str:
    return f"prod_{number:026d}"


def document(number: int) -> dict[str, Any]:
    text = "Some longer text that an editor wrote about this product. " * 6
    spec = {"_type": "spec", "lang": "en", "title": f"Product {number}", "content": text}
    return {
        "_id": identifier(number),
        "_type": "product",
        "title": f"Product {number}",
        "specs": [{**spec, "_key": identifier(number)}],
        "sync": {"revision": 1, "eventId": str(uuid.uuid4())},
    }


@pytest.fixture(scope="module")
def full(
    node: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[EmulatorProcess, Lake]]:
    emulator = EmulatorProcess(node, tmp_path_factory.mktemp("full"))
    emulator.start()
    lake = Lake(emulator.address, "production")
    for start in range(0, DOCUMENTS, BATCH):
        lake.mutate(*({"create": document(each)} for each in range(start, start + BATCH)))
    yield emulator, lake
    lake.close()
    if emulator.is_running:
        emulator.stop()


def median_ms(lake: Lake, route: str, times: int, work: Callable[[], object]) -> float:
    """Median time that the emulator took, from a request's arrival to its answer."""
    last = lake.admin("GET", "requests")["requests"][-1]["seq"]
    for _ in range(times):
        work()
    requests = lake.admin("GET", "requests", params={"since": last})["requests"]
    spent = [each["durationMs"] for each in requests if each["route"] == route]
    assert len(spent) == times
    return float(statistics.median(spent))


def test_two_hundred_patches_in_one_transaction(full: tuple[EmulatorProcess, Lake]) -> None:
    _, lake = full
    random = Random(1)  # noqa: S311

    def write() -> None:
        ids = random.sample(range(DOCUMENTS), 200)
        sync = {"revision": 2, "eventId": str(uuid.uuid4())}
        lake.mutate(*(patch(identifier(each), set={"title": "New", "sync": sync}) for each in ids))

    p50 = median_ms(lake, "mutate", 60, write)

    print(f"200 patches: p50 {p50:.1f} ms")  # noqa: T201
    assert p50 < PATCHES_BUDGET_MS


def test_the_consumers_read_of_two_hundred_products(full: tuple[EmulatorProcess, Lake]) -> None:
    _, lake = full
    random = Random(2)  # noqa: S311

    def read() -> None:
        published = [identifier(each) for each in random.sample(range(DOCUMENTS), 200)]
        prefixes = ("", "drafts.", "sync.tombstone.")
        ids = [f"{prefix}{each}" for each in published for prefix in prefixes]
        body = {"query": CONSUMER_QUERY, "params": {"ids": ids, "published": published}}
        answer = lake.post("query", body, perspective="raw", returnQuery="false").json()
        assert len(answer["result"]) == 200

    p50 = median_ms(lake, "query", 60, read)

    print(f"600 ids: p50 {p50:.1f} ms")  # noqa: T201
    assert p50 < QUERY_BUDGET_MS


def test_a_start_after_stop_and_after_kill(full: tuple[EmulatorProcess, Lake]) -> None:
    emulator, lake = full
    emulator.stop()
    emulator.start()
    after_stop = emulator.start_ms
    emulator.kill()
    emulator.start()

    print(f"start: {after_stop} ms after a stop, {emulator.start_ms} ms after a kill")  # noqa: T201
    assert max(after_stop, emulator.start_ms) < START_BUDGET_MS
    again = Lake(emulator.address, "production")
    assert again.query("count(*)") == DOCUMENTS
    again.close()
    lake.close()
