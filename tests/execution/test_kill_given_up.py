"""kill -9 while cases are cancelled, suspended, mended and undone: nothing is lost or doubled."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from petriflow.execution.case import Case
from petriflow.execution.events import from_data
from petriflow.execution.program import program
from petriflow.execution.store import Record, StoredCase, read_store, schema, store_version
from petriflow.net import Marking, replay

from .given_up import CASES, flow, stay
from .test_kill import lines

PROGRAM = Path(__file__).parent / "given_up.py"
FLOWS = {"trip": flow, "stay": stay}


def stored(url: str) -> list[tuple[StoredCase, list[Record]]]:
    """Every case of a store with its events, those that were called too."""
    if not store_version(url):
        return []  # killed before it had made the tables
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        ids = connection.execute(sa.select(schema.cases.c.id)).scalars().all()
    engine.dispose()
    store = read_store(url)
    try:
        return [(store.case(id), store.history(id)) for id in ids]
    finally:
        store.close()


def check_consistent(case: StoredCase, events: list[Record]) -> None:
    """The stored state is what the stored events lead to: by the firing rule, and by the case."""
    workflow = FLOWS[case.workflow]
    net = workflow.expanded
    assert [e.seq for e in events] == list(range(1, case.version + 1))
    *_, marking = [net.initial_marking, *replay(net, [t for e in events for t in e.fired])]
    assert marking == Marking(case.marking)
    again = Case.replay(program(workflow), case.id, (from_data(e.kind, e.data) for e in events))
    assert (again.status, again.error) == (case.status, case.error)
    assert again.marking == marking


def check_undone(case: StoredCase, events: list[Record], world: Path) -> None:
    """What had completed was undone, the last first; of what completed normally nothing was."""
    ended = [e.data["firing_id"] for e in events if e.kind == "TaskCompleted" and not e.late]
    assert len(ended) == len(set(ended))
    undone = [id.replace(".undo/", "/") for id in ended if ".undo/" in id]
    workflow = FLOWS[case.workflow]
    done = [
        id
        for id in ended
        if ".undo/" not in id
        and workflow.tasks[id[len(case.id) + 1 :].rpartition("/")[0]].compensate
    ]
    booked = [id for id in done if (world / id.replace("/", "|")).exists()]
    if case.status == "completed":
        assert (undone, booked) == ([], done)
    else:
        assert case.status in ("cancelled", "failed"), case.status
        assert undone == done[::-1]
        assert booked == []


@pytest.mark.slow
@pytest.mark.promise("STORE-2", "RUN-27", "RUN-28")
def test_killed_while_cases_are_given_up_everything_is_undone_once(
    store: str, tmp_path: Path
) -> None:
    world = tmp_path / "world"
    world.mkdir()
    chance = random.Random(20_261_125)
    command = [sys.executable, str(PROGRAM), store, str(world)]
    # What a killed engine had on a server is free when its lease is over, seconds later.
    step = 60 if store.startswith("sqlite") else 250
    kills = 0
    while True:
        wanted = len(lines(world / "log")) + chance.randrange(step)
        child = subprocess.Popen(command, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 120
        while child.poll() is None and len(lines(world / "log")) < wanted:
            assert time.monotonic() < deadline, "the program makes no progress"
            time.sleep(0.001)
        time.sleep(chance.random() * 0.02)
        if child.poll() is None and len(lines(world / "log")) >= 600:
            child.wait(120)  # enough: the rest in peace
        child.kill()
        _, said = child.communicate()
        if child.returncode == 0:
            break
        assert child.returncode == -9, said.decode()
        kills += 1
        for case, events in stored(store):
            check_consistent(case, events)
    assert kills >= (8 if store.startswith("sqlite") else 2)

    cases = stored(store)
    assert sum(case.parent is None for case, _ in cases) == CASES
    ends = Counter(case.status for case, _ in cases if case.parent is None)
    assert set(ends) == {"completed", "cancelled", "failed"}, ends
    for case, events in cases:
        check_consistent(case, events)
        check_undone(case, events, world)
    kinds = Counter(e.kind for _, events in cases for e in events if not e.late)
    assert kinds["IncidentResolved"] > 3
    assert kinds["TaskSkipped"] > 0
    assert kinds["IncidentFailed"] > 0
    assert kinds["Suspended"] > 3
