from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg

from tests.integration.commerce.conftest import Shop, plain, t_shirt, wait_until

WAITING = """
    select count(*) as n from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'
"""


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def test_concurrent_updates_of_one_product_lose_nothing(shop: Shop) -> None:
    product_id = shop.create(**plain("Mug", metadata={}))["id"]

    def update(number: int) -> int:
        with shop.another_client() as client:
            body = {"metadata": {str(number): number}}
            return client.post(f"/admin/products/{product_id}", json=body).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(update, range(40)))

    assert set(statuses) == {200}
    assert shop.get(product_id)["metadata"] == {str(number): number for number in range(40)}
    events = shop.database.events()
    assert [event["revision"] for event in events] == list(range(1, 42))
    sizes = [len(event["payload"]["metadata"]) for event in events]
    assert sizes == list(range(41))


def test_a_writer_that_waited_publishes_what_the_other_wrote_too(shop: Shop) -> None:
    product = shop.create(**t_shirt())
    price_id = product["variants"][0]["prices"][0]["id"]

    with psycopg.connect(shop.database.owner_dsn) as other, ThreadPoolExecutor(1) as pool:
        # Somebody else who keeps the rule: the product's row lock before any of its rows.
        lock = "select id from commerce.product where id = %s for update"
        other.execute(lock, [product["id"]])
        other.execute("update commerce.price set amount = 35 where id = %s", [price_id])
        waiting = pool.submit(shop.update, product["id"], title="Renamed")
        wait_until(lambda: shop.database.rows(WAITING) == [{"n": 1}])
        other.commit()
        changed = waiting.result()

    assert changed["variants"][0]["prices"][0]["amount"] == 35
    last = shop.database.events()[-1]
    assert last["payload"]["title"] == "Renamed"
    assert last["payload"]["variants"][0]["prices"][0]["amount"] == 35


def test_a_bulk_publisher_that_locked_the_counter_first_does_not_deadlock(shop: Shop) -> None:
    product_id = shop.create(**plain("Mug"))["id"]

    with psycopg.connect(shop.database.owner_dsn) as bulk, ThreadPoolExecutor(1) as pool:
        bulk.execute("select outbox.lock_aggregates('product', %s)", [[product_id]])
        waiting = pool.submit(shop.update, product_id, title="Cup")
        wait_until(lambda: shop.database.rows(WAITING) == [{"n": 1}])
        read = "select title from commerce.product where id = %s"
        (title,) = bulk.execute(read, [product_id]).fetchone() or ("",)
        bulk.execute(
            "select outbox.publish('product', %s, 'product.sync_requested', "
            "jsonb_build_object('id', %s::text, 'title', %s::text))",
            [product_id, product_id, title],
        )
        bulk.commit()
        waiting.result()

    events = shop.database.events()
    titles = [(event["revision"], event["payload"]["title"]) for event in events]
    assert titles == [(1, "Mug"), (2, "Mug"), (3, "Cup")]


def test_a_deletion_and_an_update_at_once_agree_on_an_order(shop: Shop) -> None:
    for number in range(5):
        product_id = shop.create(**plain(f"Mug {number}"))["id"]
        path = f"/admin/products/{product_id}"

        def delete(path: str = path) -> int:
            with shop.another_client() as client:
                return client.delete(path).status_code

        def rename(path: str = path) -> int:
            with shop.another_client() as client:
                return client.post(path, json={"title": "Other"}).status_code

        deleted, renamed = at_once(delete, rename)

        assert deleted == 200
        assert renamed in {200, 404}
        assert shop.database.events(product_id)[-1]["type"] == "product.deleted"


def test_one_of_two_products_with_the_same_handle_wins(shop: Shop) -> None:
    def create() -> int:
        with shop.another_client() as client:
            return client.post("/admin/products", json=t_shirt()).status_code

    assert sorted(at_once(create, create, create, create)) == [200, 400, 400, 400]
    assert len(shop.database.events()) == 1


def test_batches_over_the_same_products_in_other_orders_do_not_deadlock(shop: Shop) -> None:
    ids = [shop.create(**plain(f"Mug {number}"))["id"] for number in range(6)]

    def renaming(order: list[str], title: str) -> Callable[[], int]:
        update = [{"id": product_id, "title": title} for product_id in order]

        def rename() -> int:
            with shop.another_client() as client:
                return client.post("/admin/products/batch", json={"update": update}).status_code

        return rename

    for turn in range(5):
        there, back = renaming(ids, f"There {turn}"), renaming(ids[::-1], f"Back {turn}")
        assert at_once(there, back) == [200, 200]

    titles = {product["title"] for product in shop.call("GET", "/admin/products")["products"]}
    assert len(titles) == 1
    for product_id in ids:
        revisions = [event["revision"] for event in shop.database.events(product_id)]
        assert revisions == list(range(1, 12))
