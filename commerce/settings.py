"""Settings of the commerce service, all from the environment with the prefix `COMMERCE_`."""

from pathlib import Path
from typing import Final, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from commerce.errors import SetupError
from outbox.dsn import Dsn

MIN_SECRET_BYTES: Final = 32  # RFC 7518, 3.2: a key at least as long as the hash

LogFormat = Literal["auto", "json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]


class Settings(BaseSettings):
    """Built once at the entry and passed down."""

    model_config = SettingsConfigDict(env_prefix="COMMERCE_", frozen=True, extra="ignore")

    postgres_dsn: Dsn = Field(description="Database of the shop, with the service's own role")
    migration_dsn: Dsn | None = Field(
        default=None, description="The same database with the role that owns it, for `migrate`"
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on")
    port: int = Field(default=9000, ge=1, le=65535, description="Port to listen on")
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/]+(/[^\s]*)?$",
        description="Address of this service as browsers see it; by default host and port",
    )
    jwt_secret: SecretStr | None = Field(
        default=None, description="Signs the tokens; 32 bytes or more"
    )
    jwt_secret_file: Path | None = Field(
        default=None, description="File with the signing secret, instead of jwt_secret"
    )
    token_seconds: int = Field(
        default=86_400, ge=60, le=604_800, description="How long a token is valid"
    )
    pool_min_size: int = Field(default=2, ge=0, le=100, description="Connections kept open")
    pool_max_size: int = Field(default=10, ge=1, le=100, description="Most connections at once")
    pool_timeout_seconds: float = Field(
        default=5.0, ge=0.1, le=60.0, description="Longest wait for a connection"
    )
    statement_timeout_seconds: float = Field(
        default=30.0, ge=0.1, le=600.0, description="Longest run of one statement"
    )
    max_body_bytes: int = Field(
        default=4_000_000, ge=1_000, le=50_000_000, description="Largest request body"
    )
    log_format: LogFormat = Field(
        default="auto", description="auto: console on a terminal, else JSON"
    )
    log_level: LogLevel = Field(default="info", description="Least level that is logged")

    @property
    def base_url(self) -> str:
        """Where browsers reach this service, without a slash at the end."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def owner_dsn(self) -> SecretStr:
        """The DSN for migrations."""
        return self.migration_dsn or self.postgres_dsn

    def signing_key(self) -> SecretStr:
        """The secret that signs tokens; missing or short it is a `SetupError`."""
        secret = self.jwt_secret
        if secret is None and self.jwt_secret_file is not None:
            secret = _read(self.jwt_secret_file)
        if secret is None:
            raise SetupError(
                "No secret to sign tokens with: set COMMERCE_JWT_SECRET or COMMERCE_JWT_SECRET_FILE"
            )
        if len(secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise SetupError(
                f"The secret that signs tokens is too short: {MIN_SECRET_BYTES} bytes at least, "
                "for example from `openssl rand -hex 32`"
            )
        return secret


def load_settings() -> Settings:
    """The settings of this process; what is missing or out of bounds is a `SetupError`."""
    try:
        return Settings()
    except ValidationError as exc:
        problems = "; ".join(
            f"COMMERCE_{'_'.join(str(part) for part in error['loc']).upper()}: {error['msg']}"
            for error in exc.errors(include_input=False)
        )
        raise SetupError(f"Settings: {problems}") from exc


def _read(file: Path) -> SecretStr:
    try:
        return SecretStr(file.read_text(encoding="utf-8").strip())
    except OSError as exc:
        raise SetupError(f"COMMERCE_JWT_SECRET_FILE can't be read: {exc}") from exc
