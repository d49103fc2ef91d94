"""Bounds of the throughput, which need no state space."""

from __future__ import annotations

import json
import math

import pytest

from petriflow import Net
from petriflow.net.errors import NoExactAnswer
from petriflow.simulation import Timing, exponential, solve, throughput_bounds, uniform

from .test_markov import kanban, random_net, timed


@pytest.mark.promise("SIM-28")
def test_of_a_marked_graph_the_slowest_circuit_is_told() -> None:
    """Ramchandani's: a circuit of 2 + 3 + 4 for one token, so that nothing is faster than 1/9."""
    net = (
        Net.build("marked")
        .place("p1", 1)
        .places("p2", "p3", "p4")
        .place("p5", 2)
        .transition("a", "p1", "p2")
        .transition("b", ["p2", "p5"], ["p3", "p4"])
        .transition("c", "p3", "p1")
        .transition("d", "p4", "p5")
        .done()
    )
    found = throughput_bounds(net, Timing(durations={"a": 2, "b": 3, "c": 4, "d": 5}))
    assert [found.upper[t] for t in "abcd"] == pytest.approx([1 / 9] * 4)
    assert [found.lower[t] for t in "abcd"] == pytest.approx([1 / 14] * 4)


@pytest.mark.promise("SIM-28")
def test_random_nets_fire_as_often_as_their_bounds_say() -> None:
    told = compared = 0
    for seed in range(150):
        net, rates, weights, priorities, servers = random_net(seed)
        timing = timed(rates, weights=weights, priorities=priorities, servers=servers)
        try:
            truth = solve(net, timing, max_markings=2_000).throughput
        except NoExactAnswer:
            continue
        found = throughput_bounds(net, timing)
        for id, value in truth.items():
            assert found.lower[id] - 1e-6 <= value <= found.upper[id] + 1e-6, (seed, id)
        told += any(v > 1e-6 for v in found.lower.values())
        compared += 1
    assert compared > 100
    assert told > 10  # bounds that say nothing would pass the rest


@pytest.mark.promise("SIM-28")
def test_a_net_of_any_size_is_bounded() -> None:
    net, rates = kanban(100)  # more markings than atoms in a grain of salt
    found = throughput_bounds(net, timed(rates))
    assert found.upper["in"] <= 0.4
    assert found.upper["s1"] == pytest.approx(found.upper["out"])


def test_weights_of_a_free_choice_tell_its_shares() -> None:
    net = (
        Net.build("shares")
        .place("a", 1)
        .places("b", "c", "d")
        .transition("t", "a", "b")
        .silent("left", "b", "c")
        .silent("right", "b", "d")
        .transition("u", "c", "a")
        .transition("v", "d", "a")
        .done()
    )
    timing = timed({"t": 1, "u": 1, "v": 0.5}, weights={"left": 1, "right": 3})
    found, exact = throughput_bounds(net, timing), solve(net, timing).throughput
    for id in exact:
        assert found.lower[id] == pytest.approx(exact[id])
        assert found.upper[id] == pytest.approx(exact[id])


def test_of_durations_that_others_cut_short_no_more_is_said_than_is_known() -> None:
    net = (
        Net.build("race")
        .place("a", 1)
        .place("b")
        .transition("fast", "a", "b")
        .transition("slow", "a", "b")
        .transition("back", "b", "a")
        .done()
    )
    timing = Timing(durations={"fast": uniform(0, 1), "slow": 1, "back": exponential(1)})
    found = throughput_bounds(net, timing)
    assert found.upper["slow"] <= 1 + 1e-9
    assert found.upper["back"] <= 1 + 1e-9
    data = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert set(data["upper"]) == {"fast", "slow", "back"}
    assert "at most" in str(found)


def test_an_open_net_may_have_no_upper_bound() -> None:
    net = Net.build("open").place("in", 1).transition("come", (), "in").transition("go", "in")
    found = throughput_bounds(
        net.done(), timed({"come": 2, "go": 3}, servers={"come": 1, "go": math.inf})
    )
    assert found.upper["come"] == pytest.approx(2)
