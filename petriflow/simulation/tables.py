"""A plan as the flat arrays of the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from petriflow.net.errors import DefinitionError
from petriflow.simulation import layout as k
from petriflow.simulation.calendars import WEEK
from petriflow.simulation.compiler import as_array
from petriflow.simulation.laws import Law
from petriflow.simulation.plan import Plan

ORDERS = {"fifo": k.FIFO, "lifo": k.LIFO, "random": k.RANDOM, "shortest": k.SHORTEST}
MEMORIES = {"enabling": k.ENABLING, "age": k.AGE, "resampling": k.RESAMPLING}


@dataclass(frozen=True, slots=True)
class Stream:
    """Numbers that the kernel uses up: samples of a law, or uniform ones where it is `None`.

    Each stream has its own generator, named after what it is for, so that a change elsewhere in
    the model leaves it as it was: two scenarios with one seed then meet the same luck.
    """

    name: str
    law: Law | None


@dataclass(frozen=True, eq=False)
class Tables:
    """The kernel's model, as lists, and the streams that it draws from."""

    model: k.Model
    streams: tuple[Stream, ...]

    @cached_property
    def arrays(self) -> k.Model:
        """The model as arrays."""
        return k.Model(*(as_array(f) if isinstance(f, list) else f for f in self.model))


def _rows(rows: Iterable[Sequence[Any]], columns: int) -> list[list[Any]]:
    """Rows of tuples as compressed sparse columns: where each row starts, and the columns."""
    at = [0]
    found: list[list[Any]] = [[] for _ in range(columns)]
    for row in rows:
        for entry in row:
            for column, value in zip(
                found, entry if isinstance(entry, tuple) else (entry,), strict=True
            ):
                column.append(value)
        at.append(len(found[0]))
    return [at, *found]


