import itertools
import threading

import httpx
import pytest

from tests.contract.sanity_emulator.emulator_process import EmulatorProcess
from tests.contract.sanity_emulator.lake import Lake, create, delete, patch


@pytest.fixture
def running(own_emulator: EmulatorProcess) -> EmulatorProcess:
    own_emulator.start()
    return own_emulator


def again(emulator: EmulatorProcess, lake: Lake) -> Lake:
    lake.close()
    return Lake(emulator.address, lake.dataset)


def test_a_restart_loses_nothing(running: EmulatorProcess) -> None:
    lake = Lake.fresh(running.address)
    lake.mutate(create("a", "1"), create("b"), create("drafts.a"))
    lake.mutate(patch("a", set={"title": "2"}), delete("b"), transaction_id="second")
    before = lake.query("*", perspective="raw")

    assert running.stop() == 0
    running.start()

    lake = again(running, lake)
    assert lake.query("*", perspective="raw") == before
    assert lake.send(create("x"), transaction_id="second").status_code == 409
    lake.close()


def test_kill_loses_no_acknowledged_transaction(running: EmulatorProcess) -> None:
    """Writers write until the process is gone; what was answered 200 is there afterwards."""
    lake = Lake.fresh(running.address)
    lake.mutate(*(create(f"doc{number}", count=0) for number in range(20)))
    acknowledged: list[dict[str, int]] = [{}, {}]
    enough = threading.Event()

    def write(writer: int) -> None:
        client = Lake(running.address, lake.dataset)
        for count in itertools.count(1):
            ids = [f"doc{number}" for number in range(writer, 20, 2)]
            try:
                client.mutate(*(patch(each, set={"count": count}) for each in ids))
            except httpx.TransportError:
                break
            acknowledged[writer] = dict.fromkeys(ids, count)
            if count == 40:
                enough.set()
        client.close()

    writers = [threading.Thread(target=write, args=(each,)) for each in range(2)]
    for each in writers:
        each.start()
    assert enough.wait(30)
    running.kill()
    for each in writers:
        each.join()
    running.start()

    lake = again(running, lake)
    stored = {each["_id"]: each["count"] for each in lake.query("*[]{_id, count}")}
    for ids in acknowledged:
        for document_id, count in ids.items():
            # One more may have been written whose answer was lost.
            assert stored[document_id] in {count, count + 1}
    for writer in range(2):
        counts = {stored[f"doc{number}"] for number in range(writer, 20, 2)}
        assert len(counts) == 1, "a transaction was stored in part"
    lake.close()


def test_history_survives_a_kill(running: EmulatorProcess) -> None:
    lake = Lake.fresh(running.address)
    for revision in range(1, 6):
        lake.mutate({"createOrReplace": {"_id": "a", "_type": "t", "sync": {"revision": revision}}})
    running.kill()
    running.start()

    lake = again(running, lake)
    query = {"project": "shop", "dataset": lake.dataset, "id": "a"}
    states = lake.admin("GET", "history", params=query)["documents"]["a"]
    assert [state["revision"] for state in states] == [1, 2, 3, 4, 5]
    lake.close()


def test_a_second_emulator_on_the_same_data_is_refused(
    running: EmulatorProcess, own_emulator: EmulatorProcess
) -> None:
    assert running is own_emulator
    second = EmulatorProcess(own_emulator.node, own_emulator.directory)

    with pytest.raises(AssertionError, match="EMULATOR_DATA_DIR"):
        second.start()


def test_old_history_is_forgotten_and_documents_stay(own_emulator: EmulatorProcess) -> None:
    own_emulator.settings["EMULATOR_KEEP_TRANSACTIONS"] = "100"
    own_emulator.start()
    lake = Lake.fresh(own_emulator.address)
    lake.mutate(create("old"), transaction_id="the-first")
    for number in range(150):
        lake.mutate({"createOrReplace": {"_id": "a", "_type": "t", "n": number}})
    own_emulator.stop()
    own_emulator.start()

    lake = again(own_emulator, lake)
    assert lake.get("old") is not None
    lake.mutate(create("b"))
    query = {"project": "shop", "dataset": lake.dataset}
    for _ in range(500):
        kept = lake.admin("GET", "transactions", params=query)["transactions"]
        if len(kept) <= 100:
            break
    assert len(kept) == 100
    lake.close()
