import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from consumer.budget import Budget, Lane
from consumer.content_lake import AlreadyCommittedError, ContentLake, error_of
from consumer.errors import (
    ConsumerError,
    ContentLakeUnavailableError,
    DatasetNotFoundError,
    MutationRejectedError,
    QuotaExceededError,
    RateLimitedError,
    ReferencedDocumentError,
    RevisionConflictError,
    UnauthorizedError,
    UnexpectedAnswerError,
)
from consumer.mutation import create, delete
from consumer.settings import SanitySettings

Answer = Callable[[httpx.Request], httpx.Response]
COMMITTED = {"transactionId": "t1", "results": []}
PAGE = "<html><body>502 Bad Gateway</body></html>"


def settings(**values: Any) -> SanitySettings:
    defaults = {"project_id": "shop", "dataset": "production", "token": "secret"}
    return SanitySettings(**{**defaults, **values})


def lake_at(answer: Answer, **values: Any) -> ContentLake:
    return ContentLake(
        settings(**values),
        transport=httpx.MockTransport(answer),
        mutate_budget=values.get("mutate_budget"),
        read_budget=values.get("read_budget"),
    )


def lake_answering(response: httpx.Response, **budgets: Budget) -> ContentLake:
    return ContentLake(
        settings(), transport=httpx.MockTransport(lambda _request: response), **budgets
    )


def item(index: int | None, **error: Any) -> dict[str, Any]:
    return {"error": error} if index is None else {"error": error, "index": index}


def mutation_error(*items: dict[str, Any]) -> dict[str, Any]:
    description = "Mutation(s) failed with 1 error(s)"
    return {"error": {"type": "mutationError", "description": description, "items": list(items)}}


def boom(status: int, message: str, **fields: Any) -> dict[str, Any]:
    return {"statusCode": status, "error": "Text", "message": message, **fields}


