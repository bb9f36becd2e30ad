"""The Admin API's products, variants and users, in Medusa's shapes."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from commerce.api import fields, query
from commerce.api.body import JsonRoute
from commerce.api.fields import Selection
from commerce.api.guard import ADMIN, BEARER, Caller
from commerce.api.problem import documented
from commerce.api.services import TheAccounts, TheCatalog, TheOrigin
from commerce.api.shape import (
    Deleted,
    DeletedVariant,
    OneProduct,
    OneUser,
    OneVariant,
    ProductBatch,
    ProductPage,
    VariantBatch,
    VariantPage,
    product_answer,
    user_answer,
    variant_answer,
)
from commerce.command import (
    BatchProducts,
    BatchVariants,
    CreateProduct,
    CreateVariant,
    UpdateProduct,
    UpdateVariant,
)
from commerce.errors import ContentTooLargeError, InvalidDataError, NotFoundError, UnavailableError
from commerce.product import Product, VariantChanges
from outbox.event import is_aggregate_id

router = APIRouter(
    prefix=ADMIN,
    tags=["admin"],
    route_class=JsonRoute,
    dependencies=[BEARER],
    responses=documented(InvalidDataError, ContentTooLargeError, UnavailableError),
)


def _product_id(product_id: str) -> str:
    if not is_aggregate_id(product_id):
        raise NotFoundError(f"Product with id: {product_id} was not found")
    return product_id


def _selection(
    fields_: Annotated[
        str | None,
        Query(
            alias="fields",
            description="Comma separated: +add, -remove, *relation, or the only ones",
        ),
    ] = None,
) -> Selection:
    return fields.parse(fields_)


ProductId = Annotated[str, Depends(_product_id)]
TheSelection = Annotated[Selection, Depends(_selection)]


def _one(product: Product, selection: Selection) -> JSONResponse:
    return JSONResponse({"product": selection.apply(product_answer(product))})


def _variant_changes(command: BatchVariants) -> VariantChanges:
    update = {entry.id: entry for entry in command.update}
    if len(update) < len(command.update):
        raise InvalidDataError("A variant is given more than once in update")
    return VariantChanges(create=command.create, update=update, delete=command.delete)


@router.get(
    "/products",
    responses={200: {"model": ProductPage}},
    openapi_extra=query.documented(query.ProductQuery),
)
async def list_products(request: Request, catalog: TheCatalog) -> JSONResponse:
    """A page of products, drafts among them."""
    asked = query.read(query.ProductQuery, request.query_params.multi_items())
    selection = fields.parse(asked.fields)
    found = await catalog.search(asked.search())
    return JSONResponse(
        {
            "products": [selection.apply(product_answer(product)) for product in found.products],
            "count": found.count,
            "offset": asked.offset,
            "limit": asked.limit,
        }
    )


@router.post("/products", responses={200: {"model": OneProduct}, **documented(NotFoundError)})
async def create_product(
    command: CreateProduct, catalog: TheCatalog, origin: TheOrigin, selection: TheSelection
) -> JSONResponse:
    """A new product; a draft unless said otherwise."""
    return _one(await catalog.create(command, origin), selection)


@router.post(
    "/products/batch", responses={200: {"model": ProductBatch}, **documented(NotFoundError)}
)
async def batch_products(
    command: BatchProducts, catalog: TheCatalog, origin: TheOrigin, selection: TheSelection
) -> JSONResponse:
    """Products deleted, updated and created: all of it or nothing."""
    done = await catalog.batch(command, origin)
    return JSONResponse(
        {
            "created": [selection.apply(product_answer(product)) for product in done.created],
            "updated": [selection.apply(product_answer(product)) for product in done.updated],
            "deleted": {"ids": done.deleted, "object": "product", "deleted": True},
        }
    )


@router.get(
    "/products/{product_id}", responses={200: {"model": OneProduct}, **documented(NotFoundError)}
)
async def get_product(
    product_id: ProductId, catalog: TheCatalog, selection: TheSelection
) -> JSONResponse:
    """One product."""
    return _one(await catalog.get(product_id), selection)


@router.post(
    "/products/{product_id}", responses={200: {"model": OneProduct}, **documented(NotFoundError)}
)
async def update_product(
    product_id: ProductId,
    command: UpdateProduct,
    catalog: TheCatalog,
    origin: TheOrigin,
    selection: TheSelection,
) -> JSONResponse:
    """What the body names; `images` and `variants` replace the set, `metadata` merges."""
    return _one(await catalog.update(product_id, command, origin), selection)


@router.delete("/products/{product_id}", responses={200: {"model": Deleted}})
async def delete_product(product_id: str, catalog: TheCatalog, origin: TheOrigin) -> JSONResponse:
    """The product goes; the same answer for one that has gone before."""
    if is_aggregate_id(product_id):
        await catalog.delete(product_id, origin)
    return JSONResponse({"id": product_id, "object": "product", "deleted": True})


@router.get(
    "/products/{product_id}/variants",
    responses={200: {"model": VariantPage}, **documented(NotFoundError)},
    openapi_extra=query.documented(query.ListQuery),
)
async def list_variants(
    product_id: ProductId, request: Request, catalog: TheCatalog
) -> JSONResponse:
    """A page of the product's variants, by rank."""
    asked = query.read(query.ListQuery, request.query_params.multi_items())
    selection = fields.parse(asked.fields)
    product = await catalog.get(product_id)
    page = product.variants[asked.offset : asked.offset + asked.limit]
    return JSONResponse(
        {
            "variants": [selection.apply(variant_answer(variant, product)) for variant in page],
            "count": len(product.variants),
            "offset": asked.offset,
            "limit": asked.limit,
        }
    )


