"""Exact figures against closed forms, published nets and brute force."""

from __future__ import annotations

import json
import math
from collections import deque

import numpy as np
import pytest
from scipy.stats import erlang as scipy_erlang

from petriflow import Net, Workflow
from petriflow.net.errors import DefinitionError, NoExactAnswer, QueryError
from petriflow.net.firing import enabled, fire
from petriflow.patterns import (
    event,
    exclusive_choice,
    multi_choice,
    parallel,
    sequence,
    skip,
    structured_loop,
    when,
)
from petriflow.simulation import Pool, Timing, equations, erlang, exponential, in_progress, uniform
from petriflow.simulation.markov import solve

EXACT = 1e-8


def timed(rates: dict[str, float], **more) -> Timing:
    return Timing(durations={t: exponential(1 / r) for t, r in rates.items()}, **more)


def expm(a: np.ndarray) -> np.ndarray:
    """By the series of a small part, squared. (That of scipy 1.17 errs on triangular matrices.)"""
    halvings = max(0, math.ceil(math.log2(max(abs(a).max(), 1e-9) * len(a)))) + 1
    part, term = np.eye(len(a)), np.eye(len(a))
    for k in range(1, 25):
        term = term @ a / 2**halvings / k
        part += term
    return np.linalg.matrix_power(part, 2**halvings)


def queue(arrive: float, serve: float, room: int, servers: float = 1):
    net = (
        Net.build("queue")
        .place("free", room)
        .place("in")
        .transition("arrive", "free", "in")
        .transition("serve", "in", "free")
        .done()
    )
    return solve(net, timed({"arrive": arrive, "serve": serve}, servers={"serve": servers}))


def birth_and_death(up, down) -> np.ndarray:
    weights = np.cumprod([1.0, *(u / d for u, d in zip(up, down, strict=True))])
    return weights / weights.sum()


def kanban(cells: int) -> tuple[Net, dict[str, float]]:
    build, rates = Net.build("kanban"), {"in": 1.0, "s1": 0.4, "s2": 0.5, "out": 0.9}
    redo, ok = (0.36, 0.42, 0.39, 0.33), (0.84, 0.98, 0.91, 0.77)
    for i in range(1, 5):
        build.place(f"f{i}", cells).places(f"m{i}", f"b{i}", f"o{i}")
        build.transition(f"back{i}", f"b{i}", f"m{i}").transition(f"redo{i}", f"m{i}", f"b{i}")
        build.transition(f"ok{i}", f"m{i}", f"o{i}")
        rates |= {f"back{i}": 0.3, f"redo{i}": redo[i - 1], f"ok{i}": ok[i - 1]}
    build.transition("in", "f1", "m1").transition("out", "o4", "f4")
    build.transition("s1", ["o1", "f2", "f3"], ["f1", "m2", "m3"])
    build.transition("s2", ["o2", "o3", "f4"], ["f2", "f3", "m4"])
    return build.done(), rates


# -- the long run, against closed forms -------------------------------------------------------


@pytest.mark.promise("SIM-20")
def test_a_queue_with_little_room_is_its_closed_form() -> None:
    found = queue(0.8, 1, 5)
    assert found.probability("in == 0") == pytest.approx(0.27105559892445136, rel=EXACT)
    assert found.probability("free == 0") == pytest.approx(0.08881949865556424, rel=EXACT)
    assert found.places["tokens"]["in"] == pytest.approx(1.8683320322664587, rel=EXACT)
    assert found.places["stays"]["in"] == pytest.approx(2.563065207044265, rel=EXACT)
    assert found.throughput["arrive"] == pytest.approx(0.8 * (1 - 0.08881949865556424), rel=EXACT)
    assert found.distribution("in")[5] == pytest.approx(0.08881949865556424, rel=EXACT)


@pytest.mark.promise("SIM-20")
@pytest.mark.parametrize(("servers", "room"), [(2, 7), (3, 3), (4, 30), (math.inf, 12)])
def test_several_servers_work_side_by_side(servers, room) -> None:
    found = queue(3, 1.1, room, servers)
    law = birth_and_death([3] * room, [1.1 * min(n, servers) for n in range(1, room + 1)])
    assert found.distribution("in").to_numpy() == pytest.approx(law, rel=EXACT)
    busy = sum(p * min(n, servers) for n, p in enumerate(law))
    assert found.transitions["busy"]["serve"] == pytest.approx(busy, rel=EXACT)


