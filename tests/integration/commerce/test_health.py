from collections.abc import Callable

from tests.integration.commerce.conftest import Database, Shop, served


def test_a_service_with_its_schema_is_alive_and_ready(shop: Shop) -> None:
    assert shop.http.get("/livez").json() == {"status": "ok"}
    assert shop.http.get("/readyz").json() == {"status": "ok"}


def test_without_a_database_it_is_alive_and_not_ready(serve: Callable[..., Shop]) -> None:
    shop = serve(postgres_dsn="postgresql://127.0.0.1:1/shop", pool_timeout_seconds=0.2)

    assert shop.http.get("/livez").status_code == 200
    response = shop.http.get("/readyz")
    assert (response.status_code, response.json()["status"]) == (503, "the database can't be read")


def test_with_an_old_schema_it_is_not_ready_and_says_what_to_do(shop: Shop) -> None:
    shop.database.rows("delete from commerce.migration where name > '0001' returning name")

    response = shop.http.get("/readyz")

    assert response.status_code == 503
    assert "commerce migrate" in response.json()["status"]


def test_without_the_outbox_it_is_not_ready(shop: Shop) -> None:
    shop.database.run("revoke usage on schema outbox from commerce_app")

    response = shop.http.get("/readyz")

    assert response.status_code == 503
    assert "outbox migrate" in response.json()["status"]


def test_the_service_comes_back_when_its_connections_were_cut(database: Database) -> None:
    cut = """
        select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'commerce' and datname = current_database()
    """
    with served(database) as shop:
        assert shop.http.get("/readyz").status_code == 200
        assert database.rows(cut)

        statuses = [shop.http.get("/admin/products").status_code for _ in range(12)]

        assert statuses[-1] == 200
        assert set(statuses) <= {200, 503}
