"""Ids as Medusa makes them: a prefix and a ULID, `prod_01J8ZK…`, which sort by creation."""

import secrets
import time
from collections.abc import Callable
from threading import Lock
from typing import Final

CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RANDOM_BITS: Final = 80

PREFIXES: Final = {
    "product": "prod",
    "variant": "variant",
    "option": "opt",
    "option_value": "optval",
    "image": "img",
    "price": "price",
    "user": "user",
    "auth_identity": "authid",
}

NewId = Callable[[str], str]


class Ulids:
    """Makes ids for a kind of thing; two from the same instance never sort the wrong way round.

    Within one millisecond the random part counts on, as the ULID specification allows.
    """

    def __init__(
        self,
        milliseconds: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        randomness: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self._milliseconds = milliseconds
        self._randomness = randomness
        self._lock = Lock()
        self._last = 0

    def __call__(self, kind: str) -> str:
        """A new id for `kind` ("product", "variant", …); an unknown kind is a KeyError."""
        return f"{PREFIXES[kind]}_{self._next()}"

    def _next(self) -> str:
        with self._lock:
            fresh = self._milliseconds() << RANDOM_BITS
            if fresh >> RANDOM_BITS > self._last >> RANDOM_BITS:
                # One bit short, so that counting on can't run over into the time.
                self._last = fresh | self._randomness(RANDOM_BITS - 1)
            else:
                self._last += 1
            return encode(self._last)


def encode(number: int) -> str:
    """128 bits as 26 upper-case Crockford characters."""
    return "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
