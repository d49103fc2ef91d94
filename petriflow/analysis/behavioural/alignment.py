"""Does a log fit a net? Optimal alignments of its traces.

An alignment plays a trace and a run of the net side by side, at the least cost: a step that both
make is free, as is a silent step of the net; an event that the net cannot follow, and a task that
the trace does not have, cost one each (Adriansyah, van Dongen, van der Aalst: Conformance checking
using cost-based fitness analysis, EDOC 2011). The fitness is 1 where all fits, and 0 where nothing
does: 1 - cost / (events + steps of the shortest run).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from petriflow.analysis.display import Listing, beginning
from petriflow.formats.event_log import EventLog, Trace
from petriflow.net import Net, compile_net
from petriflow.net.compiled import CompiledNet
from petriflow.net.errors import DefinitionError

#: A trace whose best alignment is not found among so many states is `unknown`.
MOST_STATES = 200_000

#: (activity, lifecycle) of an event, or of a transition that has one.
Label = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Deviation:
    """One step at which a trace and the net part: an event that the net cannot follow (`extra`), or
    a task that the trace lacks (`missing`). `at` counts the events before it.
    """

    kind: Literal["extra", "missing"]
    activity: str
    at: int

    def __str__(self) -> str:
        if self.kind == "extra":
            return f"event {self.at + 1}, {self.activity!r}, cannot happen there"
        where = "at the beginning" if self.at == 0 else f"after event {self.at}"
        return f"{self.activity!r} is missing {where}"


@dataclass(frozen=True, slots=True)
class Alignment:
    """How the cases that took one way fit: none where that was not found out."""

    cases: tuple[str, ...]
    activities: tuple[str, ...]
    fitness: float | None
    deviations: tuple[Deviation, ...] = ()
    #: the run of the net that fits best, by its transitions' ids
    run: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Conformance(Listing):
    """How a log fits a net; it shows itself as a table of the ways that cases took.

    `fitness` is over all cases whose alignment is known, each event and step alike.
    """

    net: str
    fitness: float | None
    alignments: tuple[Alignment, ...]

    @property
    def fits(self) -> bool | None:
        """Whether every case fits; `None` if none is known to deviate, and some are not known."""
        known = [a.fitness for a in self.alignments]
        if any(fitness is not None and fitness < 1 for fitness in known):
            return False
        return None if None in known else True

    @property
    def title(self) -> str:
        """The answer in a line."""
        cases = sum(len(a.cases) for a in self.alignments)
        wrong = sum(len(a.cases) for a in self.alignments if a.deviations)
        unknown = sum(len(a.cases) for a in self.alignments if a.fitness is None)
        told = f"{cases} cases on {self.net!r}: "
        told += "all fit" if self.fits else f"{wrong} deviate, {unknown} unknown"
        return told + ("" if self.fitness is None else f"; fitness {self.fitness:.4f}")

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("cases", "fitness", "way", "deviations")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The ways, the commonest first."""
        for a in self.alignments:
            fitness = "unknown" if a.fitness is None else f"{a.fitness:.3f}"
            way = " → ".join(a.activities)
            way = way if len(way) <= 80 else way[:79] + "…"
            yield str(len(a.cases)), fitness, way, "; ".join(map(str, a.deviations))

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data."""
        return {
            "net": self.net,
            "fits": self.fits,
            "fitness": self.fitness,
            "alignments": [asdict(a) for a in self.alignments],
        }


def conformance(
    net: Net, log: EventLog, *, open_cases: bool = False, max_states: int = MOST_STATES
) -> Conformance:
    """How a log fits a net.

    An event is that of the task whose id its attribute `petriflow:task` gives, or else of the tasks
    of its name. A log that tells when tasks began
    is played on the expanded net, where a task begins and is done; otherwise a task is one step.

    Args:
        net: a workflow's net.
        log: the cases.
        open_cases: whether cases may stop anywhere; otherwise each must reach the end.
        max_states: how many states are looked at for one trace, until it is `unknown`.

    Raises:
        DefinitionError: the net has no task.
        WorkflowNetError: the net has not one source and one sink.

    >>> from petriflow.patterns import sequence
    >>> def pick(case): ...
    >>> def pack(case): ...
    >>> log = EventLog.of({"1": ["pick", "pack"], "2": ["pack"]})
    >>> print(conformance(sequence(pick, pack).net, log))
    2 cases on 'sequence': 1 deviate, 0 unknown; fitness 0.8571
      cases  fitness  way          deviations
      1      1.000    pick → pack
      1      0.667    pack         'pick' is missing at the beginning
    """
    if not any(net.tasks):
        raise DefinitionError(f"net {net.name!r} has no task that an event could be about")
    lifecycle = any(e.lifecycle == "start" for trace in log for e in trace.events)
    played = net.expanded() if lifecycle else net
    player = _Player(played, lifecycle, open_cases, max_states)
    ways: dict[tuple[Label, ...], list[Trace]] = {}
    wanted = ("start", "complete") if lifecycle else ("complete",)
    for trace in log:
        way = tuple(
            (str(e.attributes.get("petriflow:task", e.activity)), e.lifecycle)
            for e in trace.events
            if e.lifecycle in wanted
        )
        ways.setdefault(way, []).append(trace)
    shortest = player.align(())
    least = None if shortest is None else shortest[0]
    found, cost_of_all, worst_of_all = list[Alignment](), 0, 0
    for way, traces in sorted(ways.items(), key=lambda item: -len(item[1])):
        cases = tuple(trace.case for trace in traces)
        told = tuple(e.activity for e in traces[0].events if e.lifecycle in wanted)
        names = traces[0].activities
        aligned = player.align(way)
        if aligned is None or least is None:
            found.append(Alignment(cases, names, None))
            continue
        cost, moves, run = aligned
        deviations = tuple(
            replace(d, activity=told[d.at]) if d.kind == "extra" else d for d in moves
        )
        worst = len(way) + least
        cost_of_all += cost * len(cases)
        worst_of_all += worst * len(cases)
        found.append(Alignment(cases, names, 1 - cost / worst if worst else 1.0, deviations, run))
    known = any(a.fitness is not None for a in found)
    fitness = (1 - cost_of_all / worst_of_all if worst_of_all else 1.0) if known else None
    return Conformance(net.name, fitness, tuple(found))


class _Player:
    """Plays traces on one net."""

    def __init__(self, net: Net, lifecycle: bool, open_cases: bool, max_states: int) -> None:
        self._net: CompiledNet = compile_net(net)
        self._first = tuple(self._net.vector(beginning(net)))
        final = [0] * len(self._first)
        final[self._net.place_index[net.sink.id]] = 1
        self._final = tuple(final)
        self._open_cases, self._max = open_cases, max_states
        self._labels = [_labels(t, lifecycle) for t in net.transitions]
        self._names = [next(iter(labels))[0] if labels else "" for labels in self._labels]

    def align(
        self, way: Sequence[Label]
    ) -> tuple[int, tuple[Deviation, ...], tuple[str, ...]] | None:
        """The least cost, the deviations and the run; `None` if it was not found.

        A search by cost, 0 or 1 a move, from both ends of one queue.
        """
        start = (self._first, 0)
        best = {start: 0}
        came: dict[Any, Any] = {start: None}
        todo = deque([(0, start)])
        while todo:
            cost, state = todo.popleft()
            if cost > best[state]:
                continue
            tokens, at = state
            if at == len(way) and (self._open_cases or tokens == self._final):
                return cost, *self._told(came, state, way)
            for price, after, move in self._moves(tokens, at, way):
                if best.get(after, cost + price + 1) > cost + price:
                    if len(best) > self._max:
                        return None
                    best[after] = cost + price
                    came[after] = (state, move)
                    (todo.append if price else todo.appendleft)((cost + price, after))
        return None

    def _moves(
        self, tokens: tuple[int, ...], at: int, way: Sequence[Label]
    ) -> Iterator[tuple[int, Any, tuple[str, int]]]:
        now = way[at] if at < len(way) else None
        if now is not None:
            yield 1, (tokens, at + 1), ("extra", at)
        for t in self._net.enabled(tokens):
            labels = self._labels[t]
            after = tuple(self._net.fire(t, tokens))
            if now in labels:
                yield 0, (after, at + 1), ("both", t)
            yield (1 if labels else 0), (after, at), ("net", t)

    def _told(
        self, came: Mapping[Any, Any], state: Any, names: Sequence[Label]
    ) -> tuple[tuple[Deviation, ...], tuple[str, ...]]:
        deviations, run = list[Deviation](), list[str]()
        way: list[tuple[Any, tuple[str, int]]] = []
        while came[state] is not None:
            before, move = came[state]
            way.append((before, move))
            state = before
        for (_, at), (kind, number) in reversed(way):
            if kind == "extra":
                deviations.append(Deviation("extra", names[number][0], at))
                continue
            run.append(self._net.transition_ids[number])
            if kind == "net" and self._labels[number]:
                deviations.append(Deviation("missing", self._names[number], at))
        return tuple(deviations), tuple(run)


def _labels(transition: Any, lifecycle: bool) -> dict[Label, None]:
    """How an event may name a transition: by the task's name or its id; silent ones have none."""
    if transition.silent:
        return {}
    id, kind = transition.id, "complete"
    if lifecycle and transition.origin is not None:
        id, _, kind = transition.id.rpartition(".")
    return {(transition.label, kind): None, (id, kind): None}