@pytest.mark.parametrize(
    ("load", "servers", "lost"), [(3, 5, 0.11005434782608696), (7, 10, 0.07874088296957026)]
)
def test_calls_are_lost_as_erlang_says(load, servers, lost) -> None:
    assert queue(load, 1, servers, math.inf).probability("free == 0") == pytest.approx(
        lost, rel=EXACT
    )


def test_machines_share_a_bus() -> None:
    net = (
        Net.build("bus")
        .place("thinking", 4)
        .place("wanting")
        .place("bus", 1)
        .place("using")
        .transition("think", "thinking", "wanting")
        .silent("grant", ["wanting", "bus"], "using")
        .transition("use", "using", ["bus", "thinking"])
        .done()
    )
    found = solve(net, timed({"think": 1, "use": 2}, servers={"think": math.inf}))
    assert found.probability("using") == pytest.approx(19 / 21, rel=EXACT)
    assert found.throughput["grant"] == pytest.approx(38 / 21, rel=EXACT)


def test_molloys_net() -> None:
    net = (
        Net.build("molloy")
        .place("P1", 1)
        .places("P2", "P3", "P4", "P5")
        .transition("T1", "P1", ["P2", "P3"])
        .transition("T2", "P2", "P4")
        .transition("T3", "P3", "P5")
        .transition("T4", "P5", "P3")
        .transition("T5", ["P4", "P5"], "P1")
        .done()
    )
    found = solve(net, timed({"T1": 2, "T2": 1, "T3": 1, "T4": 3, "T5": 2}))
    parts = [
        found.probability(c) for c in ("P1", "P2 and P3", "P3 and P4", "P2 and P5", "P4 and P5")
    ]
    assert np.array(parts) * 43 == pytest.approx([5, 8, 23, 2, 5], rel=EXACT)
    assert found.throughput["T1"] == pytest.approx(10 / 43, rel=EXACT)


@pytest.mark.promise("SIM-21")
def test_immediate_steps_take_no_time_and_their_markings_are_counted() -> None:
    net = (
        Net.build("imm")
        .place("out", 3)
        .places("door", "in")
        .transition("come", "out", "door")
        .silent("accept", "door", "in")
        .transition("serve", "in", "out")
        .done()
    )
    found = solve(net, timed({"come": 0.5, "serve": 2}))
    assert (found.tangible, found.vanishing) == (4, 3)
    assert found.markings().to_numpy() * 85 == pytest.approx([64, 16, 4, 1], rel=EXACT)
    assert found.throughput["accept"] == pytest.approx(found.throughput["serve"], rel=EXACT)


SERVICE, VISITS = (0.02, 0.2, 0.4, 0.6), (1, 0.4, 0.2, 0.1)


def central_server(customers: int):
    build = Net.build("central").place("q1", customers).places("q2", "q3", "q4", "choice")
    build.transition("s1", "q1", "choice")
    for i in range(2, 5):
        build.transition(f"s{i}", f"q{i}", "q1").silent(f"to{i}", "choice", f"q{i}")
    build.silent("again", "choice", "q1")
    rates = {f"s{i}": 1 / s for i, s in enumerate(SERVICE, 1)}
    weights = {"to2": 4, "to3": 2, "to4": 1, "again": 3}
    return solve(build.done(), timed(rates, weights=weights))


def mean_value_analysis(customers: int) -> tuple[float, list[float]]:
    """Reiser and Lavenberg 1980."""
    lengths, throughput = [0.0] * 4, 0.0
    for n in range(1, customers + 1):
        waits = [s * (1 + q) for s, q in zip(SERVICE, lengths, strict=True)]
        throughput = n / sum(v * w for v, w in zip(VISITS, waits, strict=True))
        lengths = [throughput * v * w for v, w in zip(VISITS, waits, strict=True)]
    return throughput, lengths


def buzen(customers: int) -> float:
    g = [1.0] + [0.0] * customers
    for s, v in zip(SERVICE, VISITS, strict=True):
        for n in range(1, customers + 1):
            g[n] += s * v * g[n - 1]
    return g[customers - 1] / g[customers]


