"""Which fields commerce owns, and what lies in Sanity for one product."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from consumer.errors import MalformedRecordError, SettingsError
from outbox.event import MAX_AGGREGATE_ID_LENGTH, ChangeEvent

DRAFT_PREFIX: Final = "drafts."
VERSION_PREFIX: Final = "versions."
TOMBSTONE_PREFIX: Final = (
    "sync.tombstone."  # the dot makes it private: anonymous readers never see it
)
TOMBSTONE_TYPE: Final = "sync.tombstone"
SYNC_FIELD: Final = "sync"
SPECS_FIELD: Final = "specs"
SERVER_FIELDS: Final = frozenset({"_rev", "_updatedAt", "_system"})  # Sanity's own, never copied
MAX_DEPTH: Final = 20  # of a document (Sanity, technical limits)
RESERVED_FIELDS: Final = frozenset({SYNC_FIELD, SPECS_FIELD, "addons"})

FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
Source = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$")
]
Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]


class FieldMapping(BaseModel):
    """The mapping file: document type, id prefix, languages, and the owned fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: FieldName = "product"
    id_prefix: Annotated[
        str, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_-]*)?$", max_length=40)
    ] = ""
    languages: tuple[Language, ...] = Field(default=("en",), min_length=1)
    default_language: Language = "en"
    owned: dict[FieldName, Source] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.default_language not in self.languages:
            raise ValueError(f"default_language {self.default_language!r} is not among languages")
        if "title" not in self.owned:
            raise ValueError('owned needs a "title": new documents and their first spec carry it')
        if reserved := RESERVED_FIELDS & self.owned.keys():
            raise ValueError(
                f"owned can't name {', '.join(sorted(reserved))}: not commerce's fields"
            )
        return self

    def document_id(self, product_id: str) -> str:
        """The published document's id; `MalformedRecordError` where the prefix is too long."""
        document_id = self.id_prefix + product_id
        if len(document_id) > MAX_AGGREGATE_ID_LENGTH:
            raise MalformedRecordError(
                f"document id {document_id!r} is longer than {MAX_AGGREGATE_ID_LENGTH} characters"
            )
        return document_id

    def owned_fields(self, event: ChangeEvent) -> dict[str, Any]:
        """The document's owned fields as `event` states them; null means the field is absent.

        Raises `MalformedRecordError` where one is missing, or is nothing that JSON can carry.
        """
        fields = {field: _reach(event.payload, source) for field, source in self.owned.items()}
        _refuse_depth(fields)
        try:
            json.dumps(fields, ensure_ascii=False, allow_nan=False).encode()
        except ValueError as exc:  # NaN, or half of a surrogate pair
            raise MalformedRecordError(f"the payload can't be written as JSON: {exc}") from exc
        return fields


def load_mapping(path: Path | None = None) -> FieldMapping:
    """The mapping of the TOML file at `path`, or the one that ships with the package."""
    try:
        text = (
            resources.files("consumer").joinpath("mapping.toml").read_text()
            if path is None
            else path.read_text()
        )
        return FieldMapping.model_validate(tomllib.loads(text))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as exc:
        raise SettingsError(f"mapping file {path}: {exc}") from exc


@dataclass(frozen=True, slots=True)
class Sync:
    """The read-only `sync` object of a document; without one a document counts as revision 0."""

    revision: int = 0
    event_id: str | None = None
    occurred_at: datetime | None = None
    deleted_at: str | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """What `body["sync"]` says; anything that is not ours is read as absent."""
        sync = body.get(SYNC_FIELD)
        if not isinstance(sync, dict) or not isinstance(sync.get("revision"), int):
            return cls()
        return cls(
            revision=max(0, sync["revision"]),
            event_id=_text(sync.get("eventId")),
            occurred_at=_moment(sync.get("occurredAt")),
            deleted_at=_text(sync.get("deletedAt")),
        )


