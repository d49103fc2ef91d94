"""Each rung of the ladder by itself: its verdict is the definition's, and its certificate holds."""

from __future__ import annotations

import csv
import json
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from petriflow.analysis import Report, structure, verify
from petriflow.analysis.checking.check import check_certificate
from petriflow.analysis.soundness import ladder
from petriflow.analysis.soundness.free_choice import free_choice
from petriflow.analysis.soundness.ladder import Found, Question
from petriflow.analysis.space.stubborn import applies, explore_stubborn
from petriflow.formats import read_pnml
from petriflow.net import Marking, Net, enabled, fire, replay

from ..nets import brute_force, is_sound
from .test_notions import can_reach, ordinary_nets
from .test_reduction import branches, damaged, judged

Rung = Callable[[Question], Found | None]
RUNGS = {rung.__name__.strip("_"): rung for rung in ladder.LADDER}


@contextmanager
def only(*names: str) -> Iterator[None]:
    """The ladder has only these rungs, and a short look sees next to nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ladder, "LADDER", tuple(RUNGS[name] for name in names))
        if "short_look" not in names:
            patch.setattr(ladder, "SHORT_LOOK", 0)
            patch.setattr(ladder, "LEAST", 1)
        yield


def holds(report: Report, net: Net) -> str:
    """Whether the certificate holds, after a journey as JSON."""
    return check_certificate(json.loads(json.dumps(report.certificate)), net).holds


@pytest.mark.slow
@pytest.mark.promise("VERIFY-11")
@pytest.mark.parametrize("rung", RUNGS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(pair=judged())
def test_a_rung_is_right_or_silent_and_its_certificate_holds(
    rung: str, pair: tuple[Net, dict[Marking, Any]]
) -> None:
    net, graph = pair
    with only(rung):
        report = verify(net, max_markings=5_000)
    if report.verdict == "unknown":
        assert report.certificate["proof"] is None
        assert report.certificate["reason"]
        return
    assert report.verdict == ("sound" if is_sound(net, graph) else "unsound")
    assert holds(report, net) == "yes"
    for fault in report.faults:
        *_, last = replay(net, fault.trace)
        assert last == fault.marking
    notions = report.notions
    end = Marking(net.sink.id)
    fully = can_reach(graph, {end})
    useful = {t for firings in graph.values() for t, after in firings if after in fully}
    for told, so in {
        notions.weak: fully == graph.keys() and not any(end < m for m in graph),
        notions.easy: end in graph,
        notions.relaxed: useful == {t.id for t in net.transitions},
    }.items():
        assert told in ("unknown", "yes" if so else "no")


@pytest.mark.slow
@pytest.mark.promise("VERIFY-11")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(ordinary_nets(), st.integers(1, 2))
def test_the_rank_theorem_agrees_with_exploration(net: Net, k: int) -> None:
    net = replace(net, initial=Marking("i"), final=Marking("o"))
    found = free_choice(structure(net))
    assume(found is not None)
    assert found is not None
    many = replace(net, initial=Marking({"i": k}), final=Marking({"o": k}))
    graph = brute_force(many, 400)
    if graph is None:  # more tokens than any sound net of this size could have
        assert not found.sound
        return
    end = Marking({"o": k})
    sound = (
        can_reach(graph, {end}) == graph.keys()
        and not any(end < m for m in graph)
        and {t for firings in graph.values() for t, _ in firings} == {t.id for t in net.transitions}
    )
    if k == 1 or found.sound:
        assert found.sound == sound
    if found.sound:  # then it is safe as well
        assert max(n for m in graph for n in m.values()) <= k
    if not sound:
        with only("failed_theorem"):
            report = verify(net)
        if k == 1:
            assert report.verdict == "unsound"
            assert holds(report, net) == "yes"


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(judged())
def test_stubborn_sets_leave_out_markings_but_no_end_and_no_step(
    pair: tuple[Net, dict[Marking, Any]],
) -> None:
    net, graph = pair
    assume(applies(net))
    reduced = explore_stubborn(net, net.initial_marking, 5_000)
    seen = {reduced.marking(n) for n in range(len(reduced.states))}
    assert seen <= graph.keys()
    ends = {m for m, firings in graph.items() if not firings}
    assert {reduced.marking(n) for n in reduced.stuck()} == ends
    for n in range(len(reduced.states)):
        *_, last = replay(net, reduced.trace(n))
        assert last == reduced.marking(n)
    end = Marking(net.sink.id)
    if end in ends:
        goal = reduced.state(end)
        assert goal is not None
        far = reduced.distances(goal)
        good = can_reach(graph, {end})
        assert {reduced.marking(n) for n, d in enumerate(far) if d >= 0} == seen & good
        assert (min(far) >= 0) == (good == graph.keys())


@pytest.mark.promise("VERIFY-11")
@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(net=damaged(), rung=st.sampled_from(["reduction", "stubborn", "search"]))
def test_certificates_hold_for_workflows_with_a_bent_arc(net: Net, rung: str) -> None:
    assume(len(net.sinks) == 1 or net.final)
    with only(rung):
        report = verify(net, max_markings=5_000)
    if report.verdict != "unknown" and report.certificate["proof"] is not None:
        assert holds(report, net) == "yes"


@pytest.mark.promise("VERIFY-11")
@pytest.mark.slow
@pytest.mark.parametrize("library", ["A", "B1", "Model"])
def test_every_verdict_on_industrial_nets_is_right_and_can_be_checked(
    corpora: Path, library: str
) -> None:
    """By the whole ladder; and without a short look, so that the later rungs have work."""
    folder = corpora / "industrial"
    methods: Counter[str] = Counter()
    with (folder / "verdicts.csv").open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["file"].startswith(f"{library}.")]
    assert len(rows) > 90
    for row in rows:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net = read_pnml(folder / row["file"])
        for names in (list(RUNGS), [n for n in RUNGS if n not in ("short_look", "random_walk")]):
            with only(*names):
                report = verify(net)
            methods[report.method] += 1
            assert report.verdict == row["verdict"], row["file"]
            assert holds(report, net) == "yes", row["file"]
    assert len(methods) >= 3


@pytest.mark.promise("VERIFY-10")
def test_what_is_too_large_to_explore_is_certified_in_a_few_lines() -> None:
    net = branches(50, 20)
    for rung, kind in {
        "block_structure": "blocks",
        "reduction": "reduction",
        "rank_theorem": "free-choice",
        "stubborn": "reduction",
    }.items():
        with only(rung):
            report = verify(net)
        assert (rung, report.verdict) == (rung, "sound")
        assert report.certificate["proof"]["kind"] == kind
        assert holds(report, net) == "yes"


def test_a_loop_in_many_concurrent_branches_is_told_by_the_smaller_net() -> None:
    """A livelock among so many other markings that only those of the smaller net can be listed."""
    builder = Net.build("caught").places("i", "trap", "round", "o", "good")
    builder.transition("lose", "i", "trap").transition("win", "i", "good")
    builder.transition("there", "trap", "round").transition("back", "round", "trap")
    net = branches(12, 4)
    builder.places(*(f"x{p.id}" for p in net.places))
    for t in net.transitions:
        builder.transition(
            f"x{t.id}", *([f"x{p}" for p in side] for side in (t.consume, t.produce))
        )
    builder.transition("fork", "good", "xi").transition("end", "xo", "o")
    report = verify(builder.final("o").done())
    assert report.verdict == "unsound"
    assert report.witness is not None
    assert report.witness.kind in ("livelock", "no-option")
    assert holds(report, report.net) == "yes"
    *_, last = replay(report.net, report.witness.trace)
    seen, todo = {last}, [last]
    while todo:
        here = todo.pop()
        for after in {fire(t, here) for t in enabled(report.net, here)} - seen:
            seen.add(after)
            todo.append(after)
    assert Marking("o") not in seen
