"""An editor's hands: drafts and publications, as the Studio sends them."""

from typing import Any

import httpx

API = "/v2025-02-19/data"


class Editor:
    """Reads and writes content with an editor's own token; never the consumer's."""

    def __init__(self, host: str, *, project_id: str, dataset: str, token: str) -> None:
        self._dataset = dataset
        self._http = httpx.Client(
            base_url=host,
            timeout=30,
            trust_env=False,  # local servers are not behind a proxy
            headers={"Authorization": f"Bearer {token}", "X-Sanity-Project-ID": project_id},
        )

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def document(self, document_id: str) -> dict[str, Any] | None:
        """The document as it is now, or None."""
        documents = self.documents(document_id)
        return documents[0] if documents else None

    def documents(self, *document_ids: str) -> list[dict[str, Any]]:
        """Those of these documents that are there."""
        response = self._http.get(f"{API}/doc/{self._dataset}/{','.join(document_ids)}")
        response.raise_for_status()
        documents: list[dict[str, Any]] = response.json()["documents"]
        return documents

    def query(self, groq: str, **params: Any) -> Any:
        """The result of a query in the raw perspective."""
        response = self._http.post(
            f"{API}/query/{self._dataset}",
            params={"perspective": "raw"},
            json={"query": groq, "params": params},
        )
        response.raise_for_status()
        return response.json()["result"]

    def mutate(self, *mutations: dict[str, Any]) -> str:
        """Commits the mutations as one transaction; its id."""
        response = self._http.post(
            f"{API}/mutate/{self._dataset}", json={"mutations": list(mutations)}
        )
        response.raise_for_status()
        return str(response.json()["transactionId"])

    def open_draft(self, document_id: str) -> dict[str, Any]:
        """The first key stroke: a draft, copied whole from the published document."""
        published = self.document(document_id)
        if published is None:
            raise LookupError(f"no document {document_id}")
        draft = {**published, "_id": f"drafts.{document_id}"}
        draft.pop("_rev")
        self.mutate({"createIfNotExists": draft})
        return draft

    def edit(self, document_id: str, fields: dict[str, Any]) -> None:
        """Sets fields of the draft."""
        self.mutate({"patch": {"id": f"drafts.{document_id}", "set": fields}})

    def publish(self, document_id: str) -> None:
        """The draft takes the published document's place, whole."""
        draft = self.document(f"drafts.{document_id}")
        if draft is None:
            raise LookupError(f"no draft of {document_id}")
        published = {k: v for k, v in draft.items() if k not in {"_rev", "_updatedAt"}}
        self.mutate(
            {"createOrReplace": {**published, "_id": document_id}},
            {"delete": {"id": f"drafts.{document_id}"}},
        )

    def unpublish(self, document_id: str) -> None:
        """The published document becomes a draft."""
        published = self.document(document_id)
        if published is None:
            raise LookupError(f"no document {document_id}")
        draft = {k: v for k, v in published.items() if k not in {"_rev", "_updatedAt"}}
        self.mutate(
            {"delete": {"id": document_id}},
            {"createIfNotExists": {**draft, "_id": f"drafts.{document_id}"}},
        )
