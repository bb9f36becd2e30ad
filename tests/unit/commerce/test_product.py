from decimal import Decimal
from typing import Any

import pytest

from commerce.command import CreateProduct, CreateVariant, UpdateProduct, UpdateVariant
from commerce.errors import InvalidDataError, NotFoundError
from commerce.product import VariantChanges, create
from outbox.event import EventType
from tests.unit.commerce.factory import (
    LATER,
    NOON,
    counting_ids,
    counting_ids_from,
    t_shirt,
    t_shirt_body,
    updated,
)


def test_a_new_product_is_a_draft_with_handle_thumbnail_and_its_event() -> None:
    change = create(CreateProduct(**t_shirt_body()), NOON, counting_ids())

    assert change.event is EventType.CREATED
    assert change.product.status == "draft"
    assert change.product.handle == "premium-cotton-t-shirt"
    assert change.product.thumbnail == "https://shop.example/front.jpg"
    assert change.product.created_at == change.product.updated_at == NOON
    assert [variant.title for variant in change.product.variants] == ["Small", "Medium", "Large"]
    assert [variant.variant_rank for variant in change.product.variants] == [0, 1, 2]
    price = change.product.variants[0].prices[0]
    assert (price.currency_code, price.amount) == ("usd", Decimal("29.99"))


def test_a_title_without_letters_still_gets_a_handle() -> None:
    assert t_shirt(title="!!!").handle == "product-0001"


def test_variants_without_options_may_stand_beside_each_other() -> None:
    plain = {"title": "Any", "prices": []}

    assert len(t_shirt(variants=[plain, plain]).variants) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": []}, "Product options are not provided for: [Premium Cotton T-Shirt]."),
        (
            {"options": [{"title": "Size", "values": ["S", "S"]}]},
            "Value of option Size S is given more than once",
        ),
        (
            {
                "options": [{"title": "A", "values": ["1"]}, {"title": "A", "values": ["2"]}],
                "variants": [],
            },
            "Option A is given more than once",
        ),
        (
            {"variants": [{"title": "XXL", "options": {"Size": "XXL"}, "prices": []}]},
            "Option value XXL does not exist for option Size",
        ),
        (
            {"variants": [{"title": "Red", "options": {"Color": "Red"}, "prices": []}]},
            "Option Color does not exist for the product",
        ),
        (
            {
                "options": [
                    {"title": "Size", "values": ["S"]},
                    {"title": "Color", "values": ["Red"]},
                ],
                "variants": [{"title": "S", "options": {"Size": "S"}, "prices": []}],
            },
            "Product has 2 options but 1 option values were provided for the variant: S.",
        ),
        (
            {
                "variants": [
                    {"title": "M", "options": {"Size": "M"}, "prices": []},
                    {"title": "Again", "options": {"Size": "M"}, "prices": []},
                ]
            },
            "Variant (M) with provided options already exists.",
        ),
        (
            {
                "variants": [
                    {
                        "title": "M",
                        "prices": [
                            {"currency_code": "usd", "amount": 1},
                            {"currency_code": "USD", "amount": 2},
                        ],
                    }
                ]
            },
            "Price for currency usd is given more than once",
        ),
        ({"handle": "a b"}, "Invalid product handle 'a b'. It must contain URL safe characters"),
    ],
)
def test_a_product_that_contradicts_itself_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidDataError) as refusal:
        t_shirt(**changes)

    assert refusal.value.message == message


def test_a_reference_to_what_the_shop_does_not_keep_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="collection_id: pcol_1"):
        t_shirt(collection_id="pcol_1")
    with pytest.raises(NotFoundError, match="tags: ptag_1"):
        t_shirt(tags=[{"id": "ptag_1"}])


def test_an_update_replaces_what_it_names_and_nothing_else() -> None:
    before = t_shirt()

    change = before.update(
        UpdateProduct(title="Premium Organic Cotton T-Shirt"), LATER, counting_ids()
    )

    assert change is not None
    assert change.event is EventType.UPDATED
    assert change.product.title == "Premium Organic Cotton T-Shirt"
    assert change.product.handle == before.handle
    assert change.product.description == before.description
    assert change.product.variants == before.variants
    assert (change.product.created_at, change.product.updated_at) == (NOON, LATER)


