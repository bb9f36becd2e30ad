"""Every interleaving of small worlds over the real code, and the counter-examples without a guard.

Where an editor brings an old revision back after the last second read, or publishes a deleted
product from an open form, repair is the work of the sweep: that lies outside of these worlds.
"""

import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from tests.model.explorer import CounterExample, Explorer, World
from tests.model.world import (
    Protocol,
    without_delete_guard,
    without_patch_guard,
    without_tombstone_assertion,
    without_tombstone_guard,
)

WORLDS = {
    # The partition changes hands at any moment; whoever held it goes on with what it has in hand.
    "rename": World(("A", "B", "C", "D")),
    "there and back": World(("A", "B", "A", "B")),
    "nothing new": World(("A", "A", "B", "B")),
    "delete at last": World(("A", "B", "A", None)),
    "restore": World(("A", None, "B", "A")),
    "delete twice": World(("A", None, "B", None)),
    "delete first": World((None, "A", None, "B")),
    # An answer is lost after the commit; Sanity may have forgotten the id when it is sent again.
    "lost answers, there and back": World(("A", "B", "A"), loses_answers=True),
    "lost answers, restore": World(("A", None, "B", None), loses_answers=True),
    # The query's index is one write behind.
    "index behind, there and back": World(("A", "B", "A", "C"), index_lags=True),
    "index behind, restore": World(("A", None, "B", None), index_lags=True),
    # Somebody reads any part of the log again.
    "replay, there and back": World(("A", "B", "A"), has_replayer=True),
    "replay, nothing new": World(("A", "A", "B"), has_replayer=True),
    "replay, delete": World(("A", "B", None), has_replayer=True),
    "replay, restore": World(("A", None, "A"), has_replayer=True),
    # An editor opens, publishes and discards drafts, from the product's first day.
    "editor, there and back": World(("A", "B", "A"), edits=3),
    "editor, delete": World(("A", "B", None), edits=2),
    "editor, lost answers": World(("A", "B"), edits=3, loses_answers=True),
    "editor and replay": World(("A", "B"), edits=2, has_replayer=True),
    # He also unpublishes.
    "unpublish, there and back": World(("A", "B", "A"), is_born=True, edits=3, unpublishes=True),
    "unpublish, delete": World(("A", "B", None), is_born=True, edits=3, unpublishes=True),
    "unpublish and replay": World(
        ("A", "B"), is_born=True, edits=2, unpublishes=True, has_replayer=True
    ),
    # A suspended consumer would create what an editor has unpublished since.
    "unpublished before a suspended creation": World(("A", "B"), edits=2, unpublishes=True),
    # A draft opened while the delete is under way is all that a restore finds.
    "draft opened before a delete and a restore": World(("A", None, "B"), edits=2),
}

MUTANTS = {
    "no guard on a patch": (Protocol(edit=without_patch_guard), World(("A", "B", "C"))),
    "no guard before a delete": (
        Protocol(edit=without_delete_guard),
        World(("A", None, "B")),
    ),
    "no guard on a tombstone": (
        Protocol(edit=without_tombstone_guard),
        World(("A", None, "B", None)),
    ),
    "no assertion that there is no tombstone": (
        Protocol(edit=without_tombstone_assertion),
        World(("A", None)),
    ),
    "no trace of a gap": (
        Protocol(traces_gaps=False),
        World(("A", "B", "A"), has_replayer=True),
    ),
    "no second read": (Protocol(reads_again=False), World(("A", "B"), edits=1)),
}


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


def explored(name: str, world: World, capsys: pytest.CaptureFixture[str]) -> CounterExample | None:
    explorer = Explorer(world)
    found = explorer.run()
    with capsys.disabled():
        ending = "all end well" if found is None else found.problem
        sys.stdout.write(f"\n  {name}: {explorer.visited:,} states, {ending}")
    return found


@pytest.mark.parametrize("name", WORLDS)
def test_every_interleaving_ends_well(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = explored(name, WORLDS[name], capsys)

    assert found is None, "\n".join([found.problem, *found.steps])


@pytest.mark.parametrize("name", MUTANTS)
def test_each_guard_is_needed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    protocol, world = MUTANTS[name]

    assert explored(f"real, {name}", world, capsys) is None
    assert explored(name, World(**{**vars(world), "protocol": protocol}), capsys) is not None
