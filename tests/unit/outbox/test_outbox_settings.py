from pathlib import Path

import pytest

from outbox.errors import SettingsError
from outbox.kafka_settings import KafkaSettings
from outbox.settings import OutboxSettings, find_file, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os  # noqa: PLC0415

    for name in list(os.environ):
        if name.startswith(("OUTBOX_", "KAFKA_", "CONNECT_URL")):
            monkeypatch.delenv(name)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTBOX_DSN", "postgresql://owner:secret@localhost/shop")
    monkeypatch.setenv("CONNECT_URL", "http://127.0.0.1:9999")
    monkeypatch.setenv("OUTBOX_SLOT", "mine")

    settings = load_settings(OutboxSettings)

    assert settings.require_dsn().endswith("/shop")
    assert settings.connect_url == "http://127.0.0.1:9999"
    assert settings.connector_overrides()["slot.name"] == "mine"
    assert "secret" not in repr(settings)


def test_a_missing_dsn_is_named() -> None:
    with pytest.raises(SettingsError, match="set OUTBOX_DSN"):
        load_settings(OutboxSettings).require_dsn()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OUTBOX_KEEP_DAYS", "0"),
        ("OUTBOX_DAYS_AHEAD", "400"),
        ("OUTBOX_SLOT", "Not-a-slot"),
        ("OUTBOX_MAINTAIN_INTERVAL_SECONDS", "0"),
        ("OUTBOX_REPLICATION_FACTOR", "11"),
    ],
)
def test_a_value_out_of_bounds_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=name):
        load_settings(OutboxSettings)


def test_a_wrong_dsn_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTBOX_DSN", "mysql://owner:secret@localhost/shop")

    with pytest.raises(SettingsError) as caught:
        load_settings(OutboxSettings)
    assert "secret" not in str(caught.value)


def test_tls_and_sasl_are_passed_on_as_kafka_python_names_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_settings(KafkaSettings).client_options() == {"security_protocol": "PLAINTEXT"}
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    with pytest.raises(SettingsError, match="KAFKA_SASL_MECHANISM"):
        load_settings(KafkaSettings)
    monkeypatch.setenv("KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")
    monkeypatch.setenv("KAFKA_SASL_PLAIN_USERNAME", "me")
    monkeypatch.setenv("KAFKA_SASL_PLAIN_PASSWORD", "secret")
    monkeypatch.setenv("KAFKA_SSL_CAFILE", "/ca.pem")

    assert load_settings(KafkaSettings).client_options() == {
        "security_protocol": "SASL_SSL",
        "ssl_cafile": "/ca.pem",
        "ssl_check_hostname": True,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "me",
        "sasl_plain_password": "secret",
    }


def test_files_are_found_from_any_folder_of_a_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    assert find_file(Path("deploy/kafka/topics.yaml")).exists()
    assert find_file(Path("/nowhere.yaml")) == Path("/nowhere.yaml")
