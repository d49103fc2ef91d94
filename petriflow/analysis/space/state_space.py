"""The state space of a net: every marking that can be reached, breadth first.

A marking is one whole number with a lane of bits for each place. The highest bit of a lane stays
free, so that one subtraction compares all lanes at once: `(m | HIGH) - need` keeps the high bit of
exactly those lanes that hold enough. A firing is one addition. Lanes that overflow are caught and
the exploration begins again with wider ones. Property tests hold this to net/firing.py.
"""

from __future__ import annotations

import sys
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape

from petriflow.analysis.display import states
from petriflow.analysis.space import compiler
from petriflow.analysis.space.graph import Graph, IntGraph, marking_of, trace_to
from petriflow.net import CompiledNet, Marking, Net, compile_net, require_net

#: Told how many markings were found so far, now and then.
Progress = Callable[[int], None]
NARROWEST, NARROWEST_COMPILED = 8, 2


@dataclass(frozen=True, slots=True)
class Pump:
    """A way to grow without end: `trace` leads to a marking, `segment` from there to a larger one.

    The segment can be repeated for ever; `grows` are the places that hold more after it.
    """

    trace: tuple[str, ...]
    segment: tuple[str, ...]
    grows: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StateSpace:
    """What exploration found. The counts are final only if it is `complete`.

    `edges` counts distinct triples of marking, transition and marking; `deadlocks` the markings
    that enable nothing, the proper end included.
    """

    net: Net
    markings: int
    edges: int
    deadlocks: int
    complete: bool
    seconds: float
    pump: Pump | None
    graph: Graph = field(repr=False)

    @property
    def max_tokens_in_place(self) -> int:
        """The most tokens that a place holds in any marking found."""
        return self.graph.most_tokens()[0]

    @property
    def max_tokens_per_marking(self) -> int:
        """The most tokens that any marking found holds on all places together."""
        return self.graph.most_tokens()[1]

    def __str__(self) -> str:
        more = "" if self.complete else " and more"
        told = f"{self.markings:,} markings, {self.edges:,} edges{more}"
        ends = f"{self.deadlocks:,} without a successor"
        return f"{self.net.name}: {told}; {ends}; {self.seconds:.3g} s"

    def __repr__(self) -> str:
        return f"<StateSpace of {self}>"

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>" + states(self, self.markings)

    def marking(self, state: int) -> Marking:
        """The marking of a state, numbered in the order of discovery."""
        return marking_of(self.graph, state)

    def trace(self, state: int) -> tuple[str, ...]:
        """A shortest firing sequence from the initial marking to a state."""
        return trace_to(self.graph, state)


def explore(
    net: Net,
    *,
    initial: Marking | None = None,
    max_markings: int = 1_000_000,
    max_memory: int | None = None,
    edges: bool = True,
    progress: Progress | None = None,
    ranks: Sequence[int] | None = None,
) -> StateSpace:
    """Find every reachable marking.

    Args:
        net: any net; `net.expanded()` for the one that runs.
        initial: where to begin; by default the net's initial marking.
        max_markings: stop after so many markings; the answer is then not `complete`.
        max_memory: stop before the state space takes more bytes than this.
        edges: keep the edges; without them a large space takes a fraction of the memory, and only
            counts, markings and traces can be told of it.
        progress: told now and then how many markings were found.
        ranks: a number for each transition; of the enabled ones only those of the lowest rank
            fire. By default every enabled transition does.

    Exploration also stops where a net is found to grow without end; `pump` tells how. A large net
    goes over to loops compiled by numba, as soon as these are there; without numba, the loops in
    Python go on.

    >>> net = Net.build().places("i", "o").transition("t", "i", "o").done()
    >>> space = explore(net)
    >>> space.markings, space.edges, space.deadlocks, space.complete
    (2, 1, 1, True)
    """
    began = time.perf_counter()
    compiled = compile_net(require_net(net, "explore"))
    first = compiled.vector(net.initial_marking if initial is None else initial)
    found = _explore(compiled, first, max_markings, max_memory, edges, progress, ranks)
    return StateSpace(
        net,
        found.graph.count,
        found.edges,
        found.deadlocks,
        found.complete,
        time.perf_counter() - began,
        found.pump,
        found.graph,
    )


@dataclass(slots=True)
class _Found:
    graph: Graph
    edges: int
    deadlocks: int
    complete: bool
    pump: Pump | None


#: From so many markings on, loading the compiled loops pays; once they are there, from so many.
LARGE, LARGE_ONCE_LOADED = 50_000, 2_000
#: Where ranks decide, so many larger markings that prove no growth are looked at each time.
ENOUGH = 50


