"""Every interleaving of a small world, depth first; states that were seen are not entered again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from consumer.document import Document
from tests.model.world import DRAFT, FRESH, STALE, Actor, Protocol, Stepper, born
from tests.unit.consumer.fake_content_lake import Body, Dataset
from tests.unit.consumer.samples import PRODUCT, TOMBSTONE

NOBODY: Final = -1
NO_MOVE: Final = ("", 0, 0)
Move = tuple[str, int, int]  # who (or what), and the actor before and after
REAL: Final = Protocol()


@dataclass(frozen=True)
class World:
    """What may happen: the product's titles (None: deleted), and who else is about."""

    history: Sequence[str | None]
    is_born: bool = False  # the first event has been applied before anything else happens
    edits: int = 0  # how many things an editor does
    unpublishes: bool = False  # that may be one of them
    has_replayer: bool = False
    loses_answers: bool = False
    index_lags: bool = False  # a query may show the dataset as it was before the last write
    protocol: Protocol = REAL


class State(NamedTuple):
    """All of a world at one moment, by numbers."""

    dataset: int
    lagging: int  # what an index that is behind shows
    owner: int  # the consumer that holds the partition at first
    successor: int  # the one that took it over, if any; the first may still go on with its batch
    replayer: int
    committed: int
    edits_left: int
    is_hidden: bool  # an editor has unpublished the product


@dataclass(frozen=True)
class CounterExample:
    """How a world came to a state that must not be."""

    problem: str
    steps: list[str]


