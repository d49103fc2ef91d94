"""The compiled loops against the plain ones, which are held to the firing rule elsewhere."""

from __future__ import annotations

import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from petriflow.analysis import explore
from petriflow.analysis.space import compiler, state_space
from petriflow.analysis.space.compiled_space import explore_compiled
from petriflow.analysis.space.graph import Graph, marking_of, trace_to
from petriflow.net import Marking, Net, compile_net, replay
from petriflow.net.errors import SpeedNote
from petriflow.patterns import parallel, sequence

from ..nets import nets

LIMIT = 400


def wide(branches: int, tasks: int) -> Net:
    def a(case: object) -> None: ...

    return parallel(*[sequence(*[a] * tasks) for _ in range(branches)]).net


def edges_of(graph: Graph) -> set[tuple[Marking, int, Marking]]:
    markings = [marking_of(graph, n) for n in range(graph.count)]
    return {
        (markings[n], t, markings[m])
        for n in range(graph.expanded)
        for t, m in zip(graph.row_via(n), graph.row(n), strict=True)
    }


@given(nets(), st.sampled_from([2, 4, 8, 16, 32]))
def test_the_same_graph_as_the_plain_loops(net: Net, width: int) -> None:
    plain = explore(net, max_markings=LIMIT)
    compiled = compile_net(net)
    first = compiled.vector(net.initial_marking)
    largest = max([1, *(w for t in net.transitions for _, _, w in t.arcs())])
    while largest >= 1 << width - 1:
        width *= 2
    graph, complete = explore_compiled(compiled, first, width, 20 * LIMIT, None)
    if not plain.complete:
        return
    assert complete
    assert edges_of(graph) == edges_of(plain.graph)
    assert (graph.edges, graph.deadlocks) == (plain.edges, plain.deadlocks)
    assert graph.most_tokens() == plain.graph.most_tokens()
    by_marking = {marking_of(plain.graph, n): n for n in range(plain.markings)}
    same = [by_marking[marking_of(graph, n)] for n in range(graph.count)]
    assert sorted(same) == list(range(plain.markings))
    for n in range(graph.count):
        trace = trace_to(graph, n)
        *_, last = replay(net, trace)
        assert last == marking_of(graph, n)
        assert len(trace) == len(plain.trace(same[n]))  # a shortest one, both times
        found = graph.find({p: k for p, k in enumerate(graph.tokens(n)) if k})
        assert found == n
    assert {same[n] for n in graph.stuck()} == set(plain.graph.stuck())
    assert graph.fired() == plain.graph.fired()
    for place in range(len(net.places)):
        for tokens in (1, 2, 3):
            held = graph.holding(place, tokens)
            assert {same[n] for n in held} == set(plain.graph.holding(place, tokens))
    goals = random.Random(1).sample(range(graph.count), min(3, graph.count))
    there, here = plain.graph.can_reach([same[n] for n in goals]), graph.can_reach(goals)
    assert [there[same[n]] for n in range(graph.count)] == list(here)
    assert {*graph.fired(here)} == plain.graph.fired(there)


def test_a_count_is_never_wrong_where_lanes_overflow() -> None:
    net = Net.build().places("i", "p", "o").silent("t", "i", {"p": 3}).silent("u", "p", {"o": 70})
    graph, complete = explore_compiled(compile_net(net.done()), [1, 0, 0], 2, 99, None)
    assert complete
    assert graph.lanes.width > 8
    assert graph.most_tokens() == (210, 210)