@pytest.mark.parametrize(
    "same",
    [
        {},
        {"title": "Premium Cotton T-Shirt"},
        {"images": [{"url": "https://shop.example/front.jpg"}]},
        {"metadata": {}},
        {"weight": None},
    ],
)
def test_an_update_that_changes_nothing_is_no_change(same: dict[str, Any]) -> None:
    before = t_shirt(metadata={})

    assert before.update(UpdateProduct(**same), LATER, counting_ids()) is None


def test_null_clears_a_text() -> None:
    assert updated(t_shirt(), description=None).description is None


def test_metadata_merges_and_an_empty_text_removes_its_key() -> None:
    before = t_shirt(metadata={"a": 1, "b": 2})

    assert updated(before, metadata={"b": "", "c": 3}).metadata == {"a": 1, "c": 3}
    assert updated(before, metadata=None).metadata is None


def test_images_are_replaced_and_those_that_stay_keep_their_ids() -> None:
    before = t_shirt()

    after = updated(
        before, images=[{"url": "https://shop.example/back.jpg"}, {"url": before.images[0].url}]
    )

    assert [image.rank for image in after.images] == [0, 1]
    assert after.images[1].id == before.images[0].id
    assert after.images[0].id != before.images[0].id
    assert after.thumbnail == before.thumbnail


def test_variants_are_replaced_as_a_set() -> None:
    before = t_shirt()
    small, medium, _ = before.variants

    after = updated(
        before,
        variants=[
            {"id": medium.id, "title": "Middle", "prices": []},
            {"id": small.id},
            {"title": "Wide", "options": {"Size": "L"}},
        ],
    )

    assert [variant.title for variant in after.variants] == ["Small", "Middle", "Wide"]
    assert after.variants[0] == small
    assert after.variants[1].prices == ()
    assert after.variants[1].sku == medium.sku
    assert after.variants[1].updated_at == LATER


def test_a_variant_of_another_product_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="variant_9"):
        updated(t_shirt(), variants=[{"id": "variant_9"}])


def test_a_new_variant_in_an_update_needs_a_title() -> None:
    with pytest.raises(InvalidDataError, match="Field 'variants, 0, title' is required"):
        updated(t_shirt(), variants=[{"options": {"Size": "S"}}])


def test_the_same_variant_twice_is_refused() -> None:
    before = t_shirt()
    twice = [{"id": before.variants[0].id}, {"id": before.variants[0].id}]

    with pytest.raises(InvalidDataError, match="more than once"):
        updated(before, variants=twice)


def test_prices_are_replaced_as_a_set_and_keep_the_id_of_their_currency() -> None:
    before = t_shirt()
    small = before.variants[0]

    after = updated(
        before,
        variants=[
            {
                "id": small.id,
                "prices": [
                    {"currency_code": "usd", "amount": 31},
                    {"currency_code": "eur", "amount": 28.5},
                ],
            }
        ],
    )

    eur, usd = after.variants[0].prices
    assert (eur.currency_code, eur.amount, eur.created_at) == ("eur", Decimal("28.5"), LATER)
    assert (usd.id, usd.amount) == (small.prices[0].id, Decimal(31))
    assert (usd.created_at, usd.updated_at) == (NOON, LATER)


def test_variants_are_added_changed_and_removed_together() -> None:
    before = t_shirt()
    small, medium, large = before.variants
    wanted = VariantChanges(
        create=[CreateVariant(title="Second L", options={"Size": "L"}, prices=[])],
        update={small.id: UpdateVariant(inventory_quantity=7)},
        delete=[large.id, "variant_unknown"],
    )

    change = before.change_variants(wanted, LATER, counting_ids_from(9000))

    assert change is not None
    assert [variant.title for variant in change.product.variants] == ["Small", "Medium", "Second L"]
    assert change.product.variants[0].inventory_quantity == 7
    assert change.product.variants[1] == medium
    assert change.product.updated_at == LATER


def test_an_unknown_variant_to_change_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="Variant with id: variant_x was not found"):
        t_shirt().change_variants(
            VariantChanges(update={"variant_x": UpdateVariant(title="?")}), LATER, counting_ids()
        )


def test_a_deleted_product_can_be_restored_as_it_was() -> None:
    before = t_shirt()

    deleted = before.delete(LATER)
    restored = deleted.product.restore(LATER)

    assert deleted.event is EventType.DELETED
    assert deleted.product.deleted_at == LATER
    assert restored.event is EventType.CREATED
    assert restored.product.variants == before.variants
    assert restored.product.deleted_at is None
