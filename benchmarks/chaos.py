"""What becomes of cases when everything around them dies, again and again?

Engines work off cases of mixed workflows (tests/execution/mixed.py: choices, loops,
discriminators, cancelled regions, events, timers, called cases, instances, suspensions,
cancellations) while they are killed, stopped past their lease, and their servers taken away, at
random moments. Afterwards every history is replayed by the one firing rule onto the stored marking,
and every effect that the outside saw is looked for in the histories (tests/execution/audit.py).

    python benchmarks/chaos.py [--kills 1000] [--races 200] [--pauses 100] [--restarts 100]
                               [--workers 50] [--cases 10] [--seed 1]

Each number is how often; 0 leaves a row out. PostgreSQL and Dask rows are left out where they are
not installed. A row goes on over fresh stores until it has been done so often.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1]))

from petriflow.execution.store import upgrade_store
from tests.execution import havoc, mixed
from tests.execution.audit import Audit, audit
from tests.execution.cluster import Cluster, NoServer, running
from tests.execution.havoc import Engines, Tell

NUMBERS = count(1)


@dataclass
class Row:
    """What one kind of trouble has led to."""

    name: str
    done: int = 0
    seconds: float = 0.0
    found: list[Audit] = field(default_factory=list)

    def cells(self) -> list[str]:
        ends: Counter[str] = sum((a.ends for a in self.found), Counter())
        total = [sum(getattr(a, n) for a in self.found) for n in ("firings", "tasks", "bodies")]
        trouble = [
            sum(len(getattr(a, n)) for a in self.found) for n in ("doubled", "lost", "wrong")
        ]
        told = ", ".join(f"{n:,} {status}" for status, n in ends.most_common())
        numbers = [*(f"{n:,}" for n in total), *map(str, trouble)]
        return [self.name, f"{self.done:,}", *numbers, told, f"{self.seconds:.0f} s"]


class Havoc:
    """The rows, one after the other."""

    def __init__(self, options: argparse.Namespace, folder: Path, server: Cluster | None) -> None:
        self.options, self.folder, self.server = options, folder, server
        self.chance = random.Random(options.seed)

    def sqlite(self) -> str:
        return f"sqlite:///{self.folder / f'chaos_{next(NUMBERS)}.db'}"

    def postgres(self) -> str:
        assert self.server is not None
        name = f"chaos_{next(NUMBERS)}"
        self.server.run(f"CREATE DATABASE {name}")
        upgrade_store(self.server.url(name))
        return self.server.url(name)

    def rows(self) -> list[tuple[str, int, Callable[[int, Tell], tuple[int, Audit]]]]:
        o = self.options
        found = [("SIGKILL, SQLite", o.kills, self.kill(self.sqlite, 1))]
        if self.server:
            found += [
                ("SIGKILL, 3 engines on PostgreSQL", o.races, self.kill(self.postgres, 3)),
                ("SIGSTOP past the lease, 4 engines", o.pauses, self.pause),
                ("PostgreSQL restarted, 2 engines", o.restarts, self.restart),
            ]
        if find_spec("distributed"):
            found.append(("Dask worker or scheduler killed", o.workers, self.dask))
        return [row for row in found if row[1]]

    def kill(self, store: Callable[[], str], together: int) -> Callable[..., tuple[int, Audit]]:
        def work(most: int, tell: Tell) -> tuple[int, Audit]:
            engines = self.engines(store(), 3 * most)
            done = havoc.kill_again_and_again(engines, together, self.chance, most, tell)
            return done, self.look(engines)

        return work

    def pause(self, most: int, tell: Tell) -> tuple[int, Audit]:
        engines = self.engines(self.postgres(), 40 * most)
        done = havoc.pause_past_the_lease(engines, 4, self.chance, most, tell)
        return done, self.look(engines)

    def restart(self, most: int, tell: Tell) -> tuple[int, Audit]:
        assert self.server is not None
        engines = self.engines(self.postgres(), 30 * most)
        done = havoc.restart_under_load(engines, 2, self.server, self.chance, most, tell)
        return done, self.look(engines)

    def engines(self, url: str, wished: int) -> Engines:
        number = min(max(30, self.options.cases * 30), max(30, wished))
        return Engines(url, self.folder / f"log_{next(NUMBERS)}", number)

    def look(self, engines: Engines) -> Audit:
        return audit(engines.url, mixed.everything, engines.log, mixed.allowed)

    def dask(self, most: int, tell: Tell) -> tuple[int, Audit]:
        from tests.execution.scattered import flow, lose_again_and_again

        url, log = self.sqlite(), self.folder / f"log_{next(NUMBERS)}"
        asyncio.run(lose_again_and_again(url, log, self.chance, most, tell))
        return most, audit(url, [flow], log, lambda workflow, variables: {"completed"})


def main() -> None:
    """Do it, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, often in (("kills", 1000), ("races", 200), ("pauses", 100), ("restarts", 100)):
        parser.add_argument(f"--{name}", type=int, default=often)
    parser.add_argument("--workers", type=int, default=50)
    parser.add_argument("--cases", type=int, default=10, help="thirties of cases in a store")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    rows: list[Row] = []
    with ExitStack() as around:
        folder = Path(around.enter_context(tempfile.TemporaryDirectory()))
        server = None
        try:
            server = around.enter_context(running())
        except NoServer as error:
            print(f"without PostgreSQL: {error}")
        bar = around.enter_context(Progress(transient=True))
        for name, often, work in Havoc(options, folder, server).rows():
            going, row = bar.add_task(name, total=often), Row(name)
            began = time.perf_counter()
            while row.done < often:
                done, found = work(often - row.done, lambda going=going: bar.advance(going))
                row.done += done
                row.found.append(found)
                for trouble in (*found.doubled, *found.lost, *found.wrong):
                    bar.console.print(f"{name}: {trouble}", markup=False)
            row.seconds = time.perf_counter() - began
            rows.append(row)
            bar.remove_task(going)

    table = Table(title="What was done to engines at work, and what became of their cases")
    left = ("", "cases ended")
    heads = ("", "times", "firings", "tasks", "bodies begun", "doubled", "lost", "wrong end")
    for column in (*heads, "cases ended", "took"):
        table.add_column(column, justify="left" if column in left else "right")
    for row in rows:
        table.add_row(*row.cells())
    Console(width=150).print(table)
    sys.exit(0 if all(a.clean() for row in rows for a in row.found) else 1)


if __name__ == "__main__":
    main()