@pytest.mark.promise("SIM-21")
def test_a_closed_network_is_that_of_the_book() -> None:
    found = central_server(6)
    assert (found.tangible, found.vanishing) == (84, 56)
    flow = [found.throughput[f"s{i}"] for i in range(1, 5)]
    assert flow == pytest.approx(
        [9.919836337154361, 3.967934534861744, 1.983967267430873, 0.991983633715434], rel=EXACT
    )
    assert found.places["tokens"][:4].to_numpy() == pytest.approx(
        [0.24361525889194, 2.26103779144106, 2.26103779144106, 1.23430915822594], rel=EXACT
    )


@pytest.mark.parametrize("customers", [1, 2, 9, 22])
def test_closed_networks_agree_with_mean_value_analysis_and_buzen(customers) -> None:
    found = central_server(customers)
    throughput, lengths = mean_value_analysis(customers)
    assert throughput == pytest.approx(buzen(customers), rel=1e-12)
    assert found.throughput["s1"] == pytest.approx(throughput, rel=EXACT)
    assert found.places["tokens"][:4].to_numpy() == pytest.approx(lengths, rel=EXACT)


@pytest.mark.promise("SIM-20")
@pytest.mark.parametrize(
    ("cells", "markings", "throughput"),
    [(1, 160, 0.0925846346333826), (2, 4_600, 0.173871706177849)],
)
def test_kanban_has_the_published_throughput(cells, markings, throughput) -> None:
    net, rates = kanban(cells)
    found = solve(net, timed(rates))
    assert found.tangible == markings
    assert found.throughput["in"] == pytest.approx(throughput, rel=EXACT)
    assert found.throughput["out"] == pytest.approx(throughput, rel=EXACT)
    assert found.residual < 1e-12


def test_without_a_compiler_the_answer_is_the_same(monkeypatch) -> None:
    monkeypatch.setattr(equations, "DIRECT", 100)
    monkeypatch.setattr(equations, "DENSE", 100)
    monkeypatch.setattr(equations, "MOST_FACTORS", 100)
    monkeypatch.setattr(equations.util, "find_spec", lambda name: None)
    net, rates = kanban(1)
    found = solve(net, timed(rates))
    assert found.method == "sweeps"
    assert found.throughput["in"] == pytest.approx(0.0925846346333826, rel=EXACT)


def test_sweeps_factors_and_elimination_agree(monkeypatch) -> None:
    net, rates = kanban(1)
    found = {}
    for dense, direct in ((1_000, 1_000), (1, 1_000), (1, 1)):
        monkeypatch.setattr(equations, "DENSE", dense)
        monkeypatch.setattr(equations, "DIRECT", direct)
        solution = solve(net, timed(rates))
        found[solution.method] = solution.x
    assert set(found) == {"direct", "sparse factors", "sweeps"}
    assert found["sparse factors"] == pytest.approx(found["direct"], rel=EXACT)
    assert found["sweeps"] == pytest.approx(found["direct"], rel=EXACT)


@pytest.mark.promise("SIM-22")
def test_several_ends_are_told_and_not_mixed_up() -> None:
    net = (
        Net.build("fates")
        .place("start", 1)
        .places("left", "right", "other")
        .transition("to left", "start", "left")
        .transition("to right", "start", "right")
        .transition("swing", "right", "other")
        .transition("back", "other", "right")
        .done()
    )
    found = solve(net, timed({"to left": 1, "to right": 3, "swing": 1, "back": 3}))
    assert found.classes["probability"].tolist() == pytest.approx([0.25, 0.75])
    assert found.classes["dead"].tolist() == [True, False]
    assert found.probability("right") == pytest.approx(0.75 * 0.75)
    assert "2 ends" in found.title
    assert "classes" in str(found)


# -- over time ------------------------------------------------------------------------------


@pytest.mark.promise("SIM-23")
def test_a_queue_fills_as_the_matrix_exponential_says() -> None:
    found = queue(0.8, 1, 300)
    table = found.transient([1, 5, 10, 50], "in == 0")
    assert table["in == 0"].to_numpy() == pytest.approx(
        [0.59739875, 0.34896794, 0.28642259, 0.21411792], abs=5e-9
    )
    assert found.transient([1, 5, 10, 50])["in"].to_numpy() == pytest.approx(
        [0.55155186, 1.46946083, 2.03028156, 3.40503898], abs=5e-9
    )


