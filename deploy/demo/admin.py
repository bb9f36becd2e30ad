"""An admin's hands: the Admin API of commerce."""

from collections.abc import Iterator
from typing import Any, Final

import httpx

PAGE: Final = 100


class Admin:
    """A logged-in client of `/admin/products`."""

    def __init__(self, url: str, email: str, password: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        token = self._call(
            "POST", "/auth/user/emailpass", json={"email": email, "password": password}
        )["token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def create(self, product: dict[str, Any]) -> dict[str, Any]:
        """The new product as commerce answers it."""
        created: dict[str, Any] = self._call("POST", "/admin/products", json=product)["product"]
        return created

    def update(self, product_id: str, changes: dict[str, Any]) -> dict[str, Any]:
        """The product after the change."""
        path = f"/admin/products/{product_id}"
        updated: dict[str, Any] = self._call("POST", path, json=changes)["product"]
        return updated

    def delete(self, product_id: str) -> None:
        """Takes the product away."""
        self._call("DELETE", f"/admin/products/{product_id}")

    def products(self) -> Iterator[dict[str, Any]]:
        """Every product that commerce holds."""
        offset = 0
        while True:
            params = {"limit": PAGE, "offset": offset, "order": "id"}
            page = self._call("GET", "/admin/products", params=params)["products"]
            yield from page
            offset += len(page)
            if len(page) < PAGE:
                return

    def refused(self, product: dict[str, Any]) -> str:
        """The message with which commerce refuses `product`."""
        response = self._http.post("/admin/products", json=product)
        if response.is_success:
            raise AssertionError("commerce took a product that it must refuse")
        return str(response.json()["message"])

    def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        response = self._http.request(method, path, **request)
        response.raise_for_status()
        body: dict[str, Any] = response.json()
        return body
