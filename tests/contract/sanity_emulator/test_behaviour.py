"""Where the official sources disagree, the emulator behaves either way."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.sanity_emulator.emulator_process import EmulatorProcess
from tests.contract.sanity_emulator.lake import Lake, create, patch

Start = Callable[..., Lake]


@pytest.fixture
def start(own_emulator: EmulatorProcess) -> Iterator[Start]:
    lakes: list[Lake] = []

    def with_settings(**settings: str) -> Lake:
        own_emulator.settings |= settings
        own_emulator.start()
        lakes.append(Lake.fresh(own_emulator.address))
        return lakes[-1]

    yield with_settings
    for lake in lakes:
        lake.close()


def test_operations_of_a_patch_run_as_the_mutator_orders_them(lake: Lake) -> None:
    lake.mutate(create("a"))
    lake.mutate(patch("a", set={"o.b": 1}, setIfMissing={"o": {"_type": "x"}}))

    assert lake.query("*[0].o") == {"_type": "x", "b": 1}


def test_operations_of_a_patch_run_as_the_docs_order_them(start: Start) -> None:
    lake = start(EMULATOR_PATCH_ORDER="docs")
    lake.mutate(create("a"))
    lake.mutate(patch("a", set={"o.b": 1}, setIfMissing={"o": {"_type": "x"}}))

    assert lake.query("*[0].o") == {"b": 1}


def test_inc_of_nothing_is_skipped(lake: Lake) -> None:
    lake.mutate(create("a"), patch("a", inc={"count": 1}))

    assert lake.query("*[0].count") is None


def test_inc_of_nothing_is_refused(start: Start) -> None:
    lake = start(EMULATOR_INC_MISSING="refuse")

    status, _, item = lake.refused(create("a"), patch("a", inc={"count": 1}))

    assert (status, item["type"]) == (400, "validationError")
    lake.mutate(create("a", count=1), patch("a", inc={"count": 1}))
    assert lake.query("*[0].count") == 2


def test_a_second_guard_meets_the_transactions_own_revision(lake: Lake) -> None:
    seen = lake.mutate(create("a"))["transactionId"]
    guarded = patch("a", set={"x": 1}, ifRevisionID=seen)

    assert lake.send(guarded, guarded).status_code == 409
    second = patch("a", set={"x": 2}, ifRevisionID="mine")
    assert lake.send(guarded, second, transaction_id="mine").status_code == 200


def test_a_second_guard_meets_the_stored_revision(start: Start) -> None:
    lake = start(EMULATOR_SECOND_GUARD="stored")
    seen = lake.mutate(create("a"))["transactionId"]
    guarded = patch("a", set={"x": 1}, ifRevisionID=seen)

    lake.mutate(guarded, guarded)


def test_memory_keeps_nothing(start: Start, tmp_path: Path) -> None:
    lake = start(EMULATOR_DATA_DIR=":memory:")
    lake.mutate(create("a"))

    assert lake.get("a") is not None
    assert not (tmp_path / "data").exists()
