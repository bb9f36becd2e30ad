from itertools import islice

from commerce.command import CreateProduct
from commerce.sample import load_commands
from commerce.seed import KINDS, plausible_products


def test_the_same_seed_makes_the_same_products() -> None:
    assert list(plausible_products(20, 7)) == list(plausible_products(20, 7))
    assert list(plausible_products(20, 7)) != list(plausible_products(20, 8))


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    assert list(islice(plausible_products(1000, 7), 20)) == list(plausible_products(20, 7))


def test_handles_and_skus_never_collide() -> None:
    made = [*plausible_products(300, 1), *plausible_products(300, 2)]
    handles = [product.handle for product in made]
    skus = [variant.sku for product in made for variant in product.variants]

    assert len(set(handles)) == len(handles)
    assert len(set(skus)) == len(skus)


def test_seeded_products_would_pass_the_api() -> None:
    for product in plausible_products(50, 3):
        assert CreateProduct.model_validate(product.model_dump(exclude_unset=True)) == product


def test_every_kind_has_a_picture_of_the_sample_catalogue() -> None:
    pictures = {command.images[0].url.rsplit("/", 1)[-1] for command in load_commands()}

    assert {f"{kind.picture}.svg" for kind in KINDS} <= pictures