def _explore(
    net: CompiledNet,
    first: Sequence[int],
    limit: int,
    max_memory: int | None,
    edges: bool,
    progress: Progress | None,
    ranks: Sequence[int] | None,
) -> _Found:
    numbers = (row.needs + row.consume + row.produce + row.inhibitor for row in net.rows)
    largest = max([*first, *(n for arcs in numbers for _, n in arcs), 1])
    plain_limit = limit
    if max_memory is not None:
        a_state = 150 + len(net.place_ids)  # bytes of a whole number and of what belongs to it
        plain_limit = min(limit, max_memory // a_state)
    width = _wide_enough(largest, NARROWEST)
    hand_over = not any(row.or_join for row in net.rows)
    while True:
        try:
            found = _breadth_first(net, first, width, plain_limit, progress, hand_over, ranks)
            break
        except OverflowError:
            width *= 2
    if found is not None:
        return found
    from petriflow.analysis.space.compiled_space import PackedGraph, explore_compiled

    pump = None

    def may_grow(graph: PackedGraph, small: int, large: int) -> bool:
        nonlocal pump
        path = graph.path(large)
        at = path.index(small)
        pump = _pump(graph, path[: at + 1], path[at:], ranks)
        return pump is not None

    graph, complete = explore_compiled(
        net,
        first,
        _wide_enough(largest, NARROWEST_COMPILED),
        limit,
        progress,
        may_grow=may_grow,
        keep_edges=edges,
        max_memory=max_memory,
        ranks=ranks,
    )
    return _Found(graph, graph.edges, graph.deadlocks, complete, pump)


def _wide_enough(number: int, width: int) -> int:
    while number >= 1 << width - 1:
        width *= 2
    return width


def _breadth_first(
    net: CompiledNet,
    first: Sequence[int],
    width: int,
    limit: int,
    progress: Progress | None,
    hand_over: bool,
    ranks: Sequence[int] | None,
) -> _Found | None:
    """What the loops in Python find; `None` where the compiled ones are to take over."""
    graph = IntGraph(
        net, width, [], array("q"), array("q"), array("q", [0]), array("q"), array("q")
    )
    lane, top = graph.lane, 1 << width - 1
    high = sum(lane(p, top) for p in range(len(net.place_ids)))
    needs, need_high, inhibits, inhibit_high, keeps, adds = [], [], [], [], [], []
    for row in net.rows:
        needs.append(sum(lane(p, n) for p, n in row.needs))
        need_high.append(sum(lane(p, top) for p, _ in row.needs))
        inhibits.append(sum(lane(p, n) for p, n in row.inhibitor))
        inhibit_high.append(sum(lane(p, top) for p, _ in row.inhibitor))
        gone = sum(lane(p, 2 * top - 1) for p in row.reset)
        keeps.append(~gone if row.reset else 0)
        consumed = sum(lane(p, n) for p, n in row.consume)
        produced = sum(lane(p, n) for p, n in row.produce)
        adds.append((produced, consumed) if row.reset else (produced - consumed, 0))
    joins = frozenset(t for t, row in enumerate(net.rows) if row.or_join)
    affects = [row.affects for row in net.rows]
    affected = [frozenset(row.affects) for row in net.rows]

    def enabled(state: int, among: Sequence[int]) -> list[int]:
        lifted = state | high
        able = [
            t
            for t in among
            if lifted - needs[t] & need_high[t] == need_high[t]
            and not (lifted - inhibits[t]) & inhibit_high[t]
        ]
        if joins:  # their rule is no matter of these arcs
            tokens = graph.tokens_of(state)
            able = [t for t in able if t not in joins or net.is_enabled(t, tokens)]
        return able

    states, parent, parent_via = graph.states, graph.parent, graph.parent_via
    start, target, by = graph.start, graph.target, graph.by
    begin = sum(lane(p, n) for p, n in enumerate(first))
    index = {begin: 0}
    states.append(begin)
    parent.append(-1)
    parent_via.append(-1)
    waiting: list[list[int] | None] = [enabled(begin, range(len(net.rows)))]
    deadlocks, current, check_at = 0, 0, 64
    hand_over_at = LARGE_ONCE_LOADED if compiler.loaded() else LARGE
    if not hand_over:
        hand_over_at = sys.maxsize
    while current < len(states):
        state, able = states[current], waiting[current]
        waiting[current] = None
        assert able is not None
        if not able:
            deadlocks += 1
        for t in able if ranks is None else _most_urgent(able, ranks):
            plus, minus = adds[t]
            if t in joins:
                tokens = net.fire(t, graph.tokens_of(state))
                after = sum(lane(p, n) for p, n in enumerate(tokens) if n)
            else:
                after = (state - minus & keeps[t]) + plus if keeps[t] else state + plus
            if after & high:
                raise OverflowError  # a lane is too narrow for the tokens of its place
            known = index.setdefault(after, len(states))
            if known == len(states):
                states.append(after)
                parent.append(current)
                parent_via.append(t)
                same = [u for u in able if u not in affected[t]]
                waiting.append(same + enabled(after, affects[t]))
            target.append(known)
            by.append(t)
        current += 1
        start.append(len(target))
        if len(states) >= check_at or len(states) > limit:
            check_at = 2 * len(states)
            if progress is not None:
                progress(len(states))
            if pump := _find_pump(graph, current, high, ranks):
                return _Found(graph, len(target), deadlocks, False, pump)
            if len(states) > limit:
                return _Found(graph, len(target), deadlocks, False, None)
        if len(states) >= hand_over_at:
            if compiler.ready():
                return None
            hand_over_at += LARGE
    return _Found(graph, len(target), deadlocks, True, None)


def _most_urgent(able: Sequence[int], ranks: Sequence[int]) -> Sequence[int]:
    lowest = min((ranks[t] for t in able), default=0)
    return [t for t in able if ranks[t] == lowest]


def _find_pump(
    graph: IntGraph, frontier: int, high: int, ranks: Sequence[int] | None
) -> Pump | None:
    """A marking of the frontier that covers one on its own path, and what lies between.

    On a net with resets or inhibitors the growth must survive the segment: what grows is neither
    emptied nor tested for absence on the way, nor, with ranks, needed by what would go first.
    Complete in the long run for plain nets, since an infinite breadth-first tree has an infinite
    path (König), and on it markings that cover earlier ones (Dickson). The frontier is looked at
    whenever the number of states has doubled, so small nets never pay, and large ones pay in
    proportion.
    """
    states, parent = graph.states, graph.parent
    # On plain arcs only a marking with more tokens in all can cover another one, so of the earlier
    # ones only those with fewer are looked at; with resets all are, as if each firing added one.
    resets = any(row.reset or row.or_join for row in graph.net.rows)
    gain = [
        1 if resets else sum(n for _, n in row.produce) - sum(n for _, n in row.consume)
        for row in graph.net.rows
    ]
    total, fewer = [0], [-1]
    for n in range(1, len(states)):
        before = parent[n]
        total.append(total[before] + gain[graph.parent_via[n]])
        while before >= 0 and total[before] >= total[n]:
            before = fewer[before]
        fewer.append(before)
    seen = bytearray(len(states))
    best: Pump | None = None
    earliest, failed = len(states), 0
    for leaf in range(frontier, len(states)):
        here = leaf
        while here > 0 and not seen[here]:
            seen[here] = 1
            lifted, tokens = states[here] | high, total[here]
            before = fewer[here] if here < earliest else -1
            while before >= 0:
                # Markings on a path differ, so one that covers another holds more somewhere.
                if (lifted - states[before]) & high == high:
                    path = graph.path(here)
                    at = path.index(before)
                    pump = _pump(graph, path[: at + 1], path[at:], ranks)
                    if pump is not None:
                        best, earliest = pump, here
                        break
                    failed += 1
                    if ranks is not None and failed == ENOUGH:
                        return best
                before = parent[before]
                while before >= 0 and total[before] >= tokens:
                    before = fewer[before]
            here = parent[here]
    return best


def _pump(
    graph: Graph, before: list[int], around: list[int], ranks: Sequence[int] | None
) -> Pump | None:
    net = graph.net
    small, large = graph.tokens(around[0]), graph.tokens(around[-1])
    grows = {p for p, (less, more) in enumerate(zip(small, large, strict=True)) if more > less}
    segment = [graph.via(s) for s in around[1:]]
    for row in (net.rows[t] for t in segment):
        if row.or_join or grows & set(row.reset) or grows & {p for p, _ in row.inhibitor}:
            return None
    if ranks is not None:  # nothing more urgent may come to be enabled by what grows
        last = max(ranks[t] for t in segment)
        for t, row in enumerate(net.rows):
            if ranks[t] < last and grows & {p for p, _ in (*row.needs, *row.consume)}:
                return None
    return Pump(
        tuple(net.transition_ids[graph.via(s)] for s in before[1:]),
        tuple(net.transition_ids[t] for t in segment),
        tuple(net.place_ids[p] for p in sorted(grows)),
    )
