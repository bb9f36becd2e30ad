"""What editors write about a product."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Language = Literal["en", "es", "fr", "de", "pt"]
Text = Annotated[str, Field(min_length=1)]


class Spec(BaseModel):
    """Title and description in one language."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lang: Language
    title: Text
    content: Text


class Addons(BaseModel):
    """What goes well with a product: a heading and up to three handles."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Text
    handles: list[str] = Field(min_length=1, max_length=3)


class Content(BaseModel):
    """All that editors wrote about one product; English comes first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    specs: list[Spec] = Field(min_length=1)
    addons: Addons | None = None