REVISION = item(
    0,
    type="documentRevisionIDDoesNotMatchError",
    currentRevisionID="b",
    expectedRevisionID="a",
    description='Document "x" has unexpected revision ID ("b"), expected "a"',
)
EXISTS = item(2, type="documentAlreadyExistsError", id="x", description="already exists")
NOT_FOUND = item(1, type="documentNotFoundError", id="x", description="was not found")
REFERENCED = item(
    3, type="documentHasExistingReferencesError", id="x", referencingIDs=["y", "drafts.z"]
)
DANGLING = item(
    0, type="documentReferenceDoesNotExistError", id="a", referenceID="b", description="no b"
)
MALFORMED = item(1, type="validationError", description='Malformed document ID: "#x"', value="#x")
IMMUTABLE = item(0, type="cannotModifyImmutableAttributeError", attribute="_type")
NO_RIGHTS = {
    "error": {
        "type": "mutationError",
        "description": 'transaction failed: Insufficient permissions; permission "create" required',
        "items": [item(0, type="insufficientPermissionsError", permission="create")],
    }
}
TAKEN = {"error": {"type": "transactionAlreadyExistsError", "description": "exists"}}
CONTENTION = {"error": {"type": "transactionConflictError", "description": "rolled back"}}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        # facts/sanity.md 2.2, row by row
        (409, mutation_error(REVISION), RevisionConflictError),
        (409, mutation_error(EXISTS), RevisionConflictError),
        (409, mutation_error(NOT_FOUND), RevisionConflictError),
        (404, {}, DatasetNotFoundError),
        (409, mutation_error(REFERENCED), ReferencedDocumentError),
        (409, mutation_error(DANGLING), MutationRejectedError),
        (400, mutation_error(MALFORMED), MutationRejectedError),
        (400, mutation_error(IMMUTABLE), MutationRejectedError),
        (403, NO_RIGHTS, UnauthorizedError),
        (422, mutation_error(item(0, type="patchError")), MutationRejectedError),
        (401, boom(401, "Session is expired", errorCode="SIO-401-AEX"), UnauthorizedError),
        (401, boom(401, "Session not found", errorCode="SIO-401-ANF"), UnauthorizedError),
        (401, boom(401, "does not match project host"), UnauthorizedError),
        (404, {"errorCode": "SIO-404-PNF"}, DatasetNotFoundError),
        (404, boom(404, 'Dataset "x" not found for project ID "y"'), DatasetNotFoundError),
        (400, boom(400, "action index 0: not supported"), MutationRejectedError),
        (400, {"error": {"description": "param $x referenced"}}, MutationRejectedError),
        (402, boom(402, "Quota exceeded"), QuotaExceededError),
        (413, boom(413, "Request body exceeds limit of 4000000 bytes"), MutationRejectedError),
        (429, {"message": "API rate limit exceeded"}, RateLimitedError),
        (500, boom(500, "An internal server error occurred"), ContentLakeUnavailableError),
        (502, boom(502, "Bad gateway"), ContentLakeUnavailableError),
        (503, boom(503, "Service unavailable"), ContentLakeUnavailableError),
        (504, boom(504, "Gateway time-out"), ContentLakeUnavailableError),
        (408, boom(408, "Request time-out"), ContentLakeUnavailableError),
        # 1.4: the transaction's id
        (409, TAKEN, AlreadyCommittedError),
        (409, CONTENTION, ContentLakeUnavailableError),
        # one of several items decides: a refusal is narrowed down, a conflict is decided anew
        (409, mutation_error(REVISION, EXISTS), RevisionConflictError),
        (409, mutation_error(REVISION, MALFORMED), MutationRejectedError),
        (409, mutation_error(REVISION, REFERENCED), ReferencedDocumentError),
        # nothing that the Mutate API documents: nobody knows what is wrong, so nothing is parked
        (405, boom(405, "Method not allowed"), UnexpectedAnswerError),
        (410, boom(410, "Gone"), UnexpectedAnswerError),
        (301, {}, UnexpectedAnswerError),
        # items in a shape that nobody has described
        (
            409,
            {"error": {"items": [7, {"error": "text", "index": "first"}]}},
            MutationRejectedError,
        ),
        (409, {"error": "text"}, MutationRejectedError),
    ],
)
def test_every_answer_has_one_fate(
    status: int, body: dict[str, Any], expected: type[ConsumerError]
) -> None:
    assert type(error_of(httpx.Response(status, json=body))) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, UnexpectedAnswerError),  # a proxy's: to park for it would park everything
        (401, UnauthorizedError),
        (402, QuotaExceededError),
        (403, UnauthorizedError),
        (404, DatasetNotFoundError),
        (409, UnexpectedAnswerError),
        (413, MutationRejectedError),  # too large for whoever says so: smaller may pass
        (422, UnexpectedAnswerError),
        (429, RateLimitedError),
        (502, ContentLakeUnavailableError),
        (503, ContentLakeUnavailableError),
        (520, ContentLakeUnavailableError),
    ],
)
@pytest.mark.parametrize("content", [PAGE.encode(), b"", b'"text"', b'{"error": {"ty', b"\xff\xfe"])
def test_a_page_that_is_no_json_object_has_a_fate_too(
    status: int, content: bytes, expected: type[ConsumerError]
) -> None:
    assert type(error_of(httpx.Response(status, content=content))) is expected


def test_a_conflict_names_its_mutations() -> None:
    error = error_of(httpx.Response(409, json=mutation_error(REVISION, EXISTS)))

    assert isinstance(error, RevisionConflictError)
    assert error.indexes == (0, 2)


def test_a_refusal_without_an_index_names_none() -> None:
    error = error_of(httpx.Response(400, json=mutation_error(item(None, type="validationError"))))

    assert isinstance(error, MutationRejectedError)
    assert error.indexes == ()


def test_a_reference_names_who_holds_it() -> None:
    error = error_of(httpx.Response(409, json=mutation_error(REFERENCED)))

    assert isinstance(error, ReferencedDocumentError)
    assert (error.document_id, error.referencing_ids, error.indexes) == (
        "x",
        ("y", "drafts.z"),
        (3,),
    )


def test_a_long_page_is_cut() -> None:
    assert len(str(error_of(httpx.Response(503, text="x" * 10_000)))) < 600


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "86400"}, 3_600.0),  # an hour at most, whatever it says
        ({"retry-after": "soon"}, None),
        ({}, None),
        ({"ratelimit-reset": "2"}, 2.0),
        ({"retry-after": "1", "ratelimit-reset": "2"}, 1.0),
    ],
)
def test_how_long_sanity_asks_to_wait(headers: dict[str, str], expected: float | None) -> None:
    error = error_of(httpx.Response(429, json={"message": "slow"}, headers=headers))

    assert isinstance(error, RateLimitedError)
    assert error.retry_after == expected