def tables(plan: Plan) -> Tables:
    """The arrays of a plan.

    Raises:
        DefinitionError: a transition without input has infinitely many servers.
    """
    net = plan.compiled
    rows = net.rows
    timed = [t for t, law in enumerate(plan.laws) if law is not None]
    index = [-1] * len(rows)
    for u, t in enumerate(timed):
        index[t] = u
    starts = {job.start: n for n, job in enumerate(plan.jobs)}
    ends = {job.complete: n for n, job in enumerate(plan.jobs)}
    in_set = {t: n for n, s in enumerate(plan.sets) for t in s.members}
    managed = {t for t in timed if t not in ends}
    for t in managed:
        if not rows[t].needs and plan.servers[t] > 1:
            raise DefinitionError(
                f"{plan.name!r}: {net.transition_ids[t]!r} has no input and several servers, so "
                "that nothing says how many work; leave it one"
            )
    streams = [Stream(net.transition_ids[t], plan.laws[t]) for t in timed]
    law = [-1] * len(rows)
    for n, t in enumerate(timed):
        law[t] = n
    kinds, set_stream = [], []
    for s in plan.sets:
        kind = k.WEIGHTED
        if s.choice is not None or any(rows[t].or_join for t in s.members):
            kind = k.ASKED
        elif len(s.members) == 1:
            (t,) = s.members
            gated = t in starts and plan.jobs[starts[t]].needs
            kind = k.GATE if gated else k.SINGLE
        set_stream.append(len(streams) if kind == k.WEIGHTED else -1)
        if kind == k.WEIGHTED:
            streams.append(Stream(f"choice {net.transition_ids[s.members[0]]}", None))
        kinds.append(kind)
    random_stream = len(streams)
    streams.append(Stream("queues", None))
    changes, puts = _effects(plan)
    # what fires is looked at again, whatever its arcs
    wakes = [
        sorted({in_set[t] for t in (*row.affects, n) if t in in_set}) for n, row in enumerate(rows)
    ]
    stirs = [
        sorted(
            {index[t] for t in (*row.affects, n) if t in managed}
            | {index[t] for t in timed if plan.memory[t] == "resampling"}
        )
        for n, row in enumerate(rows)
    ]
    killed = [
        # A reset withdraws at once what is under way; resampling forgets at every firing.
        [
            u
            for u in timed
            if {p for p, _ in rows[u].consume} & set(row.reset) or plan.memory[u] == "resampling"
        ]
        for row in rows
    ]
    # A net without cases may begin empty, and fill itself.
    single = plan.cases or len(plan.net.sources) == 1
    initial = net.vector(plan.net.initial_marking if single else plan.net.initial)
    begun = [p for p, n in enumerate(initial) if n]
    first = [t for t in range(len(rows)) if net.is_enabled(t, initial)]
    pools, shifts = _pools(plan)
    needs = [need for job in plan.jobs for need in job.needs]
    need_row = [0]
    for job in plan.jobs:
        need_row.append(need_row[-1] + len(job.needs))
    told = {n for n, job in enumerate(plan.jobs) if job.task in plan.outcomes}
    arrivals = plan.timing.arrivals
    model = k.Model._make([
        len(net.place_ids), len(timed), len(plan.jobs), len(plan.pools),
        net.place_index[plan.net.sink.id] if plan.cases else -1, int(plan.cases),
        int(plan.cases and (arrivals is None or arrivals.kind == "closed")),
        WEEK / plan.timing.seconds, max([len(job.needs) for job in plan.jobs], default=0),
        random_stream,
        *_rows((row.needs if not row.or_join else () for row in rows), 2),
        *_rows((row.inhibitor for row in rows), 2), *_rows(changes, 2), *_rows(puts, 2),
        *_rows(([p for p, _ in row.consume] if row.or_join else () for row in rows), 1),
        *_rows(wakes, 1), *_rows(stirs, 1), *_rows(killed, 1),
        *_rows((s.members for s in plan.sets), 1), kinds, set_stream, list(plan.weights),
        [starts.get(t, -1) for t in range(len(rows))], [ends.get(t, -1) for t in range(len(rows))],
        index, law, [int(min(n, k.MANY)) for n in plan.servers], [MEMORIES[m] for m in plan.memory],
        timed,
        [job.start for job in plan.jobs], [job.complete for job in plan.jobs],
        [job.priority for job in plan.jobs], [_order(plan, job.needs) for job in plan.jobs],
        [job.cost for job in plan.jobs], [int(n in told) for n in range(len(plan.jobs))],
        need_row, *_rows(needs, 1),
        *_rows(pools, 1), [int(p.pauses) for p in plan.pools], [p.cost for p in plan.pools],
        *_rows(shifts, 2), begun, [initial[p] for p in begun],
        sorted({in_set[t] for t in first if t in in_set}),
        [index[t] for t in first if t in managed],
    ])  # fmt: skip
    return Tables(model, tuple(streams))


def _effects(plan: Plan) -> tuple[list[list[tuple[int, int]]], list[list[tuple[int, int]]]]:
    """For each transition the changes of places, and the places that end with just so many."""
    changes, puts = [], []
    for row in plan.compiled.rows:
        change: dict[int, int] = {}
        for p, n in () if row.or_join else row.consume:
            change[p] = change.get(p, 0) - n
        for p, n in row.produce:
            change[p] = change.get(p, 0) + n
        produced = dict(row.produce)
        puts.append([(p, produced.get(p, 0)) for p in row.reset])
        changes.append([(p, n) for p, n in change.items() if n and p not in row.reset])
    return changes, puts


def _order(plan: Plan, needs: Sequence[Sequence[int]]) -> int:
    """The discipline of a task's queue: that of the first pool which it asks."""
    return ORDERS[plan.pools[needs[0][0]].discipline] if needs else k.FIFO


def _pools(plan: Plan) -> tuple[list[list[int]], list[list[tuple[float, int]]]]:
    """For each pool the jobs that use it, and its hours in the timing's unit."""
    users = [
        [j for j, job in enumerate(plan.jobs) if any(n in need for need in job.needs)]
        for n in range(len(plan.pools))
    ]
    unit = plan.timing.seconds
    shifts = [[(at / unit, int(size)) for at, size in p.sizes.changes] for p in plan.pools]
    return users, shifts