def test_the_distribution_over_time_begins_at_the_beginning_and_comes_to_the_long_run() -> None:
    net, rates = kanban(1)
    found = solve(net, timed(rates))
    table = found.transient([0, 3_000])
    assert table["f1"].tolist() == pytest.approx([1, found.places["tokens"]["f1"]], rel=EXACT)


def test_so_stiff_a_chain_is_taken_by_the_matrix_exponential() -> None:
    found = queue(1, 1e6, 4)
    q = np.diag([1.0] * 4, 1) + np.diag([1e6] * 4, -1)
    q -= np.diag(q.sum(axis=1))
    table = found.transient([2.0], "in == 1")
    assert table["in == 1"][2.0] == pytest.approx(expm(2.0 * q)[0, 1], rel=1e-6)


@pytest.mark.promise("SIM-23")
def test_a_first_passage_has_the_law_of_the_stopped_chain() -> None:
    found = queue(0.8, 1, 5).passage("free == 0")
    q = np.diag([0.8] * 5, 1) + np.diag([1.0] * 5, -1)
    q -= np.diag(q.sum(axis=1))
    q[5] = 0
    before = q[:5, :5]
    taken = np.linalg.solve(-before.T, [1, 0, 0, 0, 0])
    again = np.linalg.solve(-before.T, taken)
    assert found.mean == pytest.approx(taken.sum(), rel=EXACT)
    assert found.deviation**2 == pytest.approx(2 * again.sum() - taken.sum() ** 2, rel=EXACT)
    for t in (0.0, 0.5, 7.0, 40.0, 400.0):
        assert found.cdf(t) == pytest.approx(expm(q * t)[0, 5], rel=EXACT, abs=1e-13)
    assert found.cdf(found.quantile(0.9)) == pytest.approx(0.9, rel=EXACT)


def test_what_may_never_happen_has_no_mean() -> None:
    net = (
        Net.build("once")
        .place("start", 1)
        .places("left", "right")
        .transition("a", "start", "left")
        .transition("b", "start", "right")
        .done()
    )
    found = solve(net, timed({"a": 1, "b": 3})).passage("left")
    assert found.probability == pytest.approx(0.25)
    assert (found.mean, found.quantile(0.3)) == (math.inf, math.inf)
    assert found.cdf(1e9) == pytest.approx(0.25)
    assert found.to_json()["mean"] is None


# -- one case of a workflow -------------------------------------------------------------------


def a(case): ...


def b(case): ...


def c(case): ...


def case_of(body, **timing):
    workflow = Workflow("w", body)
    durations = {t.rpartition("/")[2]: exponential(1) for t in workflow.tasks}
    durations |= timing.pop("durations", {})
    return workflow.solve(Timing(durations=durations, **timing))


@pytest.mark.promise("SIM-24")
def test_the_cycle_time_of_a_sequence_is_the_sum() -> None:
    found = case_of(sequence(a, b), durations={"a": exponential(10), "b": exponential(20)})
    assert found.cycle_time.mean == pytest.approx(30, rel=EXACT)
    assert found.cycle_time.deviation == pytest.approx(math.sqrt(500), rel=EXACT)
    assert found.tasks["work"].tolist() == pytest.approx([10, 20], rel=EXACT)


@pytest.mark.promise("SIM-24")
def test_the_cycle_time_of_a_choice_is_the_weighted_mean() -> None:
    found = case_of(
        sequence(a, exclusive_choice(when("x", b), otherwise=c, name="pick")),
        durations={"a": exponential(10), "b": exponential(20), "c": exponential(10)},
        choices={"pick": {"b": 0.9}},
    )
    assert found.cycle_time.mean == pytest.approx(29, rel=EXACT)
    assert found.tasks["executions"].tolist() == pytest.approx([1, 0.9, 0.1], rel=EXACT)


