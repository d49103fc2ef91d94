"""How long does it take to build, verify and run each pattern, and a large workflow of them?

python benchmarks/patterns.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from petriflow import Engine, Workflow, verify
from petriflow.patterns import (
    Event,
    Fragment,
    exclusive_choice,
    parallel,
    sequence,
    structured_loop,
    when,
)
from petriflow.patterns.catalogue import CATALOGUE

GIVEN = {"x": 2, "y": 2, "n": 1, "done": True, "enough": True}


class Soon:
    """A clock on which every timer rings at once."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


async def run(flow: Workflow) -> None:
    """One case; whatever event it waits for is sent."""
    async with Engine("sqlite://", workflows=[flow], clock=Soon()) as engine:
        case = await engine.start(flow, GIVEN)
        while (await case.settle()).status == "running":
            triggers = (flow.fragment.triggers[t] for t in reversed(case.waits_for))
            await engine.signal(case, next(t.name for t in triggers if isinstance(t, Event)))


def timed(work: Callable[[], object], rounds: int) -> float:
    """The median of several rounds, in milliseconds."""
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return 1000 * statistics.median(taken)


def large(tasks: int) -> Fragment:
    """Blocks in blocks, about four deep, that hold so many tasks one after another."""

    def task(n: int) -> Callable[[object], None]:
        def body(case: object) -> None: ...

        body.__name__ = f"t{n}"
        return body

    def block(first: int, count: int, depth: int) -> Fragment | Callable[[object], None]:
        if count == 1:
            return task(first)
        parts = 10 if depth == 0 else min(count, 5)
        size = -(-count // parts)
        starts = range(first, first + count, size)
        inner = [block(n, min(size, first + count - n), depth + 1) for n in starts]
        match depth % 3:
            case 0:
                return sequence(*inner, name=f"s{first}-{depth}")
            case 1:
                ways = [when(f"x == {n}", part) for n, part in enumerate(inner[1:])]
                if not ways:
                    return sequence(*inner, name=f"q{first}-{depth}")
                return exclusive_choice(*ways, otherwise=inner[0], name=f"x{first}-{depth}")
            case _:
                pairs = [parallel(*inner[n : n + 2], name=f"p{n}") for n in range(0, len(inner), 2)]
                return structured_loop(sequence(*pairs), until="x", name=f"l{first}-{depth}")

    return sequence(block(0, tasks, 0), name="large")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    table = Table(title="milliseconds, the median")
    for heading in ("pattern", "build", "verify", "run", "markings"):
        table.add_column(heading, justify="right" if heading != "pattern" else "left")
    for one in CATALOGUE:
        flow = Workflow("w", one.example())
        report = flow.verify()
        build = timed(lambda: Workflow("w", one.example()).expanded, rounds)  # noqa: B023
        judge = timed(lambda: verify(flow.net, form="expanded"), rounds)  # noqa: B023
        runs = f"{timed(lambda: asyncio.run(run(flow)), rounds):.1f}"  # noqa: B023
        name = f"{one.number} {one.name}"
        table.add_row(name, f"{build:.2f}", f"{judge:.2f}", runs, str(report.markings))
    Console(width=110).print(table)

    for tasks in (100, 1000):
        began = time.perf_counter()
        flow = Workflow("large", large(tasks))
        net = flow.expanded
        built = time.perf_counter()
        report = flow.verify()
        done = time.perf_counter()
        Console(width=110).print(
            f"{len(flow.tasks)} tasks, {len(net.places)} places: built in {built - began:.2f} s, "
            f"{report.verdict} in {done - built:.2f} s ({report.explored:,} markings)"
        )


if __name__ == "__main__":
    main()
