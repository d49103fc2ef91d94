"""How many cases can be open at once: what do they cost, how soon does an engine go on with them?

A case that waits has an event and a timer of 30 days; one at work has a body that does not end.
Most of them are made by copying rows, since it is not their beginning that is measured.

    python benchmarks/open_cases.py [--cases 100000] [--large]

`--large` reopens a million cases, and measures tasks a second beside a million; it needs some
gigabytes of disk.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import tracemalloc
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import engine as rates  # noqa: E402

from petriflow import Engine, TaskContext, Workflow  # noqa: E402
from petriflow.execution.case import Case  # noqa: E402
from petriflow.execution.events import CaseStarted  # noqa: E402
from petriflow.execution.handle import CaseHandle  # noqa: E402
from petriflow.execution.program import program  # noqa: E402
from petriflow.execution.store import upgrade_store  # noqa: E402
from petriflow.patterns import deferred_choice, event, sequence, timer  # noqa: E402
from tests.execution.cluster import NoServer, running  # noqa: E402


async def hold(case: TaskContext) -> None:
    """A body that is at work for longer than anybody looks."""
    await asyncio.sleep(1e6)


def done(case: TaskContext) -> None: ...


VARIABLES = {"customer": "Ada Lovelace", "total": 99.5, "items": ["a", "b", "c"]}
waiting = Workflow(
    "waiting", sequence(deferred_choice(event("paid"), timer("30d", name="month")), done)
)
working = Workflow("working", sequence(hold, done))
KINDS = {"waiting": waiting, "working": working}


async def copied(url: str, flow: Workflow, number: int) -> None:
    """A store with so many open cases of a workflow."""
    async with Engine(url, workflows=[flow]) as engine:
        id = (await engine.start(flow, VARIABLES)).id
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db, db:
        for table, key in (("cases", "id"), ("events", "case_id"), ("timers", "case_id")):
            columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
            # the case's id stands in the ids of its firings, too
            new = [
                f"replace({c}, '{id}', 'case-' || n)" if c in (key, "variables", "control") else c
                for c in columns
            ]
            db.execute(
                f"WITH RECURSIVE numbers(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers"
                f" WHERE n < {number}) INSERT INTO {table} ({', '.join(columns)})"
                f" SELECT {', '.join(new)} FROM {table}, numbers WHERE {key} = '{id}'"
            )


# -- memory ---------------------------------------------------------------------------------------


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def memory(kind: str, number: int) -> float:
    """Bytes of the process for each open case of an engine that has begun them all."""
    flow = KINDS[kind]
    with tempfile.TemporaryDirectory() as folder:
        async with Engine(f"sqlite:///{folder}/x.db", workflows=[flow]) as engine:
            for _ in range(200):  # what is loaded once
                await engine.start(flow, VARIABLES)
            before = resident()
            for _ in range(number // 500):
                await asyncio.gather(*(engine.start(flow, VARIABLES) for _ in range(500)))
            return (resident() - before) / (number // 500 * 500)


def case_alone(number: int = 2_000) -> float:
    """Bytes of a case and its handle, without what its body takes."""
    known = program(working)
    tracemalloc.start()
    kept = []
    before = tracemalloc.get_traced_memory()[0]
    for n in range(number):
        case = Case(known, f"case-{n}")
        case.apply(CaseStarted({**VARIABLES, "items": ["a", "b", "c"]}))
        case.fired, case._commands = [], []
        kept.append(CaseHandle(None, case, working, 0.0))  # type: ignore[arg-type]
    bytes = (tracemalloc.get_traced_memory()[0] - before) / number
    tracemalloc.stop()
    return bytes


# -- time -----------------------------------------------------------------------------------------


async def reopening(kind: str, number: int) -> float:
    """Seconds until an engine goes on with so many open cases."""
    flow = KINDS[kind]
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/x.db"
        await copied(url, flow, number)
        began = time.perf_counter()
        async with Engine(url, workflows=[flow]) as engine:
            if kind == "waiting":  # the last of them is told, and ends
                assert await engine.signal(f"case-{number}", "paid")
            seconds = time.perf_counter() - began
            if kind == "working":
                assert len(engine._bodies._running) == number
        return seconds


async def beside(number: int, cases: int = 300) -> float:
    """Tasks a second while so many other cases are open."""
    flow = rates.workflow()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/x.db"
        await copied(url, waiting, number)
        async with Engine(url, workflows=[flow, waiting]) as engine:

            async def one() -> None:
                assert (await (await engine.start(flow)).wait()).completed

            seconds = await rates.worked(cases, 100, one)
        return cases * rates.TASKS_A_CASE / seconds


def taking_over(url: str, number: int) -> float:
    """Seconds from kill -9 of an engine until another has gone on with all that it had."""
    command = [sys.executable, __file__, "--one", "serve", url]
    children: list[subprocess.Popen[str]] = []

    def launch(begins: int, until: int) -> None:
        child = subprocess.Popen([*command, str(begins)], stdout=subprocess.PIPE, text=True)
        children.append(child)
        at_work(child, until)

    def at_work(child: subprocess.Popen[str], wanted: int) -> None:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) == wanted:
                return
        raise AssertionError("the engine has ended")

    try:
        launch(number, number)
        launch(0, 0)
        children[0].kill()
        began = time.perf_counter()
        at_work(children[1], number)
        return time.perf_counter() - began
    finally:
        for child in children:
            child.kill()
            child.communicate()


async def serve(url: str, number: int) -> None:
    """Begin so many cases, and tell of how many bodies are at work, whenever that changes."""
    async with Engine(url, workflows=[working]) as engine:
        await asyncio.gather(*(engine.start(working, VARIABLES) for _ in range(number)))
        told = -1
        while True:
            if (now := len(engine._bodies._running)) != told:
                print(told := now, flush=True)
            await asyncio.sleep(0.01)


# -- the table ------------------------------------------------------------------------------------


def apart(what: str, *options: object) -> float:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--one", what, *map(str, options)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=1800)
    return float(done.stdout)


def one(what: str, *options: str) -> None:
    """What a child does."""
    if what == "serve":
        asyncio.run(serve(options[0], int(options[1])))
    elif what == "beside":
        print(asyncio.run(beside(int(options[0]))))
    elif what == "memory":
        print(asyncio.run(memory(options[0], int(options[1]))))
    else:
        print(asyncio.run(reopening(options[0], int(options[1]))))


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(*options.one)
        return
    many = [options.cases, *([1_000_000] if options.large else [])]
    table = Table(title="Open cases on SQLite; take-over on PostgreSQL")
    table.add_column("")
    table.add_column("", justify="right")
    with Progress(transient=True) as bar:
        bar.add_task("measuring", total=None)
        few = min(20_000, options.cases)
        table.add_row("a case and its handle in memory", f"{case_alone():,.0f} bytes")
        at_work, waits = apart("memory", "working", few), apart("memory", "waiting", few)
        table.add_row("… with its body at work, of the process", f"{at_work:,.0f} bytes")
        table.add_row("a case that waits, of the process", f"{waits:,.0f} bytes")
        for number in many:
            for kind, words in (("waiting", "waiting cases"), ("working", "cases at work")):
                seconds = apart("reopening", kind, number)
                table.add_row(f"reopen {number:,} {words}", f"{seconds:.2f} s")
        for number in (1_000, 10_000, *many):
            rate = apart("beside", number)
            table.add_row(f"beside {number:,} waiting cases", f"{rate:,.0f} tasks/s")
        try:
            with running(fsync=True) as server:
                server.run("CREATE DATABASE cases")
                upgrade_store(server.url("cases"))
                seconds = taking_over(server.url("cases"), 1_000)
                table.add_row("take over 1,000 cases at work after kill -9", f"{seconds:.2f} s")
        except NoServer as error:
            print(f"without PostgreSQL: {error}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
