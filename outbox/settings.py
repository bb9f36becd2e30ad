"""Settings of the command `outbox`, read from the environment."""

from pathlib import Path
from typing import Annotated, Final, Self, TypeVar

from pydantic import (
    Field,
    HttpUrl,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from outbox.dsn import Dsn
from outbox.errors import SettingsError

ROOT: Final = Path(__file__).resolve().parent.parent
TOPICS_FILE: Final = Path("deploy/kafka/topics.yaml")
CONNECTOR_FILE: Final = Path("deploy/connect/outbox-connector.json")
_CONFIG: Final = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

SlotName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,63}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]{0,62}$")]
T = TypeVar("T", bound=BaseSettings)


class OutboxSettings(BaseSettings):
    """`OUTBOX_*`, and `CONNECT_URL`.

    `dsn` is that of the owner of schema outbox. `publisher_role` may call publish,
    `replication_role` is Debezium's. Files are looked for in the working directory, then in the
    checkout that this package lies in.
    """

    model_config = SettingsConfigDict(env_prefix="OUTBOX_", **_CONFIG)

    dsn: Dsn | None = None
    connect_url: str = Field(default="http://127.0.0.1:8083", validation_alias="CONNECT_URL")
    slot: SlotName = "outbox"
    publication: SlotName = "outbox"
    topic_prefix: Name = "outbox"
    connector: Name = "outbox"
    publisher_role: Name = "commerce_app"
    replication_role: Name = "outbox_replication"
    topics_file: Path = TOPICS_FILE
    connector_file: Path = CONNECTOR_FILE
    replication_factor: int | None = Field(default=None, ge=1, le=10)
    keep_days: int = Field(default=7, ge=1, le=3650)
    days_ahead: int = Field(default=14, ge=1, le=366)
    maintain_interval_seconds: float = Field(default=60.0, ge=0.1, le=86_400)
    canary_timeout_seconds: float = Field(default=10.0, ge=0.1, le=600)

    @model_validator(mode="after")
    def _connect_url_is_one(self) -> Self:
        TypeAdapter(HttpUrl).validate_python(self.connect_url)
        return self

    def require_dsn(self) -> str:
        """The DSN, or `SettingsError` that says which variable to set."""
        if self.dsn is None:
            raise SettingsError("set OUTBOX_DSN to the DSN of the owner of schema outbox")
        return self.dsn.get_secret_value()

    def connector_overrides(self) -> dict[str, str]:
        """What these settings change in the connector file."""
        return {
            "slot.name": self.slot,
            "publication.name": self.publication,
            "topic.prefix": self.topic_prefix,
        }


def load_settings(kind: type[T]) -> T:
    """Read settings; `SettingsError` names each variable that is wrong, and shows no secret."""
    try:
        return kind()
    except ValidationError as exc:
        prefix = str(kind.model_config.get("env_prefix", ""))
        faults = [
            f"{prefix}{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}"
            if fault["loc"]
            else str(fault["msg"])
            for fault in exc.errors(include_input=False, include_url=False)
        ]
        raise SettingsError("; ".join(faults)) from exc


def find_file(path: Path) -> Path:
    """`path` as given, or below the checkout that this package lies in."""
    return path if path.exists() or path.is_absolute() else ROOT / path