@dataclass(frozen=True)
class Document:
    """A document as it was read: published, draft, release version or tombstone."""

    body: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Its `_id`, with `drafts.` or `versions.<release>.` where it has one."""
        return str(self.body["_id"])

    @property
    def rev(self) -> str:
        """Its `_rev`: opaque, equal to the id of the transaction that wrote it last."""
        return str(self.body["_rev"])

    @property
    def type(self) -> str:
        """Its `_type`."""
        return str(self.body.get("_type"))

    @cached_property
    def sync(self) -> Sync:
        """Its `sync` object."""
        return Sync.of(self.body)

    def content(self) -> dict[str, Any]:
        """All of it but the fields that Sanity itself manages."""
        return {name: value for name, value in self.body.items() if name not in SERVER_FIELDS}


@dataclass(frozen=True)
class ProductState:
    """All that lies in Sanity for one product, as one read saw it."""

    documents: tuple[Document, ...] = ()  # published, draft and versions, in the order of their ids
    tombstone: Document | None = None

    @property
    def copies(self) -> tuple[Document, ...]:
        """Its documents and its tombstone."""
        return self.documents if self.tombstone is None else (*self.documents, self.tombstone)

    @property
    def revision(self) -> int:
        """The highest revision of its documents and its tombstone; 0 where there is none."""
        return max((copy.sync.revision for copy in self.copies), default=0)


def published_id(document_id: str) -> str:
    """The id without `drafts.`, `versions.<release>.` or `sync.tombstone.`."""
    if document_id.startswith(VERSION_PREFIX):
        return document_id.split(".", 2)[2]
    return document_id.removeprefix(DRAFT_PREFIX).removeprefix(TOMBSTONE_PREFIX)


def group_by_product(bodies: Iterable[Mapping[str, Any]]) -> dict[str, ProductState]:
    """The states of the products that `bodies` belong to, by published id."""
    documents: dict[str, list[Document]] = {}
    tombstones: dict[str, Document] = {}
    for body in sorted(bodies, key=lambda body: str(body["_id"])):
        document = Document(body)
        key = published_id(document.id)
        if document.id.startswith(TOMBSTONE_PREFIX):
            tombstones[key] = document
        else:
            documents.setdefault(key, []).append(document)
    return {
        key: ProductState(tuple(documents.get(key, ())), tombstones.get(key))
        for key in documents.keys() | tombstones.keys()
    }


def timestamp(moment: datetime) -> str:
    """UTC with milliseconds and a `Z`, as Sanity writes its own."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def sync_object(event: ChangeEvent, now: datetime, *, deleted: bool = False) -> dict[str, Any]:
    """The `sync` object that a write of `event` leaves.

    `deleted` adds `deletedAt` (`CONSUMER_ON_DELETE=mark`).
    """
    sync = {
        "revision": event.revision,
        "eventId": str(event.id),
        "occurredAt": timestamp(event.occurred_at),
        "syncedAt": timestamp(now),
    }
    return {**sync, "deletedAt": timestamp(event.occurred_at)} if deleted else sync


def new_document(
    event: ChangeEvent, owned: Mapping[str, Any], mapping: FieldMapping, now: datetime
) -> dict[str, Any]:
    """The document of a product that Sanity has not seen: owned fields and one empty spec."""
    document_id = mapping.document_id(event.aggregate_id)
    spec = {
        "_key": document_id,
        "_type": "spec",
        "title": owned["title"] or "",
        "lang": mapping.default_language,
        "content": "",
    }
    return {
        "_id": document_id,
        "_type": mapping.type,
        **{name: value for name, value in owned.items() if value is not None},
        SPECS_FIELD: [spec],
        SYNC_FIELD: sync_object(event, now),
    }


def restored_document(
    kept: Mapping[str, Any], event: ChangeEvent, owned: Mapping[str, Any], now: datetime
) -> dict[str, Any]:
    """A document as its tombstone kept it, with the owned fields of `event`."""
    fields = {name: value for name, value in {**kept, **owned}.items() if value is not None}
    return {**fields, SYNC_FIELD: sync_object(event, now)}


def kept_documents(tombstone: Document) -> list[dict[str, Any]]:
    """What the tombstone kept of a deleted product: each document's content, by id."""
    try:
        kept = json.loads(str(tombstone.body.get("kept") or "[]"))
    except (ValueError, RecursionError):
        return []
    if not isinstance(kept, list):
        return []
    return [body for body in kept if isinstance(body, dict) and isinstance(body.get("_id"), str)]


def tombstone_body(
    event: ChangeEvent, state: ProductState, document_id: str, now: datetime
) -> dict[str, Any]:
    """The tombstone of a deleted product, with what editors wrote on it."""
    kept = {
        body["_id"]: body for body in (kept_documents(state.tombstone) if state.tombstone else ())
    }
    kept |= {document.id: document.content() for document in state.documents}
    return {
        "_id": TOMBSTONE_PREFIX + document_id,
        "_type": TOMBSTONE_TYPE,
        "kept": json.dumps(list(kept.values()), ensure_ascii=False, separators=(",", ":")),
        "deletedAt": timestamp(now),
        SYNC_FIELD: sync_object(event, now),
    }


def _reach(payload: Mapping[str, Any], source: str) -> Any:
    value: Any = payload
    for name in source.split("."):
        if not isinstance(value, dict) or name not in value:
            raise MalformedRecordError(
                f"the payload has no field {source!r}, which the mapping names"
            )
        value = value[name]
    return value


def _refuse_depth(value: Any) -> None:
    """Sanity refuses deeper documents, and Python's own recursion ends soon after."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        nested = (each.values() if isinstance(each, dict) else each for each in level)
        level = [each for some in nested for each in some if isinstance(each, dict | list)]
        if not level:
            return
    raise MalformedRecordError(f"the payload is nested deeper than {MAX_DEPTH} levels")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _moment(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None
