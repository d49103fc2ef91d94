"""How many tasks a second does the engine run, and how far is that from doing nothing else?

A case is 3 parallel tasks → 2 branches of a multi-choice → 1 of an exclusive choice → 3 parallel
tasks → 1 final task: 10 tasks with empty bodies. The rows take turns, so that a change of the
machine's speed meets them all, and the median counts. The slow ones run fewer cases.

PostgreSQL is a cluster of the benchmark's own, with fsync on; each engine on it is a process.
SQLite is always `synchronous=FULL`: the engine has no weaker setting. Peers (`petriflow[bench]`)
and PostgreSQL are left out where they are not installed.

    python benchmarks/engine.py [--cases 1000] [--width 200] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
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
    await petriflow(f"sqlite:///{folder / 'petriflow.db'}", cases, width)


async def petriflow(url: str, cases: int, width: int) -> float:
    """Run cases on a store; the answer is the seconds without opening and closing it."""
    flow = workflow()
    async with Engine(url, workflows=[flow]) as engine:

        async def one() -> None:
            outcome = await (await engine.start(flow)).wait()
            assert outcome.completed, outcome

        return await worked(cases, width, one)


async def worked(cases: int, width: int, one: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await clients(cases, width, one)
    return time.perf_counter() - began


# -- peers ----------------------------------------------------------------------------------------


async def spiff_in_memory(cases: int, width: int, folder: Path) -> None:
    """SpiffWorkflow's core: the same tasks, nothing stored."""
    from SpiffWorkflow import Workflow as Spiff
    from SpiffWorkflow.specs.Join import Join
    from SpiffWorkflow.specs.Simple import Simple
    from SpiffWorkflow.specs.WorkflowSpec import WorkflowSpec

    spec = WorkflowSpec("benchmark", addstart=True)
    last = spec.start
    for block, together in enumerate((3, 2, 1, 3, 1)):
        join = Join(spec, f"join-{block}")
        for n in range(together):
            work = Simple(spec, f"task-{block}-{n}")
            last.connect(work)
            work.connect(join)
        last = join
    for _ in range(cases):
        case = Spiff(spec)
        case.run_all()
        assert case.is_completed()


async def dbos(url: str, cases: int, width: int) -> float:
    """DBOS: a workflow of 10 steps, the parallel ones gathered."""
    from dbos import DBOS

    logging.disable(logging.CRITICAL)
    DBOS(config={"name": "benchmark", "system_database_url": url})

    @DBOS.step()
    async def step(n: int) -> None: ...

    @DBOS.workflow()
    async def case() -> None:
        for together in (3, 2, 1, 3, 1):
            await asyncio.gather(*(step(n) for n in range(together)))

    DBOS.launch()
    await case()
    seconds = await worked(cases, width, case)
    DBOS.destroy()
    return seconds


# -- processes ------------------------------------------------------------------------------------

NUMBERS = count(1)
IN_A_PROCESS = {"petriflow": petriflow, "dbos": dbos}


def together(what: str, url: str, engines: int, cases: int, width: int) -> float:
    """Tasks a second of so many processes that begin at once, each with its share of the cases."""
    share = str(cases // engines)
    command = [
        sys.executable,
        __file__,
        "--one",
        what,
        url,
        "--cases",
        share,
        "--width",
        str(width),
    ]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(engines)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    seconds = [float(child.communicate(timeout=600)[0]) for child in children]
    return cases // engines * engines * TASKS_A_CASE / max(seconds)


def one_process(what: str, url: str, cases: int, width: int) -> None:
    """What a child does."""
    workflow().verify()  # the libraries and the verdict are there before the clock starts
    print("ready", flush=True)
    sys.stdin.readline()
    print(asyncio.run(IN_A_PROCESS[what](url, cases, width)))


@contextmanager
def server() -> Iterator[Callable[[bool], str] | None]:
    """Makes a URL of an empty database, with petriflow's tables or without; or none."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from petriflow.execution.store import upgrade_store
    from tests.execution.cluster import NoServer, running

    with ExitStack() as around:
        try:
            cluster = around.enter_context(running(fsync=True))
        except NoServer as error:
            print(f"without PostgreSQL: {error}")
            yield None
            return

        def database(tables: bool) -> str:
            name = f"benchmark_{next(NUMBERS)}"
            cluster.run(f"CREATE DATABASE {name}")
            if tables:
                upgrade_store(cluster.url(name))
            return cluster.url(name)

        yield database


# -- the table ------------------------------------------------------------------------------------

Rate = Callable[[int, int], float]


def here(run: Callable[[int, int, Path], Awaitable[None]]) -> Rate:
    """Tasks a second in this process."""

    def rate(cases: int, width: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            asyncio.run(run(cases, width, Path(folder)))
            return cases * TASKS_A_CASE / (time.perf_counter() - began)

    return rate


def rows(database: Callable[[bool], str] | None) -> dict[str, tuple[Rate, float]]:
    """Every row with what part of the cases it runs."""
    found: dict[str, tuple[Rate, float]] = {
        CEILING: (here(plain_asyncio), 1),
        "asyncio + SQLite by hand, group commit": (here(sqlite_group), 1),
        "asyncio + SQLite by hand, one commit a task": (here(sqlite_each), 0.2),
        "petriflow on SQLite": (here(petriflow_sqlite), 1),
    }
    if database:
        for n in (1, 2):
            found[f"petriflow on PostgreSQL, {n} engine{'s'[: n - 1]}"] = (
                lambda cases, width, n=n: together("petriflow", database(True), n, cases, width),
                1,
            )
    if find_spec("SpiffWorkflow"):
        found["SpiffWorkflow in memory, nothing stored"] = (here(spiff_in_memory), 0.2)
    if find_spec("dbos"):

        def dbos_sqlite(cases: int, width: int) -> float:
            with tempfile.TemporaryDirectory() as folder:
                return together("dbos", f"sqlite:///{folder}/dbos.sqlite", 1, cases, width)

        found["DBOS on SQLite"] = (dbos_sqlite, 0.05)
        if database:
            found["DBOS on PostgreSQL"] = (
                lambda cases, width: together("dbos", database(False), 1, cases, width),
                0.05,
            )
    return found


CEILING = "plain asyncio, nothing stored"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--width", type=int, default=200, help="cases at a time")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", nargs=2, metavar=("WHAT", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one_process(*options.one, options.cases, options.width)
        return

    rates: dict[str, list[float]] = {}
    with server() as database, Progress(transient=True) as bar:
        measured = rows(database)
        going = bar.add_task("", total=options.rounds * len(measured))
        for _ in range(options.rounds):
            for name, (rate, part) in measured.items():
                bar.update(going, description=name)
                found = rate(max(1, round(options.cases * part)), options.width)
                rates.setdefault(name, []).append(found)
                bar.advance(going)

    table = Table(
        title=f"{options.cases} cases of {TASKS_A_CASE} tasks, {options.width} at a time, "
        f"median of {options.rounds}; SQLite with synchronous=FULL, PostgreSQL with fsync"
    )
    for column in ("", "tasks/s", "min", "max", "of the ceiling"):
        table.add_column(column, justify="left" if not column else "right")
    ceiling = statistics.median(rates[CEILING])
    for name, found in rates.items():
        middle = statistics.median(found)
        row = (f"{middle:,.0f}", f"{min(found):,.0f}", f"{max(found):,.0f}")
        table.add_row(name, *row, f"{middle / ceiling:.1%}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
