"""Sanity over HTTP: reads, and transactions under an id of our choice.

One function, `error_of`, turns a status and a body into an error of ours; nothing else looks at
either. No request is sent twice here: `consumer.apply` decides on that, and keeps the group alive.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from consumer.budget import Budget, Lane
from consumer.document import DRAFT_PREFIX, TOMBSTONE_PREFIX
from consumer.errors import (
    ConsumerError,
    ContentLakeUnavailableError,
    DatasetNotFoundError,
    MutationRejectedError,
    PoisonRecordError,
    QuotaExceededError,
    RateLimitedError,
    ReferencedDocumentError,
    RevisionConflictError,
    UnauthorizedError,
    UnexpectedAnswerError,
)
from consumer.mutation import Mutation, encoded
from consumer.queries import load
from consumer.settings import SanitySettings

IDS_PER_DOC_REQUEST: Final = 200  # keeps the URL below 15 KB (Sanity's limit on headers)
PRODUCTS_PER_QUERY: Final = 600
ERROR_TEXT_LENGTH: Final = 500

# `items[].error.type` of the Mutate API: somebody else wrote, so read and decide again.
CONFLICT_TYPES: Final = frozenset(
    {
        "documentRevisionIDDoesNotMatchError",
        "documentAlreadyExistsError",
        "documentNotFoundError",
    }
)


class AlreadyCommittedError(ConsumerError):
    """The transaction id is taken: an earlier sending of this very transaction has arrived."""


class ContentLake:
    """One dataset of Sanity's Content Lake; safe to use from several threads."""

    def __init__(
        self,
        settings: SanitySettings,
        *,
        mutate_budget: Budget | None = None,
        read_budget: Budget | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._mutate_budget = mutate_budget or Budget(settings.mutate_requests_per_second)
        self._read_budget = read_budget or Budget(settings.read_requests_per_second)
        self._http = httpx.Client(
            base_url=settings.base_url,
            headers={"User-Agent": "outbox-to-sanity", "X-Sanity-Project-ID": settings.project_id},
            timeout=httpx.Timeout(settings.timeout_seconds, connect=5.0),
            transport=transport,
        )
        self._token = settings.read_token()

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def reload_token(self) -> None:
        """Reads the token file again, as after a 401."""
        self._token = self._settings.read_token()

    def query(self, groq: str, params: dict[str, Any], lane: Lane) -> Any:
        """The query's result in the raw perspective; by POST, so that parameters may be long."""
        path = f"/data/query/{self._settings.dataset}"
        return self._read(
            lane,
            "POST",
            path,
            "result",
            params={"perspective": "raw"},
            json={"query": groq, "params": params},
        )

    def read_states(self, document_ids: Sequence[str], lane: Lane) -> list[dict[str, Any]]:
        """Published, drafts, versions and tombstones of these published ids, in one request.

        A query's index may lag behind a commit: only for reads whose writes are guarded.
        """
        return [
            body
            for published in _chunks(document_ids, PRODUCTS_PER_QUERY)
            for body in self.query(
                load("state"),
                {
                    "ids": [
                        *published,
                        *(DRAFT_PREFIX + each for each in published),
                        *(TOMBSTONE_PREFIX + each for each in published),
                    ],
                    "published": list(published),
                },
                lane,
            )
        ]

    def read_documents(self, document_ids: Sequence[str], lane: Lane) -> list[dict[str, Any]]:
        """These documents, and the drafts and versions of the published ones among them.

        Sees every committed write (Doc API: neither cached nor indexed).
        """
        return [
            body
            for ids in _chunks(document_ids, IDS_PER_DOC_REQUEST)
            for body in self._read(
                lane,
                "GET",
                f"/data/doc/{self._settings.dataset}/{','.join(ids)}",
                "documents",
                params={"includeAllVersions": "true"},
            )
        ]

    def commit(self, transaction_id: str, mutations: list[Mutation], lane: Lane) -> None:
        """Commits all mutations or none; each document written gets `_rev` = `transaction_id`.

        Sent again under the same id it is never applied twice: then, and only then,
        `AlreadyCommittedError` says that the first sending has arrived.
        """
        self._mutate_budget.acquire(lane)
        body = b'{"transactionId":"%b","mutations":[%b]}' % (
            transaction_id.encode(),
            encoded(mutations),
        )
        self._send(
            self._mutate_budget,
            "POST",
            f"/data/mutate/{self._settings.dataset}",
            params={"returnIds": "true", "visibility": "sync"},
            content=body,
        )

    def _read(self, lane: Lane, method: str, path: str, field: str, **request: Any) -> Any:
        """`field` of the answer. A read that is refused halts: no record is to blame for it."""
        self._read_budget.acquire(lane)
        try:
            body = self._send(self._read_budget, method, path, **request)
        except (PoisonRecordError, RevisionConflictError) as exc:
            raise UnexpectedAnswerError(f"Sanity refused a read: {exc}") from exc
        if field not in body:
            raise ContentLakeUnavailableError(f"Sanity's answer has no {field!r}")
        return body[field]

    def _send(self, budget: Budget, method: str, path: str, **request: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        try:
            response = self._http.request(method, path, headers=headers, **request)
        except httpx.RequestError as exc:  # DecodingError among them: half of a gzip body
            what = str(exc) or type(exc).__name__
            raise ContentLakeUnavailableError(f"{method} {path.split('/')[2]}: {what}") from exc
        _follow_limits(budget, response)
        if response.is_success:
            return _json_object(response)
        raise error_of(response)


def error_of(response: httpx.Response) -> ConsumerError:
    """The error that an answer other than 2xx stands for."""
    status = response.status_code
    error = _error_object(response)
    text = _text_of(response, error)
    match status:
        case 401 | 403:
            return UnauthorizedError(
                f"Sanity answered {status}: {text}. The token must belong to this project and may "
                "write (role Editor); put a valid one into SANITY_TOKEN or its file"
            )
        case 402:
            return QuotaExceededError(f"Sanity answered 402: {text}. Raise the project's quota")
        case 404:
            return DatasetNotFoundError(
                f"Sanity answered 404: {text}. Check SANITY_PROJECT_ID and SANITY_DATASET"
            )
        case 429:
            return RateLimitedError(text, retry_after=_retry_after(response))
        case 400 | 409 | 422 if not _is_sanitys(response):
            return _unexpected(status, text)
        case 400 | 409 | 413 | 422:
            return _refusal(error, text)
        case 408 | 425:
            return ContentLakeUnavailableError(text)
        case _ if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return ContentLakeUnavailableError(f"Sanity answered {status}: {text}")
    return _unexpected(status, text)


def _unexpected(status: int, text: str) -> ConsumerError:
    return UnexpectedAnswerError(f"Sanity answered {status}: {text}. Check SANITY_API_HOST")


def _refusal(error: dict[str, Any], text: str) -> ConsumerError:
    match error.get("type"):
        case "transactionAlreadyExistsError":
            return AlreadyCommittedError(text)
        case "transactionConflictError":
            return ContentLakeUnavailableError(text)
    return _rejection(error, text)


def _rejection(error: dict[str, Any], text: str) -> ConsumerError:
    items = [item for item in error.get("items") or () if isinstance(item, dict)]
    details = [item["error"] for item in items if isinstance(item.get("error"), dict)] or [error]
    indexes = tuple(item["index"] for item in items if isinstance(item.get("index"), int))
    if all(detail.get("type") in CONFLICT_TYPES for detail in details):
        return RevisionConflictError(text, indexes=indexes)
    for detail in details:
        if detail.get("type") == "documentHasExistingReferencesError":
            return ReferencedDocumentError(
                text,
                document_id=str(detail.get("id")),
                referencing_ids=tuple(map(str, detail.get("referencingIDs") or ())),
                indexes=indexes,
            )
    return MutationRejectedError(text, indexes=indexes)


def _is_sanitys(response: httpx.Response) -> bool:
    """Whether Sanity speaks; for a proxy's page, no product is to blame."""
    try:
        return isinstance(response.json(), dict)
    except ValueError:
        return False


def _error_object(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else {}


def _text_of(response: httpx.Response, error: dict[str, Any]) -> str:
    return str(error.get("description") or response.text)[:ERROR_TEXT_LENGTH]


def _json_object(response: httpx.Response) -> dict[str, Any]:
    """The answer's body; half a body or a proxy's page says nothing about what was committed."""
    try:
        body = response.json()
    except ValueError as exc:
        raise ContentLakeUnavailableError("Sanity's answer is no JSON") from exc
    if not isinstance(body, dict):
        raise ContentLakeUnavailableError("Sanity's answer is no JSON object")
    return body


def _follow_limits(budget: Budget, response: httpx.Response) -> None:
    """Holds the budget when Sanity says that it is used up."""
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        budget.hold(_retry_after(response) or 1.0)
    elif response.headers.get("ratelimit-remaining") == "0":
        budget.hold(_seconds(response.headers.get("ratelimit-reset")) or 1.0)


def _retry_after(response: httpx.Response) -> float | None:
    """`Retry-After` in seconds (it may be an HTTP date), else `ratelimit-reset`."""
    text = response.headers.get("retry-after")
    if text is None:
        return _seconds(response.headers.get("ratelimit-reset"))
    if (seconds := _seconds(text)) is not None:
        return seconds
    try:
        seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None
    return _seconds(str(seconds))


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, min(float(text or ""), 3_600.0))
    except ValueError:
        return None


def _chunks(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    every = list(ids)
    return (every[start : start + size] for start in range(0, len(every), size))
