"""`Timing`: time and chance as annotations on a workflow or a net, never a second model.

    Timing(
        unit="min",
        arrivals=poisson(12, per="1h"),
        durations={"check": "10m", "pay": exponential("2m"), "ship": [310, 290, 402]},
        choices={"payment": {"pay_by_card": 0.7}},
        resources={"clerk": Pool(3, hours="mon-fri 9:00-17:00"), "van": 1},
        needs={"check": "clerk", "ship": ["clerk", "van"]},
    )

Names are those of the model: tasks, choices, events and transitions by their id, or by its end as
far as it is clear which is meant. What they mean for a model, `plan.py` works out and checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal

from petriflow.net.errors import DefinitionError
from petriflow.patterns.duration import Duration
from petriflow.simulation.laws import Given, length, unit_of

Discipline = Literal["fifo", "lifo", "random", "shortest"]
#: What becomes of the time that an activity has been enabled for when it is disabled: forgotten
#: (`enabling`), kept until it is enabled again (`age`); or drawn anew after every firing
#: (`resampling`). Ajmone Marsan et al.: The effect of execution policies, 1989.
Memory = Literal["enabling", "age", "resampling"]


@dataclass(frozen=True)
class Pool:
    """People or machines that tasks need, each at one task at a time.

    Args:
        size: how many there are; or by hours of the week, which add up:
            `{"mon-fri 9-17": 3, "fri 12-20": 1}`.
        hours: when all of them are there, such as "mon-fri 9:00-17:00"; by default always.
        skills: further names under which tasks can need them; of several pools that have what a
            task needs, the first that is free does it.
        discipline: who is next: the longest waiting (`fifo`), the newest (`lifo`), anybody
            (`random`), the shortest work (`shortest`). Priorities of tasks go before it.
        when_closed: work under way at closing time rests until the hours go on (`pause`), or is
            brought to its end (`finish`).
        cost: of one, for each unit of time at work.

    Raises:
        DefinitionError: a size is no whole number, or nobody is ever there.
    """

    size: int | Mapping[str, int] = 1
    hours: str | None = None
    skills: Iterable[str] = ()
    discipline: Discipline = "fifo"
    when_closed: Literal["pause", "finish"] = "pause"
    cost: float = 0.0

    def __post_init__(self) -> None:
        sizes = list(self.size.values()) if isinstance(self.size, Mapping) else [self.size]
        if any(not isinstance(n, int) or isinstance(n, bool) or n < 0 for n in sizes):
            raise DefinitionError(f"Pool({self.size!r}): a size is a whole number of 0 or more")
        if not any(sizes):
            raise DefinitionError(
                f"Pool({self.size!r}): nobody is ever there; its tasks would wait"
            )
        if self.hours is not None and isinstance(self.size, Mapping):
            raise DefinitionError(
                f"Pool({self.size!r}, hours={self.hours!r}): sizes by hours need no hours="
            )
        for what, value, known in (
            ("discipline", self.discipline, ("fifo", "lifo", "random", "shortest")),
            ("when_closed", self.when_closed, ("pause", "finish")),
        ):
            if value not in known:
                raise DefinitionError(f"Pool: {what}={value!r}; write {' or '.join(known)}")
        if not self.cost >= 0:
            raise DefinitionError(f"Pool: cost={self.cost!r}; write a number of 0 or more")
        skills = [self.skills] if isinstance(self.skills, str) else self.skills
        object.__setattr__(self, "skills", frozenset(skills))
        if isinstance(self.size, Mapping):
            object.__setattr__(self, "size", MappingProxyType(dict(self.size)))


@dataclass(frozen=True)
class Arrivals:
    """When cases come; made by `every`, `poisson`, `at` and `in_progress`."""

    kind: Literal["renewal", "poisson", "trace", "closed"]
    gap: Given = None
    per: Duration = 1
    rate: float | Mapping[str, float] = 0.0
    times: tuple[Duration, ...] = ()
    number: int = 0
    during: str | None = None


def every(gap: Given, *, during: str | None = None) -> Arrivals:
    """A case every so often: the first at once where the gap is a constant, else after a gap.

    Args:
        gap: a duration, or a law of durations such as `exponential("5m")`.
        during: the hours of the week in which they come, "mon-fri 8:00-20:00"; time stands still
            between them.
    """
    return Arrivals("renewal", gap=gap, during=during)


def poisson(
    rate: float | Mapping[str, float], *, per: Duration = 1, during: str | None = None
) -> Arrivals:
    """Cases that know nothing of each other, so many on average.

    Args:
        rate: the number of cases; or one for each part of the week, which add up:
            `{"mon-fri 9-12": 20, "mon-fri 12-17": 10}`.
        per: in what time: `poisson(12, per="1h")`; by default the timing's unit.
        during: the hours of the week in which they come.
    """
    if isinstance(rate, Mapping) and during is not None:
        raise DefinitionError("poisson: rates by hours need no during=; give one of them")
    return Arrivals("poisson", rate=rate, per=per, during=during)


def at(times: Iterable[Duration]) -> Arrivals:
    """Cases at just these times, such as those of a log."""
    return Arrivals("trace", times=tuple(times))


def in_progress(number: int) -> Arrivals:
    """As many cases at any time: a new one begins when one ends."""
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise DefinitionError(f"in_progress({number!r}): write 1 or more")
    return Arrivals("closed", number=number)


def nothing() -> dict[Any, Any]:
    """An annotation that says nothing."""
    return {}


@dataclass(frozen=True, eq=False)
class Timing:
    """Time and chance for a workflow or a net.

    Args:
        durations: how long tasks take and events let wait, or timed transitions of a net: a number,
            a text such as "5m", `exponential("5m")` and its kin, a frozen distribution of scipy, or
            a list of measured values. A transition of a net that is not here is immediate.
        arrivals: when cases come; `every("5m")`, `poisson(12, per="1h")`, `at([…])`, or
            `in_progress(20)`. Without it one case begins when the one before has ended.
        choices: for each choice, the weight of each branch (`{"payment": {"card": 0.7}}`; a branch
            that is left out has the rest to 1); of a multi-choice, the probability of each.
        variables: what each case begins with, for guards: a value, a mapping from values to
            weights, a frozen distribution, or a function of a `numpy.random.Generator`.
        outcomes: what tasks return, likewise: `{"check": {"in_stock": {True: 0.9, False: 0.1}}}`.
        resources: pools by name; a number is a `Pool` of that size.
        needs: for each task, the pool or skill that it needs, or all of a list.
        priorities: of tasks, who goes first where they wait for a resource; of the immediate
            transitions of a net, which fire first. The higher, the sooner; by default 0.
        weights: of immediate transitions of a net that compete; by default 1.
        servers: how many firings of a net's transition are under way at once; by default 1,
            `math.inf` for as many as there are tokens.
        memory: of a net's transition, `enabling`, `age` or `resampling`; by default `enabling`.
        costs: of each execution of a task, besides what its resources cost.
        unit: the unit of time of all bare numbers and distributions, and of the results.

    Raises:
        DefinitionError: a field is of the wrong kind. Names are checked against the model later.

    >>> timing = Timing(durations={"pay": "2m"}, resources={"clerk": 1}, unit="min")
    >>> timing.but(resources={"clerk": 2}).resources["clerk"].size
    2
    """

    durations: Mapping[str, Given] = field(default_factory=nothing)
    arrivals: Arrivals | None = None
    choices: Mapping[str, Mapping[str, float]] = field(default_factory=nothing)
    variables: Mapping[str, Any] = field(default_factory=nothing)
    outcomes: Mapping[str, Mapping[str, Any]] = field(default_factory=nothing)
    resources: Mapping[str, Any] = field(default_factory=nothing)
    needs: Mapping[str, str | Sequence[str]] = field(default_factory=nothing)
    priorities: Mapping[str, int] = field(default_factory=nothing)
    weights: Mapping[str, float] = field(default_factory=nothing)
    servers: Mapping[str, float] = field(default_factory=nothing)
    memory: Mapping[str, Memory] = field(default_factory=nothing)
    costs: Mapping[str, float] = field(default_factory=nothing)
    unit: str = "s"

    def __post_init__(self) -> None:
        unit_of(self.unit)
        for name in _MAPPINGS:
            given = getattr(self, name)
            if not isinstance(given, Mapping):
                raise DefinitionError(f"Timing: {name}={given!r} is no mapping from names")
            object.__setattr__(self, name, MappingProxyType(dict(given)))
        if self.arrivals is not None and not isinstance(self.arrivals, Arrivals):
            raise DefinitionError(
                f"Timing: arrivals={self.arrivals!r}; write every('5m'), poisson(12, per='1h'), "
                "at([…]) or in_progress(20)"
            )
        pools = {
            name: pool if isinstance(pool, Pool) else Pool(pool)
            for name, pool in self.resources.items()
        }
        object.__setattr__(self, "resources", MappingProxyType(pools))

    def but(self, **changes: Any) -> Timing:
        """The same with changes: mappings are merged name by name, other fields replaced.

        Raises:
            DefinitionError: there is no such field, or it is of the wrong kind.
        """
        known = [f.name for f in fields(self)]
        for name, value in changes.items():
            if name not in known:
                raise DefinitionError(f"a timing has no {name!r}; it has {', '.join(known)}")
            if name in _MAPPINGS and isinstance(value, Mapping):
                changes[name] = {**getattr(self, name), **value}
        return replace(self, **changes)

    @property
    def seconds(self) -> float:
        """The seconds of one unit."""
        return unit_of(self.unit)

    def length(self, duration: Duration, what: str) -> float:
        """A length of time in the unit."""
        return length(duration, self.seconds, what)


_MAPPINGS = (
    "durations", "choices", "variables", "outcomes", "resources", "needs", "priorities", "weights",
    "servers", "memory", "costs",
)  # fmt: skip
