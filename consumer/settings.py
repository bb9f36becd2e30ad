"""Settings, read once at the entry and passed down. `.env.example` lists them all."""

from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, StringConstraints, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from consumer.decide import OnDelete
from consumer.errors import SettingsError
from outbox.dsn import Dsn

ApiVersion = Annotated[str, StringConstraints(pattern=r"^v?\d{4}-\d{2}-\d{2}$")]
OLDEST_API_VERSION = "2025-02-19"  # older ones hide release versions
T = TypeVar("T", bound=BaseSettings)

_CONFIG = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)


class SanitySettings(BaseSettings):
    """Which dataset, and how to reach it (`SANITY_*`)."""

    model_config = SettingsConfigDict(env_prefix="SANITY_", **_CONFIG)

    project_id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    dataset: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_~][a-z0-9_-]{0,63}$")]
    api_version: ApiVersion = OLDEST_API_VERSION
    api_host: str = "https://api.sanity.io"
    use_project_hostname: bool = True
    token: SecretStr | None = None
    token_file: Path | None = None
    timeout_seconds: float = Field(default=30.0, ge=1.0, le=200.0)
    mutate_requests_per_second: float = Field(default=20.0, gt=0, le=1_000)
    read_requests_per_second: float = Field(default=500.0, gt=0, le=10_000)

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        if self.api_version.removeprefix("v") < OLDEST_API_VERSION:
            raise ValueError(f"SANITY_API_VERSION must be {OLDEST_API_VERSION} or later")
        if self.token is None and self.token_file is None:
            raise ValueError("set SANITY_TOKEN or SANITY_TOKEN_FILE (a token that may write)")
        if urlsplit(self.api_host).scheme not in {"http", "https"}:
            raise ValueError(f"SANITY_API_HOST {self.api_host!r} must be an http or https URL")
        if urlsplit(self.api_host).path not in {"", "/"}:
            raise ValueError(f"SANITY_API_HOST {self.api_host!r} must not have a path")
        return self

    @property
    def base_url(self) -> str:
        """Where the API of this project answers, with its version."""
        parts = urlsplit(self.api_host)
        host = f"{self.project_id}.{parts.netloc}" if self.use_project_hostname else parts.netloc
        return f"{parts.scheme}://{host}/v{self.api_version.removeprefix('v')}"

    def read_token(self) -> str:
        """The token as it is now; its file is read anew each time, so it can be rotated."""
        if self.token_file is None:
            return self.token.get_secret_value() if self.token else ""
        try:
            token = self.token_file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise SettingsError(f"SANITY_TOKEN_FILE can't be read: {exc}") from exc
        if not token:
            raise SettingsError(f"SANITY_TOKEN_FILE {self.token_file} is empty")
        return token


class ConsumerSettings(BaseSettings):
    """How this service runs (`CONSUMER_*`)."""

    model_config = SettingsConfigDict(env_prefix="CONSUMER_", **_CONFIG)

    group_id: str | None = Field(default=None, max_length=200)  # sanity-<project>-<dataset>
    live_topic: str = "outbox.event.product"
    bulk_topic: str = "outbox.event.product.bulk"
    dead_letter_topic: str = "outbox.event.product.dlt"
    mapping_file: Path | None = None  # the one that ships with the package
    on_delete: OnDelete = OnDelete.DELETE
    ledger_dsn: Dsn | None = None  # without one nothing is kept beside Sanity
    max_batch_records: int = Field(default=600, ge=1, le=10_000)
    session_timeout_seconds: float = Field(default=10.0, ge=6.0, le=300.0)
    halt_retry_seconds: float = Field(default=30.0, ge=1.0, le=3_600.0)
    tombstone_days: int = Field(default=30, ge=15, le=3_650)  # longer than parked records live
    ledger_days: int = Field(default=90, ge=1, le=3_650)
    host: str = "127.0.0.1"
    port: int = Field(default=8030, ge=1, le=65_535)
    log_level: Literal["debug", "info", "warning", "error"] = "info"


def load_settings(kind: type[T]) -> T:
    """The settings of the environment; raises `SettingsError` that names each wrong one."""
    try:
        return kind()
    except ValidationError as exc:
        prefix = kind.model_config.get("env_prefix", "")
        problems = (
            f"{prefix}{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}".replace(f"{prefix}: ", "")
            for e in exc.errors()
        )
        raise SettingsError("; ".join(problems)) from exc
