"""Place and transition invariants: what stays the same, and what leads back to where it began.

A place invariant is a weight for each place such that no firing changes the weighted number of
tokens. A transition invariant is a number of firings of each transition that together change
nothing. Told are the minimal ones without negative numbers (minimal semiflows), in whole numbers:
every other such invariant is a sum of them, with fractions as factors (Memmi and Roucairol 1980).

They are the extreme rays of a cone, and are found by the double description method of Motzkin with
its combinatorial test (Fukuda and Prodon: Double Description Method Revisited, 1996), which makes
each of them once and no others; Colom and Silva (1991) tell how it came to Petri nets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, Literal, overload

from petriflow.analysis.display import Listing, beginning
from petriflow.analysis.structural.linear import Row, incidence, minimal_solution, transposed
from petriflow.net import Marking, Net, require_net

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: So many invariants may be found on the way; there may be exponentially many.
MOST = 2_000
#: So many comparisons of two of them may be made; they take about a second.
WORK = 50_000_000
#: So many are made at a time, for the sake of memory.
BLOCK = 1_000_000


@dataclass(frozen=True, slots=True)
class Invariant:
    """Weights, by place or by transition; none is 0."""

    weights: Mapping[str, int]

    @property
    def support(self) -> frozenset[str]:
        """What has a weight."""
        return frozenset(self.weights)

    def value(self, marking: Marking) -> int:
        """The weighted number of tokens; for a place invariant the same in all markings."""
        return sum(weight * marking[place] for place, weight in self.weights.items())

    def __str__(self) -> str:
        return " + ".join(id if n == 1 else f"{n}*{id}" for id, n in self.weights.items())


@dataclass(frozen=True, slots=True, repr=False)
class Invariants(Listing, Sequence[Invariant]):
    """The minimal invariants of one kind; `complete` unless there were too many to find all.

    Where they are not complete, there is still one for each place or transition that is known to
    be in any.
    """

    net: Net
    kind: Literal["place", "transition"]
    found: tuple[Invariant, ...]
    complete: bool

    @overload
    def __getitem__(self, n: int) -> Invariant: ...
    @overload
    def __getitem__(self, n: slice) -> tuple[Invariant, ...]: ...
    def __getitem__(self, n: int | slice) -> Invariant | tuple[Invariant, ...]:
        return self.found[n]

    def __len__(self) -> int:
        return len(self.found)

    @property
    def uncovered(self) -> tuple[str, ...]:
        """What is in no invariant, or in none that was found: places that may grow or be emptied,
        transitions that cannot lead back.
        """
        covered = {id for invariant in self.found for id in invariant.weights}
        nodes = self.net.places if self.kind == "place" else self.net.transitions
        return tuple(node.id for node in nodes if node.id not in covered)

    def pictures(self) -> Iterator[tuple[str, object]]:
        """Each invariant, on the net."""
        return ((str(one), one) for one in self.found)

    @property
    def title(self) -> str:
        """What this is, in a line."""
        return f"{self.net.name}: {len(self)} minimal {self.kind} invariants" + (
            "" if self.complete else ", and there are more"
        )

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("invariant", "value at the start") if self.kind == "place" else ("invariant",)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The rows of the table."""
        begin = beginning(self.net)
        for invariant in self.found:
            if self.kind == "place":
                yield str(invariant), str(invariant.value(begin))
            else:
                yield (str(invariant),)


def place_invariants(net: Net, *, most: int = MOST) -> Invariants:
    """The minimal place invariants.

    Args:
        net: any net; a place that a reset empties, or that an OR-join takes from, is in none.
        most: look for all of them only while there are no more than so many on the way.

    >>> net = (Net.build().places("i", "a", "b", "o").transition("split", "i", ["a", "b"])
    ...     .transition("join", ["a", "b"], "o").done())
    >>> print(*place_invariants(net), sep=", ")
    i + a + o, i + b + o
    """
    require_net(net, "place_invariants")
    rows = transposed(incidence(net), len(net.places))
    loose = {p for t in net.transitions for p in t.reset}
    loose |= {p for t in net.transitions if t.join == "or" for p in t.consume}
    usable = [n for n, p in enumerate(net.places) if p.id not in loose]
    found, complete = _minimal([rows[n] for n in usable], most)
    ids = [net.places[n].id for n in usable]
    return Invariants(net, "place", _named(found, ids), complete)


