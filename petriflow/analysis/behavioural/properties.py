"""How a net behaves: what it can reach, where it stops, how full its places get.

Each question looks at the whole state space. Where that is too large, or has no end, the answer
says what is known of the part that was seen, and `unknown` of the rest; for nets that grow without
end, the coverability graph and the search backwards decide what they can. (Murata, Petri nets:
properties, analysis and applications, 1989, section IV. What stays possible is in `liveness.py`.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, overload

from petriflow.analysis.behavioural.coverability import (
    Bound,
    CoverabilityGraph,
    coverability_graph,
    not_plain,
)
from petriflow.analysis.display import Listing
from petriflow.analysis.soundness.notions import Answer
from petriflow.analysis.space.graph import Graph
from petriflow.analysis.space.state_space import StateSpace, explore
from petriflow.net import Marking, Net, replay, require_net
from petriflow.net.errors import DefinitionError, WorkflowNetError

if TYPE_CHECKING:
    import networkx as nx

#: How many ω-markings a question may look at besides.
MOST_NODES = 10_000
#: So many lines of a long list are shown.
SHOWN = 20


def reachability_graph(
    net: Net, *, initial: Marking | None = None, max_markings: int = 100_000
) -> nx.MultiDiGraph:
    """The reachable markings as a networkx graph.

    Nodes are markings; an edge's key and its attribute `transition` are the transition's id.
    `graph.graph` tells `initial`, and `complete`: whether these are all markings. Without it, some
    markings are there without what follows them.

    >>> net = Net.build().places("i", "o").transition("t", "i", "o").done()
    >>> list(reachability_graph(net).edges(keys=True))
    [(Marking('[i]'), Marking('[o]'), 't')]
    """
    import networkx as nx

    require_net(net, "reachability_graph")
    space = explore(net, initial=initial, max_markings=max_markings)
    graph, ids = space.graph, space.graph.net.transition_ids
    markings = [space.marking(n) for n in range(space.markings)]
    drawn = nx.MultiDiGraph(name=net.name, initial=markings[0], complete=space.complete)
    drawn.add_nodes_from(markings)
    for n in range(graph.expanded):
        for t, m in zip(graph.row_via(n), graph.row(n), strict=True):
            drawn.add_edge(markings[n], markings[m], key=ids[t], transition=ids[t])
    return drawn


# -- deadlocks ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Deadlock:
    """A reachable marking that enables nothing, and a shortest way to it; `proper` if it is the
    final marking of the net.
    """

    marking: Marking
    trace: tuple[str, ...]
    proper: bool


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Deadlocks(Listing, Sequence[Deadlock]):
    """The dead markings, those nearest to the initial one first.

    `answer` says whether there are any; with `complete` they are all there.
    """

    net: Net
    complete: bool
    _space: StateSpace = field(repr=False)
    _states: tuple[int, ...] = field(repr=False)

    @overload
    def __getitem__(self, n: int) -> Deadlock: ...
    @overload
    def __getitem__(self, n: slice) -> tuple[Deadlock, ...]: ...
    def __getitem__(self, n: int | slice) -> Deadlock | tuple[Deadlock, ...]:
        if isinstance(n, slice):
            return tuple(self[k] for k in range(*n.indices(len(self))))
        state = self._states[n]
        marking = self._space.marking(state)
        return Deadlock(marking, self._space.trace(state), marking == _end(self.net))

    def __len__(self) -> int:
        return len(self._states)

    @property
    def answer(self) -> Answer:
        """Whether there is a dead marking."""
        return "yes" if self._states else "no" if self.complete else "unknown"

    @property
    def title(self) -> str:
        """What this is, in a line."""
        more = "" if self.complete else f" among the {self._space.markings:,} markings looked at"
        return f"{self.net.name}: {len(self):,} dead marking{'s' * (len(self) != 1)}{more}"

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("marking", "a shortest trace")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The rows of the table."""
        for dead in self[:SHOWN]:
            yield f"{dead.marking}{' (the end)' * dead.proper}", " ".join(dead.trace)
        if len(self) > SHOWN:
            yield f"… and {len(self) - SHOWN:,} more", ""


def deadlocks(
    net: Net, *, initial: Marking | None = None, max_markings: int = 1_000_000
) -> Deadlocks:
    """The reachable markings in which nothing can fire, the proper end included.

    >>> net = (Net.build("n").places("i", "p", "o").transition("t", "i", "o")
    ...     .transition("u", "i", "p").done())
    >>> print(deadlocks(Net(net.name, net.places, net.transitions, final=Marking("o"))))
    n: 2 dead markings
      marking        a shortest trace
      [o] (the end)  t
      [p]            u
    """
    require_net(net, "deadlocks")
    space = explore(net, initial=initial, max_markings=max_markings)
    return Deadlocks(net, space.complete, space, tuple(space.graph.stuck()))


def _end(net: Net) -> Marking | None:
    try:
        return net.final or Marking(net.sink.id)
    except WorkflowNetError:
        return None


