"""Pictures of a product."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from commerce.command import ImageInput
from commerce.identifier import NewId


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One picture; `rank` is its place, starting at 0."""

    id: str
    url: str
    rank: int
    created_at: datetime


def replace_images(
    current: Sequence[Image], wanted: Sequence[ImageInput], now: datetime, new_id: NewId
) -> tuple[Image, ...]:
    """The wanted list of pictures; one that was there before (same id or address) keeps its id."""
    known = {image.id: image for image in current}
    images = []
    for rank, entry in enumerate(wanted):
        same = known.get(entry.id or "") or next(
            (image for image in known.values() if image.url == entry.url), None
        )
        if same is None:
            images.append(Image(id=new_id("image"), url=entry.url, rank=rank, created_at=now))
        else:
            del known[same.id]
            images.append(replace(same, url=entry.url, rank=rank))
    return tuple(images)
