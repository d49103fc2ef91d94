"""The smaller net is sound just if the given one is, and every witness comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from petriflow.analysis import explore, structure, verify
from petriflow.analysis.soundness import ladder
from petriflow.analysis.soundness.notions import notions_of
from petriflow.analysis.soundness.reduction import reduce_net
from petriflow.analysis.space.walks import walk_to_fault
from petriflow.net import Marking, Net, enabled, replay

from ..nets import brute_force, is_sound, nets
from ..patterns.blocks import compositions

LIMIT = 600


@st.composite
def ordinary(draw: st.DrawFn) -> Net:
    """Nets whose transitions have few arcs of weight 1, so that the rules find work."""
    places = ["i", "p", "q", "r", "s", "o"]
    builder = Net.build("ordinary").places(*places)
    for n in range(draw(st.integers(2, 8))):
        consume = draw(st.sets(st.sampled_from(places[:-1]), min_size=1, max_size=2))
        produce = draw(st.sets(st.sampled_from(places[1:]), min_size=1, max_size=2))
        more = {}
        if draw(st.integers(0, 9)) == 0:
            kind = draw(st.sampled_from(["read", "inhibitor", "reset"]))
            more[kind] = [draw(st.sampled_from(places[:-1]))]
        builder.transition(f"t{n}", sorted(consume), sorted(produce), **more)
    net = builder.done()
    return Net(net.name, net.places, net.transitions, Marking("i"), Marking("o"))


@st.composite
def damaged(draw: st.DrawFn) -> Net:
    """A sound block structure with an arc or two bent."""
    net = draw(compositions(depth=2)).net
    assume(not any(t.join == "or" for t in net.transitions))
    ids = [p.id for p in net.places]
    transitions = list(net.transitions)
    for _ in range(draw(st.integers(0, 2))):
        n = draw(st.integers(0, len(transitions) - 1))
        bend = Marking(draw(st.sampled_from(ids[1:])))
        kind = draw(st.sampled_from(["consume", "produce"]))
        transitions[n] = replace(transitions[n], **{kind: bend})
    return replace(
        net, transitions=tuple(transitions), initial=Marking(net.source.id), final=net.final
    )


@st.composite
def judged(draw: st.DrawFn) -> tuple[Net, dict]:
    net = draw(ordinary() | nets() | damaged())
    assume(len(net.sinks) == 1 or net.final)
    net = replace(net, final=Marking(net.sink.id))
    graph = brute_force(net, LIMIT)
    assume(graph is not None)
    return net, graph


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(judged())
def test_the_small_net_is_sound_just_if_the_given_one_is(pair: tuple[Net, dict]) -> None:
    net, graph = pair
    small = reduce_net(net)
    smaller = brute_force(small.net, LIMIT)
    assert smaller is not None
    assert len(smaller) <= len(graph)
    assert is_sound(small.net, smaller) == is_sound(net, graph)
    if small.trivial:
        assert is_sound(net, graph)
    plain = structure(net).plain
    of_small = notions_of(explore(small.net), 1, plain, small)
    assert of_small == notions_of(explore(net), 1, plain)
    alive = {t for firings in graph.values() for t, _ in firings}
    lively = {t for firings in smaller.values() for t, _ in firings}
    assert small.members(lively) == alive
    assert small.members(t.id for t in small.net.transitions) == {t.id for t in net.transitions}


@settings(max_examples=100, deadline=None)
@given(judged())
def test_every_sequence_of_the_small_net_is_one_of_the_given_net(pair: tuple[Net, dict]) -> None:
    """And what is left on the places of both is the same."""
    net, _ = pair
    small = reduce_net(net)
    both = {p.id for p in small.net.places}
    todo: list[tuple[str, ...]] = [()]
    for trace in todo:
        *_, here = replay(small.net, trace)
        *_, there = replay(net, small.trace(trace))
        assert here == Marking({p: n for p, n in there.items() if p in both})
        if len(todo) < 40:
            todo += [(*trace, t.id) for t in enabled(small.net, here)]


@pytest.mark.promise("VERIFY-10")
@settings(max_examples=100, deadline=None)
@given(judged())
def test_the_whole_ladder_gives_the_definitions_verdict(pair: tuple[Net, dict]) -> None:
    """With a short look too short to decide anything, so that the later steps must."""
    net, graph = pair
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ladder, "SHORT_LOOK", 0)
        patch.setattr(ladder, "LEAST", 1)
        report = verify(net, max_markings=4 * LIMIT)
        patch.setattr(ladder, "walk_to_fault", lambda *_: None)
        without = verify(net, max_markings=4 * LIMIT)
    expected = "sound" if is_sound(net, graph) else "unsound"
    assert (report.verdict, without.verdict) == (expected, expected)
    known = verify(net).notions.to_json()
    for one in (report, without):
        for name, answer in one.notions.to_json().items():
            assert answer in (known[name], "unknown")
        for fault in one.faults:
            *_, last = replay(net, fault.trace)
            assert last == fault.marking
            able = {t.id for t in enabled(net, last)}
            match fault.kind:
                case "deadlock":
                    assert not able
                    assert last != Marking(net.sink.id)
                case "improper-completion":
                    assert Marking(net.sink.id) < last
                case "livelock":
                    assert able <= set(fault.transitions)
                case "dead-transitions":
                    fired = {t for firings in graph.values() for t, _ in firings}
                    assert set(fault.transitions) == {t.id for t in net.transitions} - fired


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(judged())
def test_a_walk_ends_in_a_real_fault(pair: tuple[Net, dict]) -> None:
    net, _ = pair
    walk = walk_to_fault(net, net.initial_marking, Marking(net.sink.id))
    if walk is not None:
        *_, last = replay(net, walk)
        end = Marking(net.sink.id)
        assert end < last or (last != end and not list(enabled(net, last)))


def branches(count: int, tasks: int) -> Net:
    builder = Net.build("branches").places("i", "o")
    for b in range(count):
        builder.places(*(f"p{b}-{n}" for n in range(tasks + 1)))
        for n in range(tasks):
            builder.transition(f"t{b}-{n}", f"p{b}-{n}", f"p{b}-{n + 1}")
    builder.transition("split", "i", [f"p{b}-0" for b in range(count)])
    return builder.transition("join", [f"p{b}-{tasks}" for b in range(count)], "o").done()


@pytest.mark.promise("VERIFY-10")
@pytest.mark.parametrize("form", ["atomic", "expanded"])
def test_twenty_one_to_the_fiftieth_markings_are_judged(form: str) -> None:
    report = verify(branches(50, 20), form=form if form == "expanded" else None)
    assert (report.verdict, report.method) == ("sound", "block structure")
    assert report.markings is None


def test_a_fault_in_a_huge_net_is_found_and_told_on_the_given_net() -> None:
    net = branches(50, 20)
    last = net.transition("t7-19")
    bent = replace(last, produce=last.produce + Marking("p8-0"))
    net = replace(net, transitions=tuple(bent if t.id == "t7-19" else t for t in net.transitions))
    report = verify(net)
    assert report.verdict == "unsound"
    assert report.witness is not None
    assert report.witness.kind == "improper-completion"
    *_, marking = replay(net, report.witness.trace)
    assert marking == report.witness.marking
    assert Marking("o") < marking
