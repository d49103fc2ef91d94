"""`petriflow cases …` and `petriflow worker`: what operators see and do."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from .test_cli import Cli, Said, cli, model

__all__ = ["cli"]

OFFER = """
from petriflow.patterns import event
w = Workflow('w', sequence(a, event('paid'), b), example={'n': 1})
"""


def opened(cli: Cli) -> str:
    """A case that waits for `paid`."""
    said = cli("run", model(OFFER), "--json")
    assert said.code == 3
    id: str = said.json["case"]
    return id


def cases(cli: Cli, *arguments: str) -> Said:
    return cli("cases", *arguments, "--json")


def test_a_case_is_listed_shown_explained_and_told(cli: Cli) -> None:
    id = opened(cli)
    (line,) = cases(cli, "list").json["cases"]
    assert (line["id"], line["workflow"], line["status"]) == (id, "w", "running")
    assert cases(cli, "list", "--status", "completed").json == {"cases": []}
    assert cases(cli, "list", "--since", "2999-01-01").json == {"cases": []}
    shown = cases(cli, "show", id).json
    assert (shown["variables"], shown["marking"]) == ({"n": 1, "a": 1}, {"w/a.out": 1})
    told = cases(cli, "explain", id, "--model", "m.py").json
    assert told["registered"]
    assert [(w["kind"], w["why"]) for w in told["waits"]] == [
        ("event", "the event 'paid' has not been told")
    ]
    told = cases(cli, "explain", id).json
    assert not told["registered"]
    (wait,) = told["waits"]  # without its model the name is not known, and no other is made up
    assert wait["why"] == "its event has not been told; the workflow says what it is called"
    events = cases(cli, "history", id).json["events"]
    rows = cli("cases", "history", id).out.splitlines()[1:]  # in a pipe a row is a line, and whole
    assert [row.split()[0] for row in rows] == [str(event["seq"]) for event in events]
    assert all(", ".join(e["fired"]) in row for e, row in zip(events, rows, strict=True))
    assert [e["kind"] for e in events] == ["CaseStarted", "TaskCompleted"]
    for command in (("list",), ("show", id), ("explain", id), ("history", id)):
        said = cli("cases", *command)
        assert said.code == 0
        assert id.split("-")[0][:8] in said.out or "TaskCompleted" in said.out


def test_orders_are_stored_and_run_nothing_themselves(cli: Cli) -> None:
    id = opened(cli)
    order = ("--model", "m.py")
    said = cases(cli, "suspend", id, *order, "--reason", "an audit")
    assert (said.code, said.json["status"]) == (0, "suspended")
    assert cases(cli, "suspend", id, *order).code == 1
    assert "an audit" in cli("cases", "explain", id).out
    assert cli("run", "m.py", "--continue").code == 3
    assert cases(cli, "resume", id, *order).json["status"] == "running"
    said = cases(cli, "signal", id, "paid", *order, "--payload", '{"by": "card"}', "--key", "k")
    assert said.json == {"case": id, "done": True, "status": "running"}
    assert cases(cli, "signal", id, "paid", *order, "--key", "k").code == 1
    (wait,) = cases(cli, "explain", id, *order).json["waits"]
    assert (wait["kind"], wait["element"]) == ("task", "w/b")
    said = cli("run", "m.py", "--continue", "--json")
    (ended,) = said.json["cases"]
    assert ended["variables"] == {"n": 1, "a": 1, "by": "card", "b": 2}
    for command in ("suspend", "resume", "cancel"):
        said = cases(cli, command, id, *order)
        assert (said.code, said.json["status"]) == (1, "completed")


PAID = """
from petriflow.patterns import event
pays = event('paid', about='order')
w = Workflow('w', sequence(pays, b, event('rings', about='order', transient=True)),
             example={'order': 7})
