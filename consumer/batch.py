"""From many events to few transactions: the newest event per product, and packs of writes."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from consumer.decide import Change, Write
from consumer.errors import RevisionSetBackError
from consumer.mutation import Mutation, encoded
from outbox.event import ChangeEvent

MAX_TRANSACTION_BYTES: Final = 3_000_000  # Sanity refuses a mutate body above 4 MB
MAX_TRANSACTION_PRODUCTS: Final = 600
REMEMBERED_PRODUCTS: Final = 100_000


@dataclass(frozen=True, slots=True)
class Incoming:
    """An event and the owned fields that it states (none for a delete)."""

    event: ChangeEvent
    owned: Mapping[str, Any]


class EqualRuns:
    """Remembers, per product, since which revision its owned fields have been the same.

    The log doesn't change, so this may be remembered; forgetting it costs one patch of `sync`.
    """

    def __init__(self, limit: int = REMEMBERED_PRODUCTS) -> None:
        self._limit = limit
        self._runs: OrderedDict[str, tuple[int, int, Mapping[str, Any]]] = OrderedDict()

    def since(self, incoming: Incoming) -> int:
        """The first revision of the unbroken run of equal fields that ends with this event."""
        event = incoming.event
        since, last, owned = self._runs.get(event.aggregate_id, (0, 0, {}))
        is_continued = not event.is_delete and last > 0 and owned == incoming.owned
        if is_continued and since <= event.revision <= last + 1:
            return since
        return event.revision

    def remember(self, incoming: Incoming) -> None:
        """Extends the product's run, or starts a new one; an older revision changes nothing."""
        event = incoming.event
        _, last, _ = self._runs.get(event.aggregate_id, (0, 0, {}))
        if event.revision <= last:
            return
        self._runs[event.aggregate_id] = (self.since(incoming), event.revision, incoming.owned)
        self._runs.move_to_end(event.aggregate_id)
        if len(self._runs) > self._limit:
            self._runs.popitem(last=False)


def coalesce(incoming: Iterable[Incoming], runs: EqualRuns) -> list[Change]:
    """The newest event per product, in the order in which the products first came.

    Raises `RevisionSetBackError` where one revision was given to two events.
    """
    by_product: dict[str, dict[int, Incoming]] = {}
    for each in incoming:
        revisions = by_product.setdefault(each.event.aggregate_id, {})
        same = revisions.setdefault(each.event.revision, each)
        if same.event.id != each.event.id:
            raise RevisionSetBackError(
                f"product {each.event.aggregate_id}: events {same.event.id} and {each.event.id} "
                f"both have revision {each.event.revision}. Was the database restored? "
                "Run `outbox advance-revisions`, then a bulk sync"
            )
    return [_newest(revisions, runs) for revisions in by_product.values()]


def _newest(revisions: dict[int, Incoming], runs: EqualRuns) -> Change:
    for _, each in sorted(revisions.items()):
        runs.remember(each)
    newest = revisions[max(revisions)]
    return Change(newest.event, newest.owned, runs.since(newest))


@dataclass(frozen=True, slots=True)
class Transaction:
    """The writes of several products, to be committed as one."""

    writes: Mapping[str, Write]  # by product id, in the order of the request

    @property
    def mutations(self) -> list[Mutation]:
        """All mutations, product after product."""
        return [mutation for write in self.writes.values() for mutation in write.mutations]

    def products_at(self, indexes: Iterable[int]) -> set[str]:
        """The products whose mutations stand at these places of the request."""
        owners = [product_id for product_id, write in self.writes.items() for _ in write.mutations]
        return {owners[index] for index in indexes if 0 <= index < len(owners)}

    def without(self, products: set[str]) -> "Transaction":
        """The same for the other products."""
        return Transaction({k: v for k, v in self.writes.items() if k not in products})

    def only(self, products: set[str]) -> "list[Transaction]":
        """One transaction for each of these products."""
        return [Transaction({k: v}) for k, v in self.writes.items() if k in products]

    def halves(self) -> "list[Transaction]":
        """The same writes as two transactions; of one product, itself."""
        products = list(self.writes)
        middle = len(products) // 2
        parts = (products[:middle], products[middle:])
        return [Transaction({k: self.writes[k] for k in part}) for part in parts if part]


def pack(
    writes: Mapping[str, Write],
    *,
    max_bytes: int = MAX_TRANSACTION_BYTES,
    max_products: int = MAX_TRANSACTION_PRODUCTS,
) -> list[Transaction]:
    """As few transactions as the limits allow; a product's writes are never torn apart."""
    transactions: list[dict[str, Write]] = []
    room = 0
    for product_id, write in writes.items():
        size = len(encoded(write.mutations)) + 1
        if not transactions or size > room or len(transactions[-1]) >= max_products:
            transactions.append({})
            room = max_bytes
        transactions[-1][product_id] = write
        room -= size
    return [Transaction(part) for part in transactions]
