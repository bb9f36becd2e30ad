from tests.integration.commerce.conftest import Shop, plain, t_shirt


def test_a_batch_deletes_updates_and_creates_with_one_event_each(shop: Shop) -> None:
    old, kept = (shop.create(**plain(title))["id"] for title in ("Old", "Kept"))

    answer = shop.call(
        "POST",
        "/admin/products/batch",
        {
            "create": [plain("Old"), plain("New")],
            "update": [{"id": kept, "title": "Changed"}],
            "delete": [old, "prod_unknown"],
        },
    )

    assert [product["title"] for product in answer["created"]] == ["Old", "New"]
    assert [product["title"] for product in answer["updated"]] == ["Changed"]
    assert answer["deleted"] == {"ids": [old, "prod_unknown"], "object": "product", "deleted": True}
    types = sorted(event["type"] for event in shop.database.events()[2:])
    assert types == ["product.created", "product.created", "product.deleted", "product.updated"]


def test_an_empty_batch_is_fine(shop: Shop) -> None:
    answer = shop.call("POST", "/admin/products/batch", {})

    assert (answer["created"], answer["updated"], answer["deleted"]["ids"]) == ([], [], [])
    assert shop.database.events() == []


def test_a_batch_is_all_or_nothing(shop: Shop) -> None:
    kept = shop.create(**plain("Kept"))["id"]

    status, answer = shop.refusal(
        "POST",
        "/admin/products/batch",
        {
            "create": [plain("New"), plain("Kept")],
            "update": [{"id": kept, "subtitle": "Changed"}],
        },
    )

    assert (status, answer["message"]) == (400, "Product with handle: kept, already exists.")
    assert shop.get(kept)["subtitle"] is None
    assert len(shop.database.events()) == 1


def test_an_unknown_product_to_update_is_404(shop: Shop) -> None:
    body = {"create": [plain("New")], "update": [{"id": "prod_nope", "title": "x"}]}

    assert shop.refusal("POST", "/admin/products/batch", body) == (
        404,
        {"type": "not_found", "message": "Unable to update the products with ids: prod_nope"},
    )
    assert shop.call("GET", "/admin/products")["count"] == 0


def test_a_product_that_is_named_twice_is_400(shop: Shop) -> None:
    kept = shop.create(**plain("Kept"))["id"]
    both = {"update": [{"id": kept}], "delete": [kept]}
    twice = {"update": [{"id": kept}, {"id": kept}]}

    assert shop.refusal("POST", "/admin/products/batch", both)[0] == 400
    assert shop.refusal("POST", "/admin/products/batch", twice)[0] == 400


def test_a_variant_can_be_added_changed_read_and_removed(shop: Shop) -> None:
    variants = t_shirt()["variants"]
    product = shop.create(**t_shirt(variants=variants[:2]))
    path = f"/admin/products/{product['id']}/variants"

    added = shop.call("POST", path, variants[2])["product"]
    large = added["variants"][2]
    shop.call("POST", f"{path}/{large['id']}", {"inventory_quantity": 7})

    assert shop.call("GET", f"{path}/{large['id']}")["variant"]["inventory_quantity"] == 7
    page = shop.call("GET", f"{path}?limit=1&offset=1&fields=title")
    assert page == {
        "variants": [{"id": product["variants"][1]["id"], "title": "Medium"}],
        "count": 3,
        "offset": 1,
        "limit": 1,
    }
    gone = shop.call("DELETE", f"{path}/{large['id']}")
    assert (gone["object"], gone["deleted"], len(gone["parent"]["variants"])) == (
        "variant",
        True,
        2,
    )
    assert shop.refusal("GET", f"{path}/{large['id']}") == (
        404,
        {"type": "not_found", "message": f"Variant with id: {large['id']} was not found"},
    )
    revisions = [event["revision"] for event in shop.database.events(product["id"])]
    assert revisions == [1, 2, 3, 4]


def test_a_batch_of_variants_is_one_write(shop: Shop) -> None:
    product = shop.create(**t_shirt())
    small, medium, large = (variant["id"] for variant in product["variants"])

    answer = shop.call(
        "POST",
        f"/admin/products/{product['id']}/variants/batch",
        {
            "create": [{"title": "Wide", "options": {"Size": "L"}, "prices": []}],
            "update": [{"id": small, "title": "Tiny"}],
            "delete": [large],
        },
    )

    assert [variant["title"] for variant in answer["created"]] == ["Wide"]
    assert [variant["id"] for variant in answer["updated"]] == [small]
    assert answer["deleted"]["ids"] == [large]
    titles = [variant["title"] for variant in shop.get(product["id"])["variants"]]
    assert titles == ["Tiny", "Medium", "Wide"]
    assert medium in {variant["id"] for variant in shop.get(product["id"])["variants"]}
    assert len(shop.database.events()) == 2


def test_a_taken_option_combination_is_400(shop: Shop) -> None:
    product = shop.create(**t_shirt())
    body = {"title": "Again", "options": {"Size": "M"}, "prices": []}

    assert shop.refusal("POST", f"/admin/products/{product['id']}/variants", body) == (
        400,
        {
            "type": "invalid_data",
            "message": "Variant (Medium) with provided options already exists.",
        },
    )
