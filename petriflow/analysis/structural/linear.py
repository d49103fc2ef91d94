"""The incidence matrix of a net in exact integers, and linear programs whose answers are checked.

A linear program is solved in floating point by scipy's HiGHS. Of its answer only the shape is
believed: which numbers are not 0, and which inequalities are equalities. The numbers are then
computed again as fractions, and checked against every line of the program before anybody relies
on them. `None` says that no answer was found, which proves nothing: a proof of the contrary is an
answer of another program (Farkas' lemma).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import heapify, heappop, heappush
from math import gcd, lcm
from typing import Literal

from petriflow.analysis.display import Listing
from petriflow.net import Marking, Net, require_net

#: A sparse vector: the entries that are not 0.
Row = dict[int, int]
#: Below this a number of HiGHS is taken to be 0; what is made of it is checked.
NEARLY = 1e-8
#: In an equation: the number that the others must add up to, times -1.
CONSTANT = -1


def incidence(net: Net) -> list[Row]:
    """For each transition what it adds to each place; resets and OR-joins are not told by it."""
    index = {p.id: n for n, p in enumerate(net.places)}
    rows = []
    for t in net.transitions:
        row = {index[p]: n for p, n in t.produce.items()}
        for p, n in t.consume.items():
            row[index[p]] = row.get(index[p], 0) - n
        rows.append({p: n for p, n in row.items() if n})
    return rows


def transposed(rows: Sequence[Row], width: int) -> list[Row]:
    """The columns of a matrix as rows."""
    columns: list[Row] = [{} for _ in range(width)]
    for n, row in enumerate(rows):
        for at, value in row.items():
            columns[at][n] = value
    return columns


def product(rows: Sequence[Row], x: Sequence[int]) -> list[int]:
    """Each row times the vector."""
    return [sum(value * x[at] for at, value in row.items()) for row in rows]


# -- elimination ----------------------------------------------------------------------------------


def rank(rows: Iterable[Row]) -> int:
    """The rank of a matrix of whole numbers, exactly.

    >>> rank([{0: 1, 1: 2}, {0: 2, 1: 4}, {1: 1}])
    2
    """
    return len(_eliminated(rows))


def solution(equations: Iterable[Row]) -> dict[int, Fraction] | None:
    """Numbers that make each equation's sum 0, exactly; `None` if there are none.

    Args:
        equations: what is not a variable of an equation stands at `CONSTANT`. Variables that are
            not told are 0.

    >>> solution([{0: 2, 1: 1, CONSTANT: -5}, {1: 3, CONSTANT: -3}])
    {0: Fraction(2, 1), 1: Fraction(1, 1)}
    """
    x = {CONSTANT: Fraction(1)}
    for at, row in reversed(_eliminated(equations)):
        if at == CONSTANT:
            return None
        x[at] = -sum(n * x.get(k, 0) for k, n in row.items() if k != at) / Fraction(row[at])
    del x[CONSTANT]
    return {at: n for at, n in x.items() if n}


def _eliminated(rows: Iterable[Row]) -> list[tuple[int, Row]]:
    """Rows in echelon form: each with a column that no later one has.

    Next is always one of the shortest rows, by its rarest column, so that few others grow: the
    choice of Markowitz (1957), nearly.
    """
    live = [{k: n for k, n in row.items() if n} for row in rows]
    users: defaultdict[int, set[int]] = defaultdict(set)
    for n, row in enumerate(live):
        for k in row:
            users[k].add(n)
    waiting = [(len(row), n) for n, row in enumerate(live)]
    heapify(waiting)
    echelon = []
    while waiting:
        length, n = heappop(waiting)
        row = live[n]
        if not row or len(row) != length:
            continue  # another entry of the heap tells its length now
        at = min(row, key=lambda k: (k == CONSTANT, len(users[k]), abs(row[k]) != 1))
        echelon.append((at, row))
        live[n] = {}
        for k in row:
            users[k].discard(n)
        for m in users.pop(at, ()):
            other = live[m]
            common = gcd(row[at], other[at])
            times, minus = row[at] // common, other.pop(at) // common
            if times != 1:
                for k in other:
                    other[k] *= times
            for k, value in row.items():
                if k == at:
                    continue
                left = other.get(k, 0) - minus * value
                if left:
                    other[k] = left
                    users[k].add(m)
                else:
                    del other[k]
                    users[k].discard(m)
            if times not in (1, -1):
                live[m] = other = primitive(other)
            heappush(waiting, (len(other), m))
    return echelon


def primitive(row: Row) -> Row:
    """The row divided by the greatest number that divides all of it."""
    common = gcd(*row.values())
    return {k: v // common for k, v in row.items()} if common > 1 else row


# -- linear programs ------------------------------------------------------------------------------


def positive_solution(rows: Sequence[Row], width: int) -> list[int] | None:
    """Whole numbers x ≥ 1 with `rows · x = 0`, checked exactly; `None` if none were found."""
    ones = product(rows, [1] * width)
    more = program(
        [{**row, CONSTANT: n} for row, n in zip(rows, ones, strict=True)], [], width, signed=False
    )
    return None if more is None else whole(1 + n for n in more)


def growing_solution(rows: Sequence[Row], width: int, signed: bool) -> list[int] | None:
    """Whole numbers x with `rows · x ≥ 0` and somewhere more, checked exactly, or `None`.

    By Stiemke's lemma there is one, if numbers below 0 are allowed (`signed`), just if there is no
    y ≥ 1 with `y · rows = 0`.
    """
    total: defaultdict[int, int] = defaultdict(int, {CONSTANT: -1})
    for row in rows:
        for k, n in row.items():
            total[k] += n
    x = program([total], rows, width, signed=signed)
    return None if x is None else whole(x)


def minimal_solution(rows: Sequence[Row], width: int, at: int) -> list[int] | None:
    """Whole numbers x ≥ 0 with `rows · x = 0` and `x[at] > 0`, of which no fewer than those that
    are not 0 would do; checked exactly, `None` if none were found.
    """
    x = program([*rows, {at: 1, CONSTANT: -1}], [], width, signed=False)
    return None if x is None else whole(x)


def program(
    equal: Sequence[Row], least: Sequence[Row], width: int, *, signed: bool
) -> list[Fraction] | None:
    """Numbers that make each sum of `equal` 0, and each of `least` 0 or more; without `signed`
    they are themselves 0 or more, and their sum is as small as can be.
    """
    import numpy as np

    # `milp` with no variable said to be whole is `linprog` in half the time, for small programs
    from scipy.optimize import Bounds, milp  # type: ignore[import-untyped]
    from scipy.sparse import csc_array  # type: ignore[import-untyped]

    if not width:
        return None if any(row.get(CONSTANT) for row in equal) else []
    rows = [*equal, *least]
    at = [(n, k, v) for n, row in enumerate(rows) for k, v in row.items() if k != CONSTANT]
    n, k, v = zip(*at, strict=True) if at else ((), (), ())
    matrix = csc_array((np.array(v, float), (n, k)), shape=(len(rows), width))
    low = np.array([-row.get(CONSTANT, 0) for row in rows], float)
    high = np.concatenate([low[: len(equal)], np.full(len(least), np.inf)])
    answer = milp(
        np.zeros(width) if signed else np.ones(width),
        bounds=Bounds(-np.inf if signed else 0, np.inf),
        constraints=(matrix, low, high) if rows else (),
    )
    if answer.x is None:
        return None
    support = {CONSTANT, *np.flatnonzero(abs(answer.x) > NEARLY).tolist()}
    slack = matrix @ answer.x - low
    tight = [
        *equal,
        *(row for row, n in zip(least, slack[len(equal) :], strict=True) if n <= NEARLY),
    ]
    exact = solution({k: n for k, n in row.items() if k in support} for row in tight)
    if exact is None or not (signed or all(n > 0 for n in exact.values())):
        return None
    common = lcm(*(n.denominator for n in exact.values()))
    times = {k: n.numerator * (common // n.denominator) for k, n in exact.items()}
    times[CONSTANT] = common
    sums = [sum(n * times[k] for k, n in row.items() if k in times) for row in rows]
    if any(sums[: len(equal)]) or any(n < 0 for n in sums):
        return None
    return [exact.get(k, Fraction(0)) for k in range(width)]


def whole(x: Iterable[Fraction]) -> list[int]:
    """The least multiple of the numbers that is whole."""
    fractions = list(x)
    common = lcm(*(n.denominator for n in fractions))
    numbers = [int(n * common) for n in fractions]
    divisor = gcd(*numbers) or 1
    return [n // divisor for n in numbers]


# -- the state equation ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class StateEquation(Listing):
    """Whether firings, even in fractions and in no order, add up from one marking to another.

    `yes` tells the `firings` of each transition, and proves nothing about what can be reached.
    `no` proves that the goal cannot be reached: by these `weights` of the places no firing ever
    lowers the weighted number of tokens, and the goal has less than the start.
    """

    net: Net
    start: Marking
    goal: Marking
    answer: Literal["yes", "no", "unknown"]
    firings: Mapping[str, Fraction]
    weights: Mapping[str, int]

    @property
    def title(self) -> str:
        """What this is, in a line."""
        way = f"{self.net.name}: from {self.start} to {self.goal}"
        if self.answer == "yes":
            return f"{way} these firings add up"
        if self.answer == "no":
            return f"{way} no firings add up, for by these weights tokens never get less"
        return f"{way} it is unknown whether firings add up"

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("place", "weight") if self.answer == "no" else ("transition", "times")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The rows of the table."""
        for id, n in (self.weights if self.answer == "no" else self.firings).items():
            yield id, str(n)


