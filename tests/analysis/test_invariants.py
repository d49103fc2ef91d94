"""Invariants against linear algebra, brute force, and the token game."""

from __future__ import annotations

from itertools import chain, combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petriflow.analysis.structural import invariants
from petriflow.analysis.structural.invariants import place_invariants, transition_invariants
from petriflow.net import Marking, Net, enabled, fire

from ..nets import nets


def effects(net: Net) -> np.ndarray:
    return np.array(
        [[t.produce[p.id] - t.consume[p.id] for p in net.places] for t in net.transitions]
    )


def minimal_supports(matrix: np.ndarray) -> set[frozenset[int]]:
    """The sets of columns that depend on each other in one way, with signs alike."""
    width = matrix.shape[1]
    found = set()
    for chosen in chain(*(combinations(range(width), n) for n in range(1, width + 1))):
        part = matrix[:, chosen]
        *_, right = np.linalg.svd(part)
        tied = np.linalg.matrix_rank(part) == len(chosen) - 1
        if tied and abs(part @ right[-1]).max() < 1e-9 and min(right[-1] * right[-1][0]) > 1e-9:
            found.add(frozenset(chosen))
    return found


@pytest.mark.promise("NETS-1")
@settings(max_examples=100, deadline=None)
@given(nets(plain=True))
def test_the_minimal_invariants_are_those_of_linear_algebra(net: Net) -> None:
    matrix = effects(net)
    for found, nodes, told in (
        (place_invariants(net), net.places, matrix),
        (transition_invariants(net), net.transitions, matrix.T),
    ):
        assert found.complete
        supports = [frozenset(n for n, x in enumerate(nodes) if x.id in i.support) for i in found]
        assert sorted(map(sorted, supports)) == sorted(map(sorted, minimal_supports(told)))
        for invariant in found:
            x = [invariant.weights.get(node.id, 0) for node in nodes]
            assert not any(told @ x)
            assert min(x) >= 0
            assert np.gcd.reduce(x) == 1


@settings(max_examples=50, deadline=None)
@given(nets(plain=True))
def test_every_small_invariant_is_a_sum_of_minimal_ones(net: Net) -> None:
    """Taking away a minimal one that fits leaves a smaller one, until nothing is left."""
    matrix = effects(net)
    found = [[i.weights.get(p.id, 0) for p in net.places] for i in place_invariants(net)]
    for weights in product(range(3), repeat=len(net.places)):
        if any(matrix @ weights):
            continue
        left = np.array(weights, float)
        while left.max(initial=0) > 1e-9:
            fitting = [
                np.array(i) for i in found if all(left[n] > 1e-9 for n, w in enumerate(i) if w)
            ]
            assert fitting
            i = fitting[0]
            left = left - i * min(left[n] / w for n, w in enumerate(i) if w)


@settings(max_examples=100, deadline=None)
@given(nets(), st.data())
def test_no_firing_changes_the_value_of_a_place_invariant(net: Net, data: st.DataObject) -> None:
    """Whatever arcs the net has: read, inhibitor and reset arcs too."""
    found = place_invariants(net)
    marking = net.initial_marking
    for _ in range(6):
        able = enabled(net, marking)
        if not able:
            break
        after = fire(data.draw(st.sampled_from(able)), marking)
        assert [i.value(after) for i in found] == [i.value(marking) for i in found]
        marking = after


def test_an_or_join_keeps_no_count_of_its_inputs() -> None:
    net = (
        Net.build()
        .places("i", "a", "b", "o", "done")
        .transition("split", "i", ["a", "b"])
        .silent("join", ["a", "b"], "o", join="or")
        .transition("finish", "o", "done")
        .transition("again", "done", "o")
        .done()
    )
    assert place_invariants(net).uncovered == ("i", "a", "b", "o", "done")
    assert [str(t) for t in transition_invariants(net)] == ["finish + again"]


def philosophers(count: int) -> Net:
    net = Net.build("philosophers")
    for n in range(count):
        net.place(f"thinks{n}", 1).place(f"eats{n}").place(f"fork{n}", 1)
    for n in range(count):
        forks = [f"fork{n}", f"fork{(n + 1) % count}"]
        net.transition(f"take{n}", [f"thinks{n}", *forks], f"eats{n}")
        net.transition(f"put{n}", f"eats{n}", [f"thinks{n}", *forks])
    return net.final("thinks0").done()


def test_the_invariants_of_the_dining_philosophers() -> None:
    """Each thinks or eats; each fork lies or is held by one of two (Murata 1989 has their like)."""
    net = philosophers(3)
    assert {str(i) for i in place_invariants(net)} == {
        "thinks0 + eats0",
        "thinks1 + eats1",
        "thinks2 + eats2",
        "eats0 + fork0 + eats2",
        "eats0 + eats1 + fork1",
        "eats1 + eats2 + fork2",
    }
    assert {str(i) for i in transition_invariants(net)} == {f"take{n} + put{n}" for n in range(3)}
    large = place_invariants(philosophers(70))
    assert (len(large), large.complete, large.uncovered) == (140, True, ())


def rows_of_branches(count: int, width: int = 2) -> Net:
    """One after another, blocks of parallel branches: each invariant takes one branch of each."""
    net = Net.build("blocks").place("p0", 1)
    for n in range(count):
        branches = [f"b{n}.{k}" for k in range(width)]
        net.places(*branches, f"p{n + 1}")
        net.transition(f"split{n}", f"p{n}", branches).transition(f"join{n}", branches, f"p{n + 1}")
    return net.done()


def test_of_too_many_there_is_one_for_each_place() -> None:
    assert len(place_invariants(rows_of_branches(5))) == 2**5
    many = place_invariants(rows_of_branches(40))
    assert not many.complete
    assert many.uncovered == ()
    assert "there are more" in str(many)
    for invariant in many:
        assert set(invariant.weights.values()) == {1}
        assert len(invariant.support) == 41 + 40
    few = place_invariants(rows_of_branches(5), most=10)
    assert not few.complete
    assert few.uncovered == ()


@pytest.mark.parametrize("words", [1, 2])
def test_pairs_are_compared_alike_in_small_blocks(
    words: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = philosophers(7 * words)
    whole = {str(i) for i in place_invariants(net)}
    monkeypatch.setattr(invariants, "BLOCK", 1)
    assert {str(i) for i in place_invariants(net)} == whole


def test_invariants_show_themselves() -> None:
    net = Net.build("two").places("i", "o").transition("t", {"i": 2}, "o").done()
    found = place_invariants(net)
    assert str(found) == (
        "two: 1 minimal place invariants\n  invariant  value at the start\n  i + 2*o    1"
    )
    assert "<td" in found._repr_html_()
    assert found[0].value(Marking({"i": 2})) == found[0].value(Marking("o")) == 2
    assert found[:1] == tuple(found)
