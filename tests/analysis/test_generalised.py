"""Soundness with several tokens against its definition, played with 1, 2, 3, … tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from petriflow.analysis import all_notions, free_choice, prove_guards
from petriflow.analysis.soundness.generalised import (
    generalised_sound,
    structurally_sound,
    up_to_k_sound,
)
from petriflow.net import Marking, Net, replay
from petriflow.net.errors import DefinitionError
from petriflow.patterns import parallel, structured_loop

from ..nets import brute_force, nets
from ..patterns.blocks import a, b
from .test_notions import can_reach, ordinary_nets
from .test_reduction import ordinary

RANDOM = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def sound(net: Net, k: int, limit: int = 500) -> bool | None:
    """k-soundness by its definition; `None` where there are too many markings."""
    end = Marking({net.sink.id: k})
    graph = brute_force(replace(net, initial=Marking({net.source.id: k}), final=end), limit)
    if graph is None:
        return None
    return (
        can_reach(graph, {end}) == graph.keys()
        and not any(end < m for m in graph)
        and {t for firings in graph.values() for t, _ in firings} == {t.id for t in net.transitions}
    )


def some_net() -> st.SearchStrategy[Net]:
    return st.one_of(ordinary_nets(), ordinary(), nets(), nets(plain=True)).filter(
        lambda net: len(net.sources) == 1 or bool(net.initial)
    )


@pytest.mark.slow
@pytest.mark.promise("VERIFY-12")
@RANDOM
@given(some_net())
def test_up_to_k_is_each_number_up_to_k(net: Net) -> None:
    each = [sound(net, k) for k in (1, 2, 3)]
    assume(None not in each)
    for k in (1, 2, 3):
        found = up_to_k_sound(net, k, max_markings=5_000)
        assert found.answer == ("yes" if all(each[:k]) else "no")
        if found.answer == "no":
            assert found.k == each.index(False) + 1
            assert found.report is not None
            assert found.report.witness is not None
            witness = found.report.witness
            *_, last = replay(net, witness.trace, Marking({net.source.id: found.k}))
            assert last == witness.marking


@pytest.mark.slow
@pytest.mark.promise("VERIFY-12")
@RANDOM
@given(some_net())
def test_generalised_soundness_is_claimed_and_denied_rightly(net: Net) -> None:
    found = generalised_sound(net, max_markings=5_000)
    if found.answer == "yes":
        assert all(sound(net, k, 3_000) is not False for k in range(1, 5))
    elif found.answer == "no" and found.k is not None:
        assert sound(net, found.k) in (False, None)
    elif found.answer == "no":  # by a relaxation: then some number of tokens shows it
        assert any(sound(net, k) is not True for k in range(1, 9))


@pytest.mark.slow
@pytest.mark.promise("VERIFY-12")
@RANDOM
@given(some_net())
def test_structural_soundness_is_claimed_and_denied_rightly(net: Net) -> None:
    found = structurally_sound(net, max_markings=5_000)
    if found.answer == "yes":
        assert found.k is not None
        assert sound(net, found.k, 5_000) is True
    elif found.answer == "no":
        assert not any(sound(net, k) for k in range(1, 5))


def test_one_number_of_tokens_tells_nothing_of_another() -> None:
    single = Net.build("single").places("i", "p", "o").transition("enter", "i", "p")
    net = single.transition("leave", "p", "o", inhibitor={"p": 2}).done()
    assert up_to_k_sound(net, 1).answer == "yes"
    two = up_to_k_sound(net, 2)
    assert (two.answer, two.k, generalised_sound(net).k) == ("no", 2, 2)
    assert two.report is not None
    assert two.report.witness is not None
    assert two.report.witness.marking == Marking({"p": 2})

    net = (
        Net.build("halves")
        .places("i", "l", "r", "m", "o")
        .transition("left", "i", ["l", "m"])
        .transition("right", "i", ["r", "m"])
        .transition("end left", ["l", "m"], "o")
        .transition("end right", ["r", "m"], "o")
        .transition("twice", {"l": 2}, {"r": 2})
        .done()
    )
    assert up_to_k_sound(net, 1).answer == "no"  # `twice` is dead with one token
    found = structurally_sound(net)
    assert (found.answer, found.k) == ("yes", 2)
    assert generalised_sound(net).answer == "no"


def test_blocks_are_sound_with_any_number_of_tokens() -> None:
    net = structured_loop(parallel(a, b), until="done").net.expanded()
    for found in (generalised_sound(net), up_to_k_sound(net, 50)):
        assert (found.answer, found.why) == ("yes", "with any number of tokens, by block structure")
    assert structurally_sound(net).k == 1


def test_what_no_number_of_tokens_can_mend_is_told_with_its_step() -> None:
    net = (
        Net.build("orphan")
        .places("i", "p", "q", "r", "o")
        .transition("t", "i", ["p", "r"])
        .transition("u", ["p", "q"], {"o": 1, "q": 1})
        .transition("v", ["p", "r"], "o")
        .done()
    )
    net = replace(net, initial=Marking("i"), final=Marking("o"))
    for found in (structurally_sound(net), generalised_sound(net)):
        assert found.answer == "no"
    assert "'u'" in structurally_sound(net).why
    assert "why" in str(structurally_sound(net))
    with pytest.raises(DefinitionError, match="1 or more"):
        up_to_k_sound(net, 0)


@pytest.mark.parametrize("function", [all_notions, free_choice, prove_guards])
def test_what_is_about_something_else_than_a_net_says_so(function: Any) -> None:
    net = Net.build().places("i", "o").transition("t", "i", "o").done()
    with pytest.raises(DefinitionError, match=f"{function.__name__} takes a "):
        function(net)
