"""How many tasks a second does the engine run, and how far is that from doing nothing else?

A case is 3 parallel tasks → 2 branches of a multi-choice → 1 of an exclusive choice → 3 parallel
tasks → 1 final task: 10 tasks with empty bodies. Every row runs the same number of tasks; the
rows take turns, so that a change of the machine's speed meets them all, and the median counts.

    python benchmarks/engine.py [--cases 1000] [--width 200] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from petriflow import Engine, Workflow
from petriflow.patterns import exclusive_choice, multi_choice, parallel, sequence, skip, when

TASKS_A_CASE = 10


async def empty(case: object = None) -> None:
    """What every task does."""


def body(name: str) -> Callable[[object], Awaitable[None]]:
    """An empty task of this name."""

    async def run(case: object) -> None: ...

    run.__name__ = run.__qualname__ = name
    return run


def workflow() -> Workflow:
    """The case that is measured."""
    a, b, c, d, e, f, g, h, i, j = map(body, "abcdefghij")
    return Workflow(
        "benchmark",
        sequence(
            parallel(a, b, c),
            multi_choice(when("x > 1", d), when("x > 2", e), otherwise=skip),
            exclusive_choice(when("x > 3", f), otherwise=skip),
            parallel(g, h, i),
            j,
        ),
        example={"x": 5},
    )


async def clients(cases: int, width: int, one: Callable[[], Awaitable[object]]) -> None:
    """Run the cases, at most `width` of them at a time."""
    left = iter(range(cases))

    async def client() -> None:
        for _ in left:
            await one()

    await asyncio.gather(*(client() for _ in range(width)))


async def plain_case(after: Callable[[], Awaitable[object]]) -> None:
    """The case by hand: the same tasks in the same order, with a hook after each."""

    async def task() -> None:
        await asyncio.create_task(empty())
        await after()

    for together in (3, 2, 1, 3, 1):
        await asyncio.gather(*(task() for _ in range(together)))


async def plain_asyncio(cases: int, width: int, folder: Path) -> None:
    """Nothing is stored: the ceiling."""

    async def nothing() -> None: ...

    await clients(cases, width, lambda: plain_case(nothing))


async def sqlite_each(cases: int, width: int, folder: Path) -> None:
    """One commit a task: what a durable engine costs without group commit."""
    insert, close = _table(folder / "each.db")

    async def commit() -> None:
        insert([("case", json.dumps({"fired": ["t.complete"]}))])

    await clients(cases, width, lambda: plain_case(commit))
    close()


async def sqlite_group(cases: int, width: int, folder: Path) -> None:
    """Group commit by hand, one small row a task: what SQLite allows."""
    insert, close = _table(folder / "group.db")
    pending: list[asyncio.Future[None]] = []
    wake = asyncio.Event()

    async def flush() -> None:
        loop = asyncio.get_running_loop()
        while True:
            await wake.wait()
            wake.clear()
            batch, pending[:] = list(pending), []
            rows = [("case", json.dumps({"fired": ["t.complete"]})) for _ in batch]
            await loop.run_in_executor(None, insert, rows)
            for future in batch:
                future.set_result(None)

    async def commit() -> None:
        pending.append(asyncio.get_running_loop().create_future())
        wake.set()
        await pending[-1]

    flusher = asyncio.create_task(flush())
    await clients(cases, width, lambda: plain_case(commit))
    flusher.cancel()
    close()


def _table(file: Path) -> tuple[Callable[[list[tuple[str, str]]], None], Callable[[], None]]:
    connection = sqlite3.connect(file, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, case_id TEXT, data TEXT)")

    def insert(rows: list[tuple[str, str]]) -> None:
        with connection:
            connection.executemany("INSERT INTO events (case_id, data) VALUES (?, ?)", rows)

    return insert, connection.close


async def petriflow_sqlite(cases: int, width: int, folder: Path) -> None:
    """The engine: state, events and variables of every firing stored before the next begins."""
    flow = workflow()
    async with Engine(f"sqlite:///{folder / 'petriflow.db'}", workflows=[flow]) as engine:

        async def one() -> None:
            outcome = await (await engine.start(flow)).wait()
            assert outcome.completed, outcome

        await clients(cases, width, one)


ROWS = {
    "plain asyncio, nothing stored": plain_asyncio,
    "asyncio + SQLite by hand, group commit": sqlite_group,
    "asyncio + SQLite by hand, one commit a task": sqlite_each,
    "petriflow on SQLite": petriflow_sqlite,
}


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--width", type=int, default=200, help="cases at a time")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()

    rates: dict[str, list[float]] = {name: [] for name in ROWS}
    for _ in range(options.rounds):
        for name, run in ROWS.items():
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                asyncio.run(run(options.cases, options.width, Path(folder)))
                seconds = time.perf_counter() - began
            rates[name].append(options.cases * TASKS_A_CASE / seconds)

    table = Table(
        title=f"{options.cases} cases of {TASKS_A_CASE} tasks, {options.width} at a time, "
        f"synchronous = FULL, median of {options.rounds}"
    )
    for column in ("", "tasks/s", "min", "max", "of the ceiling"):
        table.add_column(column, justify="left" if not column else "right")
    ceiling = statistics.median(rates["plain asyncio, nothing stored"])
    for name, found in rates.items():
        middle = statistics.median(found)
        row = (f"{middle:,.0f}", f"{min(found):,.0f}", f"{max(found):,.0f}")
        table.add_row(name, *row, f"{middle / ceiling:.0%}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
