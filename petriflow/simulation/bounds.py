"""Bounds of the throughput of a timed net, by linear programs and without its state space.

Averages over a long run obey linear laws: mean markings fulfil the state equation, what comes to a
bounded place goes on, as many firings are under way as Little's law says, no more than servers and
tokens allow; and branches of a choice are taken in proportion to their weights. The least and the
largest throughput among all averages that obey these laws bound the true one (Chiola, Anglano,
Campos, Colom, Silva: Operational analysis of timed Petri nets, PNPM 1993). The size of the programs
is that of the net, whatever its number of markings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from petriflow.analysis.display import Listing
from petriflow.net import Net, require_net
from petriflow.net.errors import NoExactAnswer
from petriflow.simulation.plan import ConflictSet, Plan
from petriflow.simulation.planning import plan as plan_of
from petriflow.simulation.timing import Timing

#: A row of a linear program: coefficients by variable.
Row = dict[int, float]


@dataclass(frozen=True, slots=True)
class ThroughputBounds(Listing):
    """Between what the throughput of each transition lies; `upper` may be infinite."""

    name: str
    unit: str
    lower: Mapping[str, float]
    upper: Mapping[str, float]

    @property
    def title(self) -> str:
        """What this is, in a line."""
        return f"{self.name}: bounds of the throughput, per {self.unit}"

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("transition", "at least", "at most")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The rows of the table."""
        for id, low in self.lower.items():
            yield id, f"{low:.6g}", f"{self.upper[id]:.6g}"

    def to_json(self) -> dict[str, Any]:
        """The bounds as plain JSON data; what is infinite is `None`."""
        upper = {id: n if math.isfinite(n) else None for id, n in self.upper.items()}
        return {"name": self.name, "unit": self.unit, "lower": dict(self.lower), "upper": upper}


def throughput_bounds(net: Net, timing: Timing) -> ThroughputBounds:
    """Bounds of how often each transition of a net fires in the long run.

    They hold for exponential durations, and for any durations of transitions that no other can
    disable; of others less is used, and the bounds are wider.

    Raises:
        DefinitionError: the timing does not fit the net.
        NoExactAnswer: no averages obey the laws, so that the net has no long run.

    >>> from petriflow.simulation import exponential
    >>> ring = (Net.build("ring").place("a", 1).place("b").transition("t", "a", "b")
    ...     .transition("u", "b", "a").done())
    >>> print(throughput_bounds(ring, Timing(durations={"t": 2, "u": exponential(3)})))
    ring: bounds of the throughput, per s
      transition  at least  at most
      t           0.2       0.2
      u           0.2       0.2
    """
    return _Program(plan_of(require_net(net, "throughput_bounds"), timing)).bounds()


