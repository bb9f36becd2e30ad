"""Topics on a real broker."""

import secrets
from collections.abc import Iterator, Mapping

import pytest

from outbox.errors import TopicError
from outbox.topics import KafkaBroker, TopicsFile, apply, diff, read_topics
from tests.unit.outbox.test_topics import SHIPPED


@pytest.fixture
def broker(kafka_bootstrap_servers: str) -> Iterator[KafkaBroker]:
    with KafkaBroker(kafka_bootstrap_servers) as broker:
        yield broker


@pytest.fixture
def prefix() -> str:
    return f"t{secrets.token_hex(4)}."


def wanted(prefix: str, config: Mapping[str, str] | None = None, partitions: int = 2) -> TopicsFile:
    plan = {"partitions": partitions, "config": {"cleanup.policy": "compact", **(config or {})}}
    return TopicsFile.model_validate({"topics": {f"{prefix}product": plan}})


def up(broker: KafkaBroker, file: TopicsFile, *, grow: bool = False) -> list[str]:
    changes = diff(file, broker.topics(file.topics))
    return [change.kind for change in apply(broker, file, changes, grow=grow)]


def test_topics_are_made_once_and_twice_is_harmless(broker: KafkaBroker, prefix: str) -> None:
    file = wanted(prefix, {"max.message.bytes": "1310720"})

    assert up(broker, file) == ["create"]
    assert up(broker, file) == []
    (topic,) = broker.topics(file.topics).values()
    assert topic.partitions == 2
    assert topic.config["cleanup.policy"] == "compact"
    assert topic.config["max.message.bytes"] == "1310720"


def test_a_changed_config_is_set_and_the_others_stay(broker: KafkaBroker, prefix: str) -> None:
    up(broker, wanted(prefix, {"retention.ms": "1000"}))
    assert up(broker, wanted(prefix, {"segment.ms": "60000"})) == ["config"]

    (topic,) = broker.topics([f"{prefix}product"]).values()
    assert (topic.config["retention.ms"], topic.config["segment.ms"]) == ("1000", "60000")


def test_partitions_grow_only_when_asked(broker: KafkaBroker, prefix: str) -> None:
    up(broker, wanted(prefix))

    assert up(broker, wanted(prefix, partitions=4)) == []
    assert up(broker, wanted(prefix, partitions=4), grow=True) == ["grow"]
    (topic,) = broker.topics([f"{prefix}product"]).values()
    assert topic.partitions == 4
    assert up(broker, wanted(prefix, partitions=1), grow=True) == []


def test_the_shipped_configs_are_ones_that_a_broker_knows(broker: KafkaBroker, prefix: str) -> None:
    shipped = read_topics(SHIPPED)
    topics = {
        f"{prefix}{name}": plan.model_copy(update={"route": None})
        for name, plan in shipped.topics.items()
    }
    file = TopicsFile(topics=topics)

    assert up(broker, file) == ["create"] * len(topics)
    assert up(broker, file) == []


def test_what_the_broker_refuses_is_told(broker: KafkaBroker, prefix: str) -> None:
    with pytest.raises(TopicError, match="refused"):
        up(broker, wanted(prefix, {"cleanup.policy": "recycle"}))
    with pytest.raises(TopicError, match="refused"):
        up(broker, wanted(prefix).model_copy(update={"replication_factor": 9}))
