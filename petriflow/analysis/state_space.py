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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from petriflow.net import CompiledNet, Marking, Net, compile_net, require_net

#: Told how many markings were found so far, now and then.
Progress = Callable[[int], None]
NARROWEST = 8


@dataclass(frozen=True, slots=True)
class Pump:
    """A way to grow without end: `trace` leads to a marking, `segment` from there to a larger one.

    The segment can be repeated for ever; `grows` are the places that hold more after it.
    """

    trace: tuple[str, ...]
    segment: tuple[str, ...]
    grows: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class StateSpace:
    """What exploration found. The counts are final only if it is `complete`.

    `edges` counts distinct triples of marking, transition and marking; `deadlocks` the markings
    that enable nothing, the proper end included.
    """

    net: Net
    markings: int
    edges: int
    deadlocks: int
    max_tokens_in_place: int
    max_tokens_per_marking: int
    complete: bool
    seconds: float
    pump: Pump | None
    graph: Graph = field(repr=False)

    def marking(self, state: int) -> Marking:
        """The marking of a state, numbered in the order of discovery."""
        return self.graph.marking(self.graph.states[state])

    def trace(self, state: int) -> tuple[str, ...]:
        """A shortest firing sequence from the initial marking to a state."""
        return self.graph.trace(state)


@dataclass(slots=True, eq=False)
class Graph:
    """States as whole numbers, with their successors in compressed rows and their parents.

    The successors of state `s` are `target[start[s]:start[s + 1]]`, by transitions `via[…]`.
    States that were found but not expanded have no row.
    """

    net: CompiledNet
    width: int
    states: list[int]
    parent: array[int]
    parent_via: array[int]
    start: array[int]
    target: array[int]
    via: array[int]

    def lane(self, place: int, tokens: int = 1) -> int:
        """So many tokens on a place, as a number to add."""
        return tokens << place * self.width

    def tokens(self, state: int) -> list[int]:
        """The token counts of a number, by place."""
        mask = (1 << self.width) - 1
        return [state >> p * self.width & mask for p in range(len(self.net.place_ids))]

    def marking(self, state: int) -> Marking:
        """The marking of a number."""
        return self.net.marking(self.tokens(state))

    def path(self, state: int) -> list[int]:
        """The states on the way to a state, from the first one."""
        found = [state]
        while (state := self.parent[state]) >= 0:
            found.append(state)
        return found[::-1]

    def trace(self, state: int) -> tuple[str, ...]:
        """The transitions on the way to a state."""
        ids = self.net.transition_ids
        return tuple(ids[self.parent_via[s]] for s in self.path(state)[1:])

    def holding(self, place: int, tokens: int) -> list[int]:
        """The states with at least so many tokens on a place."""
        at, mask = place * self.width, (1 << self.width) - 1
        return [n for n, state in enumerate(self.states) if state >> at & mask >= tokens]

    def can_reach(self, goals: Iterable[int]) -> bytearray:
        """Which states can reach one of the goals: 1 for each that can, by a search backwards."""
        count = len(self.states)
        degree = [0] * (count + 1)
        for successor in self.target:
            degree[successor + 1] += 1
        for n in range(count):
            degree[n + 1] += degree[n]
        sources = [0] * len(self.target)
        fill = list(degree)
        for state, (first, last) in enumerate(pairwise(self.start)):
            for e in range(first, last):
                sources[fill[self.target[e]]] = state
                fill[self.target[e]] += 1
        reached = bytearray(count)
        waiting = list(goals)
        for n in waiting:
            reached[n] = 1
        while waiting:
            n = waiting.pop()
            for m in sources[degree[n] : degree[n + 1]]:
                if not reached[m]:
                    reached[m] = 1
                    waiting.append(m)
        return reached

    def row(self, state: int) -> Sequence[int]:
        """The successors of a state."""
        return self.target[self.start[state] : self.start[state + 1]]

    @property
    def expanded(self) -> int:
        """How many states, the first ones, have all their successors here."""
        return len(self.start) - 1


def explore(
    net: Net,
    *,
    initial: Marking | None = None,
    max_markings: int = 1_000_000,
    progress: Progress | None = None,
) -> StateSpace:
    """Find every reachable marking.

    Args:
        net: any net; `net.expanded()` for the one that runs.
        initial: where to begin; by default the net's initial marking.
        max_markings: stop after so many markings; the answer is then not `complete`.
        progress: told now and then how many markings were found.

    Exploration also stops where a net is found to grow without end; `pump` tells how.

    >>> net = Net.build().places("i", "o").transition("t", "i", "o").done()
    >>> space = explore(net)
    >>> space.markings, space.edges, space.deadlocks, space.complete
    (2, 1, 1, True)
    """
    began = time.perf_counter()
    compiled = compile_net(require_net(net, "explore"))
    first = compiled.vector(net.initial_marking if initial is None else initial)
    numbers = [w for t in net.transitions for _, _, w in t.arcs()]
    width = NARROWEST
    while max([*first, *numbers, 1]) >= 1 << width - 1:
        width *= 2
    while True:
        try:
            graph, pump, complete, deadlocks = _breadth_first(
                compiled, first, width, max_markings, progress
            )
            break
        except OverflowError:
            width *= 2
    in_place, in_all = _most_tokens(graph)
    return StateSpace(
        net,
        len(graph.states),
        len(graph.target),
        deadlocks,
        in_place,
        in_all,
        complete,
        time.perf_counter() - began,
        pump,
        graph,
    )