@pytest.mark.parametrize(
    ("ahead", "least", "most"),
    [
        (timedelta(seconds=30), 25, 30),
        (timedelta(seconds=-30), 0, 0),
        (timedelta(days=400), 3_600, 3_600),
    ],
)
def test_retry_after_may_be_a_date(ahead: timedelta, least: float, most: float) -> None:
    date = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
    error = error_of(httpx.Response(429, headers={"retry-after": date}))

    assert isinstance(error, RateLimitedError)
    assert error.retry_after is not None
    assert least <= error.retry_after <= most


# Requests


def test_a_commit_is_one_post_with_its_id_in_the_body() -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json=COMMITTED)

    lake_at(answer).commit("t1", [create({"_id": "a", "_type": "product"}), delete("b")], Lane.LIVE)

    (request,) = requests
    assert request.method == "POST"
    assert request.url.copy_with(query=None) == (
        "https://shop.api.sanity.io/v2025-02-19/data/mutate/production"
    )
    assert dict(request.url.params) == {"returnIds": "true", "visibility": "sync"}
    assert request.headers["authorization"] == "Bearer secret"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-sanity-project-id"] == "shop"
    assert json.loads(request.content) == {
        "transactionId": "t1",
        "mutations": [{"create": {"_id": "a", "_type": "product"}}, {"delete": {"id": "b"}}],
    }


def test_without_project_hostname_the_host_stays_as_it_is() -> None:
    hosts: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        hosts.append(f"{request.url.scheme}://{request.url.netloc.decode()}{request.url.path}")
        return httpx.Response(200, json=COMMITTED)

    lake = lake_at(answer, api_host="http://127.0.0.1:8020", use_project_hostname=False)
    lake.commit("t1", [], Lane.LIVE)

    assert hosts == ["http://127.0.0.1:8020/v2025-02-19/data/mutate/production"]


def test_the_first_read_asks_for_every_copy_and_the_tombstone_in_the_raw_perspective() -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"ms": 1, "result": [{"_id": "a"}]})

    assert lake_at(answer).read_states(["a", "b"], Lane.LIVE) == [{"_id": "a"}]

    (request,) = requests
    assert (request.method, request.url.path) == ("POST", "/v2025-02-19/data/query/production")
    assert dict(request.url.params) == {"perspective": "raw"}
    body = json.loads(request.content)
    assert body["params"]["published"] == ["a", "b"]
    assert set(body["params"]["ids"]) == {
        *("a", "b", "drafts.a", "drafts.b", "sync.tombstone.a", "sync.tombstone.b")
    }
    assert "//" not in body["query"]


def test_the_second_read_asks_for_documents_with_all_their_versions() -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"documents": [{"_id": "a"}], "omitted": []})

    assert lake_at(answer).read_documents(["a", "b"], Lane.LIVE) == [{"_id": "a"}]

    (request,) = requests
    assert (request.method, request.url.path) == ("GET", "/v2025-02-19/data/doc/production/a,b")
    assert dict(request.url.params) == {"includeAllVersions": "true"}


def test_many_products_are_read_in_few_requests_of_bearable_length() -> None:
    urls: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        urls.append(len(str(request.url)))
        field = "documents" if request.method == "GET" else "result"
        return httpx.Response(200, json={field: []})

    ids = [f"{n:0>80}" for n in range(600)]
    lake = lake_at(answer)
    lake.read_states(ids, Lane.LIVE)
    lake.read_documents(ids, Lane.LIVE)

    assert len(urls) == 1 + 3
    assert max(urls) < 16_500


def test_nothing_to_read_is_no_request() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request)

    lake = lake_at(answer)

    assert lake.read_states([], Lane.LIVE) == []
    assert lake.read_documents([], Lane.LIVE) == []


def test_a_token_file_is_read_again_on_request(tmp_path: Path) -> None:
    tokens: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tokens.append(request.headers["authorization"])
        return httpx.Response(200, json=COMMITTED)

    path = tmp_path / "token"
    path.write_text("old\n")
    lake = lake_at(answer, token=None, token_file=path)
    lake.commit("t1", [], Lane.LIVE)
    path.write_text("new\n")
    lake.commit("t2", [], Lane.LIVE)
    lake.reload_token()
    lake.commit("t3", [], Lane.LIVE)

    assert tokens == ["Bearer old", "Bearer old", "Bearer new"]


