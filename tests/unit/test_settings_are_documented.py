import re
from pathlib import Path

import pytest
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from commerce.settings import Settings as CommerceSettings
from consumer.settings import ConsumerSettings, SanitySettings
from outbox.kafka_settings import KafkaSettings
from outbox.settings import OutboxSettings

ENV_EXAMPLE = Path(__file__).parents[2] / ".env.example"
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