def state_equation(net: Net, start: Marking, goal: Marking) -> StateEquation:
    """Whether `start + firings · incidence = goal` for some numbers of firings that are not
    negative (Murata 1989, section V): without it the goal cannot be reached.

    Inhibitor and read arcs are not asked; a reset, and an OR-join beyond its first token, may take
    as many tokens as it likes.

    >>> net = (Net.build().places("i", "a", "o").transition("t", "i", ["a", "o"])
    ...     .transition("u", "a", "o").done())
    >>> print(state_equation(net, Marking("i"), Marking({"o": 2})))
    net: from [i] to [2*o] these firings add up
      transition  times
      t           1
      u           1
    >>> state_equation(net, Marking("i"), Marking("o")).weights
    {'i': 2, 'a': 1, 'o': 1}
    """
    require_net(net, "state_equation")
    index = {p.id: n for n, p in enumerate(net.places)}
    steps = list(_steps(net, index))
    rows = [row for _, row in steps]
    needed = {n: goal[p] - start[p] for p, n in index.items() if goal[p] != start[p]}
    equations = transposed(rows, len(index))
    for n, row in enumerate(equations):
        row[CONSTANT] = -needed.get(n, 0)
    firings: dict[str, Fraction] = {}
    answer: Literal["yes", "no", "unknown"] = "unknown"
    weights: dict[str, int] = {}
    if (times := program(equations, [], len(steps), signed=False)) is not None:
        answer = "yes"
        for (id, _), count in zip(steps, times, strict=True):
            if id is not None and count:
                firings[id] = firings.get(id, Fraction(0)) + count
    # Farkas' lemma: there are no such firings just if there are such weights
    elif (y := program([{**needed, CONSTANT: 1}], rows, len(index), signed=True)) is not None:
        answer = "no"
        weights = {p: n for p, n in zip(index, whole(y), strict=True) if n}
    return StateEquation(net, start, goal, answer, firings, weights)


def _steps(net: Net, index: Mapping[str, int]) -> Iterator[tuple[str | None, Row]]:
    """What each transition adds to each place, and, without a name, what else may get lost."""
    for t in net.transitions:
        for taken in [t.consume] if t.join == "and" else map(Marking, t.consume):
            row = {index[p]: t.produce[p] - taken[p] for p in (*taken, *t.produce)}
            yield t.id, {p: n for p, n in row.items() if n}
        for p in sorted(t.reset.union(t.consume if t.join == "or" else ())):
            yield None, {index[p]: -1}