# -- bounds ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Bounds(Listing, Mapping[str, Bound]):
    """The most tokens that each place can hold; `trace` tells how it gets them."""

    net: Net
    _bounds: Mapping[str, Bound] = field(repr=False)
    _seen: Mapping[str, int] = field(repr=False)
    _space: StateSpace = field(repr=False)
    _graph: CoverabilityGraph | None = field(repr=False)

    def __getitem__(self, place: str) -> Bound:
        return self._bounds[place]

    def __iter__(self) -> Iterator[str]:
        return iter(self._bounds)

    def __len__(self) -> int:
        return len(self._bounds)

    @property
    def bounded(self) -> Answer:
        """Whether no place can grow without end."""
        told = set(self._bounds.values())
        return "no" if "unbounded" in told else "unknown" if "unknown" in told else "yes"

    def trace(self, place: str, tokens: int) -> tuple[str, ...] | None:
        """A firing sequence to a marking with at least so many tokens on a place, if one is known.

        Raises:
            NetError: there is no such place.
            DefinitionError: it would have more than a million firings.
        """
        at = self._space.graph.net.place_index[self.net.place(place).id]
        states = self._space.graph.holding(at, tokens)
        if states:
            return self._space.trace(states[0])
        pump = self._space.pump
        if pump is not None and place in pump.grows:
            return pump.trace + pump.segment * tokens
        goal = Marking({place: tokens})
        return None if self._graph is None else self._graph.covering(goal)

    @property
    def title(self) -> str:
        """What this is, in a line."""
        numbers = [n for n in self._bounds.values() if isinstance(n, int)]
        told = {
            "yes": f"{max(numbers, default=0)}-bounded",
            "no": "unbounded",
            "unknown": "whether it is bounded is unknown",
        }
        return f"{self.net.name}: {told[self.bounded]}"

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("place", "most tokens")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The rows of the table."""
        for place, bound in self._bounds.items():
            more = f", at least {self._seen[place]}" if bound == "unknown" else ""
            yield place, f"{bound}{more}"


def bounds(net: Net, *, initial: Marking | None = None, max_markings: int = 1_000_000) -> Bounds:
    """The most tokens that each place can hold: a number, `unbounded`, or `unknown` at the limit.

    A net that grows without end is judged by its coverability graph; with resets, inhibitors or
    OR-joins, only of the places that were seen to grow it is known that they do.

    >>> net = (Net.build("shop").place("open", 1).place("orders")
    ...     .transition("order", "open", ["open", "orders"]).done())
    >>> print(bounds(net))
    shop: unbounded
      place   most tokens
      open    1
      orders  unbounded
    """
    require_net(net, "bounds")
    space = explore(net, initial=initial, max_markings=max_markings)
    ids = space.graph.net.place_ids
    most = space.max_tokens_in_place
    seen = {place: _most(space.graph, p, most) for p, place in enumerate(ids)}
    found: dict[str, Bound] = dict(seen)
    graph = None
    if not space.complete:
        grows = () if space.pump is None else space.pump.grows
        found = {place: "unbounded" if place in grows else "unknown" for place in ids}
        graph = coverability_of(space)
        if graph is not None:
            told = graph.bounds()
            found = {p: told[p] if n == "unknown" else n for p, n in found.items()}
    return Bounds(net, found, seen, space, graph)


def _most(graph: Graph, place: int, most: int) -> int:
    """The most tokens on a place, by halving what is possible."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if graph.holding(place, middle):
            low = middle
        else:
            high = middle - 1
    return low


def coverability_of(space: StateSpace) -> CoverabilityGraph | None:
    """The coverability graph of a net that grows without end, where it has one."""
    net = space.net
    if space.pump is None or not_plain(net):
        return None
    try:
        return coverability_graph(net, initial=space.marking(0), max_nodes=MOST_NODES)
    except DefinitionError:  # numbers too large
        return None


# -- answers of one word --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class Finding(Listing):
    """Whether a net has a property, and why.

    Where it has not, `trace` replays from the initial marking to `marking`, which shows it. As a
    truth value a finding is true only where the answer is `yes`.
    """

    net: Net
    what: str
    answer: Answer
    why: str
    trace: tuple[str, ...] | None = None
    marking: Marking | None = None

    def __bool__(self) -> bool:
        return self.answer == "yes"

    @property
    def title(self) -> str:
        """What this is, in a line."""
        return f"{self.net.name}: {self.what}? {self.answer}"

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("why", "after") if self.trace is not None else ("why",)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The rows of the table."""
        yield (self.why,) if self.trace is None else (self.why, " ".join(self.trace) or "(nothing)")


def is_safe(net: Net, *, initial: Marking | None = None, max_markings: int = 1_000_000) -> Finding:
    """Whether no place ever holds more than one token.

    >>> net = Net.build("n").places("i", "o").transition("t", "i", {"o": 2}).done()
    >>> print(is_safe(net))
    n: safe? no
      why              after
      [2*o] is reached  t
    """
    require_net(net, "is_safe")
    space = explore(net, initial=initial, max_markings=max_markings)
    full = [space.graph.holding(p, 2)[:1] for p in range(len(net.places))]
    if any(full):
        trace = space.trace(min(states[0] for states in full if states))
    elif space.pump is not None:
        trace = space.pump.trace + space.pump.segment * 2
    elif space.complete:
        return Finding(net, "safe", "yes", f"all {space.markings:,} markings are safe")
    else:
        return Finding(net, "safe", "unknown", stopped(space))
    marking = _after(space, trace)
    return Finding(net, "safe", "no", f"{marking} is reached", trace, marking)


def stopped(space: StateSpace) -> str:
    """Why a question about a state space that is not complete stays open."""
    if space.pump is not None:
        return f"{', '.join(map(repr, space.pump.grows))} can grow without end"
    return f"{space.markings:,} markings were looked at; raise max_markings to look further"


def _after(space: StateSpace, trace: tuple[str, ...]) -> Marking:
    *_, marking = replay(space.net, trace, space.marking(0))
    return marking
