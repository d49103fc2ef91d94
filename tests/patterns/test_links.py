"""Locks, stages and regions that are joined by name across the branches of a workflow."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest

from petriflow import Engine, TaskContext, Workflow, task
from petriflow.net import Marking, Net, enabled, fire
from petriflow.net.errors import CompositionError
from petriflow.patterns import (
    Fragment,
    cancel_region,
    cancellable,
    discriminator,
    during,
    event,
    explicit_termination,
    holding,
    linked,
    parallel,
    region,
    sequence,
    skip,
    stage,
    structured_loop,
    thread_merge,
    thread_split,
    withdraw,
)
from petriflow.patterns.fragment import within

from ..execution.test_engine import until
from .brute import a, b, c, d, e, explore, faults, runs, tokens_within

MINE = holding("lock", sequence(a, b), name="mine")
YOURS = holding("lock", c, name="yours")

#: Each holds a lock in several places, some of which are cancelled.
LOCKED: dict[str, Fragment] = {
    "in parallel": parallel(MINE, YOURS),
    "in threads": sequence(thread_split(3), holding("lock", a, name="mine"), thread_merge(3)),
    "beside other steps": parallel(sequence(d, MINE), sequence(YOURS, e)),
    "one is withdrawn": parallel(cancellable(MINE, by=event("stop")), YOURS),
    "one is withdrawn by a task": parallel(cancellable(MINE, by=d, then=e), YOURS),
    "one of three": parallel(
        cancellable(MINE, by=event("stop")), YOURS, holding("lock", d, name="his")
    ),
    "two are withdrawn": parallel(
        cancellable(MINE, holding("lock", d, name="his"), by=event("stop")), YOURS
    ),
    "two are withdrawn, each by itself": parallel(
        cancellable(MINE, by=event("stop"), name="one"),
        cancellable(YOURS, by=event("halt"), name="two"),
    ),
    "withdrawn from two sides": parallel(
        cancellable(cancellable(MINE, by=event("stop"), name="inner"), by=event("halt")), YOURS
    ),
    "withdrawn inside": parallel(
        holding("lock", cancellable(a, b, by=event("stop")), name="mine"), YOURS
    ),
    "beside an event": parallel(
        cancel_region(MINE, beside=sequence(event("go"), d), by=event("stop"), then=e), YOURS
    ),
    "raced": parallel(discriminator(MINE, holding("lock", d, name="his"), cancel=True), YOURS),
    "ended": parallel(explicit_termination(MINE, sequence(event("x"), d)), YOURS),
    "far away": parallel(
        region("work", MINE, then=d), sequence(YOURS, event("stop"), withdraw("work"))
    ),
    "looped": structured_loop(parallel(cancellable(MINE, by=event("stop")), YOURS), until="x"),
    "a lock of its own each time": structured_loop(
        linked(parallel(cancellable(MINE, by=event("stop")), YOURS)), until="x"
    ),
}


def closed(fragment: Fragment) -> Fragment:
    return Workflow("w", fragment).fragment


def inside(net: Net, marking: Marking) -> int:
    """How many sections are between acquire and release."""
    paths = {t.id.removesuffix(".acquire") for t in net.transitions if t.id.endswith(".acquire")}
    return sum(
        n
        for path in paths
        for place, n in tokens_within(path, marking).items()
        if within(f"{path}/", place) or place.startswith(f"{path}/")
    )


@pytest.mark.promise("PAT-15")
@pytest.mark.parametrize("name", LOCKED)
def test_a_lock_is_held_by_one_section_and_always_given_back(name: str) -> None:
    """The lock lies there exactly when nobody has it, but for the step after a cancellation."""
    fragment = closed(LOCKED[name])
    for net in (fragment.net, fragment.net.expanded()):
        space = explore(net, 60_000)
        assert faults(space) == []
        (lock,) = [p.id for p in net.places if p.id.endswith(".lock-lock")]
        begun = [m for m in space.markings if any(lock in fire(t, m) for t in enabled(net, m))]
        assert begun
        for marking in space.markings:
            assert marking[lock] <= 1
            assert not (marking[lock] and inside(net, marking)), str(marking)


@pytest.mark.promise("PAT-15")
def test_two_sections_are_never_inside_at_once() -> None:
    for name, fragment in LOCKED.items():
        if name in ("withdrawn inside",):  # two branches of one section
            continue
        net = closed(fragment).net.expanded()
        assert max(inside(net, m) for m in explore(net, 60_000).markings) == 1, name


@pytest.mark.promise("PAT-15")
def test_without_giving_back_the_other_section_would_wait_for_ever() -> None:
    """The naive region is what the linked one mends: its verdict differs, so it is needed."""
    fragment = closed(LOCKED["one is withdrawn"])
    places = {p.id for p in fragment.net.places}
    naive = [t for t in fragment.net.transitions if ".give-back-" not in t.id]
    net = Net("naive", fragment.net.places, tuple(naive))
    assert any("no way" in fault for fault in faults(explore(net)))
    assert any(".held-lock" in p for p in places)


def test_a_task_looks_at_a_stage_of_another_branch() -> None:
    body = parallel(
        sequence(a, stage("open", b), c),
        during("open", d, expired=e),
    )
    words = runs(closed(body).net, 4)
    assert all(("d" in word) != ("e" in word) for word in words)
    before = [word for word in words if "d" in word]
    # d begins after a and before c can have come twice; e only when b is over
    assert all(word.index("a") < word.index("d") for word in before)
    assert all(word.index("b") < word.index("e") for word in words if "e" in word)
    assert {"abdc", "adbc", "abcd"} & {"".join(word) for word in before} >= {"abdc", "adbc"}
    for net in (closed(body).net, closed(body).net.expanded()):
        assert faults(explore(net)) == []


def test_a_stage_in_a_loop_opens_again() -> None:
    body = structured_loop(
        linked(parallel(sequence(a, stage("open", b)), during("open", c, expired=skip))),
        until="x",
    )
    assert faults(explore(closed(body).net.expanded())) == []
    looped = parallel(
        structured_loop(sequence(a, stage("open", b)), until="x"),
        structured_loop(during("open", c, expired=d), until="y"),
    )
    space = explore(closed(looped).net.expanded())
    assert faults(space) == []
    assert space.bound == 1


def test_a_stage_without_a_way_out_is_found_unsound() -> None:
    body = parallel(sequence(a, stage("open", b)), during("open", c, unsafe_ok=True))
    report = Workflow("w", body).verify()
    assert report.verdict == "unsound"


def test_a_region_is_withdrawn_from_another_branch_or_ends_by_itself() -> None:
    body = parallel(region("work", a, sequence(b, c), then=d), sequence(e, withdraw("work")))
    for net in (closed(body).net, closed(body).net.expanded()):
        assert faults(explore(net)) == []
    words = {"".join(word) for word in runs(closed(body).net, 5)}
    assert {"ed", "aed", "abed", "abce", "eabc"} <= words
    assert all(word.index("e") < word.index("d") == len(word) - 1 for word in words if "d" in word)


@pytest.mark.promise("PAT-13")
@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: during("s", a), "'s' is over.*expired=skip"),
        (
            lambda: Workflow("w", parallel(a, during("s", b, expired=skip))).net,
            "during.*needs the stage 's'.*there is none",
        ),
        (
            lambda: Workflow("w", parallel(stage("t", a), during("s", b, expired=skip))).net,
            "needs the stage 's'.*there is t",
        ),
        (
            lambda: Workflow("w", parallel(region("s", a), during("s", b, expired=skip))).net,
            "nobody withdraws|is a region",
        ),
        (
            lambda: linked(parallel(during("s", b, expired=skip), region("s", a), withdraw("s"))),
            "needs the stage 's'.*region-?.*is a region",
        ),
        (lambda: Workflow("w", parallel(a, withdraw("r"))).net, "needs the region 'r'"),
        (lambda: Workflow("w", parallel(a, region("r", b))).net, "nobody withdraws"),
        (
            lambda: linked(sequence(stage("s", a), stage("s", b))),
            "'sequence/stage-1' and 'sequence/stage-2' are both the stage 's'",
        ),
        (lambda: linked(sequence(a, b)), "no lock, stage or region"),
        (lambda: holding("a/b", a), "reserved for paths"),
    ],
)
def test_links_that_do_not_fit_are_refused(build: Callable[[], object], words: str) -> None:
    with pytest.raises(CompositionError) as refused:
        build()
    assert re.search(words, str(refused.value)), refused.value


def test_a_refined_section_keeps_its_lock() -> None:
    body = parallel(cancellable(MINE, by=event("stop")), YOURS)
    refined = body.refine("mine/sequence-1/a", parallel(d, e))
    net = closed(refined).net.expanded()
    assert faults(explore(net)) == []
    assert max(inside(net, m) for m in explore(net).markings) == 2  # d and e, but not c
    assert not any(
        inside(net, m) and m["w/yours/c.running"] and m["w/cancellable-1/mine/sequence-1/b.in"]
        for m in explore(net).markings
    )


@pytest.mark.promise("PAT-15")
async def test_the_engine_gives_a_lock_back_when_its_holder_is_withdrawn() -> None:
    told: list[str] = []

    @task
    async def long(case: TaskContext) -> None:
        told.append("long began")
        try:
            await asyncio.sleep(600)
        finally:
            told.append("long was cancelled")

    @task
    async def other(case: TaskContext) -> None:
        told.append("other")

    flow = Workflow(
        "w",
        parallel(
            cancellable(holding("lock", long), by=event("stop")),
            sequence(event("go"), holding("lock", other)),
        ),
    )
    async with Engine("sqlite://", workflows=[flow]) as engine:
        case = await engine.start(flow)
        await until(lambda: told)
        await engine.signal(case.id, "go")
        await until(lambda: not any("go" in id for id in case.waits_for))
        assert told == ["long began"]
        await engine.signal(case.id, "stop")
        assert (await case.wait()).completed
    assert told[0] == "long began"
    assert sorted(told[1:]) == ["long was cancelled", "other"]
