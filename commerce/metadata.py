"""Metadata: free keys and values of a product or a variant."""

from typing import Any

Metadata = dict[str, Any]


def merged(current: Metadata | None, changes: Metadata | None) -> Metadata | None:
    """The current keys with the changes; `""` removes its key, null removes all of them."""
    if changes is None:
        return None
    together = {**(current or {}), **changes}
    return {key: value for key, value in together.items() if changes.get(key) != ""}