@pytest.mark.promise("SIM-24")
def test_parallel_branches_take_the_longest() -> None:
    found = case_of(parallel(a, b), durations={"a": exponential(1), "b": exponential(0.5)})
    assert found.cycle_time.mean == pytest.approx(7 / 6, rel=EXACT)
    for t in (0.1, 1.0, 4.0):
        law = (1 - math.exp(-t)) * (1 - math.exp(-2 * t))
        assert found.cycle_time.cdf(t) == pytest.approx(law, rel=EXACT)


@pytest.mark.promise("SIM-24")
def test_rework_comes_again_and_again() -> None:
    found = case_of(
        sequence(a, structured_loop(b, until="done", name="rework")),
        durations={"a": exponential(10), "b": exponential(20)},
        choices={"rework": {"again": 0.2}} if False else {"rework": dict(loop_weights(b))},
    )
    assert found.cycle_time.mean == pytest.approx(35, rel=EXACT)
    assert found.tasks["executions"].tolist() == pytest.approx([1, 1.25], rel=EXACT)


def loop_weights(body):
    """The loop's branches by the names that the workflow gives them: out with .8."""
    (choice,) = Workflow(
        "w", sequence(a, structured_loop(body, until="done", name="rework"))
    ).choices
    out = [br.name for br in choice.branches if br.guard is not None]
    (again,) = [br.name for br in choice.branches if br.name not in out]
    return {again: 0.2, out[0]: 0.8}.items()


@pytest.mark.promise("SIM-24")
def test_stages_of_a_duration_are_taken_one_by_one() -> None:
    found = case_of(sequence(a), durations={"a": erlang(3, 6)})
    assert found.cycle_time.mean == pytest.approx(6, rel=EXACT)
    assert found.cycle_time.deviation == pytest.approx(6 / math.sqrt(3), rel=EXACT)
    for t in (1.0, 5.0, 20.0):
        assert found.cycle_time.cdf(t) == pytest.approx(scipy_erlang(3, scale=2).cdf(t), rel=EXACT)
    assert found.approximate == ()


def test_an_event_races_with_a_task_only_until_one_of_them_is_over() -> None:
    from petriflow.patterns import deferred_choice

    found = case_of(
        deferred_choice(event("paid") >> a, event("cancelled") >> b),
        durations={"paid": exponential(1 / 3), "cancelled": exponential(1 / 2), "a": 0, "b": 0},
    )
    assert found.cycle_time.mean == pytest.approx(1 / 5, rel=EXACT)
    assert found.tasks["executions"].tolist() == pytest.approx([0.6, 0.4], rel=EXACT)


def test_a_multi_choice_takes_each_branch_by_its_own_chance() -> None:
    found = case_of(
        multi_choice(when("x", a), when("y", b), otherwise=c),
        choices={"w": {"a": 0.5, "b": 0.25}},
    )
    assert found.tasks["executions"].tolist() == pytest.approx([0.5, 0.25, 0.375], rel=EXACT)


def test_resources_bound_how_many_cases_there_can_be() -> None:
    found = case_of(
        sequence(a, b),
        durations={"a": exponential(10), "b": exponential(20)},
        resources={"clerk": Pool(2, cost=3)},
        needs={"a": "clerk", "b": "clerk"},
    )
    assert found.resources["most"]["clerk"] == pytest.approx(2 / 30, rel=EXACT)
    assert found.tasks["cost"].tolist() == pytest.approx([30, 60], rel=EXACT)


def test_a_case_that_may_get_stuck_says_where() -> None:
    net = (
        Net.build("stuck")
        .place("i", 1)
        .places("p", "q", "r", "o")
        .silent("left", "i", "p")
        .silent("right", "i", "q")
        .transition("work", "p", "o")
        .transition("never", ["q", "r"], "o")
        .done()
    )
    from petriflow.simulation.chain import build
    from petriflow.simulation.phases import markovian
    from petriflow.simulation.planning import plan
    from petriflow.simulation.solution import CaseSolution

    timing = Timing(
        durations={"work": exponential(2), "never": exponential(1)},
        weights={"left": 3, "right": 1},
    )
    planned = plan(net, timing, cases=True)
    found = CaseSolution.of(planned, build(markovian(planned), 100), 0.0)
    assert found.cycle_time.probability == pytest.approx(0.75)
    assert found.ends["completed"].tolist() == [False, True]
    assert found.ends["probability"].tolist() == pytest.approx([0.25, 0.75])
    assert "else never" in str(found)


