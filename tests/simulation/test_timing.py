"""Timing: how it is written, what it means for a model, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from petriflow import Net, Workflow
from petriflow.net.errors import DefinitionError
from petriflow.patterns import (
    event,
    exclusive_choice,
    multi_choice,
    sequence,
    skip,
    structured_loop,
    timer,
    when,
)
from petriflow.simulation import (
    Pool,
    Timing,
    erlang,
    every,
    exponential,
    in_progress,
    lognormal,
    poisson,
    triangular,
    uniform,
)
from petriflow.simulation.calendars import Week
from petriflow.simulation.laws import bind
from petriflow.simulation.planning import plan


def check(case): ...


def pay(case): ...


def ship(case): ...


DURATIONS = {"check": "10m", "pay": exponential("2m"), "ship": [310, 290, 402]}


@pytest.mark.parametrize(
    ("given", "kind", "mean"),
    [
        (3, "constant", 3),
        ("2m", "constant", 2),
        (exponential("3m"), "exponential", 3),
        (exponential(3), "exponential", 3),
        (uniform(1, "3m"), "general", 2),
        (triangular(1, 2, 6), "general", 3),
        (lognormal(5, 2), "general", 5),
        (erlang(3, "6m"), "general", 6),
        (erlang(1, 2), "exponential", 2),
        ([1, 2, "6m"], "general", 3),
        (stats.expon(scale=4), "exponential", 4),
        (stats.gamma(2, scale=4), "general", 8),
        (stats.poisson(3), "general", 3),
    ],
)
def test_a_duration_is_read_in_the_unit_and_drawn_with_its_mean(given, kind, mean) -> None:
    law = bind(given, 60, "pay")
    assert (law.kind, law.mean) == (kind, pytest.approx(mean))
    drawn = law.sample(np.random.default_rng(1), 40_000)
    assert drawn.min() >= 0
    assert drawn.mean() == pytest.approx(mean, abs=4 * drawn.std() / 200 + 1e-12)


@pytest.mark.parametrize(
    "bad",
    [-1, "-5m", "soon", math.nan, math.inf, None, True, [], [1, -2], stats.norm(5, 1),
     stats.expon, uniform(3, 1), exponential(-1), lognormal(0, 1), stats.gamma(-1)],
)  # fmt: skip
def test_what_is_no_duration_is_refused_and_named(bad) -> None:
    with pytest.raises(DefinitionError, match="pay"):
        bind(bad, 1, "duration of 'pay'")


def test_a_workflow_is_played_expanded_with_its_laws_at_completions_and_triggers() -> None:
    flow = Workflow("order", sequence(check, event("paid"), timer("2h"), ship))
    made = plan(flow, Timing(durations={"check": 1, "paid": exponential(7), "ship": 2}, unit="h"))
    laws = {t.id: law for t, law in zip(made.net.transitions, made.laws, strict=True)}
    assert made.net == flow.expanded
    assert {id: law.mean for id, law in laws.items() if law} == {
        "order/check.complete": 1,
        "order/paid.happens": 7,
        "order/timer-3.happens": 2,
        "order/ship.complete": 2,
    }


def test_missing_durations_are_named_all_at_once() -> None:
    flow = Workflow("order", sequence(check, pay, event("paid")))
    with pytest.raises(DefinitionError, match=r"no duration for 'order/pay', 'paid'; .*'pay'"):
        plan(flow, Timing(durations={"check": 1}))


def weights_of(flow: Workflow, **choices: dict[str, float]) -> dict[str, float]:
    made = plan(flow, Timing(durations=dict.fromkeys(flow.tasks, 1), choices=choices))
    choice = flow.choices[0]
    index = made.compiled.transition_index
    return {s.transition: made.weights[index[s.transition]] for s in choice.selectors}


def test_a_branch_that_is_left_out_has_the_rest() -> None:
    flow = Workflow("o", check >> exclusive_choice(when("x", pay), otherwise=ship, name="how"))
    assert list(weights_of(flow, how={"pay": 0.7}).values()) == [0.7, pytest.approx(0.3)]
    assert list(weights_of(flow, how={"pay": 3, "ship": 1}).values()) == [3, 1]
    loop = Workflow("o", check >> structured_loop(pay, until="done", name="again"))
    assert list(weights_of(loop, again={"again": 0.2}).values()) == [pytest.approx(0.8), 0.2]


def test_branches_of_a_multi_choice_are_taken_independently() -> None:
    body = multi_choice(when("x", pay), when("y", ship), otherwise=skip, name="some")
    found = weights_of(Workflow("o", check >> body), some={"pay": 0.3, "ship": 0.6})
    assert sorted(found.values()) == pytest.approx(sorted([0.3 * 0.4, 0.7 * 0.6, 0.18, 0.28]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"how": {"pay": 0.0, "ship": 0}}, "sum to nothing"),
        ({"how": {"pay": -1}}, "0 or more"),
        ({"how": {}}, "lacks the weight of 'pay', 'ship'"),
        ({"how": {"pay": 2}}, "lacks the weight of 'ship'"),
        ({"how": {"pai": 0.5}}, "did you mean 'pay'"),
        ({"hwo": {"pay": 0.5}}, "did you mean 'how'"),
        ({}, r"choices=\{'how': \{'pay': …\}\}, or sample 'x'"),
    ],
)
def test_weights_that_make_no_sense_are_refused(given, message) -> None:
    flow = Workflow("o", check >> exclusive_choice(when("x", pay), otherwise=ship, name="how"))
    with pytest.raises(DefinitionError, match=message):
        plan(flow, Timing(durations=DURATIONS, choices=given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"needs": {"pay": "clerk"}}, "needs 'clerk', which nobody has"),
        ({"needs": {"pay": "clrk"}, "resources": {"clerk": 1}}, "did you mean 'clerk'"),
        ({"resources": {"clerk": 1}}, "no task needs resource 'clerk'"),
        ({"needs": {"pai": "clerk"}, "resources": {"clerk": 1}}, "no such task"),
        ({"needs": {"pay": ["clerk", "clerk"]}, "resources": {"clerk": 2}}, "twice"),
        ({"resources": {"clerk": 0}}, "nobody is ever there"),
        ({"resources": {"clerk": 1.5}}, "whole number"),
        ({"costs": {"pay": -1}}, "0 or more"),
        ({"servers": {"pay": 2}}, "tasks of cases have resources"),
        ({"durations": {"pay": 1, "o": 2}}, "twice"),
        ({"unit": "fortnight"}, "the units are"),
        ({"arrivals": 5}, r"write every\('5m'\)"),
    ],
)
def test_annotations_that_fit_nothing_are_refused(given, message) -> None:
    with pytest.raises(DefinitionError, match=message):
        plan(Workflow("o", pay), Timing(**{"durations": {"pay": 1}} | given))


def test_a_skill_is_had_by_every_pool_that_names_it() -> None:
    made = plan(
        Workflow("o", sequence(check, pay)),
        Timing(
            durations={"check": 1, "pay": 1},
            resources={"anna": Pool(skills={"clerk", "boss"}), "ben": Pool(skills="clerk")},
            needs={"check": "clerk", "pay": ["boss"]},
        ),
    )
    assert [job.needs for job in made.jobs] == [((0, 1),), ((0,),)]


def test_a_what_if_changes_only_what_it_names() -> None:
    timing = Timing(durations=DURATIONS, resources={"clerk": 1}, arrivals=every("5m"), unit="min")
    changed = timing.but(durations={"pay": 1}, resources={"clerk": 4}, arrivals=in_progress(3))
    assert changed.durations == {**DURATIONS, "pay": 1}
    assert changed.resources == {"clerk": Pool(4)}
    assert changed.arrivals == in_progress(3)
    assert timing.resources == {"clerk": Pool(1)}
    with pytest.raises(DefinitionError, match="no 'duration'"):
        timing.but(duration={})


def test_transitions_of_a_net_that_compete_are_one_conflict_set() -> None:
    net = (
        Net.build("n")
        .place("p", 1).places("q", "r", "s")
        .transition("a", "p", "q").transition("b", "p", "r").transition("c", "q", "s")
        .transition("d", "r", "s").transition("urgent", "p", "s").transition("t", "s", "p")
        .done()
    )  # fmt: skip
    made = plan(net, Timing(durations={"t": exponential(1)}, priorities={"urgent": 1}))
    ids = made.compiled.transition_ids
    assert [[ids[t] for t in s.members] for s in made.sets] == [
        ["urgent"],
        ["a", "b"],
        ["c"],
        ["d"],
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "no transition takes time"),
        ({"durations": {"t": 1}, "weights": {"u": 0}}, "sum to nothing"),
        ({"durations": {"t": 1}, "weights": {"t": 1}}, "takes time"),
        ({"durations": {"t": 1}, "servers": {"t": 0}}, "math.inf"),
        ({"durations": {"t": 1}, "servers": {"u": 1}}, "timed transition"),
        ({"durations": {"t": 1}, "memory": {"t": "none"}}, "'resampling'"),
        ({"durations": {"t": 1}, "memory": {"t": "age"}, "servers": {"t": 2}}, "whose age"),
        ({"durations": {"t": 1}, "arrivals": every(1)}, "arrivals is about cases"),
        ({"durations": {"x": 1}}, "no such transition"),
    ],
)
def test_annotations_of_a_net_are_checked(given, message) -> None:
    net = Net.build("n").places("i", "o").transition("t", "i", "o").transition("u", "o", "i").done()
    with pytest.raises(DefinitionError, match=message):
        plan(net, Timing(**given))


def test_a_week_has_the_hours_that_are_written() -> None:
    week = Week.read({"mon-fri 9:00-17:00": 2, "fri 12-20, sun 22-2": 1}, "clerk")
    assert week.hours == 5 * 8 * 2 + 8 + 4
    hour, day = 3600, 86_400
    for at, level in ((0, 1), (2, 0), (9, 2), (17, 0), (4 * 24 + 13, 3), (6 * 24 + 23, 1)):
        assert week.level(at * hour) == level
        assert week.level(at * hour + 7 * day) == level


def test_time_stands_still_while_a_calendar_is_closed() -> None:
    week = Week.read({"mon-tue 9-10": 1}, "x")
    when = week.when(np.array([0, 1800, 3600, 7199, 7200]))
    nine, day = 9 * 3600, 86_400
    assert list(when) == [nine, nine + 1800, day + nine, day + nine + 3599, 7 * day + nine]


@pytest.mark.parametrize("bad", ["", "mo 9-17", "mon 9-25", "mon 9:75-10", "mon 9 to 17", 5])
def test_a_calendar_that_cannot_be_read_is_refused(bad) -> None:
    with pytest.raises(DefinitionError, match="is no calendar"):
        Week.read({bad: 1}, "clerk")


def test_rates_by_hours_and_hours_exclude_each_other() -> None:
    with pytest.raises(DefinitionError, match="one of them"):
        poisson({"mon 9-17": 3}, during="mon 9-17")
