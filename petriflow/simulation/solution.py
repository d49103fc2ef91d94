"""What `solve` found: tables, probabilities of conditions, and how long until they hold."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, diags_array  # type: ignore[import-untyped]

from petriflow.analysis.queries.formula import of_one_marking, read_query
from petriflow.net.errors import QueryError
from petriflow.patterns.names import short
from petriflow.simulation.chain import Chain
from petriflow.simulation.equations import (
    Answer,
    Floats,
    Generator,
    Reaching,
    Uniformised,
    closed_classes,
    leading_to,
    stationary,
    visits,
)
from petriflow.simulation.plan import Plan

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Passage:
    """How long it takes, from the beginning, until a condition holds for the first time.

    `probability` is that it ever does; if it may not, the mean is infinite.
    """

    condition: str
    unit: str
    probability: float
    mean: float
    deviation: float
    residual: float
    _reaching: Reaching = field(repr=False)

    def cdf(self, time: float) -> float:
        """The probability that it takes at most so long."""
        return 0.0 if time < 0 else self._reaching(time)

    def quantile(self, part: float) -> float:
        """The time within which it happens with this probability; infinite if it may not."""
        from scipy.optimize import brentq  # type: ignore[import-untyped]

        if self.cdf(0) >= part:
            return 0.0
        if part >= self.probability:
            return math.inf
        high = self.mean if math.isfinite(self.mean) else 1 / self._reaching.uniformised.pace
        while self.cdf(high) < part:
            high *= 2
        found: float = brentq(lambda t: self.cdf(t) - part, 0, high, xtol=1e-12 * high, rtol=1e-12)
        return found

    def to_json(self) -> dict[str, Any]:
        """The figures as plain JSON data; what is infinite is `None`."""
        return {
            "mean": _plain(self.mean),
            "deviation": _plain(self.deviation),
            "probability": self.probability,
            "quantiles": {str(part): _plain(self.quantile(part)) for part in QUANTILES},
        }

    def __str__(self) -> str:
        if self.probability < 1:
            return f"{self.condition}: with probability {self.probability:.6g}, else never"
        some = ", ".join(f"{100 * p:g} % within {self.quantile(p):.6g}" for p in QUANTILES)
        return (
            f"{self.condition}: {self.mean:.6g} {self.unit} on average, deviation "
            f"{self.deviation:.6g}; {some}"
        )


QUANTILES = (0.5, 0.9, 0.99)


@dataclass(frozen=True, eq=False)
class Solution:
    """What both kinds of solution have: a chain, and questions that it answers.

    `residual` is what is left over of the equations, in proportion to the flow; `approximate` names
    the durations that were taken for something near to them.
    """

    plan: Plan
    chain: Chain
    residual: float
    method: str
    seconds: float

    @property
    def name(self) -> str:
        """What was solved."""
        return self.plan.name

    @property
    def unit(self) -> str:
        """The unit of time of all figures."""
        return self.plan.timing.unit

    @property
    def tangible(self) -> int:
        """The number of markings in which time passes."""
        return self.chain.count

    @property
    def vanishing(self) -> int:
        """The number of markings in which an immediate transition fires at once."""
        return self.chain.graph.count - self.chain.count

    @property
    def approximate(self) -> tuple[str, ...]:
        """Which durations are not those of the model, and what they were taken for."""
        return self.chain.markov.approximate

    def where(self, condition: str) -> NDArray[np.bool_]:
        """In which tangible markings a condition holds, such as `"queue >= 2 and not up"`.

        Raises:
            QueryError: it cannot be read, or is not about one marking.
        """
        formula = read_query(condition, self.chain.markov.net)
        if not of_one_marking(formula):
            raise QueryError(f"{condition!r} is about ways on, and not about one marking")
        found = np.zeros(self.chain.count, np.bool_)
        for numbers, tokens in self.chain.places():
            found[numbers] = tokens.holds(formula)[self.chain.tangible[numbers] - tokens.first]
        return found

    def passage(self, goal: str) -> Passage:
        """How long until a condition first holds in a marking where time passes."""
        return passage(self.chain, self.where(goal), goal, self.unit)

    def transient(self, times: Iterable[float], *conditions: str) -> pd.DataFrame:
        """Figures over time, from the beginning: the probability of each condition, or without
        conditions the mean number of tokens on each place of the model. A row for each time.
        """
        import pandas as pd

        at = [float(t) for t in times]
        if any(not 0 <= t < math.inf for t in at):
            raise QueryError(f"transient: times are numbers of 0 or more, not {at}")
        if conditions:
            values = {c: self.where(c).astype(float) for c in conditions}
        else:
            values = {p.id: self._tokens(n) for n, p in enumerate(self._places)}
        chain = Uniformised(self.chain.generator, self.chain.first)
        rows = [[float(x @ v) for v in values.values()] for x in chain.at(at)]
        return pd.DataFrame(rows, pd.Index(at, name=self.unit), list(values))

    @property
    def _places(self) -> Sequence[Any]:
        return self.chain.markov.net.places[: self.chain.markov.places]

    def _tokens(self, place: int) -> Floats:
        found = np.empty(self.chain.count)
        for numbers, tokens in self.chain.places():
            found[numbers] = tokens.column(place)[self.chain.tangible[numbers] - tokens.first]
        return found

    def _by_owner(self, firings: Floats) -> dict[str, float]:
        """The firings of each transition of the model, in the order of the net."""
        found = {t.id: 0.0 for t in self.plan.net.transitions}
        for owner, count in zip(self.chain.markov.owners, firings.tolist(), strict=True):
            if owner:
                found[owner] += count
        return found

    # -- how it shows itself ----------------------------------------------------------------------

    @property
    def title(self) -> str:
        """What this is, in a line."""
        return self.name

    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by their names."""
        return {}

    @property
    def _small_print(self) -> str:
        said = f"{self.tangible:,} markings"
        if self.vanishing:
            said += f" and {self.vanishing:,} that take no time"
        said += f"; {self.method}, residual {self.residual:.1e}, {self.seconds:.2f} s"
        for what in self.approximate:
            said += f"\napproximate: {what}"
        return said

    def __str__(self) -> str:
        parts = [self.title]
        for name, table in self.tables().items():
            parts += [f"\n{name}", table.to_string(float_format=_shown)]
        return "\n".join([*parts, "", self._small_print])

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.title}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        parts = [f"<p>{escape(self.title)}</p>"]
        for name, table in self.tables().items():
            parts.append(
                f"<p><b>{escape(name)}</b></p>{table.to_html(float_format=_shown, border=0)}"
            )
        return "".join([*parts, f"<p><small>{escape(self._small_print)}</small></p>"])

    def to_json(self) -> dict[str, Any]:
        """The figures as plain JSON data; what is infinite or no number is `None`."""
        return {
            "name": self.name,
            "unit": self.unit,
            "tangible": self.tangible,
            "vanishing": self.vanishing,
            "residual": self.residual,
            "approximate": list(self.approximate),
        } | {
            name: {
                str(row): {str(k): _plain(v) for k, v in cells.items()}
                for row, cells in table.to_dict("index").items()
            }
            for name, table in self.tables().items()
        }


