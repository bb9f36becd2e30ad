"""Admin users and their passwords."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from psycopg import errors
from psycopg.rows import DictRow
from pydantic import SecretStr

from commerce.access_token import PROVIDER, Identity
from commerce.clock import now
from commerce.database import Pool
from commerce.errors import DuplicateError, InvalidDataError, NotFoundError, UnauthorizedError
from commerce.identifier import NewId, Ulids
from commerce.sql import queries

MIN_PASSWORD_LENGTH: Final = 8
MAX_PASSWORD_LENGTH: Final = 1024  # an endless password is an endless hash
MAX_EMAIL_LENGTH: Final = 254


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may use the Admin API."""

    id: str
    email: str
    first_name: str | None
    last_name: str | None
    metadata: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Accounts:
    """Log-ins; passwords are kept as Argon2id hashes."""

    pool: Pool
    hasher: PasswordHasher = field(default_factory=PasswordHasher)
    new_id: NewId = field(default_factory=Ulids)
    now: Callable[[], datetime] = now

    async def create(self, email: str, password: SecretStr) -> str:
        """A new admin user's id; a known address is `DuplicateError`."""
        address = _checked_email(email)
        password_hash = await self._hash(_checked_password(password))
        user_id = self.new_id("user")
        parameters = {
            "user_id": user_id,
            "identity_id": self.new_id("auth_identity"),
            "email": address,
            "provider": PROVIDER,
            "password_hash": password_hash,
            "now": self.now(),
        }
        try:
            async with self.pool.connection() as conn:
                await conn.execute(queries()["insert_user"], parameters)
        except errors.UniqueViolation as exc:
            raise DuplicateError("User", "email", address) from exc
        return user_id

    async def set_password(self, email: str, password: SecretStr) -> None:
        """Another password for a user that exists, else `NotFoundError`."""
        row = await self._find(_checked_email(email))
        if row is None:
            raise NotFoundError(f"User with email: {email} was not found")
        parameters = {
            "identity_id": row["identity_id"],
            "password_hash": await self._hash(_checked_password(password)),
            "now": self.now(),
        }
        async with self.pool.connection() as conn:
            await conn.execute(queries()["update_password"], parameters)

    async def log_in(self, email: str, password: str) -> Identity:
        """Who has this address and password, or `UnauthorizedError`.

        An unknown address takes as long as a wrong password, so the time tells nothing.
        """
        row = await self._find(email.strip().lower())
        known_hash = row["password_hash"] if row is not None else await self._hash("nobody's")
        is_right = len(password) <= MAX_PASSWORD_LENGTH and await asyncio.to_thread(
            self._verify, known_hash, password
        )
        if row is None or not is_right:
            raise UnauthorizedError("Invalid email or password")
        return Identity(row["user_id"], row["identity_id"])

    async def get(self, user_id: str) -> User:
        """The user, or `NotFoundError`."""
        async with self.pool.connection() as conn:
            cursor = await conn.execute(queries()["user"], {"id": user_id})
            row = await cursor.fetchone()
        if row is None:
            raise NotFoundError(f"User with id: {user_id} was not found")
        return User(**row)

    async def _find(self, email: str) -> DictRow | None:
        async with self.pool.connection() as conn:
            parameters = {"email": email, "provider": PROVIDER}
            cursor = await conn.execute(queries()["identity"], parameters)
            return await cursor.fetchone()

    async def _hash(self, password: str) -> str:
        return await asyncio.to_thread(self.hasher.hash, password)

    def _verify(self, known_hash: str, password: str) -> bool:
        try:
            return self.hasher.verify(known_hash, password)
        except (VerificationError, InvalidHashError):
            return False


def _checked_email(email: str) -> str:
    address = email.strip().lower()
    name, at, domain = address.rpartition("@")
    if not (name and at and domain) or any(c.isspace() for c in address):
        raise InvalidDataError(f"Invalid email address: {email}")
    if len(address) > MAX_EMAIL_LENGTH:
        raise InvalidDataError(f"Email address is longer than {MAX_EMAIL_LENGTH} characters")
    return address


def _checked_password(password: SecretStr) -> str:
    text = password.get_secret_value()
    if not MIN_PASSWORD_LENGTH <= len(text) <= MAX_PASSWORD_LENGTH:
        raise InvalidDataError(
            f"A password has {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters"
        )
    return text
