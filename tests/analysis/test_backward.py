"""Coverability told backwards, against plain search and the construction forwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from petriflow.analysis.behavioural import backward
from petriflow.analysis.behavioural.backward import Covering, cover
from petriflow.analysis.behavioural.coverability import coverability_graph
from petriflow.analysis.checking.check import check_certificate
from petriflow.net import Marking, Net, replay
from petriflow.net.errors import NetError

from ..nets import PLACES, brute_force, weights
from .test_coverability import markings, plain_nets

LIMIT = 300


@st.composite
def reset_nets(draw: st.DrawFn) -> Net:
    builder = Net.build("resets").places(*PLACES)
    for n in range(draw(st.integers(1, 6))):
        few = st.sets(st.sampled_from(PLACES), max_size=2)
        read = draw(weights) if draw(st.integers(0, 3)) == 0 else {}
        reset = draw(few) if draw(st.booleans()) else ()
        builder.transition(f"t{n}", draw(weights) or "p", draw(weights), read=read, reset=reset)
    net = builder.done()
    return Net(net.name, net.places, net.transitions, Marking("i") + draw(markings))


def holds_together(net: Net, found: Covering) -> None:
    """What the answer claims is checked by the firing rule alone, on whole markings."""
    if found.answer == "yes":
        assert found.trace is not None
        *_, last = replay(net, found.trace)
        assert last == found.marking
        assert found.goal <= last
    elif found.answer == "no":
        proves(net, found)
    else:
        assert found.reason


def proves(net: Net, found: Covering) -> None:
    """The markings above the basis hold the goal, are left by no firing backwards, and the initial
    marking is not among them; with weights, as far as a marking is not heavier than that.
    """

    def weight(marking: Marking, weights: Mapping[str, int]) -> int:
        return sum(n * weights.get(p, 0) for p, n in marking.items())

    def inside(marking: Marking) -> bool:
        return any(least <= marking for least in found.basis) or any(
            weight(marking, one) > weight(net.initial_marking, one) for one in found.weights
        )

    for one in found.weights:
        assert all(n > 0 for n in one.values())
        for t in net.transitions:
            assert weight(t.produce, one) <= weight(t.consume, one)
    assert not inside(net.initial_marking)
    assert inside(found.goal)
    for least in found.basis:
        for t in net.transitions:
            if any(least[p] > t.produce[p] for p in t.reset):
                continue
            before = {}
            for place in net.places:
                p = place.id
                need = max(t.consume[p], t.read[p])
                if p not in t.reset:
                    need = max(need, least[p] - t.produce[p] + t.consume[p])
                before[p] = need
            assert inside(Marking(before))


@pytest.mark.promise("NETS-5")
@given(reset_nets(), markings)
def test_backwards_and_forwards_agree_on_bounded_nets_with_resets(net: Net, goal: Marking) -> None:
    reached = brute_force(net, LIMIT)
    found = cover(net, goal, max_elements=2_000)
    holds_together(net, found)
    if reached is not None and found.answer != "unknown":
        assert found.answer == ("yes" if any(goal <= m for m in reached) else "no")


@given(plain_nets(), markings)
def test_backwards_and_karp_and_miller_agree_on_unbounded_nets(net: Net, goal: Marking) -> None:
    graph = coverability_graph(net, max_nodes=2_000)
    found = cover(net, goal, max_elements=2_000)
    holds_together(net, found)
    if graph.complete and found.answer != "unknown":
        assert found.answer == graph.coverable(goal)


@given(reset_nets(), markings)
def test_the_basis_is_least_and_holds_just_what_can_cover(net: Net, goal: Marking) -> None:
    """Each of its markings can cover the goal; with any token less it cannot."""
    found = cover(net, goal, max_elements=500)
    if found.answer != "no":
        return
    for least in found.basis[:5]:
        assert cover(net, goal, initial=least).answer == "yes"
        for place in least:
            less = least - Marking(place)
            assert cover(net, goal, initial=less).answer == "no"


@given(reset_nets() | plain_nets(), markings)
def test_with_weights_the_answer_is_the_same_and_proven(net: Net, goal: Marking) -> None:
    """What weighs too much is left out, and nothing else."""
    without = cover(net, goal, max_elements=backward.SHORT_LOOK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backward, "SHORT_LOOK", 0)
        found = cover(net, goal, max_elements=1_000)
    holds_together(net, found)
    if "unknown" not in (found.answer, without.answer):
        assert found.answer == without.answer
        assert set(found.basis) <= {*without.basis, goal}


@pytest.mark.promise("NETS-5")
@given(reset_nets())
def test_the_checker_of_certificates_takes_every_proof(net: Net) -> None:
    assume(not any("o" in t.reset for t in net.transitions))
    net = replace(net, initial=Marking("i"), final=Marking("o"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backward, "SHORT_LOOK", 0)
        answers = {t.id: cover(net, t.needs, max_elements=300) for t in net.transitions}
    for id, found in answers.items():
        if found.answer == "no":
            proof = {
                "kind": "dead-transitions",
                "transitions": [id],
                "upward": [dict(least) for least in found.basis],
                "heavier": [dict(one) for one in found.weights],
            }
            claim = {
                "petriflow_certificate": 1, "name": net.name, "net": net.content_hash, "k": 1,
                "form": "atomic", "verdict": "unsound", "method": "cover", "proof": proof,
            }  # fmt: skip
            assert check_certificate(claim, net).ok


def test_a_reset_that_stands_in_the_way_is_seen() -> None:
    """Every way to `o` empties `p`, though both can be marked one after the other."""
    net = (
        Net.build("exclusive")
        .places("i", "p", "q", "o")
        .transition("fill", "i", ["i", "p"])
        .transition("leave", "i", "q")
        .transition("end", "q", "o", reset="p")
        .done()
    )
    net = Net(net.name, net.places, net.transitions, Marking("i"))
    assert cover(net, Marking({"p": 9})).trace == ("fill",) * 9
    assert cover(net, Marking({"p": 2, "q": 1})).trace == ("fill", "fill", "leave")
    found = cover(net, Marking({"p": 1, "o": 1}))
    assert found.answer == "no"
    # only a second token on `i` or `q` could end while `p` is filled again
    assert list(map(str, found.basis)) == ["[2*i]", "[i + o]", "[i + q]", "[o + p]"]


def test_where_more_tokens_may_disable_the_answer_is_unknown_with_the_reason() -> None:
    builder = Net.build("n").places("i", "p", "o")
    net = builder.transition("t", "i", "o", inhibitor="p").done()
    net = Net(net.name, net.places, net.transitions, Marking("i"))
    found = cover(net, Marking("o"))
    assert found.answer == "unknown"
    assert "inhibitor arc between 'p' and 't'" in str(found)
    assert cover(net, Marking("i")).answer == "yes"


def test_at_the_limit_the_answer_is_unknown() -> None:
    net = Net.build("n").place("i", 1).places("o").transition("t", "o", "i").done()
    found = cover(net, Marking({"i": 9}), max_elements=1)
    assert (found.answer, found.basis) == ("unknown", ())
    assert "max_elements" in str(found)
    huge = cover(net, Marking({"i": 2**70}))
    assert (huge.answer, huge.trace) == ("unknown", None)


def test_a_goal_on_no_place_of_the_net_is_refused() -> None:
    net = Net.build("n").places("i", "paid").transition("t", "i", "paid").done()
    with pytest.raises(NetError, match="did you mean 'paid'"):
        cover(net, Marking("payd"))


def stages(width: int, length: int) -> Net:
    """Lines side by side, and at each place of them a cancellation that empties all of them."""
    builder = Net.build("stages").places("i", "stopped", "o")
    lines = [[f"p{b}-{n}" for n in range(length)] for b in range(width)]
    builder.places(*(p for line in lines for p in line))
    for line in lines:
        for here, there in pairwise(line):
            builder.transition(f"{here}>", here, there)
    builder.transition("split", "i", [line[0] for line in lines])
    builder.transition("join", [line[-1] for line in lines], "o")
    for line in lines:
        everything = [p for other in lines for p in other]
        builder.transition(f"stop at {line[0]}", line[0], "stopped", reset=everything)
    return builder.done()


def test_a_goal_at_the_end_of_a_hundred_places_is_found() -> None:
    net = stages(width=10, length=10)
    net = Net(net.name, net.places, net.transitions, Marking("i"))
    found = cover(net, Marking("o"))
    holds_together(net, found)
    assert found.answer == "yes"
    assert found.trace is not None
    assert len(found.trace) == 10 * 9 + 2  # each step once: there is no other way


@pytest.mark.parametrize("goal", [{"o": 2}, {"stopped": 1, "p3-4": 1}, {"p0-0": 1, "p0-9": 1}])
def test_among_ten_to_the_tenth_markings_what_cannot_be_covered_is_proven(goal: dict) -> None:
    net = stages(width=10, length=10)
    net = Net(net.name, net.places, net.transitions, Marking("i"))
    found = cover(net, Marking(goal))
    assert found.answer == "no"
    holds_together(net, found)


def test_a_covering_displays_well() -> None:
    net = Net.build("<n>").place("i", 1).place("o").transition("t", "i", "o").done()
    assert str(cover(net, Marking("o"))).splitlines() == [
        "<n>: [o] can be covered, as in [o]",
        "  a firing sequence",
        "  t",
    ]
    assert "&lt;n&gt;: [2*o] cannot be covered" in cover(net, Marking({"o": 2}))._repr_html_()
