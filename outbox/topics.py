"""Topics made explicitly, from one file: what is missing, what differs, and the change itself."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol, Self

import yaml
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from outbox.errors import BrokerUnavailableError, TopicError, TopicMismatchError

TOPIC_PREFIX: Final = "outbox.event."
HEARTBEAT_PREFIX: Final = "__debezium-heartbeat."
SAFE_REPLICAS: Final = 3  # with fewer, waiting for two would stop writes when one broker is away
BOOTSTRAP_TIMEOUT_SECONDS: Final = 5.0
REQUEST_TIMEOUT_SECONDS: Final = 15.0


class TopicPlan(BaseModel):
    """One topic as the file wants it; configs that are not named are left to the broker."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    route: str | None = None
    partitions: int = Field(ge=1, le=1000)
    config: Mapping[str, str] = Field(default_factory=dict)

    @field_validator("config", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {
            key: str(item).lower() if isinstance(item, bool) else str(item)
            for key, item in value.items()
        }


class TopicsFile(BaseModel):
    """`deploy/kafka/topics.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    replication_factor: int = Field(default=1, ge=1, le=10)
    topics: Mapping[str, TopicPlan]

    @model_validator(mode="after")
    def _routes_name_their_topics(self) -> Self:
        for name, plan in self.topics.items():
            if plan.route is not None and name != TOPIC_PREFIX + plan.route:
                raise ValueError(f"route {plan.route} goes to {TOPIC_PREFIX}{plan.route}: {name}")
        return self

    @property
    def routes(self) -> list[str]:
        """The routes that have a topic in the file."""
        return sorted(plan.route for plan in self.topics.values() if plan.route is not None)

    def with_heartbeat_of(self, topic_prefix: str) -> Self:
        """The file with the heartbeat topic of this connector: its name ends in `topic.prefix`."""
        name = HEARTBEAT_PREFIX + topic_prefix
        if name in self.topics:
            return self
        topics = {
            name if each.startswith(HEARTBEAT_PREFIX) else each: plan
            for each, plan in self.topics.items()
        }
        topics.setdefault(name, TopicPlan(partitions=1))
        return self.model_copy(update={"topics": topics})


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it is on the broker, with all of its configs."""

    partitions: int
    replication_factor: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between the file and the broker.

    `create` makes the topic, `config` sets `item` from `before` to `after`, `grow` adds
    partitions. `shrink` and `replicate` are told only: Kafka can't take partitions away, and where
    further replicas go is for the cluster's operator to say.
    """

    topic: str
    kind: Literal["create", "config", "grow", "shrink", "replicate"]
    item: str
    before: str
    after: str


class Broker(Protocol):
    """What is asked of Kafka; `KafkaBroker` is the real one."""

    def topics(self, names: Iterable[str]) -> dict[str, Topic]:
        """Those of the named topics that exist."""
        ...

    def create(self, name: str, plan: TopicPlan, replication_factor: int) -> None:
        """Make one topic and wait until it has leaders."""
        ...

    def set_config(self, name: str, config: Mapping[str, str]) -> None:
        """Set these configs and leave the others."""
        ...

    def grow(self, name: str, partitions: int) -> None:
        """Add partitions up to this number."""
        ...


def read_topics(file: Path) -> TopicsFile:
    """Parse the topics file. Raises `TopicError` that says where it is wrong."""
    try:
        return TopicsFile.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except OSError as exc:
        raise TopicError(f"{file} can't be read: {exc}") from exc
    except (yaml.YAMLError, ValidationError) as exc:
        raise TopicError(f"{file}: {exc}") from exc


def diff(wanted: TopicsFile, found: Mapping[str, Topic]) -> list[Change]:
    """What has to change on the broker, topic by topic in the order of the file."""
    return [
        change
        for name, plan in wanted.topics.items()
        for change in _changes(name, plan, found.get(name), wanted.replication_factor)
    ]


def _changes(
    name: str, plan: TopicPlan, topic: Topic | None, replication_factor: int
) -> Iterator[Change]:
    if topic is None:
        yield Change(name, "create", "partitions", "", str(plan.partitions))
        return
    if topic.partitions != plan.partitions:
        kind: Literal["grow", "shrink"] = "grow" if topic.partitions < plan.partitions else "shrink"
        yield Change(name, kind, "partitions", str(topic.partitions), str(plan.partitions))
    if topic.replication_factor != replication_factor:
        before, after = str(topic.replication_factor), str(replication_factor)
        yield Change(name, "replicate", "replication factor", before, after)
    for key, value in plan.config.items():
        before = topic.config.get(key, "")
        if before != value:
            yield Change(name, "config", key, before, value)


def apply(
    broker: Broker, wanted: TopicsFile, changes: Iterable[Change], *, grow: bool = False
) -> list[Change]:
    """Carry out `changes` and return those that were.

    More partitions send an aggregate to another partition than before: its records stay in order
    by revision only. So a topic grows only when `grow` asks for it, and never shrinks.
    """
    done = []
    for change in changes:
        match change.kind:
            case "create":
                plan = _replicated(wanted.topics[change.topic], wanted.replication_factor)
                broker.create(change.topic, plan, wanted.replication_factor)
            case "config":
                broker.set_config(change.topic, {change.item: change.after})
            case "grow" if grow:
                broker.grow(change.topic, int(change.after))
            case "grow" | "shrink" | "replicate":
                continue
        done.append(change)
    return done


def _replicated(plan: TopicPlan, replication_factor: int) -> TopicPlan:
    """With three replicas a record counts as written once two have it, and one may be away.

    At creation only: set on a topic that has one replica it would refuse every record.
    """
    if replication_factor < SAFE_REPLICAS:
        return plan
    return plan.model_copy(update={"config": {"min.insync.replicas": "2", **plan.config}})


def require_topics(names: Iterable[str], found: Mapping[str, Topic]) -> None:
    """Raise `TopicMismatchError` with those of the named topics that the broker doesn't have."""
    missing = sorted(set(names) - found.keys())
    if missing:
        raise TopicMismatchError(
            f"the broker lacks {', '.join(missing)}, and a connector that writes to a "
            "missing topic waits for it for ever: put what is missing into the topics file, then "
            "run `outbox topics apply` with the same OUTBOX_TOPIC_PREFIX"
        )


def require_topics_of_routes(
    registered: Iterable[str], wanted: TopicsFile, found: Mapping[str, Topic]
) -> None:
    """Raise `TopicMismatchError` when an event could be routed to a topic that doesn't exist."""
    faults = []
    for route in sorted(registered):
        name = TOPIC_PREFIX + route
        if route not in wanted.routes:
            faults.append(f"route {route} has no topic in the file")
        elif name not in found:
            faults.append(f"topic {name} of route {route} does not exist on the broker")
    if faults:
        raise TopicMismatchError("; ".join(faults))


class KafkaBroker:
    """Kafka's admin client; its errors become `TopicError` here and nowhere else.

    `settings` are passed to kafka-python as they are (security protocol, SASL, certificates).
    """

    def __init__(self, bootstrap_servers: str, settings: Mapping[str, Any] | None = None) -> None:
        with _translated_errors(bootstrap_servers):
            self._admin = KafkaAdminClient(
                bootstrap_servers=bootstrap_servers,
                bootstrap_timeout_ms=round(BOOTSTRAP_TIMEOUT_SECONDS * 1000),
                request_timeout_ms=round(REQUEST_TIMEOUT_SECONDS * 1000),
                **(settings or {}),
            )
        self._bootstrap_servers = bootstrap_servers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._admin.close()

    def topics(self, names: Iterable[str]) -> dict[str, Topic]:
        """Those of the named topics that exist."""
        with _translated_errors(self._bootstrap_servers):
            existing = set(self._admin.list_topics()) & set(names)
            if not existing:
                return {}
            described = self._admin.describe_topics(sorted(existing))
            resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in existing]
            configs = self._admin.describe_configs(resources, config_filter="all")["topic"]
        return {
            topic["name"]: Topic(
                partitions=len(topic["partitions"]),
                replication_factor=len(topic["partitions"][0]["replica_nodes"]),
                config={
                    key: entry["value"]
                    for key, entry in configs[topic["name"]].items()
                    if entry["value"] is not None
                },
            )
            for topic in described
        }

    def create(self, name: str, plan: TopicPlan, replication_factor: int) -> None:
        """Make one topic and wait until it has leaders."""
        options = {
            "num_partitions": plan.partitions,
            "replication_factor": replication_factor,
            "configs": dict(plan.config),
        }
        with _translated_errors(self._bootstrap_servers):
            self._admin.create_topics({name: options}, wait_for_metadata=True)

    def set_config(self, name: str, config: Mapping[str, str]) -> None:
        """Set these configs and leave the others."""
        resource = ConfigResource(ConfigResourceType.TOPIC, name, dict(config))
        with _translated_errors(self._bootstrap_servers):
            self._admin.alter_configs([resource])

    def grow(self, name: str, partitions: int) -> None:
        """Add partitions up to this number."""
        with _translated_errors(self._bootstrap_servers):
            self._admin.create_partitions({name: partitions})


@contextmanager
def _translated_errors(bootstrap_servers: str) -> Iterator[None]:
    try:
        yield
    except KafkaError as exc:
        if exc.retriable or "NoBrokersAvailable" in type(exc).__name__:
            raise BrokerUnavailableError(
                f"no broker answers at {bootstrap_servers}: {exc}"
            ) from exc
        raise TopicError(f"Kafka at {bootstrap_servers} refused: {exc}") from exc
    except ValueError as exc:
        raise TopicError(f"Kafka at {bootstrap_servers}: {exc}") from exc
