"""One dataset of the emulator, spoken to in plain HTTP as the service documents it."""

import json
import uuid
from collections.abc import Mapping
from typing import Any, Final, Self

import httpx

from tests.contract.sanity_emulator.emulator_process import EDITOR

API: Final = "v2025-02-19"
BEFORE_RELEASES: Final = "v2021-06-07"
TIMEOUT_SECONDS: Final = 30.0

Mutation = Mapping[str, Any]


class Lake:
    """A dataset and a token; answers are `httpx.Response`, or what lies in them."""

    def __init__(
        self,
        address: str,
        dataset: str,
        token: str | None = EDITOR,
        *,
        project: str = "shop",
        version: str = API,
    ) -> None:
        headers = {"X-Sanity-Project-ID": project}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self.address = address
        self.dataset = dataset
        self.project = project
        self.version = version
        self.http = httpx.Client(base_url=address, headers=headers, timeout=TIMEOUT_SECONDS)

    @classmethod
    def fresh(cls, address: str, *, acl_mode: str = "public") -> Self:
        """Make a dataset of its own through the management API."""
        lake = cls(address, f"test-{uuid.uuid4().hex[:16]}")
        path = f"/v2021-06-07/projects/shop/datasets/{lake.dataset}"
        lake.http.put(path, json={"aclMode": acl_mode}).raise_for_status()
        return lake

    def seen_by(
        self, token: str | None, *, version: str = API, project: str | None = None
    ) -> "Lake":
        """The same dataset with another token, API version or project."""
        return Lake(
            self.address, self.dataset, token, project=project or self.project, version=version
        )

    def close(self) -> None:
        """Give the connections back."""
        self.http.close()

    def post(self, endpoint: str, body: Any, **query: str) -> httpx.Response:
        """POST a JSON body to `/data/<endpoint>/<dataset>`."""
        path = f"/{self.version}/data/{endpoint}/{self.dataset}"
        return self.http.post(path, json=body, params=query)

    def send(
        self, *mutations: Mutation, transaction_id: str | None = None, **query: str
    ) -> httpx.Response:
        """One mutate request, whatever comes of it."""
        body: dict[str, Any] = {"mutations": list(mutations)}
        if transaction_id is not None:
            body["transactionId"] = transaction_id
        return self.post("mutate", body, **{"returnIds": "true"} | query)

    def mutate(
        self, *mutations: Mutation, transaction_id: str | None = None, **query: str
    ) -> dict[str, Any]:
        """One mutate request that must be accepted."""
        response = self.send(*mutations, transaction_id=transaction_id, **query)
        assert response.status_code == httpx.codes.OK, response.text
        return dict(response.json())

    def refused(self, *mutations: Mutation) -> tuple[int, dict[str, Any], dict[str, Any]]:
        """A mutate request that must fail: status, the outer error and its first item's error."""
        response = self.send(*mutations)
        error = response.json()["error"]
        return response.status_code, error, error["items"][0]["error"]

    def ask(self, query: str, *, perspective: str | None = None, **params: Any) -> httpx.Response:
        """A query by GET."""
        values = {"query": query} | {f"${name}": json.dumps(v) for name, v in params.items()}
        if perspective is not None:
            values["perspective"] = perspective
        return self.http.get(f"/{self.version}/data/query/{self.dataset}", params=values)

    def query(self, query: str, *, perspective: str | None = None, **params: Any) -> Any:
        """The result of a query that must succeed."""
        response = self.ask(query, perspective=perspective, **params)
        assert response.status_code == httpx.codes.OK, response.text
        return response.json()["result"]

    def doc(self, *ids: str, **query: str) -> dict[str, Any]:
        """The doc endpoint's answer."""
        response = self.http.get(
            f"/{self.version}/data/doc/{self.dataset}/{','.join(ids)}", params=query
        )
        assert response.status_code == httpx.codes.OK, response.text
        return dict(response.json())

    def get(self, document_id: str) -> dict[str, Any] | None:
        """One document, or none."""
        documents = self.doc(document_id)["documents"]
        return dict(documents[0]) if documents else None

    def admin(self, method: str, path: str, **options: Any) -> Any:
        """What `/_emulator/<path>` answers."""
        response = self.http.request(method, f"/_emulator/{path}", **options)
        assert response.status_code == httpx.codes.OK, response.text
        return response.json()


def product(document_id: str, title: str = "Shirt", **more: Any) -> dict[str, Any]:
    """A plausible document."""
    return {"_id": document_id, "_type": "product", "title": title, **more}


def create(document_id: str, title: str = "Shirt", **more: Any) -> Mutation:
    """A `create` of a plausible document."""
    return {"create": product(document_id, title, **more)}


def patch(document_id: str, **operations: Any) -> Mutation:
    """A `patch` by id."""
    return {"patch": {"id": document_id, **operations}}


def delete(document_id: str) -> Mutation:
    """A `delete` by id."""
    return {"delete": {"id": document_id}}


def reference(document_id: str, *, weak: bool = False) -> dict[str, Any]:
    """A reference inside an array."""
    found = {"_type": "reference", "_ref": document_id, "_key": document_id}
    return {**found, "_weak": True} if weak else found