@router.post(
    "/products/{product_id}/variants",
    responses={200: {"model": OneProduct}, **documented(NotFoundError)},
)
async def create_variant(
    product_id: ProductId,
    command: CreateVariant,
    catalog: TheCatalog,
    origin: TheOrigin,
    selection: TheSelection,
) -> JSONResponse:
    """A new variant; the answer is its product."""
    wanted = VariantChanges(create=[command])
    _, product = await catalog.change_variants(product_id, wanted, origin)
    return _one(product, selection)


@router.post(
    "/products/{product_id}/variants/batch",
    responses={200: {"model": VariantBatch}, **documented(NotFoundError)},
)
async def batch_variants(
    product_id: ProductId,
    command: BatchVariants,
    catalog: TheCatalog,
    origin: TheOrigin,
    selection: TheSelection,
) -> JSONResponse:
    """Variants deleted, updated and created: all of it or nothing."""
    wanted = _variant_changes(command)
    before, product = await catalog.change_variants(product_id, wanted, origin)
    known = {variant.id for variant in before.variants}

    def answers(ids: set[str]) -> list[dict[str, Any]]:
        return [
            selection.apply(variant_answer(variant, product))
            for variant in product.variants
            if variant.id in ids
        ]

    return JSONResponse(
        {
            "created": answers({variant.id for variant in product.variants} - known),
            "updated": answers(set(wanted.update)),
            "deleted": {"ids": command.delete, "object": "variant", "deleted": True},
        }
    )


@router.get(
    "/products/{product_id}/variants/{variant_id}",
    responses={200: {"model": OneVariant}, **documented(NotFoundError)},
)
async def get_variant(
    product_id: ProductId, variant_id: str, catalog: TheCatalog, selection: TheSelection
) -> JSONResponse:
    """One variant."""
    product = await catalog.get(product_id)
    variant = product.find_variant(variant_id)
    return JSONResponse({"variant": selection.apply(variant_answer(variant, product))})


@router.post(
    "/products/{product_id}/variants/{variant_id}",
    responses={200: {"model": OneProduct}, **documented(NotFoundError)},
)
async def update_variant(
    product_id: ProductId,
    variant_id: str,
    command: UpdateVariant,
    catalog: TheCatalog,
    origin: TheOrigin,
    selection: TheSelection,
) -> JSONResponse:
    """What the body names; `prices` replace the set. The answer is the product."""
    wanted = VariantChanges(update={variant_id: command})
    _, product = await catalog.change_variants(product_id, wanted, origin)
    return _one(product, selection)


@router.delete(
    "/products/{product_id}/variants/{variant_id}",
    responses={200: {"model": DeletedVariant}, **documented(NotFoundError)},
)
async def delete_variant(
    product_id: ProductId,
    variant_id: str,
    catalog: TheCatalog,
    origin: TheOrigin,
    selection: TheSelection,
) -> JSONResponse:
    """The variant goes; the answer names its product."""
    wanted = VariantChanges(delete=[variant_id])
    _, product = await catalog.change_variants(product_id, wanted, origin)
    parent = selection.apply(product_answer(product))
    return JSONResponse({"id": variant_id, "object": "variant", "deleted": True, "parent": parent})


@router.get("/users/me", responses={200: {"model": OneUser}, **documented(NotFoundError)})
async def get_me(caller: Caller, accounts: TheAccounts) -> JSONResponse:
    """Whoever the token stands for."""
    return JSONResponse({"user": user_answer(await accounts.get(caller.user_id))})
