"""The catalogue: every pattern there, sound, drawn, and run by an engine to its end."""

from __future__ import annotations

import asyncio
import xml.etree.ElementTree as ET
from typing import Any

import pytest

import petriflow.patterns as patterns
from petriflow import Engine, Workflow, draw, verify
from petriflow.execution.program import program
from petriflow.net.errors import CompositionError
from petriflow.patterns.catalogue import CATALOGUE, Pattern, net_class, pattern
from petriflow.patterns.fragment import Event
from petriflow.testing import VirtualClock

from .test_reference_nets import REFERENCE

each = pytest.mark.parametrize("one", CATALOGUE, ids=lambda one: str(one.number))


def test_the_catalogue_is_in_order_and_names_what_there_is() -> None:
    numbers = [one.number for one in CATALOGUE]
    assert numbers == list(range(1, 44))
    for one in CATALOGUE:
        for builder in one.builder.split(", "):
            assert builder.partition("(")[0] in patterns.__all__
    assert pattern(9).name == "Structured Discriminator"
    with pytest.raises(CompositionError, match="no pattern 44"):
        pattern(44)


@pytest.mark.promise("PAT-10")
@each
def test_every_example_is_sound_in_both_forms_and_drawn(one: Pattern) -> None:
    flow = Workflow("example", one.example())
    assert verify(flow.net).verdict == "sound"
    assert flow.verify().verdict == "sound"
    assert ET.fromstring(draw(flow.net, captions=flow.captions).svg()).tag.endswith("svg")


@each
async def test_every_example_runs_to_its_end(one: Pattern) -> None:
    """The world answers whatever the case waits for, as soon as it does."""
    given = {"x": 2, "y": 2, "n": 1, "done": True, "enough": True}
    flow = Workflow("example", one.example(), example=given)
    engine = Engine("sqlite://", workflows=[flow], clock=VirtualClock())
    async with engine, asyncio.timeout(10):
        case = await engine.start(flow)
        while (outcome := await case.settle()).status == "running":
            assert outcome.error is None
            await engine.signal(case, first_event(flow, case))
        assert outcome.completed, outcome.error


def first_event(flow: Workflow, case: Any) -> str:
    index = program(flow).net.transition_index
    for transition in reversed(case.waits_for):
        trigger = program(flow).triggers[index[transition]]
        if isinstance(trigger, Event):
            return trigger.name
    raise AssertionError(case.waits_for)


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("01 sequence", "state machine"),
        ("02+03 AND-split/AND-join n=3", "marked graph"),
        ("06+07 OR-split/sync-merge skip-token n=3", "free choice"),
        ("OK21 non-free-choice but sound", "P/T"),
        ("13 MI design-time n=3", "P/T"),
        ("18 milestone with expiry skip", "P/T + read"),
        ("23 transient trigger + lost fallback", "P/T + inhibitor"),
        ("25 cancel region", "P/T + reset"),
    ],
)
def test_the_class_of_a_net(name: str, cls: str) -> None:
    assert net_class(REFERENCE[name].net()) == cls