"""


def test_an_event_is_told_by_what_it_is_about(cli: Cli) -> None:
    id: str = cli("run", model(PAID), "--json").json["case"]
    said = cases(cli, "tell", "paid", "--about", "8", "--model", "m.py")
    assert (said.code, said.json) == (0, {"event": "paid", "about": 8, "case": None, "kept": True})
    said = cases(cli, "tell", "rings", "--about", "7", "--model", "m.py")
    assert (said.code, said.json["kept"]) == (1, False)
    assert "about order=7" in cli("cases", "explain", id, "--model", "m.py").out
    said = cli("cases", "tell", "paid", "--about", "7", "--model", "m.py", "--set", "by=card")
    assert (said.code, said.out) == (0, f"case {id} has taken it\n")
    assert cases(cli, "show", id).json["variables"]["by"] == "card"
    said = cases(cli, "tell", "no", "--about", "7", "--model", "m.py")
    assert said.code == 2
    assert "waits for 'no' by what it is about; it knows 'paid', 'rings'" in said.err


def test_without_its_model_an_event_is_kept_for_the_next_engine(cli: Cli) -> None:
    id: str = cli("run", model(PAID), "--json").json["case"]
    said = cli("cases", "tell", "paid", "--about", "9")
    assert said.out.startswith("it is kept: an engine gives it")  # no model: nobody was looked for
    said = cases(cli, "tell", "paid", "--about", "7", "--set", "by=card")
    assert (said.code, said.json["kept"]) == (0, True)
    cli("run", "m.py", "--continue")
    assert cases(cli, "show", id).json["variables"]["by"] == "card"


def test_a_case_is_cancelled_and_removed(cli: Cli) -> None:
    id = opened(cli)
    assert cases(cli, "purge", "--older-than", "0s").json == {"removed": 0}
    said = cases(cli, "cancel", id, "--model", "m.py", "--reason", "enough")
    assert (said.code, said.json["status"]) == (0, "cancelled")
    assert cases(cli, "show", id).json["error"] == "enough"
    assert cases(cli, "purge", "--older-than", "1h").json == {"removed": 0}
    time.sleep(0.01)
    assert cases(cli, "purge", "--older-than", "0.001s").json == {"removed": 1}
    assert cli("cases", "show", id).code == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("list", "--status", "done"), "no case is ever 'done'"),
        (("list", "--store", "sqlite:///other.db"), "`petriflow run` makes it"),
        (("show", "nobody"), "has no case 'nobody'"),
        (("suspend", "nobody", "--model", "m.py"), "has no case 'nobody'"),
        (("signal", "CASE", "gone", "--model", "m.py"), "does not wait for 'gone'"),
        (("signal", "CASE", "paid", "--model", "m.py", "--payload", "[]"), "--payload must be"),
        (("suspend", "CASE", "--model", "other.py"), "was started with another model"),
        (("purge", "--older-than", "soon"), "--older-than"),
    ],
)
def test_what_cannot_be_done_is_said(cli: Cli, arguments: tuple[str, ...], complaint: str) -> None:
    id = opened(cli)
    model("w = Workflow('w', sequence(b, a))", "other.py")
    said = cli("cases", *(id if word == "CASE" else word for word in arguments))
    assert (said.code, said.out) == (2, "")
    assert complaint in said.err


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_goes_on_with_the_open_cases_and_stops_in_good_order(
    cli: Cli, number: int
) -> None:
    file = model(
        """
        import asyncio, pathlib
        from petriflow.patterns import event
        async def hold(case):
            pathlib.Path("held").touch()
            try:
                while not pathlib.Path("go").exists(): await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                pathlib.Path("cleaned").touch()
                raise
        w = Workflow('w', sequence(a, event('paid'), hold, b))
        """
    )
    id = cli("run", file, "--json").json["case"]
    assert cli("cases", "signal", id, "paid", "--model", file).code == 0

    def worker() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "petriflow", "worker", file]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    first = worker()
    wait_for(lambda: Path("held").exists())
    assert cases(cli, "list").json["cases"][0]["id"] == id  # while the worker has the file
    for order, status in (("suspend", "suspended"), ("resume", "running")):
        said_by = cases(cli, order, id, "--model", file)  # the worker carries it out
        assert (said_by.code, said_by.json["status"]) == (0, status)
    first.send_signal(number)
    said, _ = first.communicate(timeout=30)
    assert first.returncode == 0, said
    assert b"running w: 1 open case" in said
    assert b"every case is kept" in said
    assert Path("cleaned").exists()
    assert cases(cli, "list").json["cases"][0]["status"] == "running"

    Path("go").touch()
    second = worker()

    def ended() -> bool:
        with closing(sqlite3.connect("petriflow.db")) as db:
            return db.execute("SELECT status FROM cases").fetchall() == [("completed",)]

    try:
        wait_for(ended)
    finally:
        second.send_signal(number)
        second.communicate(timeout=30)
    assert second.returncode == 0
    assert cases(cli, "show", id).json["variables"] == {"a": 1, "b": 2}


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.promise("CLI-11")
def test_a_worker_serves_its_figures_until_it_stops(cli: Cli) -> None:
    pytest.importorskip("prometheus_client")
    file = model(OFFER)
    opened(cli)
    command = [sys.executable, "-m", "petriflow", "worker", file, "--metrics-port", "0"]
    worker = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert worker.stderr is not None
        address = worker.stderr.readline().removeprefix("figures are at ").strip()
        assert "running w" in worker.stderr.readline()
        with urllib.request.urlopen(address) as answer:
            assert b'active_workflows{workflow="w"} 1.0' in answer.read()
        port = address.rpartition(":")[2].partition("/")[0]
        refused = cli("worker", file, "--metrics-port", port)
        assert refused.code == 2
        assert f"port {port}" in refused.err
        assert "choose another" in refused.err
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=30)
    assert worker.returncode == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address)


def test_a_worker_without_a_workflow_is_refused(cli: Cli) -> None:
    said = cli(
        "worker", model("n = Net.build('n').places('i', 'o').transition('t', 'i', 'o').done()")
    )
    assert said.code == 2
    assert "bare net" in said.err
