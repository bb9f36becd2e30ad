from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from outbox.errors import TopicError, TopicMismatchError
from outbox.topics import (
    Change,
    Topic,
    TopicPlan,
    TopicsFile,
    apply,
    diff,
    read_topics,
    require_topics,
    require_topics_of_routes,
)

SHIPPED = Path(__file__).parents[3] / "deploy" / "kafka" / "topics.yaml"


class FakeBroker:
    """Keeps what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.configs: dict[str, str] = {}

    def topics(self, names: Iterable[str]) -> dict[str, Topic]:
        del names
        return {}

    def create(self, name: str, plan: TopicPlan, replication_factor: int) -> None:
        self.calls.append(("create", name, plan.partitions, replication_factor))
        self.configs = dict(plan.config)

    def set_config(self, name: str, config: Mapping[str, str]) -> None:
        self.calls.append(("config", name, dict(config)))

    def grow(self, name: str, partitions: int) -> None:
        self.calls.append(("grow", name, partitions))


def wanted(**topics: dict[str, Any]) -> TopicsFile:
    return TopicsFile.model_validate({"replication_factor": 3, "topics": topics})


def there(partitions: int, config: Mapping[str, str] | None = None, replicas: int = 3) -> Topic:
    return Topic(partitions, replicas, config or {})


def test_the_shipped_file_has_the_topics_of_the_design() -> None:
    file = read_topics(SHIPPED)

    assert file.routes == ["canary", "product", "product.bulk"]
    for name in ("outbox.event.product", "outbox.event.product.bulk"):
        plan = file.topics[name]
        assert plan.partitions == 6
        assert plan.config["cleanup.policy"] == "compact"
        assert int(plan.config["min.compaction.lag.ms"]) == 7 * 24 * 3600 * 1000
        assert int(plan.config["max.message.bytes"]) > 1_048_576
    assert int(file.topics["outbox.event.product.dlt"].config["retention.ms"]) == 14 * 86_400_000
    assert file.topics["outbox.event.canary"].partitions == 1
    assert "__debezium-heartbeat.outbox" in file.topics


def test_a_missing_topic_is_created_with_the_files_replication_factor() -> None:
    file = wanted(a={"partitions": 2})
    broker = FakeBroker()
    changes = diff(file, {})

    assert changes == [Change("a", "create", "partitions", "", "2")]
    assert apply(broker, file, changes) == changes
    assert broker.calls == [("create", "a", 2, 3)]


def test_only_named_configs_that_differ_are_set() -> None:
    file = wanted(a={"partitions": 1, "config": {"x": 5, "y": True, "z": "same"}})
    found = {"a": there(1, {"x": "4", "y": "false", "z": "same", "other": "left alone"})}
    broker = FakeBroker()

    apply(broker, file, diff(file, found))

    assert broker.calls == [("config", "a", {"x": "5"}), ("config", "a", {"y": "true"})]


def test_a_topic_that_is_as_wanted_changes_nothing() -> None:
    file = wanted(a={"partitions": 1, "config": {"x": "1"}})

    assert diff(file, {"a": there(1, {"x": "1"})}) == []


def test_partitions_grow_only_when_asked_and_never_shrink() -> None:
    file = wanted(small={"partitions": 6}, large={"partitions": 2})
    found = {"small": there(3), "large": there(4)}
    changes = diff(file, found)
    unasked, asked = FakeBroker(), FakeBroker()

    assert [change.kind for change in changes] == ["grow", "shrink"]
    assert apply(unasked, file, changes) == []
    assert apply(asked, file, changes, grow=True) == changes[:1]
    assert (unasked.calls, asked.calls) == ([], [("grow", "small", 6)])


@pytest.mark.parametrize(
    "text",
    [
        "topics: {a: {partitions: 0}}",
        "topics: {a: {partitions: 1, cleanup: compact}}",
        "topics: {outbox.event.other: {partitions: 1, route: product}}",
        "replication_factor: 0\ntopics: {}",
        "topics: [",
        "",
    ],
)
def test_a_wrong_file_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "topics.yaml"
    file.write_text(text)

    with pytest.raises(TopicError, match=r"topics\.yaml"):
        read_topics(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TopicError, match="can't be read"):
        read_topics(tmp_path / "none.yaml")


def test_each_registered_route_needs_its_topic_in_the_file_and_on_the_broker() -> None:
    file = wanted(**{"outbox.event.product": {"partitions": 1, "route": "product"}})
    found = {"outbox.event.product": there(1)}

    require_topics_of_routes(["product"], file, found)
    with pytest.raises(TopicMismatchError, match="route slow has no topic in the file"):
        require_topics_of_routes(["product", "slow"], file, found)
    with pytest.raises(TopicMismatchError, match="does not exist on the broker"):
        require_topics_of_routes(["product"], file, {})


@pytest.mark.parametrize(
    ("factor", "expected"), [(1, {}), (2, {}), (3, {"min.insync.replicas": "2"})]
)
def test_three_replicas_wait_for_two_of_them(factor: int, expected: dict[str, str]) -> None:
    file = wanted(a={"partitions": 1}).model_copy(update={"replication_factor": factor})
    broker = FakeBroker()

    apply(broker, file, diff(file, {}))

    assert broker.configs == expected


def test_the_files_own_minimum_of_replicas_counts() -> None:
    file = wanted(a={"partitions": 1, "config": {"min.insync.replicas": 3}})
    broker = FakeBroker()

    apply(broker, file, diff(file, {}))

    assert broker.configs == {"min.insync.replicas": "3"}


def test_another_replication_factor_is_told_and_left_to_the_operator() -> None:
    file = wanted(a={"partitions": 1})
    broker = FakeBroker()
    changes = diff(file, {"a": there(1, replicas=1)})

    assert changes == [Change("a", "replicate", "replication factor", "1", "3")]
    assert apply(broker, file, changes, grow=True) == []
    assert broker.calls == []


def test_the_heartbeat_topic_is_that_of_the_topic_prefix() -> None:
    shipped = read_topics(SHIPPED)

    assert shipped.with_heartbeat_of("outbox") == shipped
    other = shipped.with_heartbeat_of("shop2").topics
    assert "__debezium-heartbeat.outbox" not in other
    assert other["__debezium-heartbeat.shop2"] == shipped.topics["__debezium-heartbeat.outbox"]
    assert other.keys() - shipped.topics.keys() == {"__debezium-heartbeat.shop2"}


def test_a_file_without_a_heartbeat_topic_gets_one() -> None:
    topics = wanted(a={"partitions": 1}).with_heartbeat_of("shop2").topics

    assert topics["__debezium-heartbeat.shop2"].partitions == 1


def test_missing_topics_are_named_with_what_to_do() -> None:
    require_topics(["a"], {"a": there(1)})
    with pytest.raises(TopicMismatchError, match=r"lacks b, c,.*outbox topics apply"):
        require_topics(["c", "a", "b"], {"a": there(1)})
