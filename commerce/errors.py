"""What a caller can get wrong, and what can go wrong underneath.

CommerceError
├── InvalidDataError          400: the body or the query can't be taken as it is
│   ├── DuplicateError        400: another product or variant already has this handle, SKU, …
│   └── ProductTooLargeError  400: the product's state doesn't fit into a change event
├── NotAllowedError           400
├── UnauthorizedError         401: wrong e-mail address or password
├── UnauthenticatedError      401: no token, or none that counts
├── NotFoundError             404
├── ContentTooLargeError      413: the request's body
├── UnavailableError          503: the database can't be reached; the same request may work later
└── SetupError                a command line's own: something has to be done first

Each class carries the `type` and the HTTP status under which clients of Medusa's API know it.
"""

from typing import ClassVar


class CommerceError(Exception):
    """Anything that this package raises on purpose; `str()` of it is meant for the caller."""

    type: ClassVar[str | None] = "unexpected_state"
    status: ClassVar[int] = 500

    @property
    def message(self) -> str:
        """The sentence for the caller."""
        return str(self)


class InvalidDataError(CommerceError):
    """The request says something that can't be."""

    type = "invalid_data"
    status = 400


class DuplicateError(InvalidDataError):
    """A value that must be unique is taken."""

    def __init__(self, noun: str, field: str, value: str) -> None:
        super().__init__(f"{noun} with {field}: {value}, already exists.")
        self.field = field
        self.value = value


class ProductTooLargeError(InvalidDataError):
    """The product's whole state is larger than a change event may be."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"Product is too large: its whole state takes {size} bytes as JSON, at most {limit} "
            "are possible. Shorten texts or metadata, or split its variants over two products."
        )


class NotAllowedError(CommerceError):
    """The request is understood, and refused."""

    type = "not_allowed"
    status = 400


class UnauthorizedError(CommerceError):
    """A log-in that failed."""

    type = "unauthorized"
    status = 401


class UnauthenticatedError(CommerceError):
    """A request without a valid token; Medusa gives this answer no `type`."""

    type = None
    status = 401

    def __init__(self) -> None:
        super().__init__("Unauthorized")


class NotFoundError(CommerceError):
    """Nothing is known under this id."""

    type = "not_found"
    status = 404


class ContentTooLargeError(CommerceError):
    """A request body above the limit."""

    type = "invalid_data"
    status = 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"Request body is too large: at most {limit} bytes are accepted.")


class UnavailableError(CommerceError):
    """Postgres does not answer."""

    type = "unexpected_state"
    status = 503

    def __init__(self) -> None:
        super().__init__("The database can't be reached at the moment. Try again in a few seconds.")


class SetupError(CommerceError):
    """A command can't run yet; the message says what to do first."""