@pytest.mark.parametrize("keep_edges", [True, False])
def test_many_markings_spread_over_many_tables_and_buffers(
    keep_edges: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("petriflow.analysis.space.compiled_space.EDGES", 1_000)
    monkeypatch.setattr("petriflow.analysis.space.compiled_space.BATCH", 700)
    net = compile_net(wide(5, 8))
    told: list[int] = []
    first = net.vector(net.net.initial_marking)
    graph, complete = explore_compiled(net, first, 2, 10**6, told.append, keep_edges=keep_edges)
    assert complete
    assert graph.count == 9**5 + 2  # each branch of 8 tasks has 9 places
    assert graph.edges == 5 * 8 * 9**4 + 2
    assert graph.deadlocks == 1
    assert told == sorted(told)
    assert told[-1] == graph.count
    if keep_edges:
        assert len(graph.target) == graph.edges
        assert np.diff(graph.start).sum() == graph.edges
        assert all(graph.can_reach(graph.stuck()))


@pytest.mark.parametrize("limit", [1, 10, 999])
def test_a_limit_ends_it(limit: int) -> None:
    net = compile_net(wide(4, 8))
    graph, complete = explore_compiled(net, net.vector(net.net.initial_marking), 2, limit, None)
    assert not complete
    assert limit < graph.count <= limit + len(net.rows) + 2
    graph, complete = explore_compiled(
        net, net.vector(net.net.initial_marking), 2, 10**6, None, max_memory=50_000
    )
    assert not complete
    assert graph.words.nbytes + graph.target.nbytes + graph.start.nbytes <= 50_000


def test_large_nets_go_over_to_the_compiled_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_space, "LARGE", 1_000)
    net = wide(4, 8)
    plain = explore(net, max_markings=900)
    assert not plain.complete
    assert isinstance(plain.graph, state_space.IntGraph)
    compiler.warm()
    space = explore(net)
    assert not isinstance(space.graph, state_space.IntGraph)
    assert (space.markings, space.deadlocks) == (9**4 + 2, 1)
    assert len(space.trace(space.graph.stuck()[0])) == 34


def test_a_net_that_grows_late_is_found_to_grow_by_the_compiled_loops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state_space, "LARGE", 1_000)
    builder = Net.build("late").places("i", "p0", "heap", "o").silent("t", "i", {"p0": 9})
    for n in range(9):
        builder.place(f"p{n + 1}").silent(f"t{n}", f"p{n}", f"p{n + 1}")
    builder.silent("grow", {"p9": 4}, {"p9": 4, "heap": 1}).silent("end", {"p9": 9}, "o")
    compiler.warm()
    space = explore(builder.done(), initial=Marking("i"))
    assert space.pump is not None
    assert not isinstance(space.graph, state_space.IntGraph)
    *_, before = replay(builder.done(), space.pump.trace, Marking("i"))
    *_, after = replay(builder.done(), (*space.pump.trace, *space.pump.segment), Marking("i"))
    assert before < after


def test_without_numba_the_plain_loops_answer_with_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_space, "LARGE", 1_000)
    monkeypatch.setattr(compiler, "available", lambda: False)
    with pytest.warns(SpeedNote, match="numba is not installed"):
        space = explore(wide(4, 8))
    assert (space.complete, space.markings) == (True, 9**4 + 2)


def test_nobody_waits_for_the_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Where nothing is compiled yet, another process compiles, and the plain loops go on."""
    begun: list[list[str]] = []

    class Compiling:
        def __init__(self, command: list[str], **_: object) -> None:
            begun.append(command)

        def poll(self) -> int | None:
            return None

    monkeypatch.setattr(state_space, "LARGE", 1_000)
    monkeypatch.setattr(compiler, "_marker", lambda: tmp_path / "none")  # type: ignore[operator]
    monkeypatch.setattr(compiler, "_warming", None)
    monkeypatch.setattr(subprocess, "Popen", Compiling)
    space = explore(wide(4, 8))
    assert isinstance(space.graph, state_space.IntGraph)
    assert (space.complete, space.markings) == (True, 9**4 + 2)
    assert len(begun) == 1
    assert begun[0][0] == sys.executable


def test_a_small_net_never_loads_the_compiler() -> None:
    code = (
        "import sys; from petriflow import verify; from petriflow.net import Net;"
        "net = Net.build().places('i', 'o').transition('t', 'i', 'o').done();"
        "assert verify(net).verdict == 'sound';"
        "print([m for m in ('numba', 'scipy', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
