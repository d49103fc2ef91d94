"""What was explored of a state space: states, their successors, and how each was found.

`Graph` is what analyses ask of it, in two forms: `IntGraph`, a marking a whole number, for what a
loop in Python explores at once, and `compiled_space.PackedGraph` for millions of markings.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

from petriflow.net import CompiledNet, Marking


class Graph(Protocol):
    """States by number, in the order of discovery, breadth first; 0 is the initial one.

    The first `expanded` states have all their successors here, the others none yet.
    """

    net: CompiledNet

    @property
    def count(self) -> int:
        """How many states were found."""

    @property
    def expanded(self) -> int:
        """How many states, the first ones, have all their successors here."""

    def tokens(self, state: int) -> Sequence[int]:
        """The token counts of a state, by place."""

    def path(self, state: int) -> list[int]:
        """The states on a shortest way to a state, from the first one."""

    def via(self, state: int) -> int:
        """The transition by which a state was found; -1 for the first one."""

    def row(self, state: int) -> Sequence[int]:
        """The successors of a state."""

    def row_via(self, state: int) -> Sequence[int]:
        """The transitions to the successors of a state."""

    def holding(self, place: int, tokens: int) -> list[int]:
        """The states with at least so many tokens on a place."""

    def find(self, tokens: Mapping[int, int]) -> int | None:
        """The state with just these tokens by place, if there is one."""

    def stuck(self) -> list[int]:
        """The expanded states without successors."""

    def fired(self, into: bytearray | None = None) -> set[int]:
        """The transitions that occur; with `into`, those that lead to one of the states in it."""

    def can_reach(self, goals: Iterable[int]) -> bytearray:
        """Which states can reach one of the goals: 1 for each that can, by a search backwards."""

    def most_tokens(self) -> tuple[int, int]:
        """The most tokens on a place, and on all places together, in any state."""


def marking_of(graph: Graph, state: int) -> Marking:
    """The marking of a state."""
    return graph.net.marking(graph.tokens(state))


def trace_to(graph: Graph, state: int) -> tuple[str, ...]:
    """A shortest firing sequence from the initial marking to a state."""
    ids = graph.net.transition_ids
    return tuple(ids[graph.via(s)] for s in graph.path(state)[1:])


def exact(graph: Graph, marking: Marking) -> int | None:
    """The state with this marking, if there is one."""
    return graph.find({graph.net.place_index[p]: n for p, n in marking.items()})


def closed_loop(graph: Graph, free: bytearray) -> list[int]:
    """A bottom strongly connected component among the states that are not free.

    They are closed under successors, so the first component that Tarjan's algorithm completes
    has no way out.
    """
    root = next((n for n in range(graph.count) if not free[n]), None)
    if root is None:
        return []
    number = {root: 0}
    low = {root: 0}
    stack, work = [root], [(root, iter(graph.row(root)))]
    while work:
        state, successors = work[-1]
        for successor in successors:
            if successor not in number:
                number[successor] = low[successor] = len(number)
                stack.append(successor)
                work.append((successor, iter(graph.row(successor))))
                break
            low[state] = min(low[state], number[successor])
        else:
            if low[state] == number[state]:
                return stack[stack.index(state) :]
            work.pop()
            low[work[-1][0]] = min(low[work[-1][0]], low[state])
    return []


@dataclass(slots=True, eq=False)
class IntGraph:
    """States as whole numbers with a lane of bits for each place, successors in compressed rows.

    The successors of state `s` are `target[start[s]:start[s + 1]]`, by transitions `by[…]`.
    """

    net: CompiledNet
    width: int
    states: list[int]
    parent: array[int]
    parent_via: array[int]
    start: array[int]
    target: array[int]
    by: array[int]
    before: tuple[list[int], list[int]] | None = None

    @property
    def count(self) -> int:
        """See `Graph`."""
        return len(self.states)

    @property
    def expanded(self) -> int:
        """See `Graph`."""
        return len(self.start) - 1

    def lane(self, place: int, tokens: int = 1) -> int:
        """So many tokens on a place, as a number to add."""
        return tokens << place * self.width

    def tokens_of(self, state: int) -> list[int]:
        """The token counts of a number, by place."""
        mask = (1 << self.width) - 1
        return [state >> p * self.width & mask for p in range(len(self.net.place_ids))]

    def tokens(self, state: int) -> list[int]:
        """See `Graph`."""
        return self.tokens_of(self.states[state])

    def path(self, state: int) -> list[int]:
        """See `Graph`."""
        return _path(self.parent, state)

    def via(self, state: int) -> int:
        """See `Graph`."""
        return self.parent_via[state]

    def row(self, state: int) -> Sequence[int]:
        """See `Graph`."""
        return self.target[self.start[state] : self.start[state + 1]]

    def row_via(self, state: int) -> Sequence[int]:
        """See `Graph`."""
        return self.by[self.start[state] : self.start[state + 1]]

    def holding(self, place: int, tokens: int) -> list[int]:
        """See `Graph`."""
        at, mask = place * self.width, (1 << self.width) - 1
        return [n for n, state in enumerate(self.states) if state >> at & mask >= tokens]

    def find(self, tokens: Mapping[int, int]) -> int | None:
        """See `Graph`."""
        wanted = sum(self.lane(p, n) for p, n in tokens.items())
        return next((n for n, state in enumerate(self.states) if state == wanted), None)

    def stuck(self) -> list[int]:
        """See `Graph`."""
        return [n for n, (first, last) in enumerate(pairwise(self.start)) if first == last]

    def fired(self, into: bytearray | None = None) -> set[int]:
        """See `Graph`."""
        if into is None:
            return set(self.by)
        return {t for t, state in zip(self.by, self.target, strict=True) if into[state]}

    def can_reach(self, goals: Iterable[int]) -> bytearray:
        """See `Graph`."""
        count = len(self.states)
        degree, sources = self._before()
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

    def _before(self) -> tuple[list[int], list[int]]:
        """The predecessors of state `s`, once for each edge: `sources[degree[s]:degree[s + 1]]`."""
        if self.before is None:
            count = len(self.states)
            degree = [0] * (count + 1)
            for successor in self.target:
                degree[successor + 1] += 1
            for n in range(count):
                degree[n + 1] += degree[n]
            sources = [0] * len(self.target)
            fill = list(degree)
            for state, (first, last) in enumerate(pairwise(self.start)):
                for successor in self.target[first:last]:
                    sources[fill[successor]] = state
                    fill[successor] += 1
            self.before = degree, sources
        return self.before

    def most_tokens(self) -> tuple[int, int]:
        """See `Graph`."""
        lanes = 0
        for state in self.states:
            lanes |= state
        ones = sum(self.lane(p) for p in range(len(self.net.place_ids)))
        if not lanes & ~ones:  # a safe net: each bit is a token
            return int(lanes > 0), max(map(int.bit_count, self.states), default=0)
        kinds: dict[int, Literal["B", "H", "I", "Q"]] = {8: "B", 16: "H", 32: "I", 64: "Q"}
        kind = kinds.get(self.width)
        size = len(self.net.place_ids) * self.width // 8
        if kind is not None and size * len(self.states) > LARGE:
            return _most_tokens_of_many(self, size)
        in_place = in_all = 0
        for state in self.states:
            if kind is None or not size:
                tokens: Sequence[int] = self.tokens_of(state)
            else:
                tokens = memoryview(state.to_bytes(size, sys.byteorder)).cast(kind)
            in_place = max(in_place, max(tokens, default=0))
            in_all = max(in_all, sum(tokens))
        return in_place, in_all


def _path(parent: Sequence[int], state: int) -> list[int]:
    found = [state]
    while (state := parent[state]) >= 0:
        found.append(state)
    return found[::-1]


#: From so many bytes of states on, loading numpy pays.
LARGE = 2_000_000


def _most_tokens_of_many(graph: IntGraph, size: int) -> tuple[int, int]:
    import numpy as np

    kind = np.dtype(f"u{graph.width // 8}")
    in_place = in_all = 0
    for state in graph.states:
        tokens = np.frombuffer(state.to_bytes(size, sys.byteorder), kind)
        in_place = max(in_place, int(tokens.max()))
        in_all = max(in_all, int(tokens.sum()))
    return in_place, in_all
