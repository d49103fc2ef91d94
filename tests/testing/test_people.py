"""Stories of people: offers, claims, deadlines, and every order of them."""

from __future__ import annotations

import asyncio

import pytest

from petriflow import Engine, Workflow, human
from petriflow.net.errors import StoryError
from petriflow.patterns import deferred_choice, multiple_instances, parallel, sequence, timer
from petriflow.testing import (
    Advance,
    Claim,
    Complete,
    Expect,
    Release,
    Suspend,
    faked,
    interleavings,
    run_story,
)

from ..patterns.brute import a, b

review = human("review", role="reviewer", asks=["ok"])
FLOW = Workflow("w", sequence(deferred_choice(review, timer("3d", name="patience") >> a), b))


def test_a_claim_decides_and_a_release_does_not_undo_it() -> None:
    story = run_story(FLOW, Expect(running=[], asks=["review"], waits_for=["patience"]))
    assert story.offered == ("review",)
    story.do(Claim("review", by="ann"), Release("review"), Advance("9d"))
    story.do(Expect(asks=["review"], waits_for=[]), Claim("review", by="bob"))
    story.do(Complete("review", {"ok": True}), Complete("b"))
    assert (story.status, story.variables) == ("completed", {"ok": True})
    assert repr(story.steps[0]) == "Claim('review', by='ann')"


def test_completing_claims_and_a_deadline_passes() -> None:
    assert run_story(FLOW, Complete("review", {"ok": True})).running == ("b",)
    late = Workflow("w", human("sign", role="boss", deadline="2d"))
    story = run_story(late, Advance("1d"), Expect(status="running"), Advance("2d"))
    assert story.error == "task 'w': took longer than its deadline of 172800 s"
    assert run_story(late, Claim("w"), Advance("3d")).status == "failed"


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ((Complete("review", {"no": 1}),), "'ok' is missing; 'review' asks for 'ok'"),
        ((Claim("review", by="ann"), Claim("review")), "'ann' holds it"),
        ((Release("review"),), "nobody holds 'review'"),
        ((Suspend(), Claim("review")), "the case is suspended"),
        ((Advance("4d"), Claim("a")), "'a' is no person's task"),
        ((Complete("b"),), "people are asked for: 'review'"),
    ],
)
def test_what_a_person_cannot_do_is_an_error(steps: tuple[object, ...], why: str) -> None:
    with pytest.raises(StoryError) as error:
        run_story(FLOW, *steps)  # type: ignore[arg-type]
    assert why in str(error.value)


def test_every_order_has_the_person_and_the_timer_first_in_turn() -> None:
    runs = list(interleavings(FLOW, fakes={"review": {"ok": True}}))
    assert all(run.status == "completed" for run in runs)
    assert {repr(run.steps[0]) for run in runs} == {"Claim('review')", "Ring('patience')"}
    both = Workflow("w", parallel(review, human("sign", role="boss"), a))
    assert len(list(interleavings(both))) == 6


def test_instances_are_told_apart() -> None:
    story = run_story(Workflow("w", multiple_instances(review, 2)))
    first, second = story.asks
    assert (first, second) == ("review#1", "review#2")
    story.do(Claim(second), Complete(first, {"ok": True}), Complete(second, {"ok": True}))
    assert story.status == "completed"


def test_a_faked_person_needs_nobody() -> None:
    flow = faked(Workflow("w", sequence(review, b)), {"review": {"ok": True}})

    async def main() -> dict[str, object]:
        async with Engine("sqlite://", workflows=[flow]) as engine:
            return (await (await engine.start(flow)).wait()).variables

    assert asyncio.run(main())["ok"] is True
