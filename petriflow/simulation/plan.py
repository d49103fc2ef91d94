"""`Plan`: what a timing means for one model, with every name found and every value checked.

A workflow is played in its expanded form, each case with tokens of its own: a task's start is
immediate as soon as its resources are free, its completion takes the task's duration. A bare net is
played as it is given, on one marking: what has a duration is timed, all else immediate.

**Who goes first.** Immediate transitions go before timed ones, and among them the higher priority.
Those of one priority that compete for tokens are a *conflict set*; the sets come one after
another, in the order of the net, and within a set the weights decide. Timed transitions are looked
at in markings where time can pass, so that to be disabled for no time is not to be disabled; but a
reset withdraws at once what is under way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from petriflow.net import CompiledNet, Net, compile_net
from petriflow.net.errors import DefinitionError
from petriflow.patterns.fragment import Choice, Count
from petriflow.patterns.names import listed, meant, suggestion
from petriflow.simulation.calendars import Week
from petriflow.simulation.laws import Law
from petriflow.simulation.timing import Discipline, Memory, Timing
from petriflow.workflow.guard import Question


@dataclass(frozen=True, slots=True)
class ConflictSet:
    """Immediate transitions that compete; `choice` is asked where guards decide, not weights."""

    members: tuple[int, ...]
    priority: int
    choice: Choice | Count | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A task: its transitions in the expanded net, and what it needs: for each thing the pools of
    which one gives it.
    """

    task: str
    start: int
    complete: int
    running: int
    needs: tuple[tuple[int, ...], ...]
    priority: int
    cost: float


@dataclass(frozen=True, slots=True)
class Staff:
    """A pool with its hours: (second of the week, size from then), or one size."""

    name: str
    sizes: Week
    discipline: Discipline
    pauses: bool
    cost: float

    @property
    def most(self) -> int:
        """How many there are when most are there."""
        return int(max(n for _, n in self.sizes.changes))

    @property
    def average(self) -> float:
        """How many there are on average over the week."""
        return self.sizes.hours / 168


@dataclass(frozen=True, eq=False)
class Plan:
    """A model ready to be played; all tuples but `sets`, `jobs` and `pools` go by transition.

    Of an immediate transition the law is `None`. `cases` says whether there are cases with tokens
    of their own, or one marking for all time.
    """

    name: str
    net: Net
    timing: Timing
    cases: bool
    laws: tuple[Law | None, ...]
    priorities: tuple[int, ...]
    weights: tuple[float, ...]
    servers: tuple[float, ...]
    memory: tuple[Memory, ...]
    sets: tuple[ConflictSet, ...]
    jobs: tuple[Job, ...] = ()
    pools: tuple[Staff, ...] = ()
    questions: Mapping[str, Sequence[Question | None]] = field(default_factory=dict)
    #: what each task returns, by its id
    outcomes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: the net in which a task is one transition, as it is drawn
    atomic: Net | None = None

    @property
    def compiled(self) -> CompiledNet:
        """The net as integers."""
        return compile_net(self.net)

    @property
    def asks(self) -> bool:
        """Whether guards have to be asked."""
        return any(s.choice is not None for s in self.sets)


#: no labels
EMPTY: Mapping[str, str | None] = {}


class Names:
    """Finds what the names of one annotation mean: an id, its end, or what a task is called."""

    def __init__(
        self, owner: str, ids: Iterable[str], what: str, labels: Mapping[str, str | None] = EMPTY
    ) -> None:
        self.owner, self.ids, self.what, self.labels = owner, list(ids), what, labels

    def one(self, name: str, field: str) -> str:
        """The id that a name means."""
        found = meant(name, self.ids) or [id for id in self.ids if self.labels.get(id) == name]
        if len(found) == 1:
            return found[0]
        if found:
            raise DefinitionError(
                f"{self.owner!r}: {field} names {name!r}, which may be {listed(found)}; say which"
            )
        raise DefinitionError(
            f"{self.owner!r}: {field} names {name!r}, and there is no such {self.what}; "
            + suggestion(name, self.ids)
        )

    def all(self, given: Mapping[str, Any], field: str) -> dict[str, Any]:
        """What is given by name, by id."""
        found: dict[str, Any] = {}
        for name, value in given.items():
            id = self.one(name, field)
            if id in found:
                raise DefinitionError(
                    f"{self.owner!r}: {field} names {id!r} twice, once as {name!r}; take one out"
                )
            found[id] = value
        return found


def conflicts(net: CompiledNet, members: Sequence[int]) -> list[tuple[int, ...]]:
    """The members in conflict sets: one may take, or put in the way, what another needs."""
    group = {t: t for t in members}

    def root(t: int) -> int:
        while group[t] != t:
            t = group[t]
        return t

    needing: dict[int, list[int]] = {}
    blocked: dict[int, list[int]] = {}
    for t in members:
        for p, _ in (*net.rows[t].needs, *net.rows[t].consume):
            needing.setdefault(p, []).append(t)
        for p, _ in net.rows[t].inhibitor:
            blocked.setdefault(p, []).append(t)
    for t in members:
        row = net.rows[t]
        for p in {p for p, _ in row.consume} | set(row.reset):
            for other in needing.get(p, ()):
                group[root(other)] = root(t)
        for p, _ in row.produce:
            for other in blocked.get(p, ()):
                group[root(other)] = root(t)
    found: dict[int, list[int]] = {}
    for t in members:
        found.setdefault(root(t), []).append(t)
    return sorted(tuple(sorted(m)) for m in found.values())


def checked_weight(owner: str, what: str, value: Any) -> float:
    """The weight, if it is one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise DefinitionError(f"{owner!r}: {what} is {value!r}; a weight is a number of 0 or more")
    return float(value)


def check_whole(owner: str, priorities: Mapping[str, Any]) -> None:
    """Refuse priorities that are no whole numbers."""
    for id, value in priorities.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise DefinitionError(f"{owner!r}: priorities[{id!r}] is {value!r}; a whole number")
