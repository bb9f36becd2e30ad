"""Tokens that stand for a log-in: JSON Web Tokens signed with HS256."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
from pydantic import SecretStr

from commerce.errors import UnauthenticatedError

ALGORITHM: Final = "HS256"
ACTOR_TYPE: Final = "user"
PROVIDER: Final = "emailpass"
REQUIRED: Final = ["actor_id", "actor_type", "auth_identity_id", "iat", "exp"]


@dataclass(frozen=True, slots=True)
class Identity:
    """An admin user and the way in which they log in."""

    user_id: str
    identity_id: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """Issues and reads tokens."""

    secret: SecretStr
    lifetime: timedelta
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def issue(self, identity: Identity) -> str:
        """A token with the claims that Medusa's has."""
        moment = self.now()
        return jwt.encode(
            {
                "actor_id": identity.user_id,
                "actor_type": ACTOR_TYPE,
                "auth_identity_id": identity.identity_id,
                "auth_provider": PROVIDER,
                "app_metadata": {"user_id": identity.user_id},
                "user_metadata": {},
                "iat": moment,
                "exp": moment + self.lifetime,
            },
            self.secret.get_secret_value(),
            algorithm=ALGORITHM,
        )

    def read(self, token: str) -> Identity:
        """Who the token stands for; forged, expired or another actor's: `UnauthenticatedError`."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self.secret.get_secret_value(),
                algorithms=[ALGORITHM],
                options={"require": REQUIRED, "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError as exc:
            raise UnauthenticatedError from exc
        is_current = isinstance(claims["exp"], int) and claims["exp"] > self.now().timestamp()
        if claims["actor_type"] != ACTOR_TYPE or not is_current:
            raise UnauthenticatedError
        return Identity(str(claims["actor_id"]), str(claims["auth_identity_id"]))
