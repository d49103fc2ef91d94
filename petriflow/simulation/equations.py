"""The equations of a Markov chain: where it is in the long run, for how long, and when.

All of them have the form `x (-Q) = b`, with the rates of `Q` from row to column. Small chains are
solved directly: by the elimination of Grassmann, Taksar and Heyman (1985), which subtracts nothing
and so keeps every digit, or by sparse factors; large ones by successive over-relaxation, whose
factor is found on the way (Stewart: Introduction to the Numerical Solution of Markov Chains, 1994).
An answer comes with its residual, and one that misses the precision is no answer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import util
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, diags_array  # type: ignore[import-untyped]
from scipy.sparse.linalg import splu  # type: ignore[import-untyped]

from petriflow.net.errors import NoExactAnswer

Floats = NDArray[np.float64]
#: Up to so many states every digit is kept; up to so many factors are made at once; up to so many
#: they are made where sweeps miss the precision.
DENSE, DIRECT, MOST_FACTORS = 300, 2_000, 20_000
#: The error that is aimed at, in proportion to the whole.
PRECISION = 1e-11
#: An answer with more than this left over is refused.
RESIDUAL = 1e-9
#: Sweeps between two looks at how it goes, those of them that only settle, and the most in all.
BLOCK, SETTLED, MOST_SWEEPS = 12, 5, 20_000
#: The factor of over-relaxation goes up by so much as long as that helps.
STEP = 0.1


@dataclass(frozen=True, eq=False)
class Generator:
    """The rates between states: `into[i, j]` from `i` to `j`, and `leave[i]` out of `i` in all.

    What leaves may be more than what goes to other states of these: the rest ends.
    """

    into: csc_array
    leave: Floats

    @property
    def count(self) -> int:
        """The number of states."""
        return len(self.leave)

    def flow(self, x: Floats) -> Floats:
        """The rate at which each state is entered, if the states are taken so often."""
        found: Floats = self.into.T @ x
        return found

    def among(self, states: NDArray[Any]) -> Generator:
        """The part of some states; the rates to others end."""
        return Generator(csc_array(self.into[states][:, states]), self.leave[states])


@dataclass(frozen=True, eq=False)
class Answer:
    """Numbers, what is left over of the equations in proportion to the flow, and the method."""

    x: Floats
    residual: float
    method: str


def stationary(chain: Generator) -> Answer:
    """The probability of each state in the long run; every state must lead to every other.

    Raises:
        NoExactAnswer: the precision was missed.
    """
    none = np.zeros(chain.count)
    method = "direct"
    if chain.count == 1:
        return Answer(np.ones(1), 0.0, "direct")
    if chain.count <= DENSE:
        x = _without_subtraction(chain)
    elif chain.count <= DIRECT:
        x, method = _by_factors(chain), "sparse factors"
    else:
        order = _breadth_first(chain)
        even = np.full(chain.count, 1 / chain.count)
        if order is None:
            x, converged = _sweeps(chain, none, even)
        else:
            x = np.empty(chain.count)
            x[order], converged = _sweeps(chain.among(order), none, even)
        method = "sweeps"
        if not converged and chain.count <= MOST_FACTORS:
            x, method = _by_factors(chain), "sparse factors"
    return _checked(chain, x / x.sum(), none, method)


def _by_factors(chain: Generator) -> Floats:
    """One state is taken once, and tells how often the others are."""
    rest = chain.among(np.arange(1, chain.count))
    first = np.asarray(csr_array(chain.into[[0]]).toarray())[0, 1:]
    return np.concatenate([[1.0], _factors(rest).solve(first, "T")])


def _breadth_first(chain: Generator) -> NDArray[Any] | None:
    """An order in which each state but the first is entered from an earlier one; `None` where
    they lie so already. In such an order sweeps cannot go round in a circle for ever.
    """
    earliest = np.minimum.reduceat(chain.into.indices, chain.into.indptr[:-1])
    if (earliest[1:] < np.arange(1, chain.count)).all():
        return None
    from scipy.sparse.csgraph import breadth_first_order  # type: ignore[import-untyped]

    order: NDArray[Any] = breadth_first_order(chain.into.tocsr(), 0, return_predecessors=False)
    return order


def visits(chain: Generator, b: Floats) -> Answer:
    """How long each state is taken before all ends, if `b` tells how often it is begun in.

    Raises:
        NoExactAnswer: the precision was missed.
    """
    if chain.count == 0:
        return Answer(np.zeros(0), 0.0, "direct")
    x, converged, method = b / chain.leave, False, "sweeps"
    if chain.count > DIRECT:
        x, converged = _sweeps(chain, b, x)
    if not converged and chain.count <= MOST_FACTORS:
        x, method = _factors(chain).solve(b, "T"), "sparse factors"
    return _checked(chain, x, b, method)


def _checked(chain: Generator, x: Floats, b: Floats, method: str) -> Answer:
    """The answer, if what is left over of the equations is next to nothing."""
    out = x * chain.leave
    size = float(np.abs(out).sum())
    residual = float(np.abs(chain.flow(x) + b - out).sum()) / size if size else 0.0
    least = float(x.min())
    if not (residual <= RESIDUAL and least >= -RESIDUAL * float(np.abs(x).sum())):
        raise NoExactAnswer(
            f"the equations of {chain.count:,} states were not solved: by {method} there is "
            f"{residual:.1e} left over, and {RESIDUAL:.0e} is allowed; rates that differ by many "
            "powers of ten do this; make the fastest of them immediate, or simulate"
        )
    return Answer(np.maximum(x, 0.0), residual, method)


def _without_subtraction(chain: Generator) -> Floats:
    q = chain.into.toarray()
    np.fill_diagonal(q, 0.0)
    for n in range(chain.count - 1, 0, -1):
        q[:n, n] /= q[n, :n].sum()
        q[:n, :n] += np.outer(q[:n, n], q[n, :n])
    x = np.zeros(chain.count)
    x[0] = 1.0
    for n in range(1, chain.count):
        x[n] = x[:n] @ q[:n, n]
    return x


def _factors(chain: Generator) -> Any:
    return splu(csc_array(diags_array(chain.leave) - chain.into))


def _sweeps(chain: Generator, b: Floats, x: Floats) -> tuple[Floats, bool]:
    """Sweeps, the factor of over-relaxation raised as long as they then gain more each; and whether
    they came to the precision.
    """
    closed = not b.any()
    sweep = _sweep(chain, b)
    omega, found, best, rising = 1.0, 1.0, math.inf, True
    before = x.copy()
    for block in range(MOST_SWEEPS // BLOCK):
        changes = np.empty(BLOCK)
        least = 0.0
        for n in range(BLOCK):
            change, size, least = sweep(x, omega)
            if closed:
                x /= size
            changes[n] = change / size
        # the first sweeps after a change of the factor tell nothing of the later ones
        ratio = float((changes[-1] / changes[SETTLED]) ** (1 / (BLOCK - 1 - SETTLED)))
        if changes[-1] < 1e-15:
            return x, least >= 0
        if ratio < 1 and changes[-1] * ratio / (1 - ratio) < PRECISION and least >= 0:
            return x, True
        if not rising or block == 0:
            continue
        if ratio >= 1:  # too far: this made it worse
            x[:], omega, rising = before, found, False
            continue
        before = x.copy()
        if ratio < best:
            best, found = ratio, omega
        if omega > found + STEP:  # two steps that did not help
            omega, rising = found, False
        else:
            omega += STEP
    return x, False


def _sweep(chain: Generator, b: Floats) -> Callable[[Floats, float], tuple[float, float, float]]:
    """One sweep in place: how much changed, how much there is, and the least entry."""
    into = chain.into
    if util.find_spec("numba") is not None:
        from petriflow.simulation import sweeps

        def compiled(x: Floats, omega: float) -> tuple[float, float, float]:
            found: tuple[float, float, float] = sweeps.sweep(
                x, b, into.indptr, into.indices, into.data, chain.leave, omega
            )
            return found

        return compiled

    def plain(x: Floats, omega: float) -> tuple[float, float, float]:
        # without a compiler all states are looked at at once; half a step keeps that from swinging
        now = x + 0.5 * ((chain.flow(x) + b) / chain.leave - x)
        change = float(np.abs(now - x).sum())
        x[:] = now
        return change, float(np.abs(x).sum()), float(x.min())

    return plain


def leading_to(chain: Generator, goals: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which states can come to a goal, the goals among them."""
    reached = goals.copy()
    into = chain.into
    if util.find_spec("numba") is not None and chain.count > DIRECT:
        from petriflow.simulation import sweeps

        sweeps.reaching(into.indptr, into.indices, reached)
        return reached
    more = goals
    while more.any():
        more = (into @ more.astype(float) > 0) & ~reached
        reached |= more
    return reached


