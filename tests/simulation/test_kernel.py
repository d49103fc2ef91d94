"""The kernel: every step replays on the firing rule, and both of its forms take the same steps."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_equal

from petriflow import Net, Workflow
from petriflow.net import Marking, enabled, replay
from petriflow.net.errors import DefinitionError, SimulationError
from petriflow.patterns import parallel, sequence
from petriflow.patterns.catalogue import CATALOGUE
from petriflow.patterns.fragment import Event
from petriflow.simulation import Pool, Timing, exponential, kernel, layout, poisson, uniform
from petriflow.simulation.plan import Plan
from petriflow.simulation.planning import plan
from petriflow.simulation.run import Figures, Run
from tests.nets import nets


def any_timing(flow: Workflow, **more) -> Timing:
    """Something for everything that a workflow asks for."""
    waits = {
        t.name: exponential(2) for t in flow.fragment.triggers.values() if isinstance(t, Event)
    }
    return Timing(
        durations={**dict.fromkeys(flow.tasks, uniform(0, 3)), **waits},
        choices={c.path: dict.fromkeys([b.name for b in c.branches], 0.5) for c in flow.choices},
        **more,
    )


WORKFLOWS = [Workflow(f"p{p.number}", p.example()) for p in CATALOGUE]


def check_replays(net: Net, figures: Figures) -> None:
    """All firings, case by case, on net/firing.py, with time that only goes on."""
    log = figures.firing_log
    assert np.all(np.diff(log["time"]) >= 0)
    by_case = defaultdict(list)
    for case, t in zip(log["case"], log["what"], strict=True):
        by_case[case].append(net.transitions[t].id)
    ended = set(figures.case.tolist())
    for case, trace in by_case.items():
        *_, last = replay(net, trace)
        if case in ended:
            assert last == Marking(net.sink.id)


@pytest.mark.promise("SIM-1")
@pytest.mark.parametrize("flow", WORKFLOWS, ids=lambda flow: flow.name)
def test_every_step_of_every_pattern_replays_on_the_firing_rule(flow: Workflow) -> None:
    if flow.fragment.counts:
        timing = any_timing(flow, variables={"copies": {1: 0.5, 3: 0.5}, "n": {1: 0.5, 3: 0.5}})
    else:
        timing = any_timing(flow)
    made = plan(flow, timing.but(arrivals=poisson(1)))
    figures = Run(made, 3, cases=60, log=True).go()
    assert figures.stuck == 0
    assert len(figures.end) == 60
    check_replays(flow.expanded, figures)


@pytest.fixture(scope="module", autouse=True)
def soon_tired():
    """Circles are given up sooner than usual."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "MOST_AT_ONCE", 500)
        yield


def net_timing(net: Net) -> Timing:
    laws = [uniform(0, 2), exponential(1), 1.5]
    timed = {t.id: laws[n % 3] for n, t in enumerate(net.transitions) if not t.silent}
    return Timing(durations=timed)


@given(nets(), st.integers(0, 1000))
def test_every_step_of_a_net_replays_on_the_firing_rule(net: Net, seed: int) -> None:
    """And at its end nothing that it could still do was overlooked."""
    try:
        made = plan(net, net_timing(net))
        run = Run(made, seed, until=20.0, log=True)
        figures = run.go()
    except (DefinitionError, SimulationError):
        return
    trace = [net.transitions[t].id for t in figures.firing_log["what"]]
    *_, last = replay(net, trace)
    able = enabled(net, last)
    assert not [t for t in able if t.silent]
    assert (figures.ended == "dead") == (not able)


def check(case): ...


def pay(case): ...


def ship(case): ...


STAFF = {
    "fifo": Pool(2),
    "lifo": Pool(1, discipline="lifo"),
    "random": Pool(1, discipline="random"),
    "shortest": Pool(1, discipline="shortest"),
    "rests": Pool({"daily 0-6": 1, "daily 3-20": 2}),
    "stays on": Pool(2, hours="daily 1-23", when_closed="finish"),
}


