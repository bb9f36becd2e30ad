from collections.abc import Callable, Iterator

import httpx
import pytest
from fastapi.routing import APIRoute

from commerce.app import create_app
from commerce.settings import Settings
from tests.integration.commerce.conftest import SECRET, Shop, create_admin, plain

EMAIL = "admin@example.com"
PASSWORD = "correct horse battery"
CREDENTIALS = {"email": EMAIL, "password": PASSWORD}
UNAUTHORIZED = {"message": "Unauthorized"}


@pytest.fixture(scope="module")
def stranger(shared_shop: Shop) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=shared_shop.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def admin(shared_shop: Shop) -> None:
    create_admin(shared_shop.database, EMAIL, PASSWORD)


@pytest.mark.usefixtures("admin")
def test_a_log_in_gives_a_token_that_opens_the_admin_api(stranger: httpx.Client) -> None:
    response = stranger.post(
        "/auth/user/emailpass", json=CREDENTIALS | {"email": "ADMIN@example.com"}
    )

    assert response.status_code == 200
    bearer = {"authorization": f"Bearer {response.json()['token']}"}
    user = stranger.get("/admin/users/me", headers=bearer).json()["user"]
    assert user["email"] == EMAIL
    assert user["id"].startswith("user_")
    fresh = stranger.post("/auth/token/refresh", headers=bearer).json()["token"]
    again = stranger.get("/admin/users/me", headers={"authorization": f"Bearer {fresh}"})
    assert again.status_code == 200


@pytest.mark.usefixtures("admin")
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (CREDENTIALS | {"password": "wrong password"}, "Invalid email or password"),
        (CREDENTIALS | {"email": "nobody@example.com"}, "Invalid email or password"),
        (CREDENTIALS | {"password": "x" * 10_000}, "Invalid email or password"),
        ({"email": EMAIL}, "Password should be a string"),
        ({"email": EMAIL, "password": 5}, "Password should be a string"),
        ({"password": "x"}, "Email should be a string"),
        ([], "Email should be a string"),
    ],
)
def test_a_wrong_log_in_is_401(stranger: httpx.Client, body: object, message: str) -> None:
    response = stranger.post("/auth/user/emailpass", json=body)

    assert response.status_code == 401
    assert response.json() == {"type": "unauthorized", "message": message}


def test_another_provider_is_400(stranger: httpx.Client) -> None:
    response = stranger.post("/auth/user/google", json=CREDENTIALS)

    assert (response.status_code, response.json()["type"]) == (400, "not_allowed")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer a.b.c", "bearer  x", "Basic YTpi", "Bearer é"]
)
def test_a_bad_token_is_401_before_the_body_is_read(stranger: httpx.Client, header: str) -> None:
    headers = [(b"authorization", header.encode("latin-1"))]

    response = stranger.post("/admin/products", content=b"{broken", headers=headers)

    assert response.status_code == 401
    assert response.json() == UNAUTHORIZED


def test_no_route_of_the_admin_api_answers_without_a_token(
    shared_shop: Shop, stranger: httpx.Client
) -> None:
    settings = Settings.model_validate({"postgres_dsn": "postgresql://", "jwt_secret": SECRET})
    document = create_app(settings).openapi()
    routes = [
        (method.upper(), path.replace("{product_id}", "prod_1").replace("{variant_id}", "v_1"))
        for path, methods in document["paths"].items()
        for method in methods
        if path.startswith("/admin")
    ]

    assert len(routes) >= 13
    for method, path in [*routes, ("GET", "/admin"), ("GET", "/admin/"), ("GET", "/admin/x")]:
        response = stranger.request(method, path)
        assert (response.status_code, response.json()) == (401, UNAUTHORIZED), (method, path)
    assert shared_shop.database.events() == []


def test_the_document_names_every_route(shared_shop: Shop) -> None:
    settings = Settings.model_validate({"postgres_dsn": "postgresql://", "jwt_secret": SECRET})
    served = shared_shop.http.get("/openapi.json").json()

    app = create_app(settings)
    for route in app.routes:
        if isinstance(route, APIRoute):
            for method in route.methods or ():
                operation = served["paths"][route.path][method.lower()]
                assert "200" in operation["responses"], (method, route.path)
                assert "422" not in operation["responses"], (method, route.path)


def test_a_body_above_the_limit_is_413(serve: Callable[..., Shop]) -> None:
    shop = serve(max_body_bytes=1_000)
    body = plain("Mug", description="x" * 1_000)

    status, answer = shop.refusal("POST", "/admin/products", body)

    assert (status, answer["type"]) == (413, "invalid_data")
    assert "1000 bytes" in answer["message"]


def test_a_body_that_hides_its_size_is_413_too(serve: Callable[..., Shop]) -> None:
    shop = serve(max_body_bytes=1_000)
    pieces = (b'{"title": "' + b"x" * 600, b"x" * 600 + b'"}')

    response = shop.http.post(
        "/admin/products", content=iter(pieces), headers={"content-type": "application/json"}
    )

    assert (response.status_code, response.json()["type"]) == (413, "invalid_data")


@pytest.mark.parametrize("path", ["/livez", "/admin/products", "/nothing", "/openapi.json"])
def test_every_answer_carries_the_security_headers(stranger: httpx.Client, path: str) -> None:
    headers = stranger.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers


def test_pictures_are_served_to_everybody_and_run_nothing(stranger: httpx.Client) -> None:
    response = stranger.get("/static/images/t-shirt.svg")

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("image/svg+xml")
    assert "sandbox" in response.headers["content-security-policy"]
    assert response.headers["cross-origin-resource-policy"] == "cross-origin"
    assert stranger.get("/static/images/../content.json").status_code == 404
    assert stranger.get("/static/images/%2e%2e/content.json").status_code == 404