# Answers that are none


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadTimeout(""),
        httpx.WriteError("cut"),
        httpx.RemoteProtocolError("half an answer"),
    ],
)
def test_no_answer_is_an_outage(error: httpx.TransportError) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        del request
        raise error

    with pytest.raises(ContentLakeUnavailableError, match="POST mutate"):
        lake_at(answer).commit("t1", [], Lane.LIVE)


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, text=PAGE),
        httpx.Response(200, content=b'{"transactionId": "t1", "resu'),
        httpx.Response(200, content=b""),
        httpx.Response(200, json=[]),
        httpx.Response(200, json=None),
    ],
)
def test_a_commit_whose_answer_cannot_be_read_may_or_may_not_have_happened(
    response: httpx.Response,
) -> None:
    with pytest.raises(ContentLakeUnavailableError):
        lake_answering(response).commit("t1", [], Lane.LIVE)


@pytest.mark.parametrize("content", [gzip.compress(b'{"documents": []}')[:20], b"no gzip at all"])
def test_a_compressed_body_that_cannot_be_read_is_an_outage(content: bytes) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        del request
        headers = {"content-encoding": "gzip"}
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(content))

    with pytest.raises(ContentLakeUnavailableError):
        lake_at(answer).read_documents(["a"], Lane.LIVE)


def test_a_read_without_its_field_is_an_outage() -> None:
    lake = lake_answering(httpx.Response(200, json={"status": "ok"}))

    with pytest.raises(ContentLakeUnavailableError, match="'result'"):
        lake.read_states(["a"], Lane.LIVE)
    with pytest.raises(ContentLakeUnavailableError, match="'documents'"):
        lake.read_documents(["a"], Lane.LIVE)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"type": "queryParseError", "description": "expected ']'"}}),
        (413, boom(413, "too long")),
        (409, mutation_error(REVISION)),
    ],
)
def test_a_read_that_is_refused_halts_for_no_record_is_to_blame(
    status: int, body: dict[str, Any]
) -> None:
    with pytest.raises(UnexpectedAnswerError, match="refused a read"):
        lake_answering(httpx.Response(status, json=body)).read_states(["a"], Lane.LIVE)


# The budget


class SpyBudget(Budget):
    def __init__(self) -> None:
        super().__init__(1_000)
        self.acquired: list[Lane] = []
        self.held: list[float] = []

    def acquire(self, lane: Lane) -> None:
        self.acquired.append(lane)

    def hold(self, seconds: float) -> None:
        self.held.append(seconds)


def test_reads_and_writes_have_budgets_of_their_own() -> None:
    mutates, reads = SpyBudget(), SpyBudget()
    answer = {**COMMITTED, "result": [], "documents": []}
    lake = lake_answering(
        httpx.Response(200, json=answer), mutate_budget=mutates, read_budget=reads
    )

    lake.commit("t1", [], Lane.BULK)
    lake.read_states(["a"], Lane.LIVE)
    lake.read_documents(["a"], Lane.REPLAY)

    assert mutates.acquired == [Lane.BULK]
    assert reads.acquired == [Lane.LIVE, Lane.REPLAY]


@pytest.mark.parametrize(
    ("status", "headers", "held"),
    [
        (200, {}, []),
        (200, {"ratelimit-remaining": "3", "ratelimit-reset": "1"}, []),
        (200, {"ratelimit-remaining": "0", "ratelimit-reset": "4"}, [4.0]),
        (200, {"ratelimit-remaining": "0"}, [1.0]),
        (429, {"retry-after": "9"}, [9.0]),
        (429, {"ratelimit-remaining": "0", "ratelimit-reset": "4"}, [4.0]),
        (429, {}, [1.0]),
    ],
)
def test_the_budget_is_held_when_sanity_says_that_it_is_used_up(
    status: int, headers: dict[str, str], held: list[float]
) -> None:
    mutates, reads = SpyBudget(), SpyBudget()
    response = httpx.Response(status, json=COMMITTED, headers=headers)
    lake = lake_answering(response, mutate_budget=mutates, read_budget=reads)

    if status == 200:
        lake.commit("t1", [], Lane.LIVE)
    else:
        with pytest.raises(RateLimitedError):
            lake.commit("t1", [], Lane.LIVE)

    assert mutates.held == held
    assert reads.held == []


def test_close_closes_the_connections() -> None:
    lake = lake_answering(httpx.Response(200, json=COMMITTED))
    lake.close()

    with pytest.raises(RuntimeError, match="closed"):
        lake.commit("t1", [], Lane.LIVE)
