"""All servers of the stack, in the order in which `status` lists them."""

from typing import Final

from deploy.local.commerce import Commerce
from deploy.local.connect import Connect
from deploy.local.consumer import Consumer
from deploy.local.emulator import Emulator
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from deploy.local.server import Server
from deploy.local.upkeep import Upkeep

SERVERS: Final[tuple[type[Server], ...]] = (
    Postgres,
    Kafka,
    Connect,
    Emulator,
    Commerce,
    Consumer,
    Upkeep,
)
