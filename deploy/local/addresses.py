"""`stack.env`: every address and local credential of an instance."""

from typing import Final

from deploy.local.credentials import write_values
from deploy.local.emulator import DATASET, PROJECT
from deploy.local.instance import Instance
from deploy.local.postgres import Postgres

ADMIN_EMAIL: Final = "admin@example.test"


def addresses(instance: Instance) -> dict[str, str]:
    """The values by the names of the design; the storefront's and Studio's are reserved ones."""
    secrets = instance.credentials
    postgres = Postgres(instance)
    ports = instance.ports
    return {
        "POSTGRES_DSN": postgres.superuser_dsn("shop"),
        "OUTBOX_DSN": postgres.dsn("shop_owner", secrets.shop_owner_password, "shop"),
        "COMMERCE_POSTGRES_DSN": postgres.dsn(
            "commerce_app", secrets.commerce_app_password, "shop"
        ),
        "CONSUMER_LEDGER_DSN": postgres.dsn("sync_ledger", secrets.sync_ledger_password, "ledger"),
        "KAFKA_BOOTSTRAP_SERVERS": ports.address("kafka"),
        "CONNECT_URL": ports.url("connect"),
        "SANITY_API_HOST": ports.url("emulator"),
        "SANITY_USE_PROJECT_HOSTNAME": "false",
        "SANITY_PROJECT_ID": PROJECT,
        "SANITY_DATASET": DATASET,
        "SANITY_TOKEN": secrets.sanity_token,
        "SANITY_EDITOR_TOKEN": secrets.sanity_editor_token,
        "SANITY_READ_TOKEN": secrets.sanity_read_token,
        "COMMERCE_URL": ports.url("commerce"),
        "COMMERCE_ADMIN_EMAIL": ADMIN_EMAIL,
        "COMMERCE_ADMIN_PASSWORD": secrets.commerce_admin_password,
        "COMMERCE_PUBLISHABLE_KEY": secrets.commerce_publishable_key,
        "CONSUMER_URL": ports.url("consumer"),
        "STOREFRONT_URL": ports.url("storefront"),
        "STUDIO_URL": f"https://{ports.address('studio')}",
    }


def write_addresses(instance: Instance) -> None:
    """Write `stack.env`, readable by its owner only."""
    write_values(instance.environment_file, addresses(instance))
