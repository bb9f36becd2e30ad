from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from consumer.decide import OnDelete
from consumer.errors import SettingsError
from consumer.settings import ConsumerSettings, SanitySettings, load_settings
from outbox.kafka_settings import KafkaSettings

ENV_EXAMPLE = Path(__file__).parents[3] / ".env.example"
SANITY = {"SANITY_PROJECT_ID": "shop", "SANITY_DATASET": "production", "SANITY_TOKEN": "secret"}
EVERY = (SanitySettings, KafkaSettings, ConsumerSettings)


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in EVERY:
        for name in names(kind):
            monkeypatch.delenv(name, raising=False)


def names(kind: type[BaseSettings]) -> list[str]:
    prefix = kind.model_config.get("env_prefix", "")
    return [f"{prefix}{field}".upper() for field in kind.model_fields]


def load(monkeypatch: pytest.MonkeyPatch, kind: type[Any], **values: str) -> Any:
    defaults = SANITY if kind is SanitySettings else {}
    for name, value in {**defaults, **values}.items():
        monkeypatch.setenv(name, value)
    return load_settings(kind)


def test_sensible_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    sanity = load(monkeypatch, SanitySettings)
    consumer = load(monkeypatch, ConsumerSettings)

    assert sanity.base_url == "https://shop.api.sanity.io/v2025-02-19"
    assert consumer.on_delete is OnDelete.DELETE
    assert consumer.live_topic == "outbox.event.product"
    assert load(monkeypatch, KafkaSettings).client_options() == {
        "security_protocol": "PLAINTEXT",
    }


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (SanitySettings, "SANITY_PROJECT_ID", "Shop!"),
        (SanitySettings, "SANITY_DATASET", "a/b"),
        (SanitySettings, "SANITY_API_VERSION", "1"),
        (SanitySettings, "SANITY_API_VERSION", "v2024-01-01"),  # hides release versions
        (SanitySettings, "SANITY_API_VERSION", "latest"),
        (SanitySettings, "SANITY_API_HOST", "api.sanity.io"),
        (SanitySettings, "SANITY_API_HOST", "ftp://api.sanity.io"),
        (SanitySettings, "SANITY_TIMEOUT_SECONDS", "0.9"),
        (SanitySettings, "SANITY_TIMEOUT_SECONDS", "201"),
        (SanitySettings, "SANITY_MUTATE_REQUESTS_PER_SECOND", "0"),
        (SanitySettings, "SANITY_MUTATE_REQUESTS_PER_SECOND", "1001"),
        (SanitySettings, "SANITY_READ_REQUESTS_PER_SECOND", "0"),
        (SanitySettings, "SANITY_READ_REQUESTS_PER_SECOND", "10001"),
        (SanitySettings, "SANITY_USE_PROJECT_HOSTNAME", "perhaps"),
        (KafkaSettings, "KAFKA_SECURITY_PROTOCOL", "TLS"),
        (KafkaSettings, "KAFKA_SECURITY_PROTOCOL", "SASL_SSL"),  # without mechanism and user
        (KafkaSettings, "KAFKA_SASL_MECHANISM", "GSSAPI"),
        (ConsumerSettings, "CONSUMER_GROUP_ID", "x" * 201),
        (ConsumerSettings, "CONSUMER_ON_DELETE", "archive"),
        (ConsumerSettings, "CONSUMER_MAX_BATCH_RECORDS", "0"),
        (ConsumerSettings, "CONSUMER_MAX_BATCH_RECORDS", "10001"),
        (ConsumerSettings, "CONSUMER_SESSION_TIMEOUT_SECONDS", "5.9"),
        (ConsumerSettings, "CONSUMER_SESSION_TIMEOUT_SECONDS", "301"),
        (ConsumerSettings, "CONSUMER_HALT_RETRY_SECONDS", "0.9"),
        (ConsumerSettings, "CONSUMER_HALT_RETRY_SECONDS", "3601"),
        (ConsumerSettings, "CONSUMER_TOMBSTONE_DAYS", "14"),  # parked records live that long
        (ConsumerSettings, "CONSUMER_TOMBSTONE_DAYS", "3651"),
        (ConsumerSettings, "CONSUMER_LEDGER_DAYS", "0"),
        (ConsumerSettings, "CONSUMER_LEDGER_DAYS", "3651"),
        (ConsumerSettings, "CONSUMER_PORT", "0"),
        (ConsumerSettings, "CONSUMER_PORT", "65536"),
        (ConsumerSettings, "CONSUMER_LOG_LEVEL", "loud"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, kind: type[BaseSettings], name: str, value: str
) -> None:
    with pytest.raises(SettingsError, match=name):
        load(monkeypatch, kind, **{name: value})


