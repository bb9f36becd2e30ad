"""The sample catalogue: products for commerce and texts for the editors, our own work.

`catalogue.json` holds bodies of `POST /admin/products`, `content.json` what editors would write in
Sanity, by handle. Pictures lie under `images/` and are served at `/static/images/`.
"""

import json
from importlib.resources import files
from typing import Any, Final

from pydantic import TypeAdapter

from commerce.command import CreateProduct
from commerce.sample.content import Content

IMAGE_PATH: Final = "/static/images/"

Catalogue: Final = TypeAdapter(list[CreateProduct])
Contents: Final = TypeAdapter(dict[str, Content])


def load_catalogue(base_url: str = "") -> list[dict[str, Any]]:
    """Bodies of `POST /admin/products`; `base_url` is put before the pictures' paths."""
    bodies: list[dict[str, Any]] = _load("catalogue.json")
    for body in bodies:
        for image in body.get("images", []):
            image["url"] = f"{base_url}{image['url']}"
    return bodies


def load_commands(base_url: str = "") -> list[CreateProduct]:
    """The same products, checked, for the catalog."""
    return Catalogue.validate_python(load_catalogue(base_url))


def load_content() -> dict[str, dict[str, Any]]:
    """By handle: `specs` (lang, title, content) and, for some, `addons` (title, handles)."""
    contents = Contents.validate_python(_load("content.json"))
    return {handle: content.model_dump(exclude_none=True) for handle, content in contents.items()}


def _load(name: str) -> Any:
    return json.loads((files(__name__) / name).read_text(encoding="utf-8"))
