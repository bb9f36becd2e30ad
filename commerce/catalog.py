"""The use cases of products: one method each, one transaction each, each write with its event.

A product that exists is locked first, then read, changed and written; its event goes into the
same transaction. So writers of one product queue up and lose nothing, and what fails leaves
neither a product nor an event.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from commerce import product as products
from commerce import repository
from commerce.clock import now
from commerce.command import (
    BatchProducts,
    CreateProduct,
    UpdateProduct,
    UpdateProductInBatch,
)
from commerce.database import Connection, Pool
from commerce.errors import InvalidDataError, NotFoundError
from commerce.identifier import NewId, Ulids
from commerce.product import Change, Product, VariantChanges
from commerce.publisher import Origin, OutboxPublisher, Publisher
from commerce.search import ProductSearch

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Found:
    """One page of products, and how many match in all."""

    products: list[Product]
    count: int


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a batch did."""

    created: list[Product]
    updated: list[Product]
    deleted: list[str]


@dataclass(frozen=True, slots=True)
class Catalog:
    """All products; its connections commit on their own outside a transaction block."""

    pool: Pool
    publisher: Publisher = field(default_factory=OutboxPublisher)
    new_id: NewId = field(default_factory=Ulids)
    now: Callable[[], datetime] = now

    async def get(self, product_id: str) -> Product:
        """The product, or `NotFoundError`."""
        async with self.pool.connection() as conn:
            return await repository.get(conn, product_id)

    async def search(self, wanted: ProductSearch) -> Found:
        """A page of products."""
        async with self.pool.connection() as conn:
            page = await repository.search(conn, wanted)
            found = await repository.find(conn, page.ids) if page.ids else []
        return Found([product for product in found if product.deleted_at is None], page.count)

    async def create(self, command: CreateProduct, origin: Origin) -> Product:
        """A new product, with its event."""
        change = products.create(command, self.now(), self.new_id)
        async with self._writing(origin) as (conn, changes):
            await repository.insert(conn, [change.product])
            changes.append(change)
        return change.product

    async def create_many(self, commands: Sequence[CreateProduct], origin: Origin) -> list[Product]:
        """New products in one transaction; those whose handle is taken are left out.

        So a run that was interrupted can simply be started again.
        """
        moment = self.now()
        made = [products.create(command, moment, self.new_id) for command in commands]
        async with self._writing(origin) as (conn, changes):
            taken = await repository.existing_handles(conn, [c.product.handle for c in made])
            changes.extend(change for change in made if change.product.handle not in taken)
            await repository.insert(conn, [change.product for change in changes])
        return [change.product for change in changes]

    async def update(self, product_id: str, command: UpdateProduct, origin: Origin) -> Product:
        """The product as it is after the update; where nothing differs nothing is written."""
        async with self._writing(origin) as (conn, changes):
            before = await repository.lock(conn, product_id)
            change = before.update(command, self.now(), self.new_id)
            return await _apply(conn, before, change, changes)

    async def change_variants(
        self, product_id: str, wanted: VariantChanges, origin: Origin
    ) -> tuple[Product, Product]:
        """Variants added, changed and removed: the product before and after."""
        async with self._writing(origin) as (conn, changes):
            before = await repository.lock(conn, product_id)
            change = before.change_variants(wanted, self.now(), self.new_id)
            return before, await _apply(conn, before, change, changes)

    async def delete(self, product_id: str, origin: Origin) -> None:
        """The product goes; one that is not there has gone already."""
        async with self._writing(origin) as (conn, changes):
            locked = await repository.lock_many(conn, [product_id])
            changes.extend(await self._delete(conn, locked))

    async def restore(self, product_id: str, origin: Origin) -> Product:
        """A deleted product is back under its id, as it was when it was deleted."""
        async with self._writing(origin) as (conn, changes):
            change = (await repository.lock_deleted(conn, product_id)).restore(self.now())
            await repository.mark_restored(conn, change.product)
            changes.append(change)
        return change.product

    async def batch(self, batch: BatchProducts, origin: Origin) -> BatchResult:
        """Deletions, then updates, then creations: all of them or none."""
        updates = _updates_by_id(batch)
        async with self._writing(origin) as (conn, changes):
            locked = await repository.lock_many(conn, {*updates, *batch.delete})
            found = {product.id: product for product in locked}
            _refuse_unknown(updates.keys() - found.keys())
            gone = [product for product in locked if product.id not in updates]
            changes.extend(await self._delete(conn, gone))
            updated = []
            for product_id, command in updates.items():
                before = found[product_id]
                change = before.update(command, self.now(), self.new_id)
                updated.append(await _apply(conn, before, change, changes))
            created = [products.create(c, self.now(), self.new_id) for c in batch.create]
            await repository.insert(conn, [change.product for change in created])
            changes.extend(created)
        return BatchResult([change.product for change in created], updated, batch.delete)

    @asynccontextmanager
    async def _writing(self, origin: Origin) -> AsyncIterator[tuple[Connection, list[Change]]]:
        """One transaction; the changes that the block collects are published at its end.

        Statements travel in a pipeline: one wait for the locked state, one for the revision.
        """
        changes: list[Change] = []
        with repository.translated_duplicates():
            async with self.pool.connection() as conn, conn.transaction(), conn.pipeline():
                yield conn, changes
                # Last, so that the counter's row lock is held for no longer than it must be.
                revisions = await self.publisher.publish(conn, changes, origin)
        _log(changes, revisions, origin)

    async def _delete(self, conn: Connection, found: Sequence[Product]) -> list[Change]:
        moment = self.now()
        await repository.mark_deleted(conn, [product.id for product in found], moment)
        return [product.delete(moment) for product in found]


async def _apply(
    conn: Connection, before: Product, change: Change | None, changes: list[Change]
) -> Product:
    if change is None:
        return before
    await repository.update(conn, before, change.product)
    changes.append(change)
    return change.product


def _log(changes: Sequence[Change], revisions: Mapping[str, int], origin: Origin) -> None:
    if len(changes) > 1:
        log.info("products_written", count=len(changes), source=origin.source)
    for change in changes if len(changes) == 1 else ():
        log.info(
            "product_written",
            product_id=change.product.id,
            event_type=change.event.value,
            revision=revisions.get(change.product.id),
            source=origin.source,
        )


def _updates_by_id(batch: BatchProducts) -> dict[str, UpdateProductInBatch]:
    updates = {command.id: command for command in batch.update}
    if len(updates) < len(batch.update):
        raise InvalidDataError("A product is given more than once in update")
    both = sorted(updates.keys() & set(batch.delete))
    if both:
        raise InvalidDataError(f"Products are both in update and in delete: {', '.join(both)}")
    return updates


def _refuse_unknown(product_ids: set[str]) -> None:
    if product_ids:
        raise NotFoundError(
            f"Unable to update the products with ids: {', '.join(sorted(product_ids))}"
        )
