"""Exploring large nets by compiled loops; `state_space.explore` calls it when that pays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from petriflow.analysis.space import kernels
from petriflow.net import CompiledNet

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: So many markings are expanded between two looks at the limits, the progress and Ctrl-C.
BATCH = 50_000
#: So many edges fit into one part of the buffer.
EDGES = 1 << 22


class Lanes:
    """How the places lie in the words of a marking, and arcs in that form."""

    def __init__(self, net: CompiledNet, width: int) -> None:
        self.net, self.width = net, width
        self.a_word = 64 // width
        self.words = max(1, -(-len(net.place_ids) // self.a_word))
        self.top = 1 << width - 1
        self.high = self.packed((p, self.top) for p in range(len(net.place_ids)))

    def packed(self, tokens: Iterable[tuple[int, int]]) -> NDArray[np.uint64]:
        """Numbers of tokens by place, as words."""
        row = [0] * self.words
        for p, n in tokens:
            row[p // self.a_word] += n << p % self.a_word * self.width
        return np.array(row, np.uint64)

    def unpacked(self, rows: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Markings as rows of token counts."""
        mask = np.uint64(self.top | self.top - 1)
        parts = [rows >> np.uint64(n * self.width) & mask for n in range(self.a_word)]
        tokens = np.stack(parts, axis=-1).reshape(len(rows), -1)
        return tokens[:, : len(self.net.place_ids)]

    def sparse(self, rows: Iterable[Sequence[NDArray[np.uint64]]]) -> list[NDArray[Any]]:
        """Rows of words, each given with its masks, as those words whose last column is not zero:
        where each row starts, which words these are, and the values of each column.
        """
        start, word = [0], []
        columns: list[list[int]] = [[], []]
        for parts in rows:
            for w in np.flatnonzero(parts[-1]):
                word.append(w)
                for column, part in zip(columns, parts, strict=False):
                    column.append(int(part[w]))
            start.append(len(word))
        values = [np.array(column, np.uint64) for column in columns]
        return [np.array(start, np.int64), np.array(word, np.int64), *values]

    def arcs(self, coefficients: NDArray[np.uint64]) -> list[Any]:
        """All arcs, as the arguments of `kernels.expand`."""
        rows, top = self.net.rows, self.top
        need = self.sparse(
            (self.packed(r.needs), self.packed((p, top) for p, _ in r.needs)) for r in rows
        )
        inhibit = self.sparse(
            (self.packed(r.inhibitor), self.packed((p, top) for p, _ in r.inhibitor)) for r in rows
        )
        consume, produce = (
            np.array([self.packed(arcs) for arcs in kind], np.uint64).reshape(-1, self.words)
            for kind in ([r.consume for r in rows], [r.produce for r in rows])
        )
        change = produce - consume  # modulo 2**64, as the sums in the kernel are
        add_hash = (change * coefficients).sum(axis=1, dtype=np.uint64)
        with_reset = [t for t, r in enumerate(rows) if r.reset]
        resets = np.full(len(rows), -1, np.int64)
        resets[with_reset] = np.arange(len(with_reset))
        gone = [self.packed((p, top | top - 1) for p in rows[t].reset) for t in with_reset]
        keep = ~np.array(gone, np.uint64).reshape(-1, self.words)
        add = self.sparse((row,) for row in change)[:3]
        return [
            *need, *inhibit, *add, add_hash,
            resets, consume[with_reset], keep, produce[with_reset],
        ]  # fmt: skip


@dataclass(slots=True, eq=False)
class PackedGraph:
    """A state space as arrays: a marking is a row of words. See `graph.Graph`."""

    net: CompiledNet
    lanes: Lanes
    words: NDArray[np.uint64]
    parent: NDArray[np.int32]
    parent_via: NDArray[np.int32]
    start: NDArray[np.int64]
    target: NDArray[np.int32]
    by: NDArray[np.int32]
    edges: int
    expanded: int
    #: the deadlocks, where no edges are kept to tell them
    deadlocks: int = field(default=0)

    @property
    def count(self) -> int:
        """See `Graph`."""
        return len(self.words)

    def tokens(self, state: int) -> list[int]:
        """See `Graph`."""
        (found,) = self.lanes.unpacked(self.words[state : state + 1])
        return [int(n) for n in found]

    def path(self, state: int) -> list[int]:
        """See `Graph`."""
        found = [state]
        while (state := int(self.parent[state])) >= 0:
            found.append(state)
        return found[::-1]

    def via(self, state: int) -> int:
        """See `Graph`."""
        return int(self.parent_via[state])

    def row(self, state: int) -> Sequence[int]:
        """See `Graph`."""
        found: list[int] = self.target[self.start[state] : self.start[state + 1]].tolist()
        return found

    def row_via(self, state: int) -> Sequence[int]:
        """See `Graph`."""
        found: list[int] = self.by[self.start[state] : self.start[state + 1]].tolist()
        return found

    def holding(self, place: int, tokens: int) -> list[int]:
        """See `Graph`."""
        word, lane = divmod(place, self.lanes.a_word)
        mask = np.uint64(self.lanes.top | self.lanes.top - 1)
        held = self.words[:, word] >> np.uint64(lane * self.lanes.width) & mask
        found: list[int] = np.flatnonzero(held >= np.uint64(tokens)).tolist()
        return found

    def find(self, tokens: Mapping[int, int]) -> int | None:
        """See `Graph`."""
        if any(n >= self.lanes.top for n in tokens.values()):
            return None
        row = self.lanes.packed(tokens.items())
        found = np.flatnonzero((self.words == row).all(axis=1))
        return int(found[0]) if len(found) else None

    def stuck(self) -> list[int]:
        """See `Graph`."""
        found: list[int] = np.flatnonzero(np.diff(self.start) == 0).tolist()
        return found

    def fired(self, into: bytearray | None = None) -> set[int]:
        """See `Graph`."""
        by = self.by
        if into is not None:
            by = by[np.frombuffer(into, np.uint8)[self.target] == 1]
        return set(np.unique(by).tolist())

    def can_reach(self, goals: Iterable[int]) -> bytearray:
        """See `Graph`."""
        wanted = np.fromiter(goals, np.int64)
        reached = kernels.reach_back(self.start, self.target, wanted, self.count, self.expanded)
        return bytearray(reached.tobytes())

    def most_tokens(self) -> tuple[int, int]:
        """See `Graph`."""
        in_place = in_all = 0
        for n in range(0, self.count, 100_000):
            tokens = self.lanes.unpacked(self.words[n : n + 100_000])
            in_place = max(in_place, int(tokens.max(initial=0)))
            in_all = max(in_all, int(tokens.sum(axis=1).max(initial=0)))
        return in_place, in_all


