from decimal import Decimal
from importlib.resources import files
from xml.etree import ElementTree as ET

from commerce.sample import IMAGE_PATH, load_catalogue, load_commands, load_content

IMAGES = files("commerce") / "sample" / "images"
LANGUAGES = ["en", "es", "fr", "de", "pt"]


def test_the_catalogue_is_large_and_varied_enough_to_try_things_on() -> None:
    commands = load_commands()

    assert len(commands) >= 24
    assert all(command.variants for command in commands)
    currencies = {
        price.currency_code
        for command in commands
        for variant in command.variants
        for price in variant.prices
    }
    assert currencies == {"usd", "eur", "gbp", "jpy"}


def test_the_scenarios_products_are_there() -> None:
    prices = {
        command.handle: (command.title, command.variants[0].prices[0].amount)
        for command in load_commands()
    }

    assert prices["premium-cotton-t-shirt"] == ("Premium Cotton T-Shirt", Decimal("29.99"))
    assert prices["slim-fit-jeans"] == ("Slim Fit Jeans", Decimal("79.99"))
    assert prices["casual-sneakers"] == ("Casual Sneakers", Decimal("89.99"))
    assert prices["baseball-cap"] == ("Baseball Cap", Decimal("24.99"))
    shirt = load_commands()[0]
    assert shirt.description == "A comfortable t-shirt"
    assert [variant.title for variant in shirt.variants] == ["Small", "Medium", "Large"]


def test_handles_and_skus_are_unique() -> None:
    commands = load_commands()
    skus = [variant.sku for command in commands for variant in command.variants]

    assert len({command.handle for command in commands}) == len(commands)
    assert len(set(skus)) == len(skus)


def test_every_product_has_a_picture_of_its_own_that_is_safe_to_serve() -> None:
    urls = [command.images[0].url for command in load_commands()]

    assert len(set(urls)) == len(urls)
    for url in urls:
        picture = ET.fromstring(  # noqa: S314 - our own files
            (IMAGES / url.removeprefix(IMAGE_PATH)).read_text(encoding="utf-8")
        )
        assert {element.tag.split("}")[1] for element in picture.iter()}.isdisjoint(
            {"script", "image", "foreignObject", "use", "style"}
        )


def test_the_pictures_addresses_can_be_made_absolute() -> None:
    body = load_catalogue("http://shop.example")[0]

    assert body["images"][0]["url"] == "http://shop.example/static/images/t-shirt.svg"


def test_editors_texts_belong_to_products_and_cover_five_languages() -> None:
    handles = {command.handle for command in load_commands()}
    content = load_content()

    assert len(content) >= 12
    assert content.keys() <= handles
    for entry in content.values():
        assert [spec["lang"] for spec in entry["specs"]] == LANGUAGES
        assert set(entry.get("addons", {}).get("handles", [])) <= handles


def test_the_scenarios_texts_are_there() -> None:
    shirt = load_content()["premium-cotton-t-shirt"]
    titles = {spec["lang"]: spec["title"] for spec in shirt["specs"]}

    assert titles["es"] == "Camiseta de Algodón Premium"
    assert titles["fr"] == "T-Shirt en Coton Premium"
    assert shirt["addons"] == {
        "title": "Complete Your Look",
        "handles": ["slim-fit-jeans", "casual-sneakers", "baseball-cap"],
    }