class Explorer:
    """Walks through a world; `visited` counts its states."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stepper = Stepper(world.history, world.protocol)
        self._gone = self._stepper.number(Actor("gone"))
        self._replays = [
            self._stepper.number(Actor(first=each, start=each))
            for each in range(len(world.history))
        ]
        self._rests: dict[tuple[int, bool], str | None] = {}
        self.visited = 0

    def run(self) -> CounterExample | None:
        """The first counter-example; None where every interleaving ends well."""
        dataset = self._stepper.intern(born() if self._world.is_born else {})
        committed = int(self._world.is_born)
        owner = self._stepper.number(Actor(first=committed, start=committed))
        start = State(
            dataset=dataset,
            lagging=dataset,
            owner=owner,
            successor=NOBODY,
            replayer=self._replays[0] if self._world.has_replayer else NOBODY,
            committed=committed,
            edits_left=self._world.edits,
            is_hidden=False,
        )
        seen = {start}
        path: list[tuple[Move, Iterator[tuple[Move, State, str | None]]]] = [
            (NO_MOVE, self._next(start))
        ]
        while path:
            for move, state, harm in path[-1][1]:
                if harm is None and state in seen:
                    continue
                seen.add(state)
                path.append((move, self._next(state)))
                problem = harm or self._problem(state)
                if problem:
                    self.visited = len(seen)
                    return CounterExample(problem, [self._text(each) for each, _ in path[1:]])
                break
            else:
                path.pop()
        self.visited = len(seen)
        return None

    def _text(self, move: Move) -> str:
        who, before, after = move
        actors = self._stepper.actors
        if before == after:
            return who
        records = f"{actors[before].start + 1} to {actors[before].end}"
        return f"{who}: {actors[before].phase} {records}, then {actors[after].phase}"

    def _problem(self, state: State) -> str | None:
        """What is wrong once the partition's holder has applied and committed everything.

        Whatever the others still have in hand must not change that any more.
        """
        holder = state.owner if state.successor == NOBODY else state.successor
        is_done = state.committed == len(self._world.history)
        if not is_done or self._stepper.actors[holder].phase != "idle":
            return None
        key = (state.dataset, state.is_hidden)
        if key not in self._rests:
            self._rests[key] = self._wrong_at_rest(*key)
        return self._rests[key]

    def _wrong_at_rest(self, dataset: int, is_hidden: bool) -> str | None:
        documents = dict(self._stepper.datasets[dataset])
        tombstone = documents.pop(TOMBSTONE, None)
        newest = self._world.history[-1]
        if newest is None:
            is_buried = tombstone is not None and Document(tombstone).sync.revision == len(
                self._world.history
            )
            return None if is_buried and not documents else "deleted, and yet not gone"
        lowest = min((Document(each).sync.revision for each in documents.values()), default=0)
        if tombstone is not None and Document(tombstone).sync.revision >= lowest:
            return "a tombstone of a product that exists"
        if any(body["title"] != newest for body in documents.values()):
            return "an old title"
        if (PRODUCT in documents) is is_hidden:
            return "published against the editor's will" if is_hidden else "missing"
        return None

    def _next(self, state: State) -> Iterator[tuple[Move, State, str | None]]:
        if state.successor == NOBODY:
            yield from self._holder("owner", state)
            taken = Actor(first=state.committed, start=state.committed)
            successor = self._stepper.number(taken)
            yield ("takeover", successor, successor), state._replace(successor=successor), None
        else:
            yield from self._holder("successor", state)
            yield from self._zombie(state)
        if state.replayer != NOBODY:
            yield from self._replay(state)
        if state.edits_left:
            yield from self._edit(state)

    def _holder(self, name: str, state: State) -> Iterator[tuple[Move, State, str | None]]:
        number: int = getattr(state, name)
        actor = self._stepper.actors[number]
        if actor.phase == "idle":
            for taken in self._stepper.taken(number):
                yield from self._go(name, state, taken)
        elif actor.phase == "commit":
            idle = self._stepper.number(Actor(first=actor.first, start=actor.end))
            after = _moved(state, name, idle)._replace(committed=actor.end)
            yield (name, number, idle), after, None
        else:
            yield from self._go(name, state, number)

    def _zombie(self, state: State) -> Iterator[tuple[Move, State, str | None]]:
        """A consumer that has lost its partition and does not know goes on with its batch."""
        phase = self._stepper.actors[state.owner].phase
        if phase in {"idle", "commit"}:
            yield ("owner", state.owner, self._gone), state._replace(owner=self._gone), None
        elif phase != "gone":
            yield from self._go("owner", state, state.owner)

    def _replay(self, state: State) -> Iterator[tuple[Move, State, str | None]]:
        phase = self._stepper.actors[state.replayer].phase
        if phase == "idle":
            for first in self._replays:
                for taken in self._stepper.taken(first):
                    yield from self._go("replayer", state, taken)
        elif phase == "commit":
            move = ("replayer", state.replayer, self._gone)
            yield move, state._replace(replayer=self._gone), None
        elif phase != "gone":
            yield from self._go("replayer", state, state.replayer)

    def _go(self, name: str, state: State, number: int) -> Iterator[tuple[Move, State, str | None]]:
        views = [state.dataset]
        if self._world.index_lags and self._stepper.actors[number].phase == "read":
            views.append(state.lagging)
        for seen in views:
            outcomes = self._stepper.step(
                number, state.dataset, seen, may_lose=self._world.loses_answers
            )
            for outcome in outcomes:
                after = state
                if outcome.touched:
                    after = self._written(state, outcome.dataset, outcome.touched)
                after = _moved(after, name, outcome.actor)
                yield (name, number, outcome.actor), after, outcome.problem

    def _written(self, state: State, dataset: int, touched: frozenset[str]) -> State:
        """The state after a write: whoever has read the documents before has read old ones."""
        outdated = self._stepper.outdated
        return state._replace(
            dataset=dataset,
            lagging=self._behind(state.dataset, touched) if self._world.index_lags else 0,
            owner=outdated(state.owner, touched),
            successor=state.successor
            if state.successor == NOBODY
            else outdated(state.successor, touched),
            replayer=state.replayer
            if state.replayer == NOBODY
            else outdated(state.replayer, touched),
        )

    def _behind(self, dataset: int, touched: frozenset[str]) -> int:
        return self._stepper.intern(
            {
                id_: {**body, "_rev": STALE if id_ in touched else FRESH}
                for id_, body in self._stepper.datasets[dataset].items()
            }
        )

    def _edit(self, state: State) -> Iterator[tuple[Move, State, str | None]]:
        before = self._stepper.datasets[state.dataset]
        text = f"text {state.edits_left}"
        for what, after in _edits(before, text):
            if what == "unpublishes" and not self._world.unpublishes:
                continue
            touched = frozenset(
                id_ for id_ in before.keys() | after.keys() if before.get(id_) is not after.get(id_)
            )
            hidden = {"publishes": False, "unpublishes": True}.get(what, state.is_hidden)
            edited = self._written(state, self._stepper.intern(after), touched)
            left = edited._replace(edits_left=state.edits_left - 1, is_hidden=hidden)
            yield (f"editor {what}", self._gone, self._gone), left, None


def _moved(state: State, name: str, actor: int) -> State:
    match name:
        case "owner":
            return state._replace(owner=actor)
        case "successor":
            return state._replace(successor=actor)
    return state._replace(replayer=actor)


def _edits(dataset: Dataset, text: str) -> Iterator[tuple[str, Dataset]]:
    """What an editor can do in the Studio, each as one action of Sanity's."""
    published, draft = dataset.get(PRODUCT), dataset.get(DRAFT)
    rest = {id_: body for id_, body in dataset.items() if id_ not in {PRODUCT, DRAFT}}
    if published and not draft:
        yield "opens a draft", {**dataset, DRAFT: _written(published, DRAFT, text)}
    if draft:
        yield "publishes", {**rest, PRODUCT: _renamed(draft, PRODUCT)}
    if published and draft:
        yield "discards the draft", {**rest, PRODUCT: published}
    if published:
        yield "unpublishes", {**rest, DRAFT: draft or _renamed(published, DRAFT)}


def _written(body: Body, id_: str, text: str) -> Body:
    specs = [{**body["specs"][0], "content": text}]
    return {**_renamed(body, id_), "specs": specs}


def _renamed(body: Body, id_: str) -> Body:
    return {**body, "_id": id_, "_rev": FRESH}
