"""How fast is a workflow simulated, beside SimPy, Ciw and simpn?

python benchmarks/simulation.py [--quick]

The peers come with `pip install petriflow[bench]`; one that is not there is said and left out. All
play the same models: one station with a queue (M/M/1), and ten tasks in line with two servers each.
A firing is a start or a completion of a task, so a case of ten tasks is 20 firings, whoever counts.
Everything runs on one core but the last table, so the time of the process is what counts.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from petriflow import Workflow, task
from petriflow.patterns import sequence
from petriflow.simulation import Timing, exponential, poisson
from petriflow.simulation.plan import Plan
from petriflow.simulation.planning import plan
from petriflow.simulation.replication import simulate
from petriflow.simulation.run import Run

console = Console(width=110)
clock = time.process_time


def line(tasks: int, rate: float, servers: int) -> tuple[Workflow, Timing]:
    """Tasks in line, each with servers of its own."""
    names = [f"t{n}" for n in range(tasks)]
    flow = Workflow("line", sequence(*(task(name=n)(lambda case: None) for n in names)))
    timing = Timing(
        dict.fromkeys(names, exponential(1)), poisson(rate),
        resources={f"r{n}": servers for n in range(tasks)},
        needs={name: f"r{n}" for n, name in enumerate(names)},
    )  # fmt: skip
    return flow, timing


MODELS = {"M/M/1": (1, 0.8, 1), "ten tasks, two servers each": (10, 1.4, 2)}


def with_petriflow(compiled: bool) -> Callable[[int, float, int, int], float]:
    def play(tasks: int, rate: float, servers: int, cases: int) -> float:
        made = plan(*line(tasks, rate, servers))
        return run(made, cases, compiled)

    return play


def run(made: Plan, cases: int, compiled: bool) -> float:
    from petriflow.simulation import run as runs

    ready, runs.compiler.ready = runs.compiler.ready, lambda: False  # plain stays plain
    loaded, runs.compiler.loaded = runs.compiler.loaded, lambda: False
    try:
        begun = clock()
        one = Run(made, 1, cases=cases)
        if compiled:
            one.compile()
        one.go()
        return clock() - begun
    finally:
        runs.compiler.ready, runs.compiler.loaded = ready, loaded


def with_simpy(tasks: int, rate: float, servers: int, cases: int) -> float:
    import random

    import simpy

    begun = clock()
    env, luck = simpy.Environment(), random.Random(1)
    pools = [simpy.Resource(env, servers) for _ in range(tasks)]

    def case() -> Any:
        for pool in pools:
            with pool.request() as turn:
                yield turn
                yield env.timeout(luck.expovariate(1))

    def source() -> Any:
        for _ in range(cases):
            yield env.timeout(luck.expovariate(rate))
            env.process(case())

    env.process(source())
    env.run()
    return clock() - begun


def with_ciw(tasks: int, rate: float, servers: int, cases: int) -> float:
    import ciw

    begun = clock()
    arrivals = [ciw.dists.Exponential(rate)] + [None] * (tasks - 1)
    routing = [[1.0 if b == a + 1 else 0.0 for b in range(tasks)] for a in range(tasks)]
    network = ciw.create_network(
        arrival_distributions=arrivals,
        service_distributions=[ciw.dists.Exponential(1)] * tasks,
        number_of_servers=[servers] * tasks,
        routing=routing,
    )
    ciw.seed(1)
    ciw.Simulation(network).simulate_until_max_customers(cases, method="Finish")
    return clock() - begun


def with_simpn(tasks: int, rate: float, servers: int, cases: int) -> float:
    from random import expovariate, seed

    from simpn.simulator import SimProblem, SimToken

    begun = clock()
    seed(1)
    net = SimProblem()
    come = net.add_var("come")
    places = [net.add_var(f"p{n}") for n in range(tasks + 1)]
    come.put("first")

    def arrive(token: Any) -> list[Any]:
        return [SimToken(token, delay=expovariate(rate)), SimToken("case")]

    net.add_event([come], [come, places[0]], arrive, name="arrive")
    for n in range(tasks):
        pool, busy = net.add_var(f"r{n}"), net.add_var(f"b{n}")
        for s in range(servers):
            pool.put(f"s{s}")
        net.add_event(
            [places[n], pool],
            [busy],
            lambda case, who: [SimToken((case, who), delay=expovariate(1))],
            name=f"start{n}",
        )
        net.add_event(
            [busy], [places[n + 1], pool],
            lambda both: [SimToken(both[0]), SimToken(both[1])], name=f"done{n}",
        )  # fmt: skip
    net.simulate(cases / rate)
    return clock() - begun


PLAYERS: dict[str, tuple[str | None, Callable[[int, float, int, int], float], int]] = {
    "petriflow, compiled": (None, with_petriflow(True), 400_000),
    "petriflow, plain Python": (None, with_petriflow(False), 20_000),
    "SimPy": ("simpy", with_simpy, 20_000),
    "Ciw": ("ciw", with_ciw, 10_000),
    "simpn": ("simpn", with_simpn, 3_000),
}


def peers(rounds: int) -> None:
    table = Table("firings a second", *MODELS, "× SimPy", title="one core")
    rates: dict[str, list[float]] = {}
    for name, (module, play, firings) in PLAYERS.items():
        if module and importlib.util.find_spec(module) is None:
            console.print(f"{name} is not installed, and left out")
            continue
        rates[name] = []
        for tasks, rate, servers in MODELS.values():
            cases = max(100, firings // (2 * tasks))
            play(tasks, rate, servers, 100)  # whatever is loaded at first use
            took = statistics.median(play(tasks, rate, servers, cases) for _ in range(rounds))
            rates[name].append(2 * tasks * cases / took)
    base = rates.get("SimPy")
    for name, found in rates.items():
        times = f"{found[0] / base[0]:.1f}, {found[1] / base[1]:.1f}" if base else ""
        table.add_row(name, *(f"{rate:,.0f}" for rate in found), times)
    console.print(table)


def growth() -> None:
    table = Table("transitions", "firings a second, compiled", "plain", title="growing models")
    for tasks in (5, 50, 500):
        made = plan(*line(tasks, 1.4, 2))
        run(made, 100, True)
        row = []
        for compiled, firings in ((True, 2_000_000), (False, 20_000)):
            cases = max(20, firings // (2 * tasks))
            row.append(f"{2 * tasks * cases / run(made, cases, compiled):,.0f}")
        table.add_row(str(2 * tasks), *row)
    console.print(table)


def replications() -> None:
    table = Table("workers", "seconds", title="16 replications of 20,000 cases of ten tasks")
    flow, timing = line(10, 1.4, 2)
    Run(plan(flow, timing), 1, cases=10).compile()
    for workers in (1, 2):
        begun = time.perf_counter()
        simulate(flow, timing, cases=20_000, replications=16, seed=1, workers=workers)
        table.add_row(str(workers), f"{time.perf_counter() - begun:.2f}")
    console.print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of each")
    peers(1 if parser.parse_args().quick else 5)
    growth()
    replications()
