"""Every pattern inside others, looped, doubled, chosen, cancelled, refined: all stay sound."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from petriflow.patterns import (
    Fragment,
    cancellable,
    critical_section,
    deferred_choice,
    discriminator,
    event,
    exclusive_choice,
    interleaved_routing,
    milestone,
    multi_choice,
    parallel,
    sequence,
    skip,
    structured_loop,
    timer,
    when,
)
from petriflow.patterns.catalogue import CATALOGUE
from petriflow.patterns.fragment import as_fragment

from .brute import c, d, e, explore, f, faults, late

#: Cancel Case (20) completes anything and so says nothing; the others must hold inside any block.
PATTERNS = {
    f"{p.number} {p.name}": as_fragment(p.example())
    for p in CATALOGUE
    if p.number != 20 and as_fragment(p.example()).ports["exit"].type == "control"
}

AROUND: dict[str, Callable[[Fragment], Fragment]] = {
    "twice in a sequence": lambda x: sequence(x, x),
    "looped until": lambda x: structured_loop(x, until="x"),
    "looped while": lambda x: structured_loop(sequence(e, x), while_="x"),
    "a loop in a loop": lambda x: structured_loop(
        sequence(structured_loop(x, until="x"), e), until="y"
    ),
    "in parallel": lambda x: parallel(x, e),
    "chosen": lambda x: exclusive_choice(when("x", x), otherwise=e),
    "one of several": lambda x: multi_choice(when("x", x), when("y", e), otherwise=skip),
    "raced": lambda x: discriminator(x, e, then=f),
    "raced and withdrawn": lambda x: discriminator(x, e, cancel=True, then=f),
    "looped, raced and withdrawn": lambda x: structured_loop(
        discriminator(x, e, cancel=True), until="x"
    ),
    "withdrawn by an event": lambda x: cancellable(x, by=event("stop"), then=e),
    "withdrawn by a task": lambda x: structured_loop(cancellable(x, by=late), until="x"),
    "under a lock": lambda x: critical_section(x, e),
    "routed": lambda x: interleaved_routing(x, e),
    "after an event": lambda x: deferred_choice(sequence(event("go"), x), timer(5)),
    "under a milestone": lambda x: milestone(c, d, x, expired=skip),
}


@pytest.mark.promise("PAT-10")
@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_inside_another_is_sound(pattern: str, around: str) -> None:
    whole = AROUND[around](PATTERNS[pattern])
    for net in (whole.net, whole.net.expanded()):
        assert faults(explore(net, 60_000)) == []


#: In these a task can run several times at once, so that its instances' tokens would mix.
MANY = {8, 12, 13, 14, 15, 26, 27, 28, 31, 33, 34, 35, 36, 41, 42}


@pytest.mark.promise("PAT-9")
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_task_of_a_pattern_can_be_replaced_by_a_block(pattern: str) -> None:
    """By one of two branches, of which the second loops."""
    inner = parallel(e, structured_loop(f, until="z"), name="inner")
    whole = PATTERNS[pattern]
    for task in whole.tasks:
        refined = structured_loop(sequence(whole.refine(task, inner)), until="again")
        assert faults(explore(refined.net, 60_000)) == []
        if int(pattern.split()[0]) not in MANY:
            assert faults(explore(refined.net.expanded(), 60_000)) == []
