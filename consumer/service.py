"""Puts the parts together: one lake, one ledger, one budget, and a loop per lane."""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final

import structlog
from kafka.errors import KafkaError

from consumer.apply import Applier, Step
from consumer.budget import Lane
from consumer.content_lake import ContentLake
from consumer.document import load_mapping
from consumer.kafka import DeadLetterTopic, LogReader
from consumer.ledger import Ledger, NullLedger, PostgresLedger
from consumer.observe.health import Condition, Health, HealthServer
from consumer.settings import ConsumerSettings, SanitySettings
from consumer.worker import Worker
from outbox.kafka_settings import KafkaSettings

KAFKA_RETRY_SECONDS: Final = 2.0

log = structlog.get_logger()


class Service:
    """The consumer of one dataset: the live and the bulk lane, each in a thread of its own."""

    def __init__(
        self, consumer: ConsumerSettings, kafka: KafkaSettings, sanity: SanitySettings
    ) -> None:
        self._consumer = consumer
        self._kafka = kafka
        self._sanity = sanity
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._topics = {Lane.LIVE: consumer.live_topic, Lane.BULK: consumer.bulk_topic}
        self._health = Health([lane.name.lower() for lane in self._topics])
        self._mapping = load_mapping(consumer.mapping_file)
        self._lake = ContentLake(sanity)
        self._ledger = open_ledger(consumer, sanity)

    def run(self, edit_steps: Callable[[list[Step]], list[Step]] = lambda steps: steps) -> None:
        """Runs until SIGTERM or SIGINT; raises what stopped a lane. `edit_steps` is for tests."""
        for signum in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signum, self._stop)
        health = HealthServer(self._health, host=self._consumer.host, port=self._consumer.port)
        health.start()
        lanes = [
            threading.Thread(target=self._run_lane, args=(lane, edit_steps), name=lane.name.lower())
            for lane in self._topics
        ]
        for thread in lanes:
            thread.start()
        for thread in lanes:
            thread.join()
        health.stop()
        self._lake.close()
        self._ledger.close()
        log.info("consumer_stopped")
        if self._failure is not None:
            raise self._failure

    def _run_lane(self, lane: Lane, edit_steps: Callable[[list[Step]], list[Step]]) -> None:
        try:
            self._work(lane, edit_steps)
        except BaseException as exc:  # noqa: BLE001 (a lane that dies takes the process with it)
            self._failure = self._failure or exc
            self._stopping.set()

    def _work(self, lane: Lane, edit_steps: Callable[[list[Step]], list[Step]]) -> None:
        reader = self._join(lane)
        if reader is None:
            return
        worker = Worker(
            lane=lane.name.lower(),
            reader=reader,
            health=self._health,
            stopping=self._stopping,
            max_batch_records=self._consumer.max_batch_records,
            halt_retry_seconds=self._consumer.halt_retry_seconds,
            before_halt_retry=self._lake.reload_token,
        )
        dead_letters = DeadLetterTopic(self._kafka, topic=self._consumer.dead_letter_topic)
        applier = Applier(
            lake=self._lake,
            ledger=self._ledger,
            dead_letters=dead_letters,
            mapping=self._mapping,
            lane=lane,
            wait=worker.wait,
            on_delete=self._consumer.on_delete,
        )
        try:
            worker.run(edit_steps([*applier.steps, worker.commit]))
        finally:
            dead_letters.close()

    def _join(self, lane: Lane) -> LogReader | None:
        """A reader of the lane, once Kafka and its topics are there; None when told to stop."""
        while not self._stopping.is_set():
            try:
                reader = self._open(lane)
            except KafkaError as exc:
                if not exc.retriable:
                    raise
                log.warning("kafka_unavailable", lane=lane.name.lower(), error=str(exc))
                self._stopping.wait(KAFKA_RETRY_SECONDS)
                continue
            missing = reader.missing(self._topics[lane], self._consumer.dead_letter_topic)
            if not missing:
                self._health.set(lane.name.lower(), Condition.STARTING)
                return reader
            reader.close()
            reason = (
                f"Kafka has no topic {', '.join(missing)}: run `outbox topics apply`, or correct "
                "CONSUMER_LIVE_TOPIC, CONSUMER_BULK_TOPIC, CONSUMER_DEAD_LETTER_TOPIC"
            )
            self._health.set(lane.name.lower(), Condition.HALTED, reason)
            log.error("consumer_halted", lane=lane.name.lower(), error=reason)
            self._stopping.wait(self._consumer.halt_retry_seconds)
        return None

    def _open(self, lane: Lane) -> LogReader:
        return LogReader(
            self._kafka,
            topic=self._topics[lane],
            group_id=group_id(self._consumer, self._sanity, lane),
            session_timeout_seconds=self._consumer.session_timeout_seconds,
            stopping=self._stopping.is_set,
        )

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        del signum, frame
        self._stopping.set()


def group_id(consumer: ConsumerSettings, sanity: SanitySettings, lane: Lane) -> str:
    """The lane's consumer group: a rebalance of one lane must not stop the other."""
    group = consumer.group_id or f"sanity-{sanity.project_id}-{sanity.dataset}"
    return group if lane is Lane.LIVE else f"{group}.{lane.name.lower()}"


def open_ledger(consumer: ConsumerSettings, sanity: SanitySettings) -> Ledger:
    """The ledger of the settings; one that keeps nothing where no database is named."""
    if consumer.ledger_dsn is None:
        return NullLedger()
    return PostgresLedger(
        consumer.ledger_dsn.get_secret_value(),
        project_id=sanity.project_id,
        dataset=sanity.dataset,
    )
