"""Query strings as the JavaScript library `qs` writes them: `id[0]=a&created_at[$gte]=…`."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from commerce.command import ProductStatus
from commerce.errors import InvalidDataError
from commerce.search import MAX_LIMIT, Period, ProductSearch

MAX_OFFSET: Final = 2**31 - 1
DEFAULT_LIMIT: Final = 50

_KEY: Final = re.compile(r"(?P<name>[^\[\]]+)(?:\[(?P<inner>[^\[\]]*)\])?")

Query = dict[str, Any]
Q = TypeVar("Q", bound="ListQuery")


def parse(pairs: Iterable[tuple[str, str]]) -> Query:
    """Values by name: a list of texts, or a mapping for keys such as `created_at[$gte]`.

    `id=a`, `id[]=a` and `id[0]=a` mean the same. Deeper keys are ignored.
    """
    query: Query = {}
    for key, value in pairs:
        match = _KEY.fullmatch(key)
        if match is None:
            continue
        if "\x00" in value:
            raise InvalidDataError("Invalid request: a query can't hold the character NUL")
        name, inner = match["name"], match["inner"]
        if inner is None or inner == "" or inner.isdigit():
            _append(query, name, value)
        else:
            _set(query, name, inner, value)
    return query


def _append(query: Query, name: str, value: str) -> None:
    values = query.setdefault(name, [])
    if isinstance(values, list):
        values.append(value)


def _set(query: Query, name: str, inner: str, value: str) -> None:
    values = query.setdefault(name, {})
    if isinstance(values, dict):
        values[inner] = value


def _last(value: object) -> object:
    return value[-1] if isinstance(value, list) and value else value


def _period(value: object) -> object:
    return {"$eq": value[-1]} if isinstance(value, list) and value else value


Scalar = BeforeValidator(_last)


class PeriodQuery(BaseModel):
    """Bounds of a time, or the very time."""

    model_config = ConfigDict(extra="ignore")

    gte: datetime | None = Field(default=None, alias="$gte")
    gt: datetime | None = Field(default=None, alias="$gt")
    lte: datetime | None = Field(default=None, alias="$lte")
    lt: datetime | None = Field(default=None, alias="$lt")
    eq: datetime | None = Field(default=None, alias="$eq")

    def period(self) -> Period:
        """The bounds as the search has them."""
        return Period(
            since=self.gte or self.eq, after=self.gt, until=self.lte or self.eq, before=self.lt
        )


class ListQuery(BaseModel):
    """A page, its order, and the fields of each entry."""

    model_config = ConfigDict(extra="ignore")

    limit: Annotated[int, Scalar] = Field(default=DEFAULT_LIMIT, ge=0, le=MAX_LIMIT)
    offset: Annotated[int, Scalar] = Field(default=0, ge=0, le=MAX_OFFSET)
    order: Annotated[str | None, Scalar] = Field(
        default=None, description="A field; with a leading - downwards"
    )
    fields: Annotated[str | None, Scalar] = Field(
        default=None, description="Comma separated: +add, -remove, *relation, or the only ones"
    )


class ProductQuery(ListQuery):
    """Which products; unknown keys are ignored, as Medusa's admin list does."""

    q: Annotated[str | None, Scalar] = Field(
        default=None, description="Part of title, subtitle, description, or a variant's codes"
    )
    id: list[str] | None = None
    handle: list[str] | None = None
    title: list[str] | None = None
    status: list[ProductStatus] | None = None
    external_id: list[str] | None = None
    is_giftcard: Annotated[bool | None, Scalar] = None
    created_at: Annotated[PeriodQuery, BeforeValidator(_period)] = Field(
        default_factory=PeriodQuery
    )
    updated_at: Annotated[PeriodQuery, BeforeValidator(_period)] = Field(
        default_factory=PeriodQuery
    )
    collection_id: list[str] | None = None
    type_id: list[str] | None = None
    tag_id: list[str] | None = None
    category_id: list[str] | None = None
    sales_channel_id: list[str] | None = None

    def search(self) -> ProductSearch:
        """What to look for. This shop keeps no collections, tags, … yet: they match nothing."""
        asked = (self.collection_id, self.type_id, self.tag_id, self.category_id)
        nothing = any(asked) or bool(self.sales_channel_id)
        return ProductSearch(
            q=self.q,
            ids=[] if nothing else self.id,
            handles=self.handle,
            titles=self.title,
            statuses=None if self.status is None else list(self.status),
            external_ids=self.external_id,
            is_giftcard=self.is_giftcard,
            created=self.created_at.period(),
            updated=self.updated_at.period(),
            order=self.order or "id",
            limit=self.limit,
            offset=self.offset,
        )


def read(kind: type[Q], pairs: Iterable[tuple[str, str]]) -> Q:
    """The query as `kind`; what is wrong is a `RequestValidationError`."""
    try:
        return kind.model_validate(parse(pairs))
    except ValidationError as exc:
        raise RequestValidationError(exc.errors(include_url=False)) from exc


def documented(kind: type[ListQuery]) -> dict[str, Any]:
    """The query's part of the OpenAPI document."""
    properties = kind.model_json_schema(by_alias=True, ref_template="{model}")
    definitions = properties.get("$defs", {})
    parameters = []
    for name, schema in properties["properties"].items():
        reference = schema.pop("$ref", None)
        parameter = {"name": name, "in": "query", "required": False, "schema": schema}
        if reference is not None:
            parameter |= {"style": "deepObject", "schema": definitions[reference]}
        parameters.append(parameter)
    return {"parameters": parameters}
