from datetime import UTC, datetime, timedelta

import jwt
import pytest
from pydantic import SecretStr

from commerce.access_token import Identity, Tokens
from commerce.errors import UnauthenticatedError

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECRET = "s" * 32
IDENTITY = Identity("user_1", "authid_1")


def tokens(now: datetime = NOON, secret: str = SECRET) -> Tokens:
    return Tokens(SecretStr(secret), timedelta(days=1), lambda: now)


def test_a_token_carries_medusas_claims() -> None:
    claims = jwt.decode(tokens().issue(IDENTITY), options={"verify_signature": False})

    assert claims == {
        "actor_id": "user_1",
        "actor_type": "user",
        "auth_identity_id": "authid_1",
        "auth_provider": "emailpass",
        "app_metadata": {"user_id": "user_1"},
        "user_metadata": {},
        "iat": int(NOON.timestamp()),
        "exp": int(NOON.timestamp()) + 86_400,
    }


def test_a_token_is_read_until_it_expires() -> None:
    token = tokens().issue(IDENTITY)

    assert tokens(NOON + timedelta(hours=23)).read(token) == IDENTITY
    with pytest.raises(UnauthenticatedError):
        tokens(NOON + timedelta(hours=24)).read(token)


def forged(**claims: object) -> str:
    whole = jwt.decode(tokens().issue(IDENTITY), options={"verify_signature": False})
    return jwt.encode({**whole, **claims}, SECRET, algorithm="HS256")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        tokens(secret="t" * 32).issue(IDENTITY),
        forged(actor_type="customer"),
        forged(exp="never"),
        forged(exp=None),
        jwt.encode({"actor_id": "user_1", "actor_type": "user"}, SECRET, algorithm="HS256"),
        jwt.encode({"actor_id": "user_1", "exp": 9_999_999_999}, None, algorithm="none"),
    ],
)
def test_any_other_token_is_refused(token: str) -> None:
    with pytest.raises(UnauthenticatedError):
        tokens().read(token)
