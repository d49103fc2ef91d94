"""The firing rule, by hand; and its compiled form against it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from petriflow.net import Marking, Net, compile_net, enabled, fire, is_enabled, obstacles, replay
from petriflow.net.errors import NotEnabled, NotEnoughTokens
from petriflow.net.net import Transition

from ..nets import PLACES, nets

markings = st.dictionaries(st.sampled_from(PLACES), st.integers(0, 4)).map(Marking)


@pytest.mark.promise("FIRE-1")
@given(nets(), markings)
def test_enabled_is_enough_to_consume_enough_to_read_and_few_enough(net: Net, m: Marking) -> None:
    for t in net.transitions:
        wanted = (
            all(m[p] >= n for p, n in t.consume.items())
            and all(m[p] >= n for p, n in t.read.items())
            and all(m[p] < n for p, n in t.inhibitor.items())
        )
        assert is_enabled(t, m) == wanted == (t in enabled(net, m)) == (not obstacles(t, m))


@pytest.mark.promise("FIRE-2")
def test_a_firing_consumes_then_resets_then_produces() -> None:
    t = Transition(
        "t", None, Marking({"p": 2}), Marking({"q": 1, "r": 3}), reset=frozenset({"q", "s"})
    )
    assert fire(t, Marking({"p": 3, "q": 7, "s": 5, "r": 1})) == Marking({"p": 1, "q": 1, "r": 4})


@pytest.mark.promise("FIRE-2")
@given(nets(), markings)
def test_each_place_ends_as_its_arcs_say(net: Net, m: Marking) -> None:
    for t in enabled(net, m):
        after = fire(t, m)
        for p in PLACES:
            left = 0 if p in t.reset else m[p] - t.consume[p]
            assert after[p] == left + t.produce[p]


@pytest.mark.promise("FIRE-3")
def test_firing_what_is_not_enabled_says_what_is_missing_or_in_the_way() -> None:
    t = Transition(
        "pay", None, Marking({"due": 2}), read=Marking("open"), inhibitor=Marking("held")
    )
    with pytest.raises(NotEnabled) as told:
        fire(t, Marking({"due": 1, "held": 4}))
    assert "'due' has 1 of 2" in str(told.value)
    assert "'open' has 0 of 1" in str(told.value)
    assert "'held' has 4 tokens and must have fewer than 1" in str(told.value)


@pytest.mark.promise("FIRE-4")
@given(nets(), markings)
def test_the_compiled_net_does_what_the_definition_says(net: Net, m: Marking) -> None:
    compiled = compile_net(net)
    tokens = compiled.vector(m)
    assert compiled.marking(tokens) == m
    able = compiled.enabled(tokens)
    assert [compiled.transition_ids[t] for t in able] == [t.id for t in enabled(net, m)]
    for t in able:
        after = compiled.fire(t, tokens)
        assert compiled.marking(after) == fire(net.transitions[t], m)
        row = compiled.rows[t]
        assert {p for p, n in enumerate(after) if n != tokens[p]} <= set(row.touches)
        # What a firing does not affect stays as it was, enabled or not.
        for u in set(range(len(net.transitions))) - set(row.affects):
            assert compiled.is_enabled(u, tokens) == compiled.is_enabled(u, after)


@given(nets())
def test_the_csr_arrays_hold_every_arc_once(net: Net) -> None:
    compiled = compile_net(net)
    found = {
        (compiled.transition_ids[t], kind, compiled.place_ids[csr.place[k]], int(csr.weight[k]))
        for kind, csr in compiled.csr.items()
        for t in range(len(net.transitions))
        for k in range(csr.start[t], csr.start[t + 1])
    }
    assert found == {(t.id, *arc) for t in net.transitions for arc in t.arcs()}
    assert sum(len(csr.place) for csr in compiled.csr.values()) == len(found)


@pytest.mark.promise("NET-4")
@given(markings, markings)
def test_markings_are_multisets(a: Marking, b: Marking) -> None:
    for p in PLACES:
        assert (a + b)[p] == a[p] + b[p]
    assert (a + b) - b == a
    assert (a <= b) == all(a[p] <= b[p] for p in PLACES)
    assert (a < b) == (a <= b and a != b) == (b > a)
    assert (a >= b) == (b <= a)
    assert (a == b) == (dict(a) == dict(b))
    assert a != b or hash(a) == hash(b)
    assert a.total == sum(a.values()) == sum(a[p] for p in a)
    if not b <= a:
        with pytest.raises(NotEnoughTokens):
            a - b


def test_a_marking_is_written_as_the_field_writes_it() -> None:
    assert str(Marking({"p2": 2, "p1": 1, "p3": 0})) == "[p1 + 2*p2]"
    assert str(Marking()) == "[]"
    assert Marking(["q", "p", "q"]) == Marking({"p": 1, "q": 2})


def test_a_replay_stops_at_the_step_that_is_not_possible() -> None:
    net = Net.build().places("i", "o").transition("t", "i", "o").done()
    assert [str(m) for m in replay(net, ["t"])] == ["[i]", "[o]"]
    with pytest.raises(NotEnabled, match="'t' is not enabled in \\[o\\]"):
        list(replay(net, ["t", "t"]))
