"""What a list of products may be narrowed and sorted by."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from commerce.errors import InvalidDataError

SORT_KEYS: Final = ("id", "title", "handle", "status", "created_at", "updated_at")
MAX_LIMIT: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """Bounds of a time; all that are given hold."""

    since: datetime | None = None  # $gte
    after: datetime | None = None  # $gt
    until: datetime | None = None  # $lte
    before: datetime | None = None  # $lt


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductSearch:
    """A page of products. Lists match any of their entries, None doesn't narrow."""

    q: str | None = None
    ids: list[str] | None = None
    handles: list[str] | None = None
    titles: list[str] | None = None
    statuses: list[str] | None = None
    external_ids: list[str] | None = None
    is_giftcard: bool | None = None
    created: Period = field(default_factory=Period)
    updated: Period = field(default_factory=Period)
    order: str = "id"
    limit: int = 50
    offset: int = 0

    def __post_init__(self) -> None:
        if self.order.removeprefix("-") not in SORT_KEYS:
            raise InvalidDataError(f"Order field {self.order.removeprefix('-')} is not valid")

    def parameters(self) -> dict[str, Any]:
        """The parameters of the statement `search`."""
        return {
            "q": self.q.lower() if self.q else None,
            "ids": self.ids,
            "handles": self.handles,
            "titles": self.titles,
            "statuses": self.statuses,
            "external_ids": self.external_ids,
            "is_giftcard": self.is_giftcard,
            "created_from": self.created.since,
            "created_after": self.created.after,
            "created_to": self.created.until,
            "created_before": self.created.before,
            "updated_from": self.updated.since,
            "updated_after": self.updated.after,
            "updated_to": self.updated.until,
            "updated_before": self.updated.before,
            "order": self.order,
            "limit": self.limit,
            "offset": self.offset,
        }
