"""The consumer, which kills itself with SIGKILL after the step that is named: `... after send`."""

import os
import signal
import sys

from consumer.apply import Batch, Step
from consumer.log import configure_logging
from consumer.service import Service
from consumer.settings import ConsumerSettings, SanitySettings, load_settings
from outbox.kafka_settings import KafkaSettings


def die(_batch: Batch) -> None:
    """Nothing is flushed, closed, committed or left."""
    os.kill(os.getpid(), signal.SIGKILL)


def mortal(steps: list[Step], last: str) -> list[Step]:
    """The steps, with death after the one called `last`."""
    position = [step.__name__ for step in steps].index(last) + 1
    return [*steps[:position], die, *steps[position:]]


if __name__ == "__main__":
    settings = load_settings(ConsumerSettings)
    configure_logging(settings.log_level)
    service = Service(settings, load_settings(KafkaSettings), load_settings(SanitySettings))
    service.run(lambda steps: mortal(steps, sys.argv[1]))