class _Program:
    """The linear laws of one net: variables are mean tokens, throughputs, firings and losses."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.net = plan, plan.compiled
        self.places, self.count = len(self.net.place_ids), len(self.net.transition_ids)
        #: places from which tokens may get lost: resets, and all but one input of an OR-join
        self.lossy = sorted(
            {p for r in self.net.rows for p in r.reset}
            | {p for r in self.net.rows if r.or_join for p, _ in r.consume}
        )
        self.width = self.places + 2 * self.count + 2 * len(self.lossy)
        self.equal: list[tuple[Row, float]] = []
        self.most: list[tuple[Row, float]] = []
        self._state_equation()
        self.bound = [self._solve({p: 1.0}, -1) for p in range(self.places)]
        self._flow()
        for t, law in enumerate(plan.laws):
            if law is not None:
                self._timed(t, law.mean, law.kind)
        for conflict in plan.sets:
            self._immediate(conflict)

    # variables: mean tokens of a place, throughput and total firings of a transition
    def _x(self, t: int) -> int:
        return self.places + t

    def _balance(self, first: int) -> list[Row]:
        """For each place what firings (variables from `first` on) add to it."""
        rows: list[Row] = [{} for _ in range(self.places)]
        lost = self.places + 2 * self.count + (0 if first == self.places else len(self.lossy))
        for t, arcs in enumerate(self.net.rows):
            for p, n in arcs.produce:
                rows[p][first + t] = rows[p].get(first + t, 0.0) + n
            for p, n in arcs.consume if not arcs.or_join else ():
                rows[p][first + t] = rows[p].get(first + t, 0.0) - n
        for n, p in enumerate(self.lossy):
            rows[p][lost + n] = -1.0
        return rows

    def _state_equation(self) -> None:
        begin = self.net.vector(self.plan.net.initial_marking)
        for p, row in enumerate(self._balance(self.places + self.count)):
            self.equal.append(({p: 1.0} | {k: -v for k, v in row.items()}, float(begin[p])))

    def _flow(self) -> None:
        for p, row in enumerate(self._balance(self.places)):
            if math.isfinite(self.bound[p]):
                self.equal.append((row, 0.0))
            else:
                self.most.append(({k: -v for k, v in row.items()}, 0.0))

    def _surely(self, t: int) -> tuple[Row, float] | None:
        """A sum, and a number to add, that is no more than the part of time `t` is enabled."""
        arcs = self.net.rows[t]
        if arcs.inhibitor or arcs.or_join:
            return None
        row: Row = {}
        constant = 1.0
        for p, n in arcs.needs:
            room = self.bound[p] - n + 1
            if not math.isfinite(room):
                return None
            if room <= 0:
                return {}, 0.0
            # the place has enough for at least (mean - n + 1) / room of the time
            row[p] = row.get(p, 0.0) + 1 / room
            constant -= 1 + (n - 1) / room
        return row, constant

    def _timed(self, t: int, mean: float, kind: str) -> None:
        arcs, x, servers = self.net.rows[t], self._x(t), self.plan.servers[t]
        undisturbed = kind == "exponential" or self._persistent(t)
        if not (undisturbed or kind == "constant"):
            return
        if math.isfinite(servers):
            self.most.append(({x: mean}, servers))
        for p, n in arcs.needs:
            self.most.append(({x: mean, p: -1.0 / n}, 0.0))
        if not undisturbed:
            return
        if (sure := self._surely(t)) is not None:
            row, constant = sure
            self.most.append((row | {x: -mean}, -constant))
        if len(arcs.needs) == 1 and not arcs.inhibitor and not arcs.or_join:
            ((p, n),) = arcs.needs
            most = self.bound[p]
            if servers == math.inf:
                self.most.append(({p: 1.0 / n, x: -mean}, (n - 1) / n))
            elif n == 1 and math.isfinite(most) and most > 0:
                self.most.append(({p: min(servers, most) / most, x: -mean}, 0.0))

    def _persistent(self, t: int) -> bool:
        """Whether no other transition can disable it."""
        arcs = self.net.rows[t]
        needs = {p for p, _ in arcs.needs} | {p for p, _ in arcs.consume}
        hinders = {p for p, _ in arcs.inhibitor}
        for u, other in enumerate(self.net.rows):
            if u != t and (
                any(p in needs for p, _ in other.consume)
                or needs & set(other.reset)
                or any(p in hinders for p, _ in other.produce)
            ):
                return False
        return not arcs.or_join

    def _immediate(self, conflict: ConflictSet) -> None:
        """No time passes where one is enabled, and equal ones fire in proportion to weights."""
        weights = self.plan.weights
        able = [t for t in conflict.members if weights[t] > 0]
        for t in conflict.members:
            if weights[t] == 0:
                self.equal.append(({self._x(t): 1.0}, 0.0))
        for t in able:
            sure = self._surely(t)
            if sure is not None:
                self.most.append((sure[0], -sure[1]))
        rows = self.net.rows
        same = {(rows[t].needs, rows[t].consume, rows[t].inhibitor) for t in able}
        if len(same) == 1 and not any(rows[t].or_join for t in able):
            first = able[0]
            for t in able[1:]:
                row = {self._x(t): 1 / weights[t], self._x(first): -1 / weights[first]}
                self.equal.append((row, 0.0))

    # -- solving ------------------------------------------------------------------------------

    def _solve(self, goal: Row, sign: int) -> float:
        """The least (1) or largest (-1) value of a sum; infinite if there is none."""
        from scipy.optimize import linprog  # type: ignore[import-untyped]

        cost = np.zeros(self.width)
        for k, v in goal.items():
            cost[k] = sign * v
        equal, most = self._matrix(self.equal), self._matrix(self.most)
        answer = linprog(cost, *most, *equal, bounds=(0, None), method="highs")
        if answer.status == 0:
            return float(sign * answer.fun)
        if answer.status == 3:
            return -sign * math.inf
        raise NoExactAnswer(
            f"{self.plan.name!r}: no averages obey the laws of a long run ({answer.message})"
        )

    def _matrix(self, rows: Sequence[tuple[Row, float]]) -> tuple[Any, NDArray[np.float64] | None]:
        from scipy.sparse import csr_array  # type: ignore[import-untyped]

        entries = [(n, k, v) for n, (row, _) in enumerate(rows) for k, v in row.items()]
        limits = np.array([limit for _, limit in rows])
        if not len(limits):
            return None, None
        n, k, v = zip(*entries, strict=True) if entries else ((), (), ())
        return csr_array((np.array(v, float), (n, k)), shape=(len(limits), self.width)), limits

    def bounds(self) -> ThroughputBounds:
        """The bounds of all throughputs."""
        lower, upper = {}, {}
        for t, id in enumerate(self.net.transition_ids):
            lower[id] = max(0.0, self._solve({self._x(t): 1.0}, 1))
            upper[id] = self._solve({self._x(t): 1.0}, -1)
        return ThroughputBounds(self.plan.name, self.plan.timing.unit, lower, upper)