@dataclass(frozen=True, eq=False)
class NetSolution(Solution):
    """A net in the long run: averages over all time.

    `x` are the probabilities of the tangible markings, `classes` those sets of markings that are
    never left again, with the probability to come there; more than one means that the long run
    depends on chance, and that the figures are those of many runs together.
    """

    x: Floats = field(repr=False)
    _classes: tuple[tuple[float, NDArray[Any]], ...] = field(repr=False)

    @staticmethod
    def of(plan: Plan, chain: Chain, began: float) -> NetSolution:
        """Solve the chain of a net."""
        classes = closed_classes(chain.generator, chain.first)
        x, residual, method = np.zeros(chain.count), 0.0, "direct"
        chances = _chances(chain, classes)
        for chance, states in zip(chances, classes, strict=True):
            whole = len(states) == chain.count
            found = stationary(chain.generator if whole else chain.generator.among(states))
            x[states] = chance * found.x
            residual = max(residual, found.residual)
            method = found.method if len(states) > 1 else method
        taken = time.perf_counter() - began
        kept = tuple(zip(chances, classes, strict=True))
        return NetSolution(plan, chain, residual, method, taken, x, kept)

    def probability(self, condition: str) -> float:
        """The part of all time in which a condition holds, such as `"queue >= 2"`."""
        return float(self.x[self.where(condition)].sum())

    def distribution(self, place: str) -> pd.Series:
        """The probability of each number of tokens on a place."""
        import pandas as pd

        id = self.plan.net.place(place).id
        tokens = self._tokens([p.id for p in self._places].index(id)).astype(np.int64)
        return pd.Series(np.bincount(tokens, self.x), name="probability").rename_axis(place)

    @cached_property
    def throughput(self) -> dict[str, float]:
        """How often each transition fires in a unit of time."""
        return self._by_owner(self.chain.firings(self.x))

    @cached_property
    def transitions(self) -> pd.DataFrame:
        """Of each transition the `throughput`, how many firings are under way (`busy`), and the
        part of its servers that are (`utilisation`).
        """
        import pandas as pd

        rows = []
        for n, (id, rate) in enumerate(self.throughput.items()):
            law, servers = self.plan.laws[n], self.plan.servers[n]
            busy = rate * law.mean if law else math.nan
            used = busy / servers if math.isfinite(servers) else math.nan
            rows.append((id, rate, busy, used))
        columns = ["transition", "throughput", "busy", "utilisation"]
        return pd.DataFrame(rows, columns=columns).set_index("transition")

    @cached_property
    def places(self) -> pd.DataFrame:
        """Of each place the mean number of `tokens`, the part of time it is `marked`, and how long
        a token `stays` (Little's law).
        """
        import pandas as pd

        flow = self.throughput
        entered = dict.fromkeys((p.id for p in self._places), 0.0)
        for t in self.plan.net.transitions:
            for p, n in t.produce.items():
                entered[p] += n * flow[t.id]
        mean, marked = np.zeros(len(entered)), np.zeros(len(entered))
        for numbers, tokens in self.chain.places():
            rows = self.chain.tangible[numbers] - tokens.first
            for n in range(len(entered)):
                column = tokens.column(n)[rows]
                mean[n] += self.x[numbers] @ column
                marked[n] += self.x[numbers] @ (column > 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            stays = mean / np.array(list(entered.values()))
        table = pd.DataFrame(
            {"tokens": mean, "marked": marked, "stays": stays}, index=list(entered)
        )
        return table.rename_axis("place")

    @cached_property
    def classes(self) -> pd.DataFrame:
        """The sets of markings that are never left again: the `probability` to come there, how many
        `markings` they have, and the first of them; one that is `dead` enables nothing.
        """
        import pandas as pd

        rows = [
            (
                chance,
                len(states),
                self.chain.marking(int(states[0])),
                not self.chain.generator.leave[states[0]] and not self._fires(int(states[0])),
            )
            for chance, states in self._classes[:MOST_CLASSES]
        ]
        return pd.DataFrame(rows, columns=["probability", "markings", "first", "dead"])

    def _fires(self, state: int) -> bool:
        return len(self.chain.graph.row(int(self.chain.tangible[state]))) > 0

    def markings(self, most: int = 20) -> pd.Series:
        """The probability of the likeliest markings in which time passes."""
        import pandas as pd

        order = np.argsort(-self.x, kind="stable")[:most]
        index = [self.chain.marking(int(s)) for s in order]
        return pd.Series(self.x[order], index, name="probability").rename_axis("marking")

    @property
    def title(self) -> str:
        """What this is, in a line."""
        if len(self._classes) == 1:
            return f"{self.name}: in the long run, per {self.unit}"
        return (
            f"{self.name}: in the long run, per {self.unit}, on average over "
            f"{len(self._classes):,} ends, of which each run comes to one"
        )

    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by their names."""
        tables = {"transitions": self.transitions, "places": self.places}
        return tables | ({"classes": self.classes} if len(self._classes) > 1 else {})


#: So many of the classes are shown.
MOST_CLASSES = 20


@dataclass(frozen=True, eq=False)
class CaseSolution(Solution):
    """One case of a workflow, from its beginning to its end.

    `cycle_time` tells how long it takes: mean, deviation, distribution. All figures are those of a
    case that does not wait for others.
    """

    cycle_time: Passage
    _firings: Floats = field(repr=False)
    _ends: tuple[tuple[float, NDArray[Any]], ...] = field(repr=False)

    @staticmethod
    def of(plan: Plan, chain: Chain, began: float) -> CaseSolution:
        """Solve the chain of a case."""
        classes = closed_classes(chain.generator, chain.first)
        chances = _chances(chain, classes)
        taken, answer = _before(chain, classes)
        firings = chain.firings(taken, chain.begun)
        bare = Solution(plan, chain, answer.residual, answer.method, 0.0)
        cycle_time = passage(chain, bare.where("completed"), "cycle time", bare.unit)
        return CaseSolution(
            plan, chain, max(answer.residual, cycle_time.residual), answer.method,
            time.perf_counter() - began, cycle_time, firings,
            tuple(zip(chances, classes, strict=True)),
        )  # fmt: skip

    @cached_property
    def firings(self) -> dict[str, float]:
        """How often each transition of the expanded net fires in a case, on average."""
        return self._by_owner(self._firings)

    @cached_property
    def tasks(self) -> pd.DataFrame:
        """Of each task how often it is done in a case (`executions`), how long it takes then
        (`duration`), and how much `work` it is in all; `cost` where there are costs.
        """
        import pandas as pd

        names = self.plan.net.transitions
        rows = []
        for job in self.plan.jobs:
            law = self.plan.laws[job.complete]
            times = self.firings[names[job.complete].id]
            mean = law.mean if law else 0.0
            paid = sum(self.plan.pools[a[0]].cost for a in job.needs)
            rows.append((job.task, times, mean, times * mean, times * (job.cost + mean * paid)))
        columns = ["task", "executions", "duration", "work", "cost"]
        table = pd.DataFrame(rows, columns=columns)
        ids = [job.task for job in self.plan.jobs]
        table["task"] = [short(id, ids) for id in ids]
        table = table.set_index("task")
        return table if table["cost"].any() else table.drop(columns="cost")

    @cached_property
    def resources(self) -> pd.DataFrame:
        """Of each pool how much `work` a case is for it, and how many cases it can do at `most` in
        a unit of time; pools that can stand in for each other are left out.
        """
        import pandas as pd

        rows = []
        for n, pool in enumerate(self.plan.pools):
            users = [
                (k, j)
                for k, j in enumerate(self.plan.jobs)
                if any(n in any_of for any_of in j.needs)
            ]
            if all(any_of == (n,) for _, j in users for any_of in j.needs if n in any_of):
                work = float(self.tasks["work"].iloc[[k for k, _ in users]].sum())
                rows.append((pool.name, pool.most, work, pool.most / work if work else math.inf))
        columns = ["resource", "size", "work", "most"]
        return pd.DataFrame(rows, columns=columns).set_index("resource")

    @cached_property
    def ends(self) -> pd.DataFrame:
        """Where a case ends, with its `probability`, and whether that is the proper end."""
        import pandas as pd

        done = self.where("completed")
        rows = [
            (self.chain.marking(int(states[0])), chance, bool(done[states[0]]))
            for chance, states in self._ends[:MOST_CLASSES]
        ]
        return pd.DataFrame(rows, columns=["end", "probability", "completed"]).set_index("end")

    @property
    def title(self) -> str:
        """What this is, in a line."""
        return f"{self.name}: one case, {self.cycle_time}"

    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by their names."""
        tables = {"tasks": self.tasks}
        if len(self.resources):
            tables["resources"] = self.resources
        return tables | ({"ends": self.ends} if len(self._ends) > 1 else {})

    def to_json(self) -> dict[str, Any]:
        """The figures as plain JSON data; what is infinite or no number is `None`."""
        return {**super().to_json(), "cycle_time": self.cycle_time.to_json()}


# -- questions about chains -----------------------------------------------------------------------


def _before(chain: Chain, classes: Sequence[NDArray[Any]]) -> tuple[Floats, Answer]:
    """How long each marking is taken before one is come to that is never left."""
    passing = np.ones(chain.count, np.bool_)
    for states in classes:
        passing[states] = False
    (at,) = np.nonzero(passing)
    answer = visits(chain.generator.among(at), chain.first[at])
    taken = np.zeros(chain.count)
    taken[at] = answer.x
    return taken, answer


def _chances(chain: Chain, classes: Sequence[NDArray[Any]]) -> list[float]:
    """The probability to come to each of the classes."""
    if len(classes) == 1:
        return [1.0]
    taken, _ = _before(chain, classes)
    come = chain.first + chain.generator.flow(taken)
    return [float(come[states].sum()) for states in classes]


def passage(chain: Chain, goal: NDArray[np.bool_], condition: str, unit: str) -> Passage:
    """How long until the chain first comes to a goal."""
    on = csc_array(diags_array((~goal).astype(float)) @ chain.generator.into)
    on.eliminate_zeros()
    stopped = Generator(on, np.where(goal, 0.0, chain.generator.leave))
    can = leading_to(stopped, goal)
    (at,) = np.nonzero(can & ~goal)
    within = stopped.among(at)
    answer = visits(within, chain.first[at])
    taken = np.zeros(chain.count)
    taken[at] = answer.x
    come = chain.first + stopped.flow(taken)
    never = float(come[~can].sum())
    probability = 1.0 if not never else float(come[goal].sum())
    mean = deviation = math.inf
    residual = answer.residual
    if not never:
        mean = float(answer.x.sum())
        again = visits(within, answer.x)
        residual = max(residual, again.residual)
        deviation = math.sqrt(max(0.0, 2 * float(again.x.sum()) - mean * mean))
    reaching = Reaching(stopped, chain.first, goal)
    return Passage(condition, unit, probability, mean, deviation, residual, reaching)


def _plain(value: Any) -> Any:
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int | np.integer):
        return int(value)
    return float(value) if math.isfinite(value) else None


def _shown(value: float) -> str:
    return f"{value:.6g}"
