from pathlib import Path

import pytest

from commerce.errors import SetupError
from commerce.settings import Settings, load_settings

SECRET = "s" * 32


def settings(**values: object) -> Settings:
    return Settings.model_validate({"postgres_dsn": "postgresql://shop", **values})


def test_secrets_do_not_show() -> None:
    shown = repr(settings(jwt_secret=SECRET, postgres_dsn="postgresql://u:hidden@h/shop"))

    assert SECRET not in shown
    assert "hidden" not in shown


def test_the_signing_key_comes_from_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")

    assert settings(jwt_secret_file=file).signing_key().get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "COMMERCE_JWT_SECRET"),
        ({"jwt_secret": "short"}, "32 bytes"),
        ({"jwt_secret_file": "/nowhere/secret"}, "can't be read"),
    ],
)
def test_a_missing_or_weak_signing_key_says_what_to_do(
    values: dict[str, object], message: str
) -> None:
    with pytest.raises(SetupError, match=message):
        settings(**values).signing_key()


def test_what_is_out_of_bounds_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMERCE_POSTGRES_DSN", "postgresql://u:hidden@h/shop")
    monkeypatch.setenv("COMMERCE_PORT", "70000")

    with pytest.raises(SetupError, match="COMMERCE_PORT") as refusal:
        load_settings()

    assert "hidden" not in str(refusal.value)


def test_the_base_url_is_host_and_port_unless_set() -> None:
    assert settings().base_url == "http://127.0.0.1:9000"
    assert settings(public_url="https://shop.example/").base_url == "https://shop.example"
