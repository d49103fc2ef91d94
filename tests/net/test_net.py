"""Nets: what is refused, what is hashed, and what the expanded form is."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given

from petriflow import verify
from petriflow.net import Marking, Net, Place, Transition, replay
from petriflow.net.errors import DefinitionError, NetError, NotEnabled, WorkflowNetError

from ..nets import nets


def door() -> Net:
    return Net.build("door").places("i", "o").transition("open", "i", "o").done()


@pytest.mark.promise("NET-1")
def test_nothing_can_be_changed_once_it_is_built() -> None:
    net = door()
    with pytest.raises(FrozenInstanceError):
        net.name = "gate"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        net.places[0].id = "j"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        net.transitions[0].label = None  # type: ignore[misc]
    with pytest.raises(TypeError):
        net.initial["i"] = 2  # type: ignore[index]
    with pytest.raises(AttributeError):
        Marking("i").tokens = {}  # type: ignore[attr-defined]


REFUSED = {
    "two nodes are named 'i'": Net.build().places("i", "i").done,
    "two nodes are named 'x'": Net.build().place("x").transition("x", "x").done,
    "empty name": Net.build().place(" ").done,
    "consume arc of transition 't' names an unknown place 'q'": Net.build()
    .places("p")
    .transition("t", "q")
    .done,
    "did you mean 'shelf'": Net.build().places("shelf").transition("t", "shelv").done,
    "reset arc of transition 't' names an unknown place": Net.build()
    .transition("t", reset="q")
    .done,
    "initial marking names an unknown place": lambda: Net("n", (), (), Marking("p")),
    "final marking names an unknown place": lambda: Net("n", (), (), final=Marking("p")),
    "resets the final place 'o'": Net.build()
    .places("i", "o")
    .transition("t", "i", "o", reset="o")
    .final("o")
    .done,
    "cancels 'u', which is not a task": Net.build()
    .places("i", "o")
    .transition("t", "i", "o", cancels="u")
    .done,
    "cancels '_u', which is not a task": Net.build()
    .places("i", "o")
    .silent("_u", "i")
    .transition("t", "i", "o", cancels="_u")
    .done,
    "weight 0; a weight is 1 or more": lambda: Net.build().place("p").transition("t", {"p": 0}),
    "weight -1": lambda: Net.build().place("p").transition("t", "p", {"p": -1}),
    "weight 1.5": lambda: Net.build().place("p").transition("t", "p", {"p": 1.5}),  # type: ignore[dict-item]
    "weight True": lambda: Net.build().place("p").transition("t", "p", read={"p": True}),
}


@pytest.mark.promise("NET-2")
@pytest.mark.parametrize("message", REFUSED)
def test_a_net_that_is_not_well_formed_is_refused(message: str) -> None:
    with pytest.raises(NetError, match=message):
        REFUSED[message]()


@pytest.mark.promise("NET-3")
def test_the_hash_is_the_same_in_another_process() -> None:
    code = (
        "from petriflow import Net;"
        "print(Net.build('door').places('i', 'o').transition('open', 'i', 'o').done().content_hash)"
    )
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={**__import__("os").environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.strip() == door().content_hash


@pytest.mark.promise("NET-3")
def test_the_hash_tells_apart_what_differs_and_only_that() -> None:
    net = door()
    _, o = net.places
    (t,) = net.transitions
    others = [
        replace(net, name="gate"),
        replace(net, places=(*net.places, Place("p"))),
        replace(net, transitions=(replace(t, label=None),)),
        replace(net, transitions=(replace(t, consume=Marking({"i": 2})),)),
        replace(net, transitions=(replace(t, read=Marking("o")),)),
        replace(net, transitions=(replace(t, inhibitor=Marking("o")),)),
        replace(net, transitions=(replace(t, reset=frozenset({"i"})),)),
        replace(net, transitions=(t, Transition("u"))),
        replace(net, initial=Marking("i")),
        replace(net, final=Marking("o")),
        net.expanded(),
    ]
    hashes = [n.content_hash for n in (net, *others)]
    assert len(set(hashes)) == len(hashes)
    assert replace(net, places=(Place("i", aliases=("j",)), o)).content_hash == net.content_hash
    assert hash(door()) == hash(net)
    assert door() == net


@pytest.mark.promise("NET-5")
def test_the_expanded_form_tests_at_the_start_and_resets_at_the_end() -> None:
    net = (
        Net.build()
        .places("i", "o", "r", "h", "x")
        .transition("a", "i", "o", read="r", inhibitor="h", reset="x")
        .transition("b", "r", "h", cancels="a")
        .silent("s", "x", "r", cancels="b")
        .done()
        .expanded()
    )
    start, complete = net.transition("a.start"), net.transition("a.complete")
    assert list(start.arcs()) == [
        ("consume", "i", 1), ("produce", "a.running", 1), ("read", "r", 1), ("inhibitor", "h", 1),
    ]  # fmt: skip
    assert list(complete.arcs()) == [
        ("consume", "a.running", 1), ("produce", "o", 1), ("reset", "x", 1),
    ]  # fmt: skip
    assert net.transition("b.complete").reset == {"a.running"}
    assert net.transition("b.start").reset == frozenset()
    assert net.transition("s").reset == {"b.running"}
    assert net.expanded() is net
    assert net.form == "expanded"


@given(nets())
def test_a_firing_of_the_atomic_net_is_a_start_and_a_completion(net: Net) -> None:
    """Where nothing happens in between, the expanded net does what the atomic one does."""
    big, marking = net.expanded(), net.initial_marking
    for t in net.transitions:
        steps = [t.id] if t.silent else [f"{t.id}.start", f"{t.id}.complete"]
        try:
            *_, after = replay(net, [t.id], marking)
        except NotEnabled:
            with pytest.raises(NotEnabled):
                list(replay(big, steps, marking))
            continue
        *_, also = replay(big, steps, marking)
        assert after == also
        marking = after


def test_looking_up_what_is_not_there() -> None:
    with pytest.raises(NetError, match="no transition 'i'"):
        door().transition("i")
    with pytest.raises(NetError, match="unknown place 'open'"):
        door().place("open")
    assert "i" in door()
    assert "j" not in door()


def test_a_builder_that_was_not_ended_says_how() -> None:
    with pytest.raises(DefinitionError, match=r"not yet done\(\)>; end it with \.done\(\)"):
        verify(Net.build("n").places("i", "o").transition("t", "i", "o"))  # type: ignore[arg-type]


def test_a_net_that_goes_round_needs_a_place_before_it() -> None:
    net = Net.build("n").places("i", "o").transition("t", "i", "o").transition("u", "o", "i").done()
    with pytest.raises(WorkflowNetError, match=r"has 0: none; .* put one before all others"):
        _ = net.source
    with pytest.raises(WorkflowNetError, match=r"has 0: none; .* put one after all others"):
        _ = net.sink
