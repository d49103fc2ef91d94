"""Formulas on an explored state space: where they hold, by arrays and fixed points.

What is explored may be a part of all. So a formula has two sets of states: those where it surely
holds, whatever the rest looks like, and those where it may hold. They are equal where the whole
space is known. The fixed points are those of Clarke, Emerson and Sistla (1986); a state satisfies
`EG p` just if it can come, by states with p, to a deadlock or a circle of states with p.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never, cast

import numpy as np

from petriflow.analysis.queries.formula import (
    And,
    AtMostOne,
    Compare,
    Completed,
    Deadlock,
    Enabled,
    Formula,
    Not,
    Or,
    Path,
    Until,
    of_one_marking,
)
from petriflow.analysis.space.graph import Graph, IntGraph

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from petriflow.analysis.space.compiled_space import PackedGraph

    Flags = NDArray[np.bool_]

#: So many states are looked at together.
CHUNK = 1 << 16
#: Sums stay below this in 64 bits; larger ones are added up as Python's whole numbers.
MOST = 1 << 62


class Tokens:
    """The token counts of some consecutive states, a column a place."""

    def __init__(self, graph: Graph, first: int, last: int) -> None:
        self.graph, self.first, self.last = graph, first, last
        self.net = graph.net
        self.columns: dict[int, NDArray[Any]] = {}
        self.table: NDArray[Any] | None = None
        if isinstance(graph, IntGraph):
            size, places = graph.width // 8, len(graph.net.place_ids)
            states = graph.states[first:last]
            if graph.width <= 64:
                packed = b"".join(state.to_bytes(size * places, "little") for state in states)
                self.table = np.frombuffer(packed, f"<u{size}").reshape(len(states), places)
            else:
                self.table = np.array([graph.tokens_of(state) for state in states], object)

    def column(self, place: int) -> NDArray[Any]:
        """How many tokens each of the states has on a place."""
        found = self.columns.get(place)
        if found is None:
            if self.table is not None:
                found = self.table[:, place]
            else:
                graph = cast("PackedGraph", self.graph)
                word, lane = divmod(place, graph.lanes.a_word)
                mask = np.uint64(graph.lanes.top | graph.lanes.top - 1)
                packed = graph.words[self.first : self.last, word]
                found = packed >> np.uint64(lane * graph.lanes.width) & mask
            if found.dtype != object:
                found = found.astype(np.int64)
            self.columns[place] = found
        return found

    def all(self, value: bool) -> Flags:
        """One answer for all the states."""
        return np.full(self.last - self.first, value, np.bool_)

    def compare(self, formula: Compare) -> Flags:
        """Where a comparison holds."""
        columns = [(n, self.column(self.net.place_index[p])) for n, p in formula.terms]
        largest = sum(abs(n) * int(column.max(initial=0)) for n, column in columns)
        small = max(largest, abs(formula.bound), *(abs(n) for n, _ in columns), 0) < MOST
        total: Any = np.zeros(self.last - self.first, np.int64 if small else object)
        for n, column in columns:
            total = total + n * (column if small else column.astype(object))
        found: Flags = COMPARISONS[formula.comparison](total, formula.bound).astype(np.bool_)
        return found

    def enabled(self, t: int) -> Flags:
        """Where a transition is enabled."""
        row = self.net.rows[t]
        able = self.all(True)
        for p, n in row.needs:
            able &= self.column(p) >= n
        for p, n in row.inhibitor:
            able &= self.column(p) < n
        if row.or_join:
            for at in np.flatnonzero(able).tolist():
                able[at] = self.net.is_enabled(t, self.graph.tokens(self.first + at))
        return able

    def deadlock(self) -> Flags:
        """Where nothing is enabled, and it is not the proper end."""
        net = self.net.net
        has_end = net.final or len(net.sinks) == 1
        return self.stuck() & ~self.completed() if has_end else self.stuck()

    def stuck(self) -> Flags:
        """Where nothing is enabled."""
        dead = self.all(True)
        for t in range(len(self.net.rows)):
            dead &= ~self.enabled(t)
        return dead

    def completed(self) -> Flags:
        """Where there is the final marking and nothing besides."""
        net = self.net.net
        final = net.final or {net.sink.id: 1}
        found = self.all(True)
        for p, id in enumerate(self.net.place_ids):
            found &= self.column(p) == final.get(id, 0)
        return found

    def holds(self, formula: Formula) -> Flags:
        """Where a formula without ways holds."""
        match formula:
            case Compare():
                return self.compare(formula)
            case Enabled(transition):
                return self.enabled(self.net.transition_index[transition])
            case Deadlock():
                return self.deadlock()
            case Completed():
                return self.completed()
            case AtMostOne(places):
                marked = np.zeros(self.last - self.first, np.int64)
                for place in places:
                    marked += self.column(self.net.place_index[place]) > 0
                return marked <= 1
            case Not(part):
                return ~self.holds(part)
            case And(parts):
                found = self.all(True)
                for part in parts:
                    found &= self.holds(part)
                return found
            case Or(parts):
                found = self.all(False)
                for part in parts:
                    found |= self.holds(part)
                return found
            case Path() | Until():
                raise AssertionError("a way is no matter of one marking")
            case _:
                assert_never(formula)


COMPARISONS = {
    "<": np.less,
    "<=": np.less_equal,
    "==": np.equal,
    "!=": np.not_equal,
    ">=": np.greater_equal,
    ">": np.greater,
}


def _chunks(graph: Graph) -> Iterator[Tokens]:
    for first in range(0, graph.count, CHUNK):
        yield Tokens(graph, first, min(first + CHUNK, graph.count))


def first_with(graph: Graph, formula: Formula, value: bool) -> int | None:
    """The first state in which a formula without ways is true, or is false."""
    for chunk in _chunks(graph):
        found = chunk.holds(formula) == value
        if found.any():
            return chunk.first + int(found.argmax())
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Bounds:
    """The states where something surely holds, and those where it may hold."""

    surely: Flags
    perhaps: Flags

    def __invert__(self) -> Bounds:
        return Bounds(~self.perhaps, ~self.surely)

    def __and__(self, other: Bounds) -> Bounds:
        return Bounds(self.surely & other.surely, self.perhaps & other.perhaps)

    def __or__(self, other: Bounds) -> Bounds:
        return Bounds(self.surely | other.surely, self.perhaps | other.perhaps)


class Checker:
    """Where formulas hold in an explored space."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        # Both kinds of graph keep their edges in compressed rows; they differ in the arrays.
        rows = cast("PackedGraph", graph)
        start = np.asarray(rows.start)
        self.target = np.asarray(rows.target).astype(np.int64)
        self.source = np.repeat(np.arange(graph.expanded), np.diff(start))
        open = np.arange(graph.count) >= graph.expanded
        dead = np.ones(graph.count, np.bool_)
        dead[self.source] = False
        if open.any():
            dead[open] = np.concatenate([chunk.stuck() for chunk in _chunks(graph)])[open]
        self.dead = dead
        #: the states whose successors are not known
        self.open = open & ~dead
        self._known: dict[int, Bounds] = {}
        true = np.ones(graph.count, np.bool_)
        self.true = Bounds(true, true)

    def _marking(self, formula: Formula) -> Flags:
        return np.concatenate([chunk.holds(formula) for chunk in _chunks(self.graph)])

    def holds(self, formula: Formula) -> Bounds:
        """Where a formula holds."""
        # By identity: a formula's own comparison would look at all of it, for each of its parts.
        found = self._known.get(id(formula))
        if found is None:
            found = self._known[id(formula)] = self._holds(formula)
        return found

    def _holds(self, formula: Formula) -> Bounds:
        if of_one_marking(formula):
            flags = self._marking(formula)
            return Bounds(flags, flags)
        match formula:
            case Not(part):
                return ~self.holds(part)
            case And(parts):
                found = self.true
                for part in parts:
                    found &= self.holds(part)
                return found
            case Or(parts):
                found = ~self.true
                for part in parts:
                    found |= self.holds(part)
                return found
            case Path("E", operator, part):
                return self.some_way(operator, self.holds(part))
            case Path("A", operator, part):
                return ~self.some_way(DUAL[operator], ~self.holds(part))
            case Until("E", keep, goal):
                return self.until(self.holds(keep), self.holds(goal))
            case Until("A", keep, goal):
                kept, missed = self.holds(keep), ~self.holds(goal)
                return ~(self.until(missed, missed & ~kept) | self.always(missed))
            case _:
                raise AssertionError(formula)  # the others are of one marking

    def some_way(self, operator: str, part: Bounds) -> Bounds:
        """Where there is a way on which something holds next, once, or always."""
        match operator:
            case "X":
                return self.next(part)
            case "F":
                return self.until(self.true, part)
            case _:
                return self.always(part)

    def only(self, state: int) -> Flags:
        """This state alone."""
        found = np.zeros(self.graph.count, np.bool_)
        found[state] = True
        return found

    def next(self, part: Bounds) -> Bounds:
        """`EX`."""
        surely, perhaps = self._before(part.surely), self._before(part.perhaps)
        return Bounds(surely, perhaps | self.open)

    def until(self, keep: Bounds, goal: Bounds) -> Bounds:
        """`E[… U …]`."""
        return Bounds(
            self._come(keep.surely, goal.surely),
            self._come(keep.perhaps, goal.perhaps | keep.perhaps & self.open),
        )

    def always(self, part: Bounds) -> Bounds:
        """`EG`."""
        perhaps = self.lasting(part.perhaps) | part.perhaps & self.open
        return Bounds(
            self._come(part.surely, self.lasting(part.surely)), self._come(part.perhaps, perhaps)
        )

    def lasting(self, inside: Flags) -> Flags:
        """The states inside at which a way may end, or that lie on a circle inside."""
        from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

        kept = inside[self.source] & inside[self.target]
        source, target = self.source[kept], self.target[kept]
        _, part = connected_components(self._matrix(source, target), connection="strong")
        on_circle = np.zeros(self.graph.count, np.bool_)
        on_circle[source[part[source] == part[target]]] = True
        return inside & (self.dead | on_circle)

    def _before(self, part: Flags) -> Flags:
        found = np.zeros(self.graph.count, np.bool_)
        found[self.source[part[self.target]]] = True
        return found

    def _come(self, keep: Flags, goal: Flags) -> Flags:
        """Where one can come to a goal by states of the other set: a search backwards."""
        from scipy.sparse.csgraph import breadth_first_order

        goals, root = np.flatnonzero(goal), self.graph.count
        kept = keep[self.source] & ~goal[self.source]
        matrix = self._matrix(
            np.concatenate([self.target[kept], np.full(len(goals), root)]),
            np.concatenate([self.source[kept], goals]),
        )
        reached = breadth_first_order(matrix, root, return_predecessors=False)
        found = np.zeros(root + 1, np.bool_)
        found[reached] = True
        return found[:root]

    def _matrix(self, source: NDArray[Any], target: NDArray[Any]) -> Any:
        """Edges as a sparse matrix; it has a row more, for whoever needs a root."""
        from scipy.sparse import csr_matrix  # type: ignore[import-untyped]

        size, ones = self.graph.count + 1, np.ones(len(source), np.float32)
        return csr_matrix((ones, (source, target)), (size, size))


DUAL = {"X": "X", "F": "G", "G": "F"}
