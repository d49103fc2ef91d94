"""Closed forms and published figures: each is covered as often as its intervals say.

Of 200 independent experiments, each a 95 % interval from 20 replications, at least 178 must cover
the exact value (fewer would happen once in a thousand), and the mean of all lies within four of its
standard errors. The seeds are fixed, so that a red run is about the change and not about luck.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from petriflow import Net, Workflow
from petriflow.patterns import exclusive_choice, parallel, sequence, structured_loop, when
from petriflow.simulation import (
    Pool,
    Timing,
    at,
    erlang,
    exponential,
    in_progress,
    poisson,
    uniform,
)
from petriflow.simulation.plan import Plan
from petriflow.simulation.planning import plan
from petriflow.simulation.run import Figures, Run
from petriflow.simulation.statistics import estimate
from petriflow.simulation.tables import tables
from petriflow.workflow import task

EXPERIMENTS, REPLICATIONS = 200, 20


def covered(made: Plan, value: Callable[[Figures], float], exact: float, **run: Any) -> None:
    arrays = tables(made)
    means, hits = [], 0
    for experiment in range(EXPERIMENTS):
        values = []
        for replication in range(REPLICATIONS):
            luck = np.random.SeedSequence(2026, spawn_key=(experiment, replication))
            one = Run(made, luck, made=arrays, **run)
            one.compile()
            values.append(value(one.go()))
        found = estimate(values)
        hits += exact in found
        means.append(found.mean)
    pooled = float(np.mean(means))
    error = float(np.std(means, ddof=1)) / math.sqrt(EXPERIMENTS)
    assert abs(pooled - exact) <= 4 * error, (pooled, exact, error)
    assert hits >= 178, hits


def work(name: str) -> Any:
    return task(name=name)(lambda case: None)


def station(service: Any, rate: float, servers: int = 1) -> Plan:
    """One station with a queue: M/G/c."""
    return plan(
        Workflow("station", work("serve")),
        Timing({"serve": service}, poisson(rate), resources={"s": servers}, needs={"serve": "s"}),
    )


def cycle(f: Figures) -> float:
    return float((f.end - f.begin).mean())


def wait(f: Figures) -> float:
    return float(f.wait.mean())


STATIONS = {
    "mm1": (station(exponential(1), 0.8), cycle, 5.0),
    "mm2": (station(exponential(1 / 3), 2, 2), cycle, 3 / 8),
    "mm3": (station(exponential(1 / 15), 30, 3), wait, 4 / 135),
    "mm5": (station(exponential(1), 4, 5), cycle, 6.216450216450216 / 4),
    "md1": (station(1, 0.8), wait, 2.0),
    "me2": (station(erlang(2, 1), 0.8), wait, 3.0),
    "mu1": (station(uniform(0, 2), 0.8), wait, 8 / 3),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.promise("SIM-3")
@pytest.mark.parametrize("name", STATIONS)
def test_a_station_waits_as_queueing_theory_says(name: str) -> None:
    made, value, exact = STATIONS[name]
    covered(made, value, exact, cases=1_300, warmup=500)


def test_a_station_takes_any_law_of_scipy() -> None:
    """The pooled mean alone: a lognormal with a variance of four has intervals that cover less."""
    sigma = math.sqrt(math.log(5))
    made = station(stats.lognorm(sigma, scale=math.exp(-(sigma**2) / 2)), 0.5)
    found = estimate([wait(Run(made, n, cases=4_000, warmup=200).go()) for n in range(6)])
    assert abs(found.mean - 2.5) < 4 * found.half / 2.57


@pytest.mark.slow
@pytest.mark.promise("SIM-3")
@pytest.mark.parametrize(("name", "exact"), [("first", 1.0), ("second", 10 / 3)])
def test_who_has_priority_waits_as_cobham_says(name: str, exact: float) -> None:
    body = exclusive_choice(when("x", work("first")), otherwise=work("second"), name="class")
    flow = Workflow("w", work("begin") >> body)
    made = plan(
        flow,
        Timing(
            {"begin": 0, "first": exponential(1), "second": exponential(1)},
            poisson(0.7),
            {"class": {"first": 3, "second": 4}},
            resources={"s": 1},
            needs={"first": "s", "second": "s"},
            priorities={"first": 1},
        ),
    )
    n = [job.task for job in made.jobs].index(f"w/class/{name}")
    covered(made, lambda f: f.task_wait[n] / f.task_count[n], exact, cases=2_500, warmup=300)


@pytest.mark.slow
@pytest.mark.promise("SIM-3")
@pytest.mark.parametrize("rate", [0.5, 0.8])
def test_fork_and_join_of_two_answers_as_nelson_and_tantawi_say(rate: float) -> None:
    made = plan(
        Workflow("w", parallel(work("a"), work("b"))),
        Timing(
            {"a": exponential(1), "b": exponential(1)},
            poisson(rate),
            resources={"left": 1, "right": 1},
            needs={"a": "left", "b": "right"},
        ),
    )
    exact = (12 - rate) / (8 * (1 - rate))
    covered(made, cycle, exact, cases=1_300, warmup=400)


@pytest.mark.slow
@pytest.mark.promise("SIM-3")
def test_ten_stations_in_line_take_ten_times_one() -> None:
    names = [f"t{n}" for n in range(10)]
    made = plan(
        Workflow("w", sequence(*map(work, names))),
        Timing(
            dict.fromkeys(names, exponential(1)),
            poisson(1.4),
            resources={f"r{n}": 2 for n in range(10)},
            needs={f"t{n}": f"r{n}" for n in range(10)},
        ),
    )
    covered(made, cycle, 19.6078431372549, cases=900, warmup=400)


def test_blocks_take_the_times_of_the_textbook() -> None:
    """Dumas et al., Fundamentals of Business Process Management, section 7.1."""

    def mean(flow: Workflow, **choices: Any) -> float:
        made = plan(flow, Timing({"a": 10, "b": 20, "c": 10}, choices=choices))
        return cycle(Run(made, 4, cases=20_000).go())

    a, b, c = map(work, "abc")
    once = Timing({"a": 10, "b": 20})
    assert cycle(Run(plan(Workflow("w", a >> b), once), 1, cases=3).go()) == 30
    assert (
        cycle(
            Run(
                plan(Workflow("w", a >> parallel(b, work("c"))), once.but(durations={"c": 10})),
                1,
                cases=3,
            ).go()
        )
        == 30
    )
    either = a >> exclusive_choice(when("x", b), otherwise=c, name="either")
    assert mean(Workflow("w", either), either={"b": 0.9}) == pytest.approx(29, abs=4 * 3 / 141)
    loop = Workflow("w", a >> structured_loop(b, until="x", name="loop"))
    made = plan(loop, Timing({"a": 10, "b": 20}, choices={"loop": {"leave": 0.8}}))
    assert cycle(Run(made, 4, cases=20_000).go()) == pytest.approx(35, abs=4 * 11.2 / 141)


@pytest.mark.slow
@pytest.mark.promise("SIM-3")
def test_the_longer_of_two_exponentials() -> None:
    flow = Workflow("w", parallel(work("a"), work("b")))
    made = plan(flow, Timing({"a": exponential(1), "b": exponential(0.5)}))
    covered(made, cycle, 7 / 6, cases=100)


def net(text: str, **tokens: int) -> Net:
    """A net from lines such as `serve: queue -> out`; `!queue*5` inhibits from five tokens on."""
    builder, places, rows = Net.build("net"), dict[str, None](), []
    for line in text.strip().splitlines():
        id, arcs = line.split(":")
        sides: list[dict[str, dict[str, int]]] = []
        for side in arcs.split("->"):
            found: dict[str, dict[str, int]] = {"": {}, "!": {}}
            for word in side.split():
                place, _, number = word.lstrip("!").partition("*")
                found["!" if word[0] == "!" else ""][place] = int(number or 1)
                places[place] = None
            sides.append(found)
        rows.append((id.strip(), sides))
    for place in places:
        builder.place(place, tokens.get(place, 0))
    for id, (left, right) in rows:
        builder.transition(id, left[""], right[""], inhibitor=left["!"])
    return builder.done()


def throughput(made: Plan, id: str) -> Callable[[Figures], float]:
    t = made.compiled.transition_index[id]
    return lambda f: f.fired[t] / f.length


def tokens(made: Plan, id: str) -> Callable[[Figures], float]:
    p = made.compiled.place_index[id]
    return lambda f: f.area[p] / f.length


LOSS = net("arrive: !q*5 -> q\nserve: q ->")
SMALL = net("arrive: !q*2 -> q\nserve: q ->")
MOLLOY = net("T1: P1 -> P2 P3\nT2: P2 -> P4\nT3: P3 -> P5\nT4: P5 -> P3\nT5: P4 P5 -> P1", P1=1)
CENTRAL = net(
    "cpu: q -> x\nto2: x -> q2\nto3: x -> q3\nto4: x -> q4\nout: x -> q\n"
    "io2: q2 -> q\nio3: q3 -> q\nio4: q4 -> q", q=6
)  # fmt: skip
RACE = net("a: p -> x\nb: p -> y\nback: x -> p\nreturn: y -> p", p=1)
BUS = net("think: idle -> asks\ngrant: asks bus -> uses\nuse: uses -> idle bus", idle=4, bus=1)
JOB = net("work: job up -> done up\nbreak: up -> down\nrepair: down -> up\nagain: done -> job",
          job=1, up=1)  # fmt: skip


def timed(net: Net, durations: dict[str, Any], **more: Any) -> Plan:
    return plan(net, Timing(durations, **more))


def nets() -> dict[str, tuple[Plan, Callable[[Plan], Callable[[Figures], float]], float, float]]:
    e = exponential
    loss = timed(LOSS, {"arrive": e(1.25), "serve": e(1)})
    erlang_b = timed(LOSS, {"arrive": e(1 / 3), "serve": e(1)}, servers={"serve": math.inf})
    small = timed(SMALL, {"arrive": e(1), "serve": 1})
    molloy = timed(MOLLOY, {"T1": e(1 / 2), "T2": e(1), "T3": e(1), "T4": e(1 / 3), "T5": e(1 / 2)})
    central = timed(
        CENTRAL, {"cpu": e(0.02), "io2": e(0.2), "io3": e(0.4), "io4": e(0.6)},
        weights={"to2": 0.4, "to3": 0.2, "to4": 0.1, "out": 0.3},
    )  # fmt: skip
    race = timed(RACE, {"a": e(1 / 2), "b": e(1 / 3), "back": 0.6, "return": 0.6})
    fixed = timed(RACE, {"a": 1, "b": e(2), "back": 1, "return": 1})
    bus = timed(BUS, {"think": e(1), "use": e(1 / 2)}, servers={"think": math.inf})
    job = {"work": 1.0, "break": e(2), "repair": e(0.2)}
    resume = timed(JOB, job, memory={"work": "age"})
    restart = timed(JOB, job)
    return {
        "mm1k L": (loss, lambda p: tokens(p, "q"), 1.8683320322664587, 400),
        "mm1k p0": (loss, lambda p: throughput(p, "serve"), 1 - 0.27105559892445136, 400),
        "erlb": (erlang_b, lambda p: throughput(p, "arrive"), 3 * (1 - 0.11005434782608696), 100),
        "md1_2": (small, lambda p: throughput(p, "serve"), 1 - 1 / (1 + math.e), 200),
        "molloy": (molloy, lambda p: throughput(p, "T1"), 10 / 43, 300),
        "molloy P4P5": (molloy, lambda p: tokens(p, "P1"), 5 / 43, 300),
        "closed": (central, lambda p: throughput(p, "cpu"), 9.919836337154361, 60),
        "closed 2": (central, lambda p: tokens(p, "q2"), 2.26103779144106, 60),
        "race": (race, lambda p: throughput(p, "a"), 0.5, 300),
        "race fixed": (
            fixed, lambda p: throughput(p, "a"), 0.60653066 / (0.78693868 + 1), 300
        ),
        "bus": (bus, lambda p: throughput(p, "use"), 38 / 21, 100),
        "resume": (resume, lambda p: throughput(p, "work"), 1 / 1.1, 300),
        "restart": (restart, lambda p: throughput(p, "work"), 1 / 1.42718680, 300),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.promise("SIM-3")
@pytest.mark.parametrize("name", nets())
def test_a_net_has_the_published_figures(name: str) -> None:
    made, value, exact, until = nets()[name]
    covered(made, value(made), exact, until=until, warmup=until / 4)


def test_a_marked_graph_goes_round_as_often_as_its_slowest_circuit() -> None:
    """Ramchandani (1974): the circuits take (2 + 3 + 4) / 1 and (2 + 3 + 5) / 2."""
    graph = net("a: p4 q -> p1\nb: p1 -> p2 r\nc: p2 -> p4\nd: r -> q", p4=1, q=2)
    made = timed(graph, {"a": 2, "b": 3, "c": 4, "d": 5})
    figures = Run(made, 1, until=9_000.0).go()
    assert figures.fired[0] == pytest.approx(1_000, abs=1)


def test_a_closed_system_keeps_its_number_of_cases() -> None:
    made = plan(
        Workflow("w", work("think") >> work("use")),
        Timing(
            {"think": exponential(1), "use": exponential(0.5)},
            in_progress(4),
            resources={"bus": 1},
            needs={"use": "bus"},
        ),
    )
    figures = Run(made, 1, cases=40_000, warmup=1_000).go()
    assert figures.most_in_progress == 4
    assert len(figures.end) / (figures.end.max() - figures.begin.min()) == pytest.approx(
        38 / 21, rel=0.02
    )
    assert figures.busy[0] / figures.length == pytest.approx(19 / 21, abs=0.01)


def test_a_pool_of_two_named_people_serves_like_a_pool_of_two() -> None:
    one = station(exponential(1), 1.4, 2)
    flow = Workflow("station", work("serve"))
    two = plan(
        flow,
        Timing({"serve": exponential(1)}, poisson(1.4), needs={"serve": "clerk"},
               resources={"anna": Pool(skills={"clerk"}), "ben": Pool(skills={"clerk"})}),
    )  # fmt: skip
    assert np.array_equal(Run(one, 3, cases=2_000).go().end, Run(two, 3, cases=2_000).go().end)


def test_cases_of_a_trace_come_when_it_says() -> None:
    made = plan(Workflow("w", work("a")), Timing({"a": 2}, at([3, 1, "5s"])))
    figures = Run(made, 1).go()
    assert figures.begin.tolist() == [1, 3, 5]
    assert figures.end.tolist() == [3, 5, 7]