# -- stages: what is remembered and what is not ----------------------------------------------


def machine(memory: str, job) -> float:
    net = (
        Net.build("machine")
        .place("todo", 1)
        .place("up", 1)
        .places("down", "done")
        .transition("work", "todo", "done", read="up")
        .transition("break", "up", "down")
        .transition("mend", "down", "up")
        .done()
    )
    durations = {"work": job, "break": exponential(2), "mend": exponential(0.2)}
    found = solve(net, Timing(durations=durations, memory={"work": memory}), stages=400)
    return found.passage("done").mean


@pytest.mark.promise("SIM-25")
def test_work_that_is_interrupted_is_lost_or_kept_as_its_memory_says() -> None:
    part = (4 / (4 + 0.5)) ** 4  # that four stages of rate 4 are not interrupted
    assert machine("enabling", erlang(4, 1)) == pytest.approx(2.2 * (1 / part - 1), rel=EXACT)
    assert machine("age", erlang(4, 1)) == pytest.approx(1.1, rel=EXACT)


def test_a_constant_is_nearly_many_stages_where_that_is_asked_for() -> None:
    assert machine("enabling", 1) == pytest.approx(1.42718680, rel=1e-3)
    assert machine("age", 1) == pytest.approx(1.1, rel=EXACT)


def test_an_answer_by_stages_says_that_it_is_approximate() -> None:
    workflow = Workflow("w", sequence(a, b), timing=Timing(durations={"a": 3, "b": exponential(1)}))
    with pytest.raises(NoExactAnswer, match=r"'w/a.*is 3, not exponential.*stages=20"):
        workflow.solve()
    found = workflow.solve(stages=9)
    assert found.cycle_time.deviation == pytest.approx(math.sqrt(1 + 1), rel=EXACT)
    assert "approximate: w/a.complete: 3 as 9 stages" in str(found)
    assert len(found.to_json()["approximate"]) == 1


# -- against brute force ----------------------------------------------------------------------


