"""Alignments against brute force, and the engine's own histories, which always fit."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from petriflow import Engine, Net, Workflow
from petriflow.analysis import conformance
from petriflow.formats.event_log import EventLog, read_log
from petriflow.net import Marking, enabled, fire
from petriflow.net.errors import DefinitionError
from petriflow.patterns import (
    cancellable,
    discriminator,
    event,
    exclusive_choice,
    multi_choice,
    parallel,
    sequence,
    skip,
    structured_loop,
    timer,
    when,
)
from petriflow.testing import VirtualClock


def step(name: str) -> Any:
    def body(case: Any) -> None: ...

    body.__name__ = body.__qualname__ = name
    return body


A, B, C, D = map(step, "abcd")
NETS = {
    "sequence": sequence(A, B, C),
    "parallel": parallel(A, B, C),
    "choice": exclusive_choice(when("x", A), otherwise=sequence(B, C)),
    "skippable": sequence(A, exclusive_choice(when("x", B), otherwise=skip), C),
    "multi-choice": multi_choice(when("x", A), when("y", B), otherwise=C),
    "loop": structured_loop(sequence(A, B), until="x"),
    "discriminator": discriminator(A, B, C, required=2, then=D),
}


def words(net: Net, longest: int) -> set[tuple[str, ...]]:
    """What the net can do from beginning to end, by the plain firing rule."""
    final = Marking(net.sink.id)
    found, seen = set(), {(net.initial_marking, ())}
    todo: list[tuple[Any, tuple[str, ...]]] = [*seen]
    while todo:
        marking, word = todo.pop()
        if marking == final:
            found.add(word)
        for t in enabled(net, marking):
            longer = word if t.silent else (*word, str(t.label))
            after = fire(t, marking, net), longer
            if len(longer) <= longest and after not in seen:
                seen.add(after)
                todo.append(after)
    return found


def distance(trace: tuple[str, ...], word: tuple[str, ...]) -> int:
    """How many letters are to be taken out of both until they are the same."""
    row = list(range(len(word) + 1))
    for n, letter in enumerate(trace, 1):
        before, row[0] = row[:], n
        for m, other in enumerate(word, 1):
            row[m] = before[m - 1] if letter == other else 1 + min(before[m], row[m - 1])
    return row[-1]


@pytest.mark.promise("LOG-2")
@pytest.mark.parametrize("name", NETS)
def test_the_cost_is_the_least_over_all_that_the_net_can_do(name: str) -> None:
    net = NETS[name].net
    language = words(net, 7)
    least = min(map(len, language))
    traces = [t for n in range(5) for t in itertools.product("abd", repeat=n)]
    log = EventLog.of({str(n): trace for n, trace in enumerate(traces)})
    found = {a.activities: a for a in conformance(net, log).alignments}
    for trace in traces:
        aligned = found[trace]
        cost = min(distance(trace, word) for word in language)
        assert len(aligned.deviations) == cost
        assert aligned.fitness == pytest.approx(1 - cost / (len(trace) + least))
        marking = net.initial_marking
        done = []
        for id in aligned.run:  # the run that it tells of is one of the net
            t = next(t for t in net.transitions if t.id == id)
            done += [] if t.silent else [t.label]
            marking = fire(t, marking, net)
        assert marking == Marking(net.sink.id)
        kept = [a for n, a in enumerate(trace) if n not in extras(aligned)]
        lacks = sorted(d.activity for d in aligned.deviations if d.kind == "missing")
        assert sorted([*kept, *lacks]) == sorted(map(str, done))


def extras(aligned: Any) -> set[int]:
    return {d.at for d in aligned.deviations if d.kind == "extra"}


def test_each_deviation_is_named() -> None:
    log = EventLog.of({"1": ["a", "c", "x"]})
    found = conformance(NETS["sequence"].net, log)
    assert [str(d) for d in found.alignments[0].deviations] == [
        "'b' is missing after event 1",
        "event 3, 'x', cannot happen there",
    ]
    assert (found.fits, "1 deviate" in str(found)) == (False, True)


def test_open_cases_may_stop_anywhere() -> None:
    log = EventLog.of({"1": ["a", "b"]})
    assert conformance(NETS["sequence"].net, log).fits is False
    assert conformance(NETS["sequence"].net, log, open_cases=True).fits


def test_a_limit_that_is_reached_is_no_verdict() -> None:
    many = parallel(*(step(f"s{n}") for n in range(12)))
    log = EventLog.of({"1": ["x"]})
    found = conformance(many.net, log, max_states=100)
    assert (found.fits, found.fitness) == (None, None)
    assert "unknown" in str(found)


def test_a_net_without_tasks_is_refused() -> None:
    net = Net.build().places("i", "o").silent("t", "i", "o").done()
    with pytest.raises(DefinitionError, match="no task"):
        conformance(net, EventLog.of({"1": ["a"]}))


@pytest.mark.promise("LOG-3")
@pytest.mark.parametrize("name", NETS)
async def test_what_the_engine_has_done_fits_the_net(name: str, tmp_path: Path) -> None:
    flow = Workflow("w", NETS[name], example={"x": True, "y": True})
    async with Engine("sqlite://", workflows=[flow]) as engine:
        for x, y in itertools.product([True, False], repeat=2):
            if name != "loop" or x:
                await (await engine.start(flow, {"x": x, "y": y})).wait()
        log = await engine.log(flow)
    assert len(log) in (2, 4)
    log.save(tmp_path / "x.xes")
    found = conformance(flow.net, read_log(tmp_path / "x.xes"))
    assert (found.fits, found.fitness) == (True, 1.0)
    assert not conformance(NETS["sequence"].net, log).fits or name == "sequence"


async def test_withdrawn_work_fits_too() -> None:
    async def slow(case: Any) -> None:
        await clock.sleep(100)

    clock = VirtualClock(now=0)
    late = Workflow("w", cancellable(slow, by=timer("10s"), then=step("late")))
    waits = Workflow("v", sequence(step("a"), event("go"), step("b")))
    async with Engine("sqlite://", workflows=[late, waits], clock=clock) as engine:
        await (await engine.start(late)).wait()
        await (await engine.start(waits)).settle()
        gone, open_ = await engine.log("w"), await engine.log("v")
    assert [e.activity for e in gone[0].events] == ["slow", "late", "late"]
    assert conformance(late.net, gone).fits
    assert conformance(waits.net, open_, open_cases=True).fits
    assert conformance(waits.net, open_).fits is False