def closed_classes(chain: Generator, first: Floats) -> list[NDArray[Any]]:
    """The sets of states that are never left again, in order, as their states are."""
    alone = np.zeros(chain.count, np.bool_)
    alone[0] = True
    if first[0] == 1 and leading_to(chain, alone).all():
        return [np.arange(chain.count)]
    from scipy.sparse.csgraph import connected_components

    entries = chain.into.tocoo()
    row, column = entries.coords
    count, of = connected_components(chain.into, connection="strong")
    closed = np.ones(count, np.bool_)
    closed[of[row[of[row] != of[column]]]] = False
    order = np.argsort(of, kind="stable")
    sizes = np.bincount(of, minlength=count)
    ends = np.cumsum(sizes)
    found = [order[ends[c] - sizes[c] : ends[c]] for c in np.flatnonzero(closed)]
    return sorted(found, key=lambda states: int(states[0]))


# -- over time ------------------------------------------------------------------------------------


def poisson_weights(mean: float) -> tuple[int, Floats]:
    """The probabilities of a Poisson law where they are not nothing, from which number on.

    They are built outward from the largest, and so keep their digits (Fox and Glynn 1988).
    """
    if mean == 0:
        return 0, np.ones(1)
    mode = int(mean)
    wide = math.ceil(12 * math.sqrt(mean) + 40)
    up = np.cumprod(mean / np.arange(mode + 1, mode + wide + 1))
    down = np.cumprod(np.arange(mode, max(0, mode - wide), -1) / mean)
    weights = np.concatenate([down[::-1], [1.0], up])
    return mode - len(down), weights / weights.sum()


