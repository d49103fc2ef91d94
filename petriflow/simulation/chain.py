"""From a net with rates and weights to a continuous-time Markov chain.

A marking where an immediate transition is enabled is *vanishing*: no time passes there. They are
found in the exploration, of which only the most urgent enabled transitions are part, and are then
eliminated: a rate into one becomes rates into the markings that come after it (Ajmone Marsan,
Conte, Balbo 1984). Where immediate firings go round, all rounds are added up; where nothing leads
out of a round, no time ever passes again, a *time trap*, and there is no chain.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array, eye_array  # type: ignore[import-untyped]
from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

from petriflow.analysis.queries.fixpoints import Tokens
from petriflow.analysis.space.graph import Graph, marking_of
from petriflow.analysis.space.state_space import Progress, explore
from petriflow.net.errors import NoExactAnswer
from petriflow.patterns.names import listed
from petriflow.simulation.equations import Floats, Generator
from petriflow.simulation.phases import MarkovNet

if TYPE_CHECKING:
    from petriflow.analysis.space.compiled_space import PackedGraph

Numbers = NDArray[Any]
#: So many states are looked at together.
CHUNK = 1 << 16
#: The largest round of immediate firings.
LARGEST_ROUND = 3_000


@dataclass(frozen=True, eq=False)
class Vanishing:
    """How markings without time are passed: rates and probabilities from row to column.

    `entered` from tangible to vanishing, `onward` between vanishing without rounds, `rounds` what
    each round comes to in all, `left` from vanishing to tangible in the end.
    """

    states: Numbers
    entered: csr_array
    onward: csr_array
    rounds: csr_array
    left: csr_array

    def passed(self, begun: Floats) -> Floats:
        """How often each is passed, if `begun` tells how often it is come to from outside."""
        total, more = begun.copy(), begun
        while more.any():
            more = self.onward.T @ more
            total += more
        found: Floats = self.rounds.T @ total
        return found


@dataclass(frozen=True, eq=False)
class Chain:
    """A Markov chain over the tangible markings of a net, numbered in the order of discovery."""

    markov: MarkovNet
    graph: Graph
    tangible: Numbers
    vanishing: Vanishing | None
    generator: Generator
    first: Floats
    begun: Floats

    @property
    def count(self) -> int:
        """The number of tangible markings."""
        return len(self.tangible)

    def marking(self, state: int) -> str:
        """A tangible marking, as text."""
        return str(marking_of(self.graph, int(self.tangible[state])))

    def firings(self, x: Floats, begun: Floats | None = None) -> Floats:
        """How often each transition fires, if each marking is taken so long.

        Args:
            x: by tangible marking, probabilities or lengths of time.
            begun: how often each vanishing marking is begun in.
        """
        by_state = np.zeros(self.graph.count)
        by_state[self.tangible] = x
        if self.vanishing is not None:
            come = self.vanishing.entered.T @ x
            by_state[self.vanishing.states] = self.vanishing.passed(
                come if begun is None else come + begun
            )
        counts = np.zeros(len(self.markov.factors))
        for first, _, source, by, value in edges(self.markov, self.graph):
            counts += np.bincount(by, value * by_state[first + source], len(counts))
        return counts

    def places(self) -> Iterator[tuple[NDArray[Any], Tokens]]:
        """The tangible markings in parts: their numbers, and the tokens of a stretch of markings.

        Of a stretch, the rows that are tangible are `tangible[numbers] - tokens.first`.
        """
        for first in range(0, self.graph.count, CHUNK):
            last = min(first + CHUNK, self.graph.count)
            low, high = np.searchsorted(self.tangible, (first, last))
            if low < high:
                yield np.arange(low, high), Tokens(self.graph, first, last)


def edges(markov: MarkovNet, graph: Graph) -> Iterator[tuple[int, slice, Numbers, Numbers, Floats]]:
    """The firings in parts: the first state of a part, where its firings lie, and of each the
    state counted from the first one, the transition, and its rate or probability.
    """
    rows = cast("PackedGraph", graph)
    start, by = np.asarray(rows.start), np.asarray(rows.by)
    factors, ranks = np.array(markov.factors), np.array(markov.ranks)
    timed = ranks == markov.last
    servers = markov.servers
    several = [
        t for t in range(len(servers)) if (timed[t] and servers[t] != 1) or t in markov.single
    ]
    for first in range(0, graph.count, CHUNK):
        last = min(first + CHUNK, graph.count)
        part = slice(int(start[first]), int(start[last]))
        through = by[part]
        source = np.repeat(np.arange(last - first), np.diff(start[first : last + 1]))
        value = factors[through]
        tokens = Tokens(graph, first, last)
        for t in several:
            (at,) = np.nonzero(through == t)
            if at.size:
                value[at] *= _degree(markov, t, tokens)[source[at]]
        if not timed.all():
            (at,) = np.nonzero(~timed[through])
            sums = np.bincount(source[at], value[at], last - first)
            value[at] /= sums[source[at]]
        yield first, part, source, through, value


def _degree(markov: MarkovNet, t: int, tokens: Tokens) -> Floats:
    """How many firings of a transition are under way."""
    most = np.full(tokens.last - tokens.first, markov.servers[t])
    if t in markov.single:
        most[:] = math.inf
    for p, n in tokens.net.rows[t].needs:
        if p < markov.places:
            np.minimum(most, tokens.column(p) // n, out=most)
    id = markov.net.transitions[t].id
    if not np.isfinite(most).all():
        raise NoExactAnswer(
            f"{markov.net.name!r}: {id!r} needs no token and has endless servers, so it would fire "
            "endlessly often; give it a number of servers"
        )
    if t in markov.single:
        if most.max(initial=0) > 1:
            raise NoExactAnswer(
                f"{markov.net.name!r}: {id!r} is under way more than once at a time, and its "
                "stages are those of one; make its duration exponential, or simulate"
            )
        return np.ones(len(most))
    return most


def build(markov: MarkovNet, max_markings: int, progress: Progress | None = None) -> Chain:
    """Explore the net and eliminate what is vanishing.

    Raises:
        NoExactAnswer: the net is unbounded, has more markings, or a time trap.
    """
    net = markov.net
    ranks = markov.ranks
    plain = len(set(ranks)) == 1
    space = explore(
        net, max_markings=max_markings, progress=progress, ranks=None if plain else ranks
    )
    if space.pump is not None:
        raise NoExactAnswer(
            f"{net.name!r} grows without end: {listed(space.pump.segment)} can be repeated for "
            f"ever, and each time there is more on {listed(space.pump.grows)}; bound it by a place "
            "for what is free, or simulate"
        )
    if not space.complete:
        raise NoExactAnswer(
            f"{net.name!r} has more than {max_markings:,} markings; raise max_markings=, or "
            "simulate"
        )
    graph = space.graph
    return _without_time(markov, graph) if not plain else _timed(markov, graph)


def _timed(markov: MarkovNet, graph: Graph) -> Chain:
    """A chain without vanishing markings."""
    rows = cast("PackedGraph", graph)
    count = graph.count
    value = np.empty(len(rows.by))
    for _, part, _, _, found in edges(markov, graph):
        value[part] = found
    start, target = np.asarray(rows.start), np.asarray(rows.target)
    kind = np.int32 if len(target) < 2**31 else np.int64
    matrix = csr_array(
        (value, target.astype(kind, copy=False), start.astype(kind)), shape=(count, count)
    )
    first = np.zeros(count)
    first[0] = 1.0
    return Chain(
        markov, graph, np.arange(count), None, _generator(matrix), first, np.zeros(0)
    )  # fmt: skip


def _generator(matrix: csr_array) -> Generator:
    """Rates without those that lead nowhere else."""
    into = matrix.tocsc()
    into.sum_duplicates()  # scipy's search for components never ends if there are any
    if into.diagonal().any():
        into.setdiag(0)
        into.eliminate_zeros()
    return Generator(into, np.asarray(into.sum(axis=1), float))


def _without_time(markov: MarkovNet, graph: Graph) -> Chain:
    rows = cast("PackedGraph", graph)
    count = graph.count
    target = np.asarray(rows.target)
    parts = [(first + source, by, value) for first, _, source, by, value in edges(markov, graph)]
    source, by, value = (np.concatenate(column) for column in zip(*parts, strict=True))
    immediate = np.array(markov.ranks)[by] < markov.last
    vanishes = np.zeros(count, np.bool_)
    vanishes[source[immediate]] = True
    (tangible,), (vanishing,) = np.nonzero(~vanishes), np.nonzero(vanishes)
    at = np.empty(count, np.int64)
    at[tangible], at[vanishing] = np.arange(len(tangible)), np.arange(len(vanishing))

    def matrix(rows_vanish: bool, columns_vanish: bool) -> csr_array:
        chosen = (vanishes[source] == rows_vanish) & (vanishes[target] == columns_vanish)
        shape = [len(vanishing) if v else len(tangible) for v in (rows_vanish, columns_vanish)]
        entries = (value[chosen], (at[source[chosen]], at[target[chosen]]))
        return csr_array(coo_array(entries, shape=shape))

    between, out = matrix(True, True), matrix(True, False)
    rounds, onward = _rounds(markov, graph, vanishing, between, out)
    left, more = rounds @ out, onward
    while more.nnz:
        left, more = left + more @ left, more @ more
    entered = matrix(False, True)
    begun = np.zeros(len(vanishing))
    first = np.zeros(len(tangible))
    if vanishes[0]:
        begun[at[0]] = 1.0
        first = left.T @ begun
    else:
        first[at[0]] = 1.0
    rates = csr_array(matrix(False, False) + entered @ left)
    passing = Vanishing(vanishing, entered, onward, rounds, csr_array(left))
    return Chain(markov, graph, tangible, passing, _generator(rates), first, begun)


def _rounds(
    markov: MarkovNet, graph: Graph, vanishing: Numbers, between: csr_array, out: csr_array
) -> tuple[csr_array, csr_array]:
    """What the rounds of immediate firings come to in all, and the steps from round to round."""
    count = len(vanishing)
    one = csr_array(eye_array(count))
    entries = between.tocoo()
    row, column = entries.coords
    _, of = connected_components(between, connection="strong")
    inside = of[row] == of[column]
    if not inside.any():
        return one, between
    cross = csr_array(
        coo_array((entries.data[~inside], (row[~inside], column[~inside])), shape=(count, count))
    )
    escape = np.asarray(cross.sum(axis=1)) + np.asarray(out.sum(axis=1))
    values, at_row, at_column = [], [], []
    members: dict[int, set[int]] = {}
    for n in row[inside].tolist() + column[inside].tolist():
        members.setdefault(int(of[n]), set()).add(n)
    for found in members.values():
        block = np.array(sorted(found))
        if not escape[block].any():
            raise _trap(markov, graph, vanishing[block])
        if len(block) > LARGEST_ROUND:
            raise NoExactAnswer(
                f"{markov.net.name!r}: immediate transitions go round through {len(block):,} "
                "markings at one instant, too many; give one of them a duration"
            )
        whole = np.linalg.inv(np.eye(len(block)) - between[block][:, block].toarray())
        i, j = np.nonzero(whole)
        values.append(whole[i, j])
        at_row.append(block[i])
        at_column.append(block[j])
    alone = np.setdiff1d(np.arange(count), np.concatenate(at_row))
    values.append(np.ones(len(alone)))
    at_row.append(alone)
    at_column.append(alone)
    coordinates = (np.concatenate(at_row), np.concatenate(at_column))
    rounds = csr_array(coo_array((np.concatenate(values), coordinates), shape=(count, count)))
    return rounds, csr_array(rounds @ cross)


def _trap(markov: MarkovNet, graph: Graph, states: Numbers) -> NoExactAnswer:
    """Why there is no chain: immediate firings that go round for ever."""
    inside = set(states.tolist())
    by = {
        markov.net.transitions[t].id: None
        for s in states.tolist()
        for t, after in zip(graph.row_via(s), graph.row(s), strict=True)
        if after in inside
    }
    return NoExactAnswer(
        f"{markov.net.name!r} has a time trap: once in {marking_of(graph, int(states[0]))}, the "
        f"immediate transitions {listed(by)} go round for ever at one instant; give one of them a "
        "duration, or lead out of the round"
    )