def transition_invariants(net: Net, *, most: int = MOST) -> Invariants:
    """The minimal transition invariants.

    Args:
        net: any net; a transition that resets, or that is an OR-join, is in none.
        most: look for all of them only while there are no more than so many on the way.

    >>> net = (Net.build().places("i", "a", "o").transition("t", "i", "a")
    ...     .transition("work", "a", "o").transition("again", "o", "a").done())
    >>> print(*transition_invariants(net))
    work + again
    """
    require_net(net, "transition_invariants")
    rows = incidence(net)
    usable = [n for n, t in enumerate(net.transitions) if not t.reset and t.join != "or"]
    found, complete = _minimal([rows[n] for n in usable], most)
    ids = [net.transitions[n].id for n in usable]
    return Invariants(net, "transition", _named(found, ids), complete)


def _named(found: Iterable[Row], ids: Sequence[str]) -> tuple[Invariant, ...]:
    ordered = sorted((sorted(row.items()) for row in found), key=lambda row: (len(row), row))
    return tuple(Invariant({ids[k]: n for k, n in row}) for row in ordered)


@dataclass(frozen=True, slots=True)
class _Ray:
    """Weights that obey the equations looked at so far, and what they add up to in the others."""

    weights: Row
    sums: Row
    support: int  # what has a weight, as bits

    def joined(self, other: _Ray, column: int) -> _Ray:
        """The sum of multiples of both that is 0 in this column."""
        a, b = abs(other.sums[column]), abs(self.sums[column])
        weights = _sum(a, self.weights, b, other.weights)
        sums = _sum(a, self.sums, b, other.sums)
        common = gcd(*weights.values())  # it divides the sums as well
        return _Ray(
            {k: n // common for k, n in weights.items()},
            {k: n // common for k, n in sums.items()},
            self.support | other.support,
        )


def _minimal(rows: Sequence[Row], most: int) -> tuple[list[Row], bool]:
    """The minimal x ≥ 0, not all 0, with `x · rows = 0`, and whether these are all."""
    rays = [_Ray({n: 1}, row, 1 << n) for n, row in enumerate(rows)]
    columns = {k for row in rows for k in row}
    looked_at, work = 0, 0
    while columns:
        column = _easiest(rays, columns)
        columns.discard(column)
        kept = [ray for ray in rays if column not in ray.sums]
        plus = [ray for ray in rays if ray.sums.get(column, 0) > 0]
        minus = [ray for ray in rays if ray.sums.get(column, 0) < 0]
        pairs = [
            (x, y)
            for x in plus
            for y in minus
            # more unknowns than that are never tied together by so many equations
            if (x.support | y.support).bit_count() <= looked_at + 2
        ]
        work += len(pairs) * len(rays)
        if work <= WORK:
            kept += [x.joined(y, column) for x, y in _adjacent(pairs, rays, len(rows))]
        if work > WORK or len(kept) > most:
            return _some(rows, [ray.weights for ray in rays if not ray.sums]), False
        rays = kept
        looked_at += 1
    return [ray.weights for ray in rays], True


def _adjacent(
    pairs: Sequence[tuple[_Ray, _Ray]], rays: Sequence[_Ray], width: int
) -> Iterator[tuple[_Ray, _Ray]]:
    """The pairs whose supports together hold that of no third ray."""
    import numpy as np

    def bits(supports: Iterable[int]) -> NDArray[np.uint64]:
        data = b"".join(support.to_bytes(8 * words, "little") for support in supports)
        return np.frombuffer(data, np.uint64).reshape(-1, words)

    words = width // 64 + 1
    every = bits(ray.support for ray in rays)
    size = 1 + BLOCK // (len(rays) * words + 1)
    for start in range(0, len(pairs), size):
        block = pairs[start : start + size]
        outside = ~bits(x.support | y.support for x, y in block)
        within = ~(every[None] & outside[:, None]).any(axis=2)
        for n in np.flatnonzero(within.sum(axis=1) == 2).tolist():
            yield block[n]


def _easiest(rays: Sequence[_Ray], columns: Iterable[int]) -> int:
    """The column after which there are the fewest rays."""
    plus, minus = Counter[int](), Counter[int]()
    for ray in rays:
        for k, n in ray.sums.items():
            (plus if n > 0 else minus)[k] += 1
    return min(columns, key=lambda k: (plus[k] * minus[k] - plus[k] - minus[k], k))


def _some(rows: Sequence[Row], found: list[Row]) -> list[Row]:
    """Minimal ones such that whatever is in any is in one of these, where a program finds it."""
    equations = transposed(rows, 1 + max(max(row, default=-1) for row in rows))
    covered = {k for weights in found for k in weights}
    for n in range(len(rows)):
        if n not in covered:
            weights = minimal_solution(equations, len(rows), n)
            if weights is not None:
                found.append({k: v for k, v in enumerate(weights) if v})
                covered.update(found[-1])
    return found


def _sum(a: int, x: Row, b: int, y: Row) -> Row:
    return {k: n for k in x.keys() | y.keys() if (n := a * x.get(k, 0) + b * y.get(k, 0))}
