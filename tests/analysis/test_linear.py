"""Exact linear algebra against numpy, and linear programs against what they promise."""

from __future__ import annotations

import warnings
from fractions import Fraction
from math import lcm
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from petriflow.analysis.structural.linear import (
    CONSTANT,
    Row,
    growing_solution,
    incidence,
    minimal_solution,
    positive_solution,
    product,
    rank,
    solution,
    state_equation,
    transposed,
)
from petriflow.formats.pnml import read_pnml
from petriflow.net import Marking, Net, enabled, fire

from ..nets import nets

WIDTH = 5
matrices = st.lists(
    st.dictionaries(st.integers(0, WIDTH - 1), st.integers(-3, 3).filter(bool)), max_size=7
)


def dense(rows: list[Row], width: int = WIDTH) -> np.ndarray:
    return np.array([[row.get(k, 0) for k in range(width)] for row in rows]).reshape(-1, width)


@settings(max_examples=100, deadline=None)
@given(matrices)
def test_the_rank_is_that_of_numpy(rows: list[Row]) -> None:
    assert rank(rows) == np.linalg.matrix_rank(dense(rows))
    assert rank(transposed(rows, WIDTH)) == rank(rows)


def test_the_rank_is_exact_where_floating_point_is_not() -> None:
    """Hilbert's matrix, made whole: numpy takes it to be singular."""
    size, scale = 20, lcm(*range(1, 40))
    hilbert = [{k: scale // (n + k + 1) for k in range(size)} for n in range(size)]
    assert rank(hilbert) == size
    assert np.linalg.matrix_rank(dense(hilbert, size) / float(scale)) < size


@settings(max_examples=100, deadline=None)
@given(matrices, st.lists(st.integers(-3, 3), min_size=7, max_size=7))
def test_equations_are_solved_just_if_they_can_be(rows: list[Row], constants: list[int]) -> None:
    equations = [{**row, CONSTANT: n} for row, n in zip(rows, constants, strict=False)]
    x = solution(equations)
    told = dense(rows)
    whole = np.column_stack([told, constants[: len(rows)]])
    assert (x is not None) == (np.linalg.matrix_rank(told) == np.linalg.matrix_rank(whole))
    if x is not None:
        for row in equations:
            assert row[CONSTANT] + sum(n * x.get(k, 0) for k, n in row.items() if k >= 0) == 0


@settings(max_examples=100, deadline=None)
@given(matrices)
def test_one_of_two_programs_has_an_answer_and_the_answer_is_right(rows: list[Row]) -> None:
    """Stiemke's lemma, both ways round: neither can have one where the other has."""
    columns = transposed(rows, WIDTH)
    steady, growing = positive_solution(rows, WIDTH), growing_solution(columns, len(rows), True)
    assert (steady is None) != (growing is None)
    if steady is not None:
        assert min(steady) >= 1
        assert not any(dense(rows) @ steady)
    if growing is not None:
        grown = growing @ dense(rows)
        assert min(grown) >= 0
        assert max(grown) > 0
    unsigned = growing_solution(columns, len(rows), False)
    if unsigned is not None:
        assert min(unsigned) >= 0
        assert min(unsigned @ dense(rows)) >= 0
        assert max(unsigned @ dense(rows)) > 0
        assert growing is not None


@settings(max_examples=100, deadline=None)
@given(matrices, st.integers(0, WIDTH - 1))
def test_a_minimal_solution_has_no_smaller_one_beside_it(rows: list[Row], at: int) -> None:
    """Its columns depend on each other in one way only."""
    x = minimal_solution(rows, WIDTH, at)
    if x is None:
        most = linprog(
            [-(k == at) for k in range(WIDTH)], None, None, dense(rows), [0] * len(rows), (0, 1)
        )
        assert most.fun == pytest.approx(0)
        return
    assert min(x) >= 0
    assert x[at] > 0
    assert not any(product(rows, x))
    support = [k for k in range(WIDTH) if x[k]]
    assert np.linalg.matrix_rank(dense(rows)[:, support]) == len(support) - 1 if rows else True


@settings(max_examples=100, deadline=None)
@given(nets(), st.data())
def test_what_is_reached_obeys_the_state_equation(net: Net, data: st.DataObject) -> None:
    marking = net.initial_marking
    for _ in range(data.draw(st.integers(0, 6))):
        able = enabled(net, marking)
        if able:
            marking = fire(data.draw(st.sampled_from(able)), marking)
    found = state_equation(net, net.initial_marking, marking)
    assert found.answer == "yes"
    assert all(n > 0 for n in found.firings.values())


@settings(max_examples=100, deadline=None)
@given(nets(plain=True), st.dictionaries(st.sampled_from("ipqro"), st.integers(0, 3)))
def test_each_answer_of_the_state_equation_carries_its_proof(
    net: Net, tokens: dict[str, int]
) -> None:
    start, goal = net.initial_marking, Marking(tokens)
    found = state_equation(net, start, goal)
    assert found.answer != "unknown"
    if found.answer == "yes":
        for p in net.places:
            moved = sum(
                (n * (net.transition(t).produce[p.id] - net.transition(t).consume[p.id]))
                for t, n in found.firings.items()
            )
            assert start[p.id] + moved == goal[p.id]
    else:

        def value(marking: Marking) -> Fraction:
            return sum((n * marking[p] for p, n in found.weights.items()), Fraction(0))

        assert all(value(t.produce) >= value(t.consume) for t in net.transitions)
        assert value(goal) < value(start)
        assert "no firings add up" in str(found)


def test_resets_and_or_joins_may_take_what_they_like() -> None:
    net = (
        Net.build()
        .places("i", "a", "b", "x", "o")
        .transition("split", "i", ["a", "b", "x"])
        .silent("join", ["a", "b"], "o", join="or", reset="x")
        .done()
    )
    assert state_equation(net, Marking("i"), Marking("o")).firings == {"split": 1, "join": 1}
    assert state_equation(net, Marking("i"), Marking({"o": 2})).answer == "yes"
    assert state_equation(net, Marking("i"), Marking({"o": 3})).answer == "no"
    assert state_equation(net, Marking("i"), Marking(["x", "x", "o"])).answer == "no"


@pytest.mark.slow
def test_of_every_third_industrial_net_one_of_the_two_answers_is_found(corpora: Path) -> None:
    """And each is right: floating point has not led astray, nor given up."""
    files = sorted((corpora / "industrial").glob("*.pnml"))
    assert len(files) == 686
    for file in files[::3]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net = read_pnml(file)
        rows, width = incidence(net), len(net.places)
        at = {p.id: n for n, p in enumerate(net.places)}
        rows.append({at[net.sink.id]: -1, at[net.source.id]: 1})
        columns = transposed(rows, width)
        matrix = dense(rows, width)
        assert rank(rows) == np.linalg.matrix_rank(matrix)
        for these, wide, those in ((rows, width, matrix), (columns, len(rows), matrix.T)):
            steady = positive_solution(these, wide)
            growing = growing_solution(transposed(these, wide), len(these), True)
            assert (steady is None) != (growing is None)
            if steady is not None:
                assert min(steady) >= 1
                assert not any(those @ steady)
            if growing is not None:
                assert min(growing @ those) >= 0
                assert max(growing @ those) > 0
