"""What a store holds, judged by the one firing rule and by what the outside saw.

Nothing here uses the engine or its store: rows are read by plain SQL, histories are replayed by
`net/firing.py`, and only the last check plays the events through the pure case.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from petriflow import Workflow
from petriflow.execution.case import Case
from petriflow.execution.events import from_data
from petriflow.execution.program import program
from petriflow.net import Marking, replay
from petriflow.net.errors import PetriflowError
from petriflow.workflow.task import Task

Allowed = Callable[[str, Mapping[str, Any]], Collection[str]]


@dataclass
class Audit:
    """What was found; every list is empty where all is well."""

    ends: Counter[str] = field(default_factory=Counter)
    firings: int = 0
    #: bodies that ran, and how many firings of tasks they were for
    bodies: int = 0
    tasks: int = 0
    #: firings that completed twice, and effects of firings that nobody committed
    doubled: list[str] = field(default_factory=list)
    #: completions without a body, and cases whose end their histories do not lead to
    lost: list[str] = field(default_factory=list)
    #: cases that ended as they must not, or not at all
    wrong: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        return sum(self.ends.values())

    def clean(self) -> bool:
        return not (self.doubled or self.lost or self.wrong)

    def __str__(self) -> str:
        ends = ", ".join(f"{n} {status}" for status, n in sorted(self.ends.items()))
        trouble = [*self.doubled, *self.lost, *self.wrong]
        return f"{self.cases} cases ({ends}), {self.firings} firings; trouble: {trouble[:5]}"


def audit(url: str, workflows: Iterable[Workflow], log: Path | None, allowed: Allowed) -> Audit:
    """Look at every case of a store; `log` has a line for every body that began."""
    known = {flow.content_hash: flow for flow in workflows}
    cases, events = _rows(url)
    seen = Counter(line.split()[0] for line in _lines(log))
    found = Audit(bodies=seen.total())
    firings: Counter[str] = Counter()
    for id, row in cases.items():
        found.ends[row["status"]] += 1
        begun, done = _one(id, row, events.get(id, []), known[row["definition"]], found, allowed)
        firings.update(begun.keys())
        if log is not None:
            finished = {f: begun[f] for f in done if f in begun}
            bodies = [f for f, t in finished.items() if t.calls is None and t.role is None]
            found.lost += [f"{f} completed, but no body ran" for f in bodies if not seen[f]]
    found.tasks = firings.total()
    stray = [f for f in seen if not firings[f]]
    found.doubled += [f"a body ran for {f}, which no history began" for f in stray]
    return found


def _one(
    id: str,
    row: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    flow: Workflow,
    found: Audit,
    allowed: Allowed,
) -> tuple[dict[str, Task], list[str]]:
    """Check one case; the answer is the firings of tasks that began, and of those completed."""
    if [e["seq"] for e in history] != list(range(1, row["version"] + 1)):
        found.lost.append(f"{id}: its events have gaps")
        return {}, []
    fired = [t for e in history for t in e["fired"]]
    found.firings += len(fired)
    net = flow.expanded
    tokens: Counter[str] = Counter()
    for e in history:
        tokens.update(e["delta"])
    try:
        *_, last = [net.initial_marking, *replay(net, fired)]
        if not last == Marking(row["marking"]) == Marking({p: n for p, n in tokens.items() if n}):
            found.lost.append(f"{id}: its history does not lead to its marking")
    except PetriflowError as error:
        found.doubled.append(f"{id}: {error}")
    if _replayed(id, flow, history) != _state(row):
        found.lost.append(f"{id}: its events do not lead to its state")
    values = {name: held[0] for name, held in row["variables"]["scopes"][""][2].items()}
    if row["status"] not in allowed(row["workflow"], values):
        found.wrong.append(f"{id} of {row['workflow']} is {row['status']}: {row['error']}")
    starts = [t.removesuffix(".start") for t in fired if t.removesuffix(".start") in flow.tasks]
    begun = {f"{id}/{task}/{n}": flow.tasks[task] for n, task in enumerate(starts, 1)}
    done = Counter(
        e["data"]["firing_id"] for e in history if e["kind"] == "TaskCompleted" and not e["late"]
    )
    for firing in list(done):  # what was done may be undone, under its number
        task, _, number = firing[len(id) + 1 :].rpartition("/")
        if task in flow.tasks and (undo := flow.tasks[task].compensate) is not None:
            begun[f"{id}/{task}.undo/{number}"] = undo
    found.doubled += [f"{firing} completed {n} times" for firing, n in done.items() if n > 1]
    found.doubled += [f"{firing} never began" for firing in done.keys() - begun]
    return begun, list(done)


def _replayed(id: str, flow: Workflow, history: Sequence[Mapping[str, Any]]) -> Any:
    events = [from_data(e["kind"], e["data"]) for e in history]
    case = Case.replay(program(flow), id, events)
    return json.loads(json.dumps([case.status, *case.dump()]))


def _state(row: Mapping[str, Any]) -> Any:
    return [row["status"], row["marking"], row["variables"], row["control"]]


def _rows(url: str) -> tuple[dict[str, dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        cases = {r["id"]: _decoded(r) for r in _all(connection, "SELECT * FROM cases")}
        events: dict[str, list[dict[str, Any]]] = {}
        for r in _all(connection, "SELECT * FROM events ORDER BY case_id, seq"):
            events.setdefault(r["case_id"], []).append(_decoded(r))
    engine.dispose()
    return cases, events


def _all(connection: sa.Connection, query: str) -> Iterable[Mapping[Any, Any]]:
    return connection.execute(sa.text(query)).mappings()


def _decoded(row: Mapping[Any, Any]) -> dict[str, Any]:
    """SQLite gives JSON as text, PostgreSQL as what it means."""
    json_columns = ("marking", "variables", "control", "data", "fired", "delta")
    return {
        name: json.loads(value) if name in json_columns and isinstance(value, str) else value
        for name, value in row.items()
    }


def _lines(log: Path | None) -> list[str]:
    return log.read_text().splitlines() if log is not None and log.exists() else []