def brute_force(net: Net, rates, weights, priorities, servers):
    """The long run of a small net, by net/firing.py, dense matrices and nothing else."""
    start = net.initial_marking
    index, order, rows = {start: 0}, deque([start]), []
    while order:
        marking = order.popleft()
        able = [t for t in enabled(net, marking) if t.id in rates or weights.get(t.id, 1)]
        now = [t for t in able if t.id not in rates]
        if now:
            top = max(priorities.get(t.id, 0) for t in now)
            now = [t for t in now if priorities.get(t.id, 0) == top]
            total = sum(weights.get(t.id, 1) for t in now)
            steps = [(t, weights.get(t.id, 1) / total) for t in now]
        else:
            steps = []
            for t in able:
                degree = min(marking[p] // n for p, n in t.consume.items())
                steps.append((t, rates[t.id] * min(degree, servers.get(t.id, 1))))
        row = []
        for t, value in steps:
            after = fire(t, marking, net)
            if after not in index:
                index[after] = len(index)
                order.append(after)
            row.append((t.id, index[after], value))
        rows.append((bool(now), row))
        if len(index) > 400:
            return None
    count = len(index)
    step = np.zeros((count, count))
    for n, (_, row) in enumerate(rows):
        for _, m, value in row:
            step[n, m] += value
    vanishing = np.array([v for v, _ in rows])
    v, t = np.flatnonzero(vanishing), np.flatnonzero(~vanishing)
    passed = np.linalg.inv(np.eye(len(v)) - step[np.ix_(v, v)])
    through = passed @ step[np.ix_(v, t)]
    q = step[np.ix_(t, t)] + step[np.ix_(t, v)] @ through
    q -= np.diag(q.sum(axis=1))
    begin = np.zeros(count)
    begin[0] = 1
    first = begin[t] + begin[v] @ through
    return q, first, t, v, rows, passed, step, list(index)


def random_net(seed: int):
    """A conservative net of a few tokens, with immediate steps, priorities and weights."""
    dice = np.random.default_rng(seed)
    places = [f"p{n}" for n in range(dice.integers(3, 6))]
    build = Net.build(f"random {seed}")
    for p in places:
        build.place(p, int(dice.integers(0, 3)))
    rates, weights, priorities, servers = {}, {}, {}, {}
    for n in range(dice.integers(4, 9)):
        size = int(dice.integers(1, 3))
        consume = dice.choice(places, size, replace=False).tolist()
        produce = dice.choice(places, size, replace=False).tolist()
        arcs = {"inhibitor": {str(dice.choice(places)): 2}} if dice.random() < 0.2 else {}
        build.silent(f"t{n}", consume, produce, **arcs)
        if n < 3 or dice.random() < 0.6:
            rates[f"t{n}"] = float(dice.uniform(0.2, 5))
            servers[f"t{n}"] = float(dice.choice([1, 2, math.inf]))
        else:
            weights[f"t{n}"] = float(dice.uniform(0.2, 5))
            # each its own priority: which sets compete is then no question
            priorities[f"t{n}"] = n if dice.random() < 0.5 else 100 + n
    return build.done(), rates, weights, priorities, servers


@pytest.mark.promise("SIM-20")
def test_random_nets_agree_with_brute_force() -> None:
    compared = rounds = 0
    for seed in range(150):
        net, rates, weights, priorities, servers = random_net(seed)
        timing = timed(rates, weights=weights, priorities=priorities, servers=servers)
        try:
            truth = brute_force(net, rates, weights, priorities, servers)
        except np.linalg.LinAlgError:
            with pytest.raises(NoExactAnswer, match="time trap"):
                solve(net, timing)
            rounds += 1
            continue
        if truth is None:
            continue
        q, first, t, v, rows, passed, step, markings = truth
        found = solve(net, timing)
        assert (found.tangible, found.vanishing) == (len(t), len(v))
        at = 1.7
        here = first @ expm(q * at)
        table = found.transient([at])
        for p in net.places:
            tokens = np.array([markings[n][p.id] for n in t])
            assert table[p.id][at] == pytest.approx(here @ tokens, rel=EXACT, abs=1e-12)
        # the long run, by a power so high that nothing changes any more
        power = np.eye(len(t)) + 0.9 * q / max(1e-9, abs(np.diag(q)).max())
        for _ in range(50):
            power = power @ power
            power /= power.sum(axis=1, keepdims=True)
        x = first @ power
        flow = np.zeros(len(rows))
        flow[t] = x
        flow[v] = (x @ step[np.ix_(t, v)]) @ passed
        throughput = dict.fromkeys((u.id for u in net.transitions), 0.0)
        for n, (_, row) in enumerate(rows):
            for id, _, value in row:
                throughput[id] += flow[n] * value
        for id, value in throughput.items():
            assert found.throughput[id] == pytest.approx(value, rel=EXACT, abs=1e-12), (seed, id)
        for p in net.places:
            tokens = np.array([markings[n][p.id] for n in t])
            assert found.places["tokens"][p.id] == pytest.approx(x @ tokens, rel=EXACT, abs=1e-12)
        compared += 1
    assert compared > 100
    assert rounds > 0


def test_rounds_of_immediate_steps_are_added_up() -> None:
    net = (
        Net.build("dice")
        .place("wait", 1)
        .places("throw", "won")
        .transition("begin", "wait", "throw")
        .silent("again", "throw", "throw")
        .silent("win", "throw", "won")
        .transition("rest", "won", "wait")
        .done()
    )
    found = solve(net, timed({"begin": 1, "rest": 1}, weights={"again": 5, "win": 1}))
    assert found.throughput["win"] == pytest.approx(0.5, rel=EXACT)
    assert found.throughput["again"] == pytest.approx(2.5, rel=EXACT)


# -- what is refused --------------------------------------------------------------------------


@pytest.mark.promise("SIM-26")
def test_a_time_trap_is_named() -> None:
    net = (
        Net.build("trap")
        .place("wait", 1)
        .places("x", "y")
        .transition("begin", "wait", "x")
        .silent("to y", "x", "y")
        .silent("to x", "y", "x")
        .done()
    )
    with pytest.raises(NoExactAnswer, match=r"'trap' has a time trap: .* 'to y', 'to x' go round"):
        solve(net, timed({"begin": 1}))


@pytest.mark.promise("SIM-26")
def test_an_unbounded_net_is_told_to_grow() -> None:
    net = Net.build("open").place("on", 1).place("in")
    net.transition("arrive", "on", ["on", "in"]).transition("serve", "in")
    with pytest.raises(NoExactAnswer, match="'open' grows without end: 'arrive' can be repeated"):
        solve(net.done(), timed({"arrive": 1, "serve": 2}))


@pytest.mark.promise("SIM-26")
def test_a_net_that_immediate_steps_keep_bounded_is_bounded() -> None:
    net = (
        Net.build("kept small")
        .place("on", 1)
        .place("in")
        .transition("arrive", "on", ["on", "in"])
        .silent("drop", "in")
        .done()
    )
    assert solve(net, timed({"arrive": 3})).throughput["drop"] == pytest.approx(3)


@pytest.mark.promise("SIM-26")
@pytest.mark.parametrize(
    ("timing", "reason"),
    [
        (Timing(durations={"a": 1, "b": exponential(1)}), "'w/a.complete' is 1, not exponential"),
        (Timing(durations={"a": uniform(1, 2), "b": 0}), "is uniform.*, so its past matters"),
        (
            Timing(
                durations={"a": exponential(1), "b": exponential(1)},
                arrivals=in_progress(3),
                resources={"clerk": 1},
                needs={"a": "clerk"},
            ),
            "wait for each other's 'clerk'",
        ),
        (
            Timing(
                durations={"a": exponential(1), "b": exponential(1)},
                resources={"clerk": 1},
                needs={"a": "clerk", "b": "clerk"},
            ),
            "tasks 'w/a', 'w/b' of one case may wait for each other's 'clerk'",
        ),
        (
            Timing(
                durations={"a": exponential(1), "b": exponential(1)},
                resources={"clerk": Pool(1, hours="mon-fri 9-17")},
                needs={"a": "clerk"},
            ),
            "'clerk' has hours",
        ),
    ],
)
def test_what_cannot_be_solved_is_refused_with_the_reason(timing, reason) -> None:
    workflow = Workflow("w", parallel(a, b))
    with pytest.raises(NoExactAnswer, match=reason):
        workflow.solve(timing)


def test_guards_and_missing_timings_are_refused_with_a_remedy() -> None:
    choose = Workflow("w", exclusive_choice(when("x", a), otherwise=skip, name="pick"))
    with pytest.raises(DefinitionError, match="'w' has no timing; say how long"):
        choose.solve()
    with pytest.raises(NoExactAnswer, match=r"guards decide at 'w', .*choices="):
        choose.solve(Timing(durations={"a": exponential(1)}, variables={"x": {True: 1, False: 1}}))
    with pytest.raises(NoExactAnswer, match="more than 100 markings; raise max_markings="):
        solve(*(lambda net, rates: (net, timed(rates)))(*kanban(1)), max_markings=100)
    with pytest.raises(QueryError, match="not about one marking"):
        queue(1, 2, 3).probability("EF free")


def test_a_transition_that_needs_nothing_has_a_number_of_servers() -> None:
    net = Net.build("spring").place("room", 1).transition("flow", (), "room", inhibitor={"room": 3})
    net = net.transition("ebb", "room").done()
    law = solve(net, timed({"flow": 1, "ebb": 1}, servers={"flow": 2})).distribution("room")
    assert law.to_numpy() == pytest.approx(birth_and_death([2] * 3, [1] * 3), rel=EXACT)
    with pytest.raises(NoExactAnswer, match="'flow' needs no token and has endless servers"):
        solve(net, timed({"flow": 1, "ebb": 1}, servers={"flow": math.inf}))


# -- how it shows itself ----------------------------------------------------------------------


@pytest.mark.promise("SIM-27")
def test_a_solution_is_json_a_text_and_a_table() -> None:
    for found in (queue(0.8, 1, 5), case_of(sequence(a, b))):
        data = json.loads(json.dumps(found.to_json(), allow_nan=False))
        assert data["unit"] == "s"
        assert data["residual"] < 1e-12
        assert "residual" in str(found)
        assert found._repr_html_().count("<table") == len(found.tables())
