"""Stories of incidents and compensation."""

from __future__ import annotations

from typing import Any

import pytest

from petriflow import Engine, TaskContext, Workflow, call, task
from petriflow.net.errors import StoryError
from petriflow.patterns import exclusive_choice, parallel, sequence, when
from petriflow.testing import (
    Advance,
    Cancel,
    Complete,
    Expect,
    Fail,
    GiveUp,
    Resume,
    Retry,
    Skip,
    Suspend,
    VirtualClock,
    faked,
    interleavings,
    raising,
    run_story,
)


def nothing(case: Any) -> None: ...


def booking(name: str, **limits: Any) -> Any:
    return task(name=name, compensate=task(name=f"un{name}", **limits)(nothing))(nothing)


trip = Workflow(
    "trip",
    sequence(
        booking("flight"),
        booking("hotel", retries=1, delay="1h"),
        task(name="pay", on_failure="incident")(nothing),
    ),
)
BOOKED = Complete("flight", {"flight": 7}), Complete("hotel")


@pytest.mark.promise("RUN-25", "RUN-27")
def test_a_story_of_a_trip_that_is_given_up() -> None:
    story = run_story(trip, *BOOKED, Fail("pay", "card declined"))
    story.do(Expect(running=[], incidents=["pay"], status="running"))
    assert story.incidents == {"pay": "task 'trip/pay': card declined"}
    again = story.copy().do(Retry({"card": "gold"}, at="pay"), Complete("pay"))
    assert (again.status, again.variables["card"]) == ("completed", "gold")
    skipped = story.copy().do(Skip("pay", {"paid": "by hand"}))
    assert skipped.variables["paid"] == "by hand"
    story.do(GiveUp("pay", "no money"), Expect(running=["hotel.undo"], status="running"))
    assert "given up: no money" in (story.error or "")
    story.do(Fail("unhotel", "busy"), Advance("1h"), Fail("unhotel", "busy"))
    story.do(Expect(incidents=["hotel.undo"], running=[]), Skip("hotel.undo"))
    story.do(Suspend(), Complete("flight.undo"), Expect(status="failed"))


def test_a_suspended_story_undoes_nothing_more() -> None:
    story = run_story(trip, *BOOKED, Cancel("enough"), Suspend(), Complete("hotel.undo"))
    story.do(Expect(running=[], status="suspended"), Resume(), Expect(running=["flight.undo"]))
    assert story.error == "being given up: enough"
    assert story.do(Complete("unflight")).status == "cancelled"


def test_an_undo_is_told_of_the_firing_that_it_undoes() -> None:
    seen: list[TaskContext] = []
    story = run_story(trip, *BOOKED, Cancel(), fakes={"unhotel": None, "flight.undo": seen.append})
    story.do(Complete("unhotel"), Complete("unflight"))
    (context,) = seen
    assert context.undoes == "story/trip/flight/1"
    assert context["flight"] == 7


def test_a_call_ends_with_the_story_that_is_given_up() -> None:
    flow = Workflow("w", sequence(booking("a"), call(Workflow("inner", nothing))))
    story = run_story(flow, Complete("a"), Expect(running=["inner"]), Cancel())
    assert story.do(Expect(running=["a.undo"]), Complete("a.undo")).status == "cancelled"


def test_a_step_that_cannot_be_says_what_could() -> None:
    with pytest.raises(StoryError, match="no incident 'gone'; it waits for a person at 'trip/pay'"):
        run_story(trip, *BOOKED, Fail("pay"), Skip("gone"))
    with pytest.raises(StoryError, match="the case waits for no person"):
        run_story(trip, Retry())
    choice = exclusive_choice(when("n > 1", nothing), when("n < 0", booking("b")), exhaustive=True)
    flow = Workflow("w", choice)
    with pytest.raises(StoryError, match="cannot take 'c'"):
        run_story(flow, Skip("w", take="c"), variables={"n": 0})
    story = run_story(flow, Skip("w", take="b"), Complete("b"), variables={"n": 0})
    assert story.status == "completed"


@pytest.mark.promise("RUN-27")
def test_whatever_the_order_a_failing_branch_undoes_just_what_had_completed() -> None:
    """Every order in which three bookings can end, one of which always fails."""
    flow = Workflow("w", parallel(booking("a"), booking("b"), task(name="c")(nothing)))
    runs = list(interleavings(flow, fakes={"c": raising(OSError("no"))}))
    for run in runs:
        steps = [step.task for step in run.steps if isinstance(step, Complete)]
        done = [name for name in steps if not name.endswith(".undo")]
        assert steps[len(done) :] == [f"{name}.undo" for name in reversed(done)], run
        assert run.status == "failed", run
    assert len(runs) == 5


@pytest.mark.promise("RUN-27")
async def test_an_engine_ends_a_trip_as_the_story_does() -> None:
    fakes: dict[str, Any] = {
        "flight": {"flight": 7},
        "pay": raising(OSError("declined")),
        "unflight": lambda case: {"back": case["flight"]},
    }
    story = run_story(trip, *BOOKED, Fail("pay"), GiveUp("pay", "no"), fakes=fakes)
    story.do(Complete("unhotel"), Complete("unflight"))
    tested = faked(trip, fakes)
    assert tested.content_hash == trip.content_hash
    async with Engine("sqlite://", workflows=[tested], clock=VirtualClock()) as engine:
        case = await engine.start(tested, {})
        await case.settle()
        await case.fail("pay", "no")
        outcome = await case.wait()
    assert (outcome.status, outcome.error) == (story.status, story.error)
    assert outcome.variables == story.variables == {"flight": 7, "back": 7}