#: More multiplications than this are not made: the rates are too different for so long a time.
MOST_WORK = 2e10


class Uniformised:
    """What a chain does over time: so many steps of one pace, at random moments (Jensen 1953)."""

    def __init__(self, chain: Generator, first: Floats) -> None:
        self.chain, self.first = chain, first
        self.pace = float(chain.leave.max(initial=0.0)) or 1.0

    def step(self, x: Floats) -> Floats:
        """The distribution after a step."""
        return x + (self.chain.flow(x) - x * self.chain.leave) / self.pace

    def many(self, time: float) -> bool:
        """Whether there are so many steps that powers of the whole matrix take less."""
        return self.chain.count <= DENSE and self.pace * time > 20_000

    def by_exponential(self, time: float) -> Floats:
        """The distribution at a time, by the matrix exponential, squared up from a short time.

        No term is negative. Diagonals near 1 are told by the rest of their row, so that slow rates
        beside fast ones keep their digits.
        """
        count = self.chain.count
        halvings = max(0, math.ceil(math.log2(self.pace * time)))
        mean = self.pace * time / 2**halvings
        rates = self.chain.into.toarray()
        np.fill_diagonal(rates, 0.0)
        one_step = rates / self.pace + np.diag(1 - self.chain.leave / self.pace)
        power, whole = np.eye(count), np.zeros((count, count))
        for k in range(30):
            whole += math.exp(-mean) * mean**k / math.factorial(k) * power
            power = power @ one_step
        for n in range(halvings + 1):
            whole = whole @ whole if n else whole
            np.fill_diagonal(apart := whole.copy(), 0.0)
            leaving = apart.sum(axis=1)
            apart += np.diag(np.where(leaving < 0.5, 1 - leaving, np.diag(whole)))
            whole = apart / apart.sum(axis=1, keepdims=True)
        found: Floats = self.first @ whole
        return found

    def require_work(self, time: float) -> None:
        """Refuse what would take too long."""
        steps = self.pace * time
        if steps * (self.chain.into.nnz + self.chain.count) > MOST_WORK:
            raise NoExactAnswer(
                f"up to time {time:g} this chain of {self.chain.count:,} states takes about "
                f"{steps:.1e} steps, too many; ask for less time, or simulate"
            )

    def at(self, times: Sequence[float]) -> list[Floats]:
        """The distribution at each of some times."""
        windows = []
        for time in times:
            if self.many(time):
                continue
            self.require_work(time)
            windows.append((time, *poisson_weights(self.pace * time)))
        found = {time: np.zeros(self.chain.count) for time, *_ in windows}
        last = max((begin + len(weights) for _, begin, weights in windows), default=0)
        x = self.first
        for k in range(last):
            for time, begin, weights in windows:
                if begin <= k < begin + len(weights):
                    found[time] += weights[k - begin] * x
            x = self.step(x)
        return [found[t] if t in found else self.by_exponential(t) for t in times]


class Reaching:
    """When states are come to that are never left: the probability to be there by a time."""

    def __init__(self, chain: Generator, first: Floats, goal: NDArray[np.bool_]) -> None:
        self.uniformised = Uniformised(chain, first)
        self.goal = goal
        self._x = first
        self._there = [float(first[goal].sum())]
        self._done = False

    def __call__(self, time: float) -> float:
        """The probability to be there by then."""
        if self.uniformised.many(time):
            return float(self.uniformised.by_exponential(time)[self.goal].sum())
        begin, weights = poisson_weights(self.uniformised.pace * time)
        end = begin + len(weights)
        if len(self._there) < end and not self._done:
            self.uniformised.require_work(time)
        while len(self._there) < end and not self._done:
            after = self.uniformised.step(self._x)
            self._done = float(np.abs(after - self._x).sum()) < 1e-17
            self._x = after
            self._there.append(float(after[self.goal].sum()))
        there = np.array(self._there[begin:end])
        there = np.concatenate([there, np.full(end - begin - len(there), self._there[-1])])
        return float(weights @ there)
