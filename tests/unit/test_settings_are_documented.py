import re
from pathlib import Path

import pytest
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from commerce.settings import Settings as CommerceSettings
from consumer.settings import ConsumerSettings, SanitySettings
from outbox.kafka_settings import KafkaSettings
from outbox.settings import OutboxSettings

ROOT = Path(__file__).parents[2]
ENV_EXAMPLE = ROOT / ".env.example"
EVERY = (SanitySettings, KafkaSettings, ConsumerSettings, OutboxSettings, CommerceSettings)


@pytest.mark.parametrize("kind", EVERY)
def test_every_setting_is_in_the_example_file(kind: type[BaseSettings]) -> None:
    documented = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", ENV_EXAMPLE.read_text(), re.MULTILINE))
    prefix = str(kind.model_config.get("env_prefix", ""))
    names = set()
    for name, field in kind.model_fields.items():
        alias = field.validation_alias
        assert not isinstance(alias, AliasChoices)
        names.add(str(alias) if alias else (prefix + name).upper())

    assert names - documented == set()


def test_every_variable_of_the_local_stack_is_in_the_example_file() -> None:
    documented = set(re.findall(r"^#?([A-Z][A-Z0-9_]+)=", ENV_EXAMPLE.read_text(), re.MULTILINE))
    files = [*(ROOT / "deploy" / "local").glob("*.py"), ROOT / "tests" / "fix_backend.py"]
    code = "".join(file.read_text() for file in files)
    read = re.findall(r"(?:environ(?:\.get\(|\[)|envvar=)\s*\"([A-Z_]+)\"", code)

    assert {"LOCAL_PORT_BASE", "TEST_BACKEND"} <= set(read)
    assert set(read) - documented - {"TMPDIR", "XDG_CACHE_HOME"} == set()
