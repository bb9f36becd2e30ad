"""What docker-compose.yml is told when it runs on an instance's ports and secrets."""

from deploy.local.addresses import ADMIN_EMAIL
from deploy.local.instance import Instance

PUBLISHED = ("emulator", "consumer", "postgres", "kafka", "connect", "commerce")


def compose_values(instance: Instance) -> dict[str, str]:
    """The variables of `.env.example`, with this instance's values."""
    secrets = instance.credentials
    ports = {f"{part.upper()}_PORT": str(instance.ports.of(part)) for part in PUBLISHED}
    return ports | {
        "POSTGRES_PASSWORD": secrets.postgres_password,
        "SHOP_OWNER_PASSWORD": secrets.shop_owner_password,
        "COMMERCE_APP_PASSWORD": secrets.commerce_app_password,
        "OUTBOX_REPLICATION_PASSWORD": secrets.outbox_replication_password,
        "SYNC_LEDGER_PASSWORD": secrets.sync_ledger_password,
        "COMMERCE_JWT_SECRET": secrets.commerce_jwt_secret,
        "COMMERCE_ADMIN_EMAIL": ADMIN_EMAIL,
        "COMMERCE_ADMIN_PASSWORD": secrets.commerce_admin_password,
        "SANITY_TOKEN": secrets.sanity_token,
        "SANITY_EDITOR_TOKEN": secrets.sanity_editor_token,
        "SANITY_READ_TOKEN": secrets.sanity_read_token,
    }
