"""The Kafka cluster, by the same settings for every part: `KAFKA_*`."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class KafkaSettings(BaseSettings):
    """`KAFKA_*`: the cluster, with TLS and SASL as kafka-python names them."""

    model_config = SettingsConfigDict(
        env_prefix="KAFKA_", frozen=True, extra="ignore", env_ignore_empty=True
    )

    bootstrap_servers: str = "127.0.0.1:9092"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_password: SecretStr | None = None
    ssl_check_hostname: bool = True
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_plain_username: str | None = None
    sasl_plain_password: SecretStr | None = None

    @model_validator(mode="after")
    def _sasl_is_whole(self) -> Self:
        named = (self.sasl_mechanism, self.sasl_plain_username, self.sasl_plain_password)
        if self.security_protocol.startswith("SASL") and None in named:
            raise ValueError(
                f"KAFKA_SECURITY_PROTOCOL={self.security_protocol} needs KAFKA_SASL_MECHANISM, "
                "KAFKA_SASL_PLAIN_USERNAME and KAFKA_SASL_PLAIN_PASSWORD"
            )
        return self

    def client_options(self) -> dict[str, Any]:
        """Keyword arguments of every kafka-python client, but for the servers' addresses."""
        given = self.model_dump(exclude={"bootstrap_servers"}, exclude_none=True)
        wanted = {"security_protocol"}
        if self.security_protocol.endswith("SSL"):
            wanted |= {name for name in given if name.startswith("ssl_")}
        if self.security_protocol.startswith("SASL"):
            wanted |= {name for name in given if name.startswith("sasl_")}
        return {name: _plain(given[name]) for name in wanted}


def _plain(value: object) -> object:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case Path():
            return str(value)
        case _:
            return value
