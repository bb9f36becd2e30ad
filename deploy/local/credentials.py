"""The secrets of one instance: made once, kept in a file that only its owner reads."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Self


def _secret() -> str:
    return secrets.token_urlsafe(24)


def _sanity_token() -> str:
    return "sk" + secrets.token_hex(40)


def _publishable_key() -> str:
    return "pk_" + secrets.token_hex(32)


@dataclass(frozen=True)
class Credentials:
    """Everything secret in one instance; the representation shows none of it."""

    postgres_password: str = field(default_factory=_secret, repr=False)
    shop_owner_password: str = field(default_factory=_secret, repr=False)
    commerce_app_password: str = field(default_factory=_secret, repr=False)
    outbox_replication_password: str = field(default_factory=_secret, repr=False)
    sync_ledger_password: str = field(default_factory=_secret, repr=False)
    commerce_jwt_secret: str = field(default_factory=_secret, repr=False)
    commerce_admin_password: str = field(default_factory=_secret, repr=False)
    commerce_publishable_key: str = field(default_factory=_publishable_key, repr=False)
    sanity_token: str = field(default_factory=_sanity_token, repr=False)
    sanity_editor_token: str = field(default_factory=_sanity_token, repr=False)
    sanity_read_token: str = field(default_factory=_sanity_token, repr=False)

    @classmethod
    def of(cls, file: Path) -> Self:
        """Those kept in `file`; what it lacks is made and added."""
        names = {entry.name for entry in fields(cls)}
        pairs = read_values(file)
        kept = {name: pairs[name.upper()] for name in names if name.upper() in pairs}
        credentials = cls(**kept)
        if kept.keys() != names:
            write_values(file, {name.upper(): text for name, text in asdict(credentials).items()})
        return credentials


def write_values(file: Path, values: Mapping[str, str]) -> None:
    """Write `NAME=value` lines that only the owner reads."""
    write_private(file, "".join(f"{name}={value}\n" for name, value in values.items()))


def write_private(file: Path, text: str) -> None:
    """Write a file that only the owner reads; nobody ever sees half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as output:
        output.write(text)
    draft.replace(file)


def read_values(file: Path) -> dict[str, str]:
    """The `NAME=value` lines of a file; empty when there is none."""
    if not file.exists():
        return {}
    return dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