@pytest.mark.parametrize("name", ["SANITY_PROJECT_ID", "SANITY_DATASET"])
def test_a_missing_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}: Field required"):
        load(monkeypatch, SanitySettings, **{name: ""})  # empty counts as absent


def test_every_wrong_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"CONSUMER_PORT.*; CONSUMER_LOG_LEVEL"):
        load(monkeypatch, ConsumerSettings, CONSUMER_PORT="0", CONSUMER_LOG_LEVEL="loud")


def test_a_token_or_its_file_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="set SANITY_TOKEN or SANITY_TOKEN_FILE"):
        load(monkeypatch, SanitySettings, SANITY_TOKEN="")


def test_a_token_file_goes_before_the_token_and_is_read_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text("from-file\n")
    sanity = load(monkeypatch, SanitySettings, SANITY_TOKEN_FILE=str(path))

    assert sanity.read_token() == "from-file"
    path.write_text("rotated")
    assert sanity.read_token() == "rotated"


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe", "t\u00f6ken".encode()])
def test_a_token_file_that_holds_no_token_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    sanity = load(monkeypatch, SanitySettings, SANITY_TOKEN_FILE=str(path))

    with pytest.raises(SettingsError, match="SANITY_TOKEN_FILE"):
        sanity.read_token()


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = load(monkeypatch, KafkaSettings, KAFKA_SASL_PLAIN_PASSWORD="secret-password")
    consumer = load(monkeypatch, ConsumerSettings, CONSUMER_LEDGER_DSN="postgresql://u:secret@h/d")

    assert "secret" not in repr(load(monkeypatch, SanitySettings)) + repr(kafka) + repr(consumer)


def test_settings_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = load(monkeypatch, ConsumerSettings)

    with pytest.raises(ValueError, match="frozen"):
        consumer.port = 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "https://shop.api.sanity.io/v2025-02-19"),
        ({"SANITY_API_VERSION": "v2025-08-18"}, "https://shop.api.sanity.io/v2025-08-18"),
        (
            {"SANITY_API_HOST": "http://127.0.0.1:8020", "SANITY_USE_PROJECT_HOSTNAME": "false"},
            "http://127.0.0.1:8020/v2025-02-19",
        ),
        (
            {"SANITY_API_HOST": "http://localhost:8020"},
            "http://shop.localhost:8020/v2025-02-19",
        ),
    ],
)
def test_where_the_api_answers(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], expected: str
) -> None:
    assert load(monkeypatch, SanitySettings, **values).base_url == expected


def test_tls_and_sasl_reach_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    kafka = load(
        monkeypatch,
        KafkaSettings,
        KAFKA_BOOTSTRAP_SERVERS="a:9092,b:9092",
        KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        KAFKA_SASL_MECHANISM="SCRAM-SHA-512",
        KAFKA_SASL_PLAIN_USERNAME="consumer",
        KAFKA_SASL_PLAIN_PASSWORD="secret",
        KAFKA_SSL_CAFILE="/etc/ca.pem",
    )

    assert kafka.client_options() == {
        "security_protocol": "SASL_SSL",
        "ssl_check_hostname": True,
        "ssl_cafile": "/etc/ca.pem",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "consumer",
        "sasl_plain_password": "secret",
    }
