"""The simulator and the Markov solver, two programs, are of one opinion about the same models."""

from __future__ import annotations

import math

import numpy as np
import pytest

from petriflow import Workflow
from petriflow.net.errors import NoExactAnswer
from petriflow.patterns import (
    discriminator,
    exclusive_choice,
    parallel,
    sequence,
    structured_loop,
    when,
)
from petriflow.simulation import Timing, erlang, exponential, simulate, solve

from .test_markov import random_net, timed


def strange(simulated, exact: float) -> float:
    """By how many standard errors an estimate is off; the interval is 95 %."""
    half = (simulated.high - simulated.low) / 2
    return abs(simulated.mean - exact) / max(half / 1.96, 1e-9)


@pytest.mark.slow
@pytest.mark.promise("SIM-30")
def test_random_nets_run_as_often_as_they_are_solved_to() -> None:
    """Of 95 % intervals one in twenty misses; of hundreds, no more than a tenth may."""
    missed = looked = 0
    for seed in range(120):
        net, rates, weights, priorities, servers = random_net(seed)
        timing = timed(rates, weights=weights, priorities=priorities, servers=servers)
        try:
            exact = solve(net, timing, max_markings=1_000)
        except NoExactAnswer:
            continue
        if len(exact.classes) != 1 or exact.tangible < 4 or max(exact.throughput.values()) < 0.05:
            continue
        found = simulate(net, timing, until=400.0, replications=20, seed=seed, workers=1)
        for what, column in (("places", "tokens"), ("transitions", "throughput")):
            table = getattr(found, what)
            for id, value in getattr(exact, what)[column].items():
                if value == 0:  # what happens at the beginning and never again
                    assert table["mean"][id] < 0.02
                    continue
                # the beginning weighs a little in an average over so long a time
                allowed = 0.01 * abs(value) + 1e-9
                low, high = table["low"][id] - allowed, table["high"][id] + allowed
                missed += not low <= value <= high
                looked += 1
    assert looked >= 60
    assert missed <= 0.1 * looked, (missed, looked)


def a(case): ...
def b(case): ...
def c(case): ...
def d(case): ...


BODIES = {
    "sequence": sequence(a, b, c),
    "parallel": sequence(parallel(a, b, c), d),
    "choice and loop": sequence(
        exclusive_choice(when("x", a), otherwise=b, name="pick"),
        structured_loop(c, until="done", name="again"),
    ),
    "discriminator": discriminator(a, b, c, required=2, then=d),
    "cancelling discriminator": discriminator(a, b, c, required=1, cancel=True, then=d),
}


@pytest.mark.slow
@pytest.mark.promise("SIM-30")
@pytest.mark.parametrize("name", BODIES)
def test_cases_take_as_long_as_they_are_solved_to(name) -> None:
    workflow = Workflow("w", BODIES[name])
    durations = {"a": exponential(3), "b": erlang(2, 4), "c": exponential(1), "d": exponential(2)}
    used = {t.rpartition("/")[2] for t in workflow.tasks}
    choices = {
        choice.path: {choice.branches[0].name: 0.7, choice.branches[1].name: 0.3}
        for choice in workflow.choices
    }
    timing = Timing({t: durations[t] for t in used}, choices=choices)
    exact = workflow.solve(timing).cycle_time
    found = simulate(workflow, timing, cases=2_000, replications=20, seed=7, workers=1)
    # of five looks, one in some 20,000 is off by more than four standard errors
    assert strange(found.cycle_time, exact.mean) < 4
    times = np.concatenate([f.end - f.begin for f in found.figures])
    assert len(times) == 40_000
    for part in (0.1, 0.5, 0.9, 0.99):
        within = float((times <= exact.quantile(part)).mean())
        assert within == pytest.approx(part, abs=4 * math.sqrt(part * (1 - part) / len(times)))