def explore_compiled(
    net: CompiledNet,
    first: Sequence[int],
    width: int,
    limit: int,
    progress: Callable[[int], None] | None,
    *,
    may_grow: Callable[[PackedGraph, int, int], bool] | None = None,
    keep_edges: bool = True,
    max_memory: int | None = None,
    ranks: Sequence[int] | None = None,
) -> tuple[PackedGraph, bool]:
    """All markings, breadth first, and whether these are all; OR-joins are not for this form.

    Args:
        net, first: the net, and the token counts to begin with.
        width: the bits for the tokens of a place; twice as many are tried when they do not fit.
        limit: stop after so many markings.
        progress: told now and then how many markings were found.
        may_grow: asked about a state that covers another on its way; `True` ends the exploration.
        keep_edges: without, only the counts of edges and deadlocks are kept.
        max_memory: stop before the arrays take more bytes than this.
        ranks: of the enabled transitions only those of the lowest rank fire.
    """
    rank = np.array(ranks or [0] * len(net.rows), np.int64)
    while True:
        try:
            return _explore(
                net, first, width, limit, progress, may_grow, keep_edges, max_memory, rank
            )
        except OverflowError:
            width *= 2


def _explore(
    net: CompiledNet,
    first: Sequence[int],
    width: int,
    limit: int,
    progress: Callable[[int], None] | None,
    may_grow: Callable[[PackedGraph, int, int], bool] | None,
    keep_edges: bool,
    max_memory: int | None,
    rank: NDArray[np.int64],
) -> tuple[PackedGraph, bool]:
    lanes = Lanes(net, width)
    dice = np.random.default_rng(1)
    coefficients = dice.integers(1, 2**63, lanes.words, np.uint64) * np.uint64(2) + np.uint64(1)
    arcs = lanes.arcs(coefficients)
    if max_memory is not None:
        limit = min(limit, max_memory // (8 * lanes.words + 20))
    room = min(limit, 2**31 - 1 - BATCH) + len(net.rows) + 2
    words = np.empty((room, lanes.words), np.uint64)
    parent, parent_via = np.empty(room, np.int32), np.empty(room, np.int32)
    words[0] = lanes.packed((p, n) for p, n in enumerate(first) if n)
    parent[0] = parent_via[0] = -1
    start = np.zeros(room + 1 if keep_edges else 1, np.int64)
    table = _table(1, words, coefficients)
    state = np.array([1, 0, 0, 0, 0], np.int64)
    parts: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
    size = max(EDGES, len(net.rows)) if keep_edges else 1
    target, via = np.empty(size, np.int32), np.empty(size, np.int32)

    def graph(parts: list[tuple[NDArray[np.int32], NDArray[np.int32]]]) -> PackedGraph:
        count, expanded, _, edges, deadlocks = (int(n) for n in state)
        ends = start[: expanded + 1] if keep_edges else start
        targets, vias = (np.concatenate(part) for part in zip(*parts, strict=True))
        return PackedGraph(
            net, lanes, words[:count], parent[:count], parent_via[:count], ends, targets, vias,
            edges, expanded, deadlocks,
        )  # fmt: skip

    check_at = 64
    while True:
        why = kernels.expand(
            words, parent, parent_via, table, coefficients, lanes.high, *arcs, rank,
            start, target, via, keep_edges, state, BATCH,
        )  # fmt: skip
        count = int(state[0])
        if why == kernels.OVERFLOW:
            raise OverflowError
        if progress is not None:
            progress(count)
        if may_grow is not None and (count >= check_at or why == kernels.LIMIT):
            check_at = 2 * count
            seen = np.zeros(count, np.bool_)
            large, small = kernels.covering(words, parent, lanes.high, int(state[1]), count, seen)
            if large >= 0 and may_grow(graph([(target[:0], via[:0])]), small, large):
                break
        if why == kernels.TABLE_FULL:
            del table
            table = _table(count, words, coefficients)
        elif why == kernels.EDGES_FULL:
            parts.append((target[: state[2]], via[: state[2]]))
            target, via = np.empty(size, np.int32), np.empty(size, np.int32)
            state[2] = 0
        elif why != kernels.RUNNING or count > limit:
            break
        if (
            max_memory is not None
            and keep_edges
            and 8 * state[3] + count * (8 * lanes.words + 28) > max_memory
        ):
            break
    del table
    return graph([*parts, (target[: state[2]], via[: state[2]])]), why == kernels.DONE


def _table(
    count: int, words: NDArray[np.uint64], coefficients: NDArray[np.uint64]
) -> NDArray[np.int32]:
    """A table of the markings so far, three eighths full at most."""
    size = 1 << max(16, (8 * count // 3).bit_length())
    table = np.full(size, -1, np.int32)
    kernels.fill_table(table, words, count, coefficients)
    return table
