from tests.contract.sanity_emulator.emulator_process import OTHER_PROJECT, VIEWER
from tests.contract.sanity_emulator.lake import Lake, create

PATH = "/v2021-06-07/projects/shop/datasets"


def test_a_dataset_is_made_listed_and_deleted(lake: Lake) -> None:
    made = lake.http.put(f"{PATH}/made-here", json={"aclMode": "private"})
    assert made.json() == {"datasetName": "made-here", "aclMode": "private"}
    assert {"name": "made-here", "aclMode": "private"} in lake.http.get(PATH).json()

    assert lake.http.delete(f"{PATH}/made-here").json() == {"deleted": True}
    assert "made-here" not in lake.http.get(PATH).text


def test_datasets_share_nothing(lake: Lake) -> None:
    other = Lake.fresh(lake.address)
    lake.mutate(create("a"))

    assert other.query("count(*)") == 0
    other.close()


def test_a_deleted_dataset_comes_back_empty(lake: Lake) -> None:
    lake.mutate(create("a"))
    lake.http.delete(f"{PATH}/{lake.dataset}").raise_for_status()
    assert lake.ask("*").status_code == 404

    lake.http.put(f"{PATH}/{lake.dataset}").raise_for_status()

    assert lake.query("count(*)") == 0


def test_a_dataset_is_made_once(lake: Lake) -> None:
    assert lake.http.put(f"{PATH}/{lake.dataset}").status_code == 409


def test_bad_names_are_refused(lake: Lake) -> None:
    for name in ("Upper", "-a", "x" * 65, "a.b"):
        assert lake.http.put(f"{PATH}/{name}").status_code == 400


def test_readers_and_strangers_make_none(lake: Lake) -> None:
    for token, status in ((VIEWER, 403), (None, 401), (OTHER_PROJECT, 401)):
        other = lake.seen_by(token)
        assert other.http.put(f"{PATH}/mine").status_code == status
        other.close()
