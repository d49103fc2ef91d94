"""The published numbers and verdicts of the workflow patterns, and the faults of the bad ones."""

from __future__ import annotations

import re

import pytest

from petriflow.analysis import StateSpace, explore, structure, verify
from petriflow.net import Marking, is_enabled, replay

from .reference import Published, published

REFERENCE = published()
VERDICTS = {"Y": "sound", "n": "unsound", "?": "unknown"}
KINDS = {
    "unbounded": "unbounded",
    "improper": "improper-completion",
    "deadlock": "deadlock",
    "livelock": "livelock",
    "dead transition": "dead-transitions",
}
each = pytest.mark.parametrize("row", REFERENCE, ids=lambda row: row.name)


def test_the_reference_is_whole() -> None:
    assert len(REFERENCE) == 83


@pytest.mark.promise("VERIFY-1")
@pytest.mark.parametrize("form", ["atomic", "expanded"])
@each
def test_counts_and_verdicts_are_the_published_ones(row: Published, form: str) -> None:
    size, sound = row.atomic if form == "atomic" else row.expanded
    report = verify(row.net(), form=form if form == "expanded" else None)
    assert report.verdict == VERDICTS[sound]
    assert report.form == form
    counted = "-" if report.markings is None else f"{report.markings}/{report.edges}"
    assert counted == size
    if form == "atomic":
        assert str(report.bound) == row.bound.replace("unb", "unbounded")


@pytest.mark.promise("VERIFY-9")
@each
def test_the_notions_are_the_published_ones(row: Published) -> None:
    report = verify(row.net())
    words = {"sound": "Y", "unsound": "n", "yes": "Y", "no": "n", "unknown": "?"}
    ours = "".join(words[answer] for answer in (report.verdict, *report.notions.to_json().values()))
    assert all(theirs in (one, "?") for one, theirs in zip(ours, row.notions, strict=True))


@each
def test_the_classes_are_the_published_ones(row: Published) -> None:
    seen = structure(row.net())
    assert seen.free_choice == row.free_choice
    assert seen.workflow_net == row.workflow_net


@each
def test_every_stated_failure_is_found(row: Published) -> None:
    told = row.failure
    report = verify(row.net(), form="expanded" if "BAD12" in row.name else None)
    found = {fault.kind: fault for fault in report.faults}
    if row.atomic[1] == "?":
        assert "grow without end" in "".join(report.warnings)
        return
    assert bool(told) == bool(found)
    for part in filter(None, told.split(";")):
        word = next(word for word in KINDS if part.strip().startswith(word))
        fault = found[KINDS[word]]
        rest = part.strip().removeprefix(word).removeprefix(":").strip()
        match word:
            case "improper" | "deadlock":
                markings = [
                    Marking(m.replace("run_A", "A.running").split("+")) for m in rest.split(", ")
                ]
                # `2o` is written as a weight, and stands for one of several.
                assert fault.marking in markings
            case "dead transition":
                assert set(rest.split(",")) <= set(fault.transitions)
            case "unbounded":
                grows = rest.split()[0]
                assert fault.marking[grows] > 0
            case "livelock":
                assert set(fault.marking) <= set(rest.split(","))


@pytest.mark.promise("VERIFY-4")
@each
def test_every_witness_replays_to_its_marking_and_shows_its_fault(row: Published) -> None:
    for form in ("atomic", "expanded"):
        report = verify(row.net(), form=form if form == "expanded" else None, max_markings=5_000)
        for fault in report.faults:
            *_, last = replay(report.net, fault.trace)
            assert last == fault.marking
            able = [t.id for t in report.net.transitions if is_enabled(t, last, report.net)]
            match fault.kind:
                case "deadlock":
                    assert not able
                    assert last != Marking("o")
                case "improper-completion":
                    assert Marking("o") < last
                case "livelock":
                    assert able
                    assert set(able) <= set(fault.transitions)
                case "unbounded":
                    before = list(replay(report.net, fault.trace))[-1 - len(fault.transitions)]
                    assert before < last
                case "dead-transitions":
                    space = explore(report.net)
                    assert not {t for t in fault.transitions if _can_fire(space, t)}


def _can_fire(space: StateSpace, transition: str) -> bool:
    t = space.net.transition(transition)
    return any(is_enabled(t, space.marking(n), space.net) for n in range(space.markings))


def test_every_appendix_net_is_read_completely() -> None:
    """As many transitions as there are arrows in the text."""
    for row in published():
        assert len(row.net().transitions) == len(re.findall("→", row.text)), row.name
