"""`Result`: what a simulation found, as estimates, tables, pictures and logs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from petriflow.net.errors import DefinitionError
from petriflow.patterns.names import short
from petriflow.simulation.load import loads, overload
from petriflow.simulation.plan import Plan
from petriflow.simulation.run import Figures, Run
from petriflow.simulation.statistics import Estimate, batch_means, estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    from petriflow.drawing import Drawing


@dataclass(frozen=True, eq=False)
class Result:
    """What a simulation found, all times in the timing's unit.

    Estimates come with 95 % confidence intervals: from the means of the replications; of a single
    one by batch means over its cases in the order in which they came.
    """

    plan: Plan
    figures: tuple[Figures, ...]
    seed: int
    wanted: int | None
    until: float | None
    warmup: float

    # -- estimates ----------------------------------------------------------------------------

    def _over_cases(self, of: Callable[[Figures], NDArray[np.float64]]) -> Estimate:
        self._need_cases()
        if len(self.figures) == 1:
            return batch_means(of(self.figures[0]))
        return estimate([of(f).mean() if len(f.end) else math.nan for f in self.figures])

    def _over_runs(self, of: Callable[[Figures], float]) -> Estimate:
        return estimate([of(f) for f in self.figures])

    def _need_cases(self) -> None:
        if not self.plan.cases:
            raise DefinitionError(
                f"{self.plan.name!r} was played without cases; look at places and transitions"
            )

    @property
    def cycle_time(self) -> Estimate:
        """From a case's beginning to its end."""
        return self._over_cases(lambda f: f.end - f.begin)

    @property
    def waiting_time(self) -> Estimate:
        """What a case's tasks wait for resources, added up."""
        return self._over_cases(lambda f: f.wait)

    @property
    def work_time(self) -> Estimate:
        """What is worked on a case, added up over its tasks."""
        return self._over_cases(lambda f: f.work)

    @property
    def cost(self) -> Estimate:
        """What a case costs: its tasks, and the time of those who did them."""
        return self._over_cases(lambda f: f.cost)

    @property
    def throughput(self) -> Estimate:
        """Cases that end in a unit of time."""
        self._need_cases()
        return self._over_runs(_throughput)

    @property
    def in_progress(self) -> Estimate:
        """Cases in progress on average, by Little's law."""
        self._need_cases()
        return self._over_runs(lambda f: float((f.end - f.begin).mean()) * _throughput(f))

    @property
    def precision(self) -> float:
        """The half-width of the interval of the cycle time as a part of it."""
        return self.cycle_time.precision

    def quantile(self, part: float) -> float:
        """The cycle time within which this part of all cases ends, such as 0.95."""
        self._need_cases()
        return float(np.quantile(self._cycles, part))

    @cached_property
    def _cycles(self) -> NDArray[np.float64]:
        return np.concatenate([f.end - f.begin for f in self.figures])

    # -- tables -------------------------------------------------------------------------------

    @cached_property
    def summary(self) -> DataFrame:
        """The estimates: a row each, with mean, low and high."""
        names = ("cycle_time", "waiting_time", "work_time", "cost", "throughput", "in_progress")
        return _table({name.replace("_", " "): getattr(self, name) for name in names})

    @cached_property
    def tasks(self) -> DataFrame:
        """By task: how often a case does it, its mean and longest wait, its mean work, and the part
        of all waiting that is before it.
        """
        from pandas import DataFrame

        self._need_cases()
        jobs = self.plan.jobs
        count = sum(f.task_count for f in self.figures)
        cases = max(1, sum(len(f.end) for f in self.figures))
        wait = sum(f.task_wait for f in self.figures)
        work = sum(f.task_work for f in self.figures)
        longest = np.max([f.task_longest for f in self.figures], axis=0)
        often = np.maximum(count, 1)
        total = float(np.sum(wait)) or 1.0
        return DataFrame(
            {
                "per case": count / cases,
                "wait": wait / often,
                "longest wait": longest,
                "work": work / often,
                "share of waiting": wait / total,
            },
            index=_index(self._short([job.task for job in jobs]), "task"),
        )

    @cached_property
    def resources(self) -> DataFrame:
        """By pool: its average size, the part of its hours in which it was at work with its
        interval, how much work came as a part of what it can do, and time beyond the hours.
        """
        from pandas import DataFrame

        self._need_cases()
        pools = self.plan.pools
        used = [
            estimate([_part(f.busy[n], f.open[n]) for f in self.figures]) for n in range(len(pools))
        ]
        load = np.mean([self._loads(f) for f in self.figures], axis=0) if pools else []
        over = [float(np.mean([f.over[n] for f in self.figures])) for n in range(len(pools))]
        return DataFrame(
            {
                "size": [pool.average for pool in pools],
                "utilisation": [u.mean for u in used],
                "low": [u.low for u in used],
                "high": [u.high for u in used],
                "load": load,
                "overtime": over,
            },
            index=_index([pool.name for pool in pools], "resource"),
        )

    @cached_property
    def cases(self) -> DataFrame:
        """Every case that was counted: when it began and ended, its waiting, work and cost."""
        from pandas import DataFrame, concat

        self._need_cases()
        return concat(
            [
                DataFrame(
                    {
                        "replication": number, "case": f.case, "begin": f.begin, "end": f.end,
                        "cycle": f.end - f.begin, "wait": f.wait, "work": f.work, "cost": f.cost,
                    }
                )
                for number, f in enumerate(self.figures)
            ],
            ignore_index=True,
        )  # fmt: skip

    @cached_property
    def places(self) -> DataFrame:
        """By place of a net: its mean number of tokens over time."""
        ids = self.plan.compiled.place_ids
        return _table({
            id: estimate([f.area[p] / f.length for f in self.figures])
            for p, id in enumerate(ids)
        }, "place")  # fmt: skip

    @cached_property
    def transitions(self) -> DataFrame:
        """By transition: its firings in a unit of time."""
        ids = self.plan.compiled.transition_ids
        return _table({
            id: estimate([f.fired[t] / f.length for f in self.figures])
            for t, id in enumerate(ids)
        }, "transition")  # fmt: skip

    def _short(self, ids: Sequence[str]) -> list[str]:
        return [short(id, ids) for id in ids]

    # -- what to know of it -------------------------------------------------------------------

    def _loads(self, f: Figures) -> list[float]:
        return loads(self.plan, f.busy, f.open, f.over, f.queue)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures has to know: queues that only grow, cases that got stuck."""
        found = []
        arrivals = self.plan.timing.arrivals
        if self.plan.pools and arrivals is not None and arrivals.kind in ("renewal", "poisson"):
            load = np.mean([self._loads(f) for f in self.figures], axis=0)
            queue = np.mean([f.queue for f in self.figures], axis=0)
            if why := overload(self.plan, [float(part) for part in load], queue):
                found.append(f"{why}; until then the figures grow with the number of cases")
        if stuck := sum(f.stuck for f in self.figures):
            found.append(
                f"{stuck:,} cases got stuck before their end and are left out; verify() shows how"
            )
        return tuple(found)

    def log(self, replication: int = 0) -> DataFrame:
        """Every task of one replication: case, task, and when it was asked for, begun and ended.

        The replication is played again, which gives the same.
        """
        from pandas import DataFrame

        rows = self._again(replication).task_log
        names = self._short([job.task for job in self.plan.jobs])
        pools = [pool.name for pool in self.plan.pools]
        return DataFrame(
            {
                "case": rows["case"],
                "task": [names[j] for j in rows["job"]],
                "asked": rows["asked"],
                "begin": rows["begin"],
                "end": rows["end"],
                "resource": [pools[p] if p >= 0 else None for p in rows["pool"]],
            }
        )

    def trace(self, replication: int = 0) -> DataFrame:
        """Every firing of one replication, in order: time, case and transition."""
        from pandas import DataFrame

        rows = self._again(replication).firing_log
        ids = self.plan.compiled.transition_ids
        return DataFrame(
            {
                "time": rows["time"],
                "case": rows["case"],
                "transition": [ids[t] for t in rows["what"]],
            }
        )

    def heat(self) -> Drawing:
        """The net, each task coloured by the mean wait before it."""
        from petriflow.drawing import Overlay, draw

        self._need_cases()
        tasks = [job.task for job in self.plan.jobs]
        heat = dict(zip(tasks, map(float, self.tasks["wait"]), strict=True))
        label = f"{self.plan.timing.unit} of waiting"
        return draw(self.plan.atomic or self.plan.net, overlay=Overlay(heat=heat, heat_label=label))

    def _again(self, replication: int) -> Figures:
        if not 0 <= replication < len(self.figures):
            raise DefinitionError(
                f"replication {replication}: there are those from 0 to {len(self.figures) - 1}"
            )
        luck = np.random.SeedSequence(self.seed, spawn_key=(replication,))
        return Run(
            self.plan, luck, cases=self.wanted, until=self.until, warmup=self.warmup, log=True
        ).go()

    def to_json(self) -> dict[str, Any]:
        """The figures as plain JSON data."""
        told: dict[str, Any] = {
            "name": self.plan.name, "unit": self.plan.timing.unit, "seed": self.seed,
            "replications": len(self.figures), "warmup": self.warmup,
            "firings": sum(f.firings for f in self.figures), "notes": list(self.notes),
        }  # fmt: skip
        if not self.plan.cases:
            return told | {
                "places": _records(self.places), "transitions": _records(self.transitions)
            }  # fmt: skip
        return told | {
            "cases": sum(len(f.end) for f in self.figures), "summary": _records(self.summary),
            "quantiles": {str(q): self.quantile(q) for q in (0.5, 0.9, 0.95, 0.99)},
            "tasks": _records(self.tasks), "resources": _records(self.resources),
        }  # fmt: skip

    def __str__(self) -> str:
        unit, runs = self.plan.timing.unit, len(self.figures)
        times = f"{runs:,} replications" if runs > 1 else "1 replication"
        if not self.plan.cases:
            return f"{self.plan.name}: {times} of {self.figures[0].length:g} {unit}"
        lines = [
            f"{self.plan.name}: {sum(len(f.end) for f in self.figures):,} cases in {times}, "
            f"times in {unit}, seed {self.seed}"
        ]
        for name in ("cycle_time", "waiting_time", "work_time", "cost", "throughput"):
            found = getattr(self, name)
            if found.mean or name == "cycle_time":
                lines.append(f"  {name.replace('_', ' '):14}{found}")
        low, high = self.quantile(0.5), self.quantile(0.95)
        lines.append(f"  {'':14}half of the cases within {low:.4g}, 95 % within {high:.4g}")
        for name, row in self.resources.iterrows():
            lines.append(f"  {name:14}{row['utilisation']:.0%} at work")
        waits = self.tasks["share of waiting"].sort_values(ascending=False)
        told = [f"{task} ({part:.0%})" for task, part in waits[:3].items() if part >= 0.005]
        if told:
            lines.append(f"  cases wait at {', '.join(told)}")
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])

    def __repr__(self) -> str:
        return f"<Result of {str(self).splitlines()[0]}>"


def _throughput(f: Figures) -> float:
    """The rate at which the counted cases ended, from the first beginning to the last end."""
    if len(f.end) < 2:
        return math.nan
    ends = np.sort(f.end)
    return float((len(ends) - 1) / (ends[-1] - ends[0])) if ends[-1] > ends[0] else math.nan


def _part(of: float, whole: float) -> float:
    return float(of / whole) if whole > 0 else math.nan


def _index(names: Sequence[str], what: str) -> Any:
    from pandas import Index

    return Index(names, name=what)


def _table(rows: dict[str, Estimate], what: str = "figure") -> DataFrame:
    from pandas import DataFrame

    return DataFrame(
        {
            "mean": [e.mean for e in rows.values()],
            "low": [e.low for e in rows.values()],
            "high": [e.high for e in rows.values()],
        },
        index=_index(list(rows), what),
    )


def _records(table: DataFrame) -> dict[str, dict[str, float | None]]:
    return {
        str(name): {k: (float(v) if math.isfinite(v) else None) for k, v in row.items()}
        for name, row in table.iterrows()
    }
