"""Trouble on request: what tests of the consumer and the storefront order."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.contract.sanity_emulator.lake import Lake, create


def order(lake: Lake, **weather: Any) -> None:
    lake.admin("PUT", "weather", json=weather)


def test_latency_delays_every_request(calm: Lake) -> None:
    order(calm, latencyMs=150)

    started = time.monotonic()
    calm.mutate(create("a"))

    assert time.monotonic() - started >= 0.15


def test_the_nth_request_is_refused_and_nothing_stored(calm: Lake) -> None:
    order(calm, rules=[{"route": "mutate", "dataset": calm.dataset, "nth": [2], "status": 503}])

    answers = [calm.send(create(each)).status_code for each in ("a", "b", "c")]

    assert answers == [200, 503, 200]
    assert calm.query("*[]._id") == ["a", "c"]


def test_an_answer_may_be_lost_after_the_commit(calm: Lake) -> None:
    order(calm, rules=[{"route": "mutate", "cut": "after", "times": 1}])

    with pytest.raises(httpx.TransportError):
        calm.send(create("a"), transaction_id="lost")

    again = calm.send(create("a"), transaction_id="lost")
    assert again.json()["error"]["type"] == "transactionAlreadyExistsError"
    assert calm.get("a") is not None


def test_a_connection_may_be_cut_before_the_commit(calm: Lake) -> None:
    order(calm, rules=[{"route": "mutate", "cut": "before", "times": 1}])

    with pytest.raises(httpx.TransportError):
        calm.send(create("a"), transaction_id="cut")

    assert calm.get("a") is None
    calm.mutate(create("a"), transaction_id="cut")


def test_an_error_may_be_answered_after_the_commit(calm: Lake) -> None:
    rule = {"route": "mutate", "status": 502, "body": "html", "when": "after", "times": 1}
    order(calm, rules=[rule])

    response = calm.send(create("a"))

    assert response.status_code == 502
    assert response.headers["content-type"].startswith("text/html")
    assert calm.get("a") is not None


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_request_may_hang(calm: Lake, when: str) -> None:
    order(calm, rules=[{"route": "mutate", "hang": True, "when": when, "times": 1}])

    with pytest.raises(httpx.ReadTimeout):
        calm.http.post(
            f"/{calm.version}/data/mutate/{calm.dataset}",
            json={"mutations": [create("a")], "transactionId": "hung"},
            timeout=httpx.Timeout(30.0, read=1.0),
        )

    again = calm.send(create("a"), transaction_id="hung")
    assert again.status_code == (409 if when == "after" else 200)


def test_too_many_requests_with_and_without_retry_after(calm: Lake) -> None:
    rules = [
        {"route": "mutate", "status": 429, "retryAfterSeconds": 2, "nth": 1},
        {"route": "mutate", "status": 429, "nth": 2},
    ]
    order(calm, rules=rules)

    first, second = calm.send(create("a")), calm.send(create("a"))

    assert (first.status_code, second.status_code) == (429, 429)
    assert first.headers["retry-after"] == "2"
    assert "retry-after" not in second.headers
    assert first.json() == {"message": "API rate limit exceeded"}


def test_a_rate_limit_refuses_what_is_over_it(calm: Lake) -> None:
    order(calm, mutatePerSecond=1, retryAfter=True)

    first = calm.send(create("first"))
    while first.status_code == 429:  # the second began with requests of another test
        first = calm.send(create("first"))
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda each: calm.send(create(f"a{each}")), range(40)))

    refused = [each for each in answers if each.status_code == 429]
    assert {each.status_code for each in answers} <= {200, 429}
    assert first.headers["ratelimit-limit"] == "1"
    assert refused[0].headers["ratelimit-remaining"] == "0"
    assert refused[0].headers["retry-after"] == "1"
    assert calm.query("count(*[])") == 41 - len(refused)


def test_without_weather_limits_are_told_and_not_enforced(lake: Lake) -> None:
    answers = [lake.send(create(f"a{number}")) for number in range(60)]

    assert {each.status_code for each in answers} == {200}
    assert answers[0].headers["ratelimit-limit"] == "25"
    assert answers[0].headers["x-ratelimit-remaining-second"]


def test_queries_may_lag_behind_the_commits_while_doc_does_not(calm: Lake) -> None:
    calm.mutate(create("a", "1"), create("b", "1"))
    order(calm, queryLagMs=2_000)
    while calm.query('count(*[_type == "product"])') < 2:
        pass

    calm.mutate(
        {"patch": {"id": "a", "set": {"title": "2"}}}, {"delete": {"id": "b"}}, create("c", "1")
    )
    behind = calm.query('*[_type == "product" || _id in ["b", "c"]]{_id, title}')
    current = calm.doc("a", "b", "c")

    assert [each["title"] for each in behind] == ["1", "1"]
    assert [each["_id"] for each in behind] == ["a", "b"]
    assert [each["title"] for each in current["documents"]] == ["2", "1"]
    while calm.query("*[]._id") != ["a", "c"]:
        pass


def test_contention_rolls_back(calm: Lake) -> None:
    order(calm, rules=[{"route": "mutate", "conflict": True, "times": 1}])

    refused = calm.send(create("a"), transaction_id="same")

    assert refused.status_code == 409
    assert refused.json()["error"]["type"] == "transactionConflictError"
    calm.mutate(create("a"), transaction_id="same")


def test_a_share_is_the_same_for_the_same_seed(calm: Lake) -> None:
    def struck() -> list[int]:
        order(calm, seed=7, rules=[{"route": "doc", "share": 0.3, "status": 500}])
        path = f"/{calm.version}/data/doc/{calm.dataset}/a"
        return [calm.http.get(path).status_code for _ in range(40)]

    first, second = struck(), struck()

    assert first == second
    assert 3 <= first.count(500) <= 25


def test_rules_keep_to_their_route_and_dataset(calm: Lake) -> None:
    order(calm, rules=[{"route": "query", "dataset": "another", "status": 500}])

    calm.mutate(create("a"))

    assert calm.query("count(*[])") == 1


@pytest.mark.parametrize(
    "weather",
    [
        {"latency": 5},
        {"latencyMs": -1},
        {"rules": [{"route": "mutate"}]},
        {"rules": [{"status": 200}]},
        {"rules": [{"status": 500, "share": 2}]},
        {"rules": [{"status": 500, "nth": 0}]},
        {"rules": [{"cut": "during"}]},
    ],
)
def test_weather_that_means_nothing_is_refused(calm: Lake, weather: dict[str, Any]) -> None:
    response = calm.http.put("/_emulator/weather", json=weather)

    assert response.status_code == 400


def test_the_log_tells_who_did_what_and_how_it_went(calm: Lake) -> None:
    last = calm.admin("GET", "requests")["requests"][-1]["seq"]
    order(calm, rules=[{"route": "mutate", "cut": "after", "nth": 2}])
    first = calm.mutate(create("a"), create("b"))
    with pytest.raises(httpx.TransportError):
        calm.send(create("c"))
    calm.doc("a", "x")

    def logged() -> list[dict[str, Any]]:
        entries = calm.admin("GET", "requests", params={"since": last})["requests"]
        return [each for each in entries if each["dataset"] == calm.dataset]

    mutated, cut, read = logged()
    assert mutated["who"] == "consumer"
    assert mutated["role"] == "editor"
    assert (mutated["route"], mutated["method"], mutated["status"]) == ("mutate", "POST", 200)
    assert mutated["transactionId"] == first["transactionId"]
    assert mutated["ids"] == ["a", "b"]
    assert mutated["bytesIn"] > 0
    assert mutated["bytesOut"] > 0
    assert cut["outcome"] == "cut-after-commit"
    assert (read["route"], read["ids"]) == ("doc", ["a", "x"])


def test_the_log_holds_no_token(calm: Lake) -> None:
    calm.mutate(create("a"))

    assert "editor-token" not in calm.http.get("/_emulator/requests").text


def test_transactions_can_be_read_with_their_mutations(lake: Lake) -> None:
    lake.mutate(create("a"))
    lake.mutate({"patch": {"id": "a", "set": {"title": "New"}}}, transaction_id="the-patch")

    query = {"project": "shop", "dataset": lake.dataset}
    transactions = lake.admin("GET", "transactions", params=query)["transactions"]

    assert [each["ids"] for each in transactions] == [["a"], ["a"]]
    assert transactions[1]["id"] == "the-patch"
    assert transactions[1]["mutations"] == [
        {"id": "a", "mutation": {"patch": {"id": "a", "set": {"title": "New"}}}}
    ]