def office(pool: Pool) -> Timing:
    """Three tasks that share a pool, one of them also needing a van, at a high load."""
    return Timing(
        durations={"check": uniform(0, "1h"), "pay": exponential("20m"), "ship": "30m"},
        arrivals=poisson(0.6, per="1h"),
        resources={"clerk": pool, "van": Pool(1, skills="car"), "cab": Pool(1, skills="car")},
        needs={"check": "clerk", "pay": "clerk", "ship": ["clerk", "car"]},
        priorities={"ship": 1},
        unit="h",
    )


OFFICE = Workflow("office", sequence(parallel(check, pay), ship))


def both(made: Plan, **options) -> tuple[Figures, Figures]:
    plain, compiled = Run(made, 7, log=True, **options), Run(made, 7, log=True, **options)
    compiled.compile()
    return plain.go(), compiled.go()


def same(one: Figures, other: Figures) -> None:
    assert other.compiled
    assert not one.compiled
    for field in fields(Figures):
        if field.name != "compiled":
            assert_equal(getattr(one, field.name), getattr(other, field.name))


@pytest.mark.parametrize("pool", STAFF.values(), ids=STAFF)
def test_every_step_with_resources_replays_and_no_pool_does_more_than_it_has(pool: Pool) -> None:
    figures = Run(plan(OFFICE, office(pool)), 5, cases=400, log=True).go()
    check_replays(OFFICE.expanded, figures)
    log = figures.task_log
    assert np.all(log["begin"] >= log["asked"])
    assert np.all(log["end"] >= log["begin"])
    assert figures.busy.sum() <= figures.open.sum()
    if isinstance(pool.size, int) and pool.hours is None:
        mine = log["pool"] == 0
        steps = [(t, 1) for t in log["begin"][mine]] + [(t, -1) for t in log["end"][mine]]
        assert max(np.cumsum([n for _, n in sorted(steps)])) == pool.size


@pytest.mark.slow
@pytest.mark.promise("SIM-2")
@pytest.mark.parametrize("flow", WORKFLOWS, ids=lambda flow: flow.name)
def test_both_forms_take_the_same_steps_through_every_pattern(flow: Workflow) -> None:
    if not flow.fragment.counts:
        same(*both(plan(flow, any_timing(flow, arrivals=poisson(1))), cases=300))


@pytest.mark.slow
@pytest.mark.promise("SIM-2")
@pytest.mark.parametrize("pool", STAFF.values(), ids=STAFF)
def test_both_forms_take_the_same_steps_with_resources(pool: Pool) -> None:
    same(*both(plan(OFFICE, office(pool)), cases=2_000, warmup=100))


@pytest.mark.slow
@pytest.mark.promise("SIM-2")
@given(nets(), st.sampled_from(["enabling", "age", "resampling"]))
def test_both_forms_take_the_same_steps_through_a_net(net: Net, memory: str) -> None:
    timing = net_timing(net)
    try:
        made = plan(net, timing.but(memory=dict.fromkeys(timing.durations, memory)))
        plain, compiled = both(made, until=20.0)
    except (DefinitionError, SimulationError):
        return
    same(plain, compiled)


def test_a_run_that_changes_to_the_compiled_form_on_the_way_goes_on_as_it_would_have() -> None:
    """The state is moved from lists to arrays, and the plain loop itself works on arrays, too."""
    made = plan(OFFICE, office(Pool(2)))
    whole = Run(made, 7, cases=300, log=True).go()
    run = Run(made, 7, cases=300, log=True)
    code = layout.BUDGET
    for _ in range(40):
        s = run.state
        code = run.advance(s.n, s.x, *layout.fixed(run.model), *layout.changing(s), 20)
        if code == layout.ROOM:
            run._see_to_room()
    run._to_arrays()
    moved = run.go()
    for field in fields(Figures):
        assert_equal(getattr(whole, field.name), getattr(moved, field.name))
