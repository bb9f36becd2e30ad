"""A Content Lake in memory: the guards of the Mutate API, and answers that get lost."""

import copy
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from consumer.budget import Lane
from consumer.content_lake import AlreadyCommittedError, ContentLake
from consumer.document import TOMBSTONE_PREFIX, published_id
from consumer.errors import (
    ConsumerError,
    MutationRejectedError,
    ReferencedDocumentError,
    RevisionConflictError,
)
from consumer.mutation import Mutation

Body = dict[str, Any]
Dataset = dict[str, Body]

ADDON = re.compile(r'addons\.products\[_ref=="([^"]+)"\]')


def applied(dataset: Dataset, mutations: Sequence[Mutation], transaction_id: str) -> Dataset:
    """The dataset after all `mutations`, in their order; raises what the API answers instead."""
    after = dict(dataset)
    for index, mutation in enumerate(mutations):
        ((kind, body),) = mutation.items()
        match kind:
            case "create":
                _create(after, body, transaction_id, index)
            case "patch":
                _patch(after, body, transaction_id, index)
            case "delete":
                after.pop(body["id"], None)
            case _:
                raise AssertionError(f"the consumer never sends {kind}")
    _refuse_dangling(after, mutations)
    return after


def _create(after: Dataset, body: Body, transaction_id: str, index: int) -> None:
    if body["_id"] in after:
        raise RevisionConflictError("documentAlreadyExistsError", indexes=(index,))
    after[body["_id"]] = {**copy.deepcopy(body), "_rev": transaction_id}


def _patch(after: Dataset, body: Body, transaction_id: str, index: int) -> None:
    document = after.get(body["id"])
    if document is None:
        raise RevisionConflictError("documentNotFoundError", indexes=(index,))
    if body.get("ifRevisionID", document["_rev"]) != document["_rev"]:
        raise RevisionConflictError("documentRevisionIDDoesNotMatchError", indexes=(index,))
    patched = {**document, **copy.deepcopy(body.get("set", {})), "_rev": transaction_id}
    for path in body.get("unset", ()):
        if addon := ADDON.fullmatch(path):
            patched["addons"] = _without(patched["addons"], addon[1])
        else:
            patched.pop(path, None)
    after[body["id"]] = patched


def _without(addons: Body, document_id: str) -> Body:
    left = [each for each in addons["products"] if each.get("_ref") != document_id]
    return {**addons, "products": left}


def _refuse_dangling(after: Dataset, mutations: Sequence[Mutation]) -> None:
    """Strong references hold what they point to."""
    deleted = {
        body["id"]: index
        for index, mutation in enumerate(mutations)
        for kind, body in mutation.items()
        if kind == "delete" and body["id"] not in after
    }
    for document_id, index in deleted.items():
        holders = [body["_id"] for body in after.values() if document_id in _strong(body)]
        if holders:
            raise ReferencedDocumentError(
                f"{document_id} cannot be deleted as there are references to it",
                document_id=document_id,
                referencing_ids=tuple(holders),
                indexes=(index,),
            )


def _strong(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        own = {value["_ref"]} if "_ref" in value and not value.get("_weak") else set()
        return own.union(*map(_strong, value.values()))
    return set().union(*map(_strong, value)) if isinstance(value, list) else set()


class FakeContentLake(ContentLake):
    """Keeps documents by id; each commit that is let through makes its transaction id their `_rev`.

    `refuse` may raise for a request's mutations, as Sanity does for their content.
    `tells_index` false leaves out which mutation was refused.
    `fail_before` and `fail_after` are errors that take the place of one answer each: the commit has
    not happened, or it has.
    """

    def __init__(self, documents: Iterable[Mapping[str, Any]] = ()) -> None:
        self.documents: Dataset = {body["_id"]: dict(body) for body in documents}
        self.index: Dataset | None = None  # what a query sees, where that lags behind
        self.refuse: Callable[[list[Mutation]], None] = lambda _mutations: None
        self.tells_index = True
        self.fail_before: list[ConsumerError] = []
        self.fail_after: list[ConsumerError] = []
        self.before_commit: Callable[[], None] = lambda: None
        self.after_commit: Callable[[], None] = lambda: None
        self.before_read: list[ConsumerError] = []
        self.puts = 0
        self.transactions: list[str] = []
        self.requests: list[tuple[str, list[Mutation]]] = []
        self.reads: list[tuple[str, list[str]]] = []

    def put(self, *bodies: Mapping[str, Any]) -> None:
        """Somebody else's write."""
        for body in bodies:
            self.puts += 1
            self.documents[body["_id"]] = {**body, "_rev": f"editor-{self.puts}"}

    def read_states(self, document_ids: Sequence[str], lane: Lane) -> list[Body]:
        del lane
        self._note("states", document_ids)
        seen = self.documents if self.index is None else self.index
        return [
            copy.deepcopy(body)
            for body in seen.values()
            if published_id(body["_id"]) in set(document_ids)
        ]

    def read_documents(self, document_ids: Sequence[str], lane: Lane) -> list[Body]:
        del lane
        self._note("documents", document_ids)
        asked = set(document_ids)
        return [
            copy.deepcopy(body)
            for id_, body in self.documents.items()
            if id_ in asked or (not id_.startswith(TOMBSTONE_PREFIX) and published_id(id_) in asked)
        ]

    def commit(self, transaction_id: str, mutations: list[Mutation], lane: Lane) -> None:
        del lane
        self.requests.append((transaction_id, copy.deepcopy(mutations)))
        if self.fail_before:
            raise self.fail_before.pop(0)
        if transaction_id in self.transactions:
            raise AlreadyCommittedError(transaction_id)
        self.before_commit()
        try:
            self.refuse(mutations)
            self.documents = applied(self.documents, mutations, transaction_id)
        except (RevisionConflictError, MutationRejectedError) as exc:
            if not self.tells_index:
                exc.indexes = ()
            raise
        self.transactions.append(transaction_id)
        self.after_commit()
        if self.fail_after:
            raise self.fail_after.pop(0)

    def _note(self, kind: str, document_ids: Sequence[str]) -> None:
        if document_ids:
            self.reads.append((kind, list(document_ids)))
        if self.before_read:
            raise self.before_read.pop(0)
