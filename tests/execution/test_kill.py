"""kill -9 at random moments: nothing is lost, nothing is doubled."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from petriflow.net import Marking, replay

from .killed import CASES, flow

PROGRAM = Path(__file__).parent / "killed.py"


def stored(path: Path) -> dict[str, dict[str, Any]]:
    """Every case as the file holds it, with its events; read by SQLite alone."""
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'cases'").fetchall():
            return {}
        cases = {row["id"]: {**row, "events": []} for row in db.execute("SELECT * FROM cases")}
        for row in db.execute("SELECT * FROM events ORDER BY case_id, seq"):
            cases[row["case_id"]]["events"].append(
                {**row, **{k: json.loads(row[k]) for k in ("data", "fired", "delta")}}
            )
        return cases


def check_consistent(case: dict[str, Any]) -> None:
    """The stored marking is what the stored events lead to, by the one firing rule."""
    net = flow.expanded
    events = case["events"]
    assert [e["seq"] for e in events] == list(range(1, case["version"] + 1))
    fired = [t for e in events for t in e["fired"]]
    *_, marking = [net.initial_marking, *replay(net, fired)]
    assert marking == Marking(json.loads(case["marking"]))
    tokens: Counter[str] = Counter()
    for event in events:
        tokens.update(event["delta"])
    assert {p: n for p, n in tokens.items() if n} == dict(marking)


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


@pytest.mark.slow
@pytest.mark.promise("STORE-1", "STORE-2")
def test_killed_at_random_moments_no_case_is_lost_and_no_firing_doubled(tmp_path: Path) -> None:
    store, log = tmp_path / "cases.db", tmp_path / "log"
    chance = random.Random(20_261_124)
    command = [sys.executable, str(PROGRAM), str(store)]
    environment = {**os.environ, "KILLED_LOG": str(log)}
    kills = 0
    while True:
        before = len(lines(log))
        wanted = before + chance.randrange(90)
        child = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while child.poll() is None and len(lines(log)) < wanted:
            assert time.monotonic() < deadline, "the program makes no progress"
            time.sleep(0.001)
        time.sleep(chance.random() * 0.02)
        child.kill()
        _, said = child.communicate()
        if child.returncode == 0:
            break
        assert child.returncode == -9, said.decode()
        kills += 1
        for case in stored(store).values():
            check_consistent(case)
    assert kills >= 10

    cases = stored(store)
    assert len(cases) == CASES
    attempts = Counter(line.split()[0] for line in lines(log))
    for case in cases.values():
        check_consistent(case)
        assert case["status"] == "completed"
        assert Marking(json.loads(case["marking"])) == Marking({flow.expanded.sink.id: 1})
    events = [e for case in cases.values() for e in case["events"]]
    assert {e["data"]["variables"]["n"] for e in events if e["kind"] == "CaseStarted"} == set(
        range(CASES)
    )
    completions = [e for e in events if e["kind"] == "TaskCompleted" and not e["late"]]
    done = [e["data"]["firing_id"] for e in completions]
    assert len(done) == len(set(done))
    assert set(done) <= set(attempts), "a task completed whose body never ran"
    # A body ran that has no completion only where the net cancelled it.
    for firing in set(attempts) - set(done):
        assert firing.split("/")[-2] in {"hare", "tortoise"}
    assert any(n > 2 for n in attempts.values()), "no kill met a body at work"
    for case in cases.values():
        variables = json.loads(case["variables"])["scopes"][""][2]
        n = variables["n"][0]
        seen = variables["seen"][0]
        assert variables["turns"][0] == max(1, n % 4)
        assert {"begin", "left", "right", "flaky", "one", "other", "end"} <= set(seen)
        assert len(seen) == len(set(seen)), "an update was merged twice"