def _breadth_first(
    net: CompiledNet, first: Sequence[int], width: int, limit: int, progress: Progress | None
) -> tuple[Graph, Pump | None, bool, int]:
    graph = Graph(net, width, [], array("q"), array("q"), array("q", [0]), array("q"), array("q"))
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
            tokens = graph.tokens(state)
            able = [t for t in able if t not in joins or net.is_enabled(t, tokens)]
        return able

    states, parent, parent_via = graph.states, graph.parent, graph.parent_via
    start, target, via = graph.start, graph.target, graph.via
    begin = sum(lane(p, n) for p, n in enumerate(first))
    index = {begin: 0}
    states.append(begin)
    parent.append(-1)
    parent_via.append(-1)
    waiting: list[list[int] | None] = [enabled(begin, range(len(net.rows)))]
    deadlocks, current, check_at = 0, 0, 64
    while current < len(states):
        state, able = states[current], waiting[current]
        waiting[current] = None
        assert able is not None
        if not able:
            deadlocks += 1
        for t in able:
            plus, minus = adds[t]
            if t in joins:
                tokens = net.fire(t, graph.tokens(state))
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
            via.append(t)
        current += 1
        start.append(len(target))
        if len(states) >= check_at or len(states) > limit:
            check_at = 2 * len(states)
            if progress is not None:
                progress(len(states))
            if pump := _find_pump(graph, current, high):
                return graph, pump, False, deadlocks
            if len(states) > limit:
                return graph, None, False, deadlocks
    return graph, None, True, deadlocks


def _find_pump(graph: Graph, frontier: int, high: int) -> Pump | None:
    """A marking of the frontier that covers one on its own path, and what lies between.

    On a net with resets or inhibitors the growth must survive the segment: what grows is neither
    emptied nor tested for absence on the way. Complete in the long run for plain nets, since an
    infinite breadth-first tree has an infinite path (König), and on it markings that cover earlier
    ones (Dickson). The frontier is looked at whenever the number of states has doubled, so small
    nets never pay, and large ones pay in proportion.
    """
    states = graph.states
    seen: set[int] = set()
    best: Pump | None = None
    shortest = sys.maxsize
    for leaf in range(frontier, len(states)):
        path = graph.path(leaf)
        for j in range(1, min(len(path), shortest)):
            if path[j] in seen:  # looked at on the way to another leaf
                continue
            seen.add(path[j])
            lifted = states[path[j]] | high
            for i in range(j):
                # Markings on a path differ, so one that covers another holds more somewhere.
                if (lifted - states[path[i]]) & high == high:
                    pump = _pump(graph, path[: i + 1], path[i : j + 1])
                    if pump is not None:
                        best, shortest = pump, j
                        break
            if shortest == j:
                break
    return best


def _pump(graph: Graph, before: list[int], around: list[int]) -> Pump | None:
    net = graph.net
    small, large = graph.tokens(graph.states[around[0]]), graph.tokens(graph.states[around[-1]])
    grows = {p for p, (less, more) in enumerate(zip(small, large, strict=True)) if more > less}
    segment = [graph.parent_via[s] for s in around[1:]]
    for row in (net.rows[t] for t in segment):
        if row.or_join or grows & set(row.reset) or grows & {p for p, _ in row.inhibitor}:
            return None
    return Pump(
        tuple(net.transition_ids[graph.parent_via[s]] for s in before[1:]),
        tuple(net.transition_ids[t] for t in segment),
        tuple(net.place_ids[p] for p in sorted(grows)),
    )


def _most_tokens(graph: Graph) -> tuple[int, int]:
    """The most tokens that a place holds, and that all places hold together, in any state."""
    kinds: dict[int, Literal["B", "H", "I", "Q"]] = {8: "B", 16: "H", 32: "I", 64: "Q"}
    kind = kinds.get(graph.width)
    size = len(graph.net.place_ids) * graph.width // 8
    if kind is not None and size * len(graph.states) > LARGE:
        return _most_tokens_of_many(graph, size)
    in_place = in_all = 0
    for state in graph.states:
        if kind is None or not size:
            tokens: Sequence[int] = graph.tokens(state)
        else:
            tokens = memoryview(state.to_bytes(size, sys.byteorder)).cast(kind)
        in_place = max(in_place, max(tokens, default=0))
        in_all = max(in_all, sum(tokens))
    return in_place, in_all


#: From so many bytes of states on, loading numpy pays.
LARGE = 2_000_000


def _most_tokens_of_many(graph: Graph, size: int) -> tuple[int, int]:
    import numpy as np

    kind = np.dtype(f"u{graph.width // 8}")
    in_place = in_all = 0
    for state in graph.states:
        tokens = np.frombuffer(state.to_bytes(size, sys.byteorder), kind)
        in_place = max(in_place, int(tokens.max()))
        in_all = max(in_all, int(tokens.sum()))
    return in_place, in_all
