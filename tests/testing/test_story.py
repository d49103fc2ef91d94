"""`Story`: what a test says happens, and nothing else does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from petriflow import Engine, Workflow, task
from petriflow.net.errors import DefinitionError, StoryError
from petriflow.patterns import (
    deferred_choice,
    event,
    exclusive_choice,
    growing_instances,
    multiple_instances,
    parallel,
    sequence,
    timer,
    when,
)
from petriflow.testing import (
    Advance,
    Cancel,
    Choose,
    Complete,
    Expect,
    Fail,
    Resume,
    Retry,
    Ring,
    Signal,
    Story,
    Suspend,
    faked,
    raising,
    run_story,
)

from ..execution.test_interleavings import EXECUTABLE


def pick(case: Any) -> None:
    raise AssertionError("a real body ran")


@task(retries=1, delay="10s", timeout="1m")
def pay(case: Any) -> None:
    raise AssertionError("a real body ran")


def ship(case: Any) -> None:
    raise AssertionError("a real body ran")


ORDER = Workflow("order", sequence(parallel(pick, pay), ship))
OFFER = Workflow(
    "offer",
    deferred_choice(sequence(event("accepted"), ship), sequence(timer("7d", name="week"), pick)),
)


def test_no_real_body_runs_and_a_fake_gives_what_it_says() -> None:
    story = Story(ORDER, {"total": 3}, fakes={"pay": lambda case: {"paid": case["total"]}})
    story.do(
        Expect(status="running", running=["pick", "pay"]),
        Complete("pick"),
        Complete("pay"),
        Expect(running={"ship"}, variables={"paid": 3}),
        Complete("ship", {"shipped": True}),
        Expect(status="completed", running=(), marking={"order/ship.out": 1}),
    )
    assert story.variables == {"total": 3, "paid": 3, "shipped": True}
    assert story.steps == (Complete("pick"), Complete("pay"), Complete("ship", {"shipped": True}))


async def test_a_fake_may_be_asynchronous_and_see_the_attempt() -> None:
    async def tried(case: Any) -> dict[str, int]:
        if case.attempt == 1:
            raise OSError("busy")
        return {"attempt": case.attempt}

    story = run_story(
        ORDER,
        Complete("pick"),
        Fail("pay"),
        Complete("pay"),
        Complete("ship"),
        fakes={"pay": tried},
    )
    assert (story.status, story.variables, story.time) == ("completed", {"attempt": 2}, 10)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([Complete("ship")], "'ship' is not running; running are: 'pick', 'pay'"),
        ([Complete("shop")], "there is no task 'shop'; did you mean 'ship'?"),
        ([Signal("paid")], "does not wait for 'paid'"),
        ([Ring("week")], "'week' is no timer that is waited for"),
        ([Choose("choice", ("a",))], "'choice' does not wait for an answer"),
        ([Retry()], "the case waits for no person"),
        ([Complete("pick", {"x": object()})], "cannot be stored as JSON"),
        ([Cancel("enough"), Complete("pick")], r"the case has ended: cancelled \(enough\)"),
        ([Expect(status="completed")], "status: expected 'completed', and it is 'running'"),
        ([Expect(running=["pick"])], r"running: expected \['pick'\], and it is \['pay', 'pick'\]"),
        ([Expect(variables={"x": 1})], "variable 'x': expected 1, and there is none"),
        ([Expect(marking={"order.out": 1})], "marking: expected"),
    ],
)
def test_a_step_that_cannot_be_is_an_error_that_says_what_could(
    steps: list[Any], message: str
) -> None:
    story = Story(ORDER)
    with pytest.raises(StoryError, match=message) as raised:
        story.do(*steps)
    for step in story.steps:
        assert repr(step) in str(raised.value)


def test_a_fake_that_does_otherwise_than_the_step_says_is_an_error() -> None:
    with pytest.raises(StoryError, match=r"OSError: busy; write Fail\(…\)"):
        run_story(ORDER, Complete("pay"), fakes={"pay": raising(OSError("busy"))})
    with pytest.raises(StoryError, match=r"its fake returns \{'paid': True\}"):
        run_story(ORDER, Fail("pay"), fakes={"pay": {"paid": True}})


def test_time_passes_only_when_it_is_told_to() -> None:
    story = Story(OFFER).do(Expect(waits_for=["accepted", "week"]), Advance("6d"))
    story.do(Expect(running=[]), Advance("1d"), Expect(running=["pick"]))
    assert story.time == 7 * 24 * 3600
    run_story(OFFER, Signal("accepted", {"by": "ada"}), Advance("30d"), Expect(running=["ship"]))
    assert run_story(OFFER, Ring("week")).time == 7 * 24 * 3600


def test_an_attempt_that_takes_longer_than_its_timeout_fails_and_is_followed_by_another() -> None:
    story = Story(ORDER).do(Complete("pick"), Advance("59s"))
    story.do(Complete("pay"), Expect(running=["ship"]))
    story = Story(ORDER).do(Advance("60s"), Expect(running=["pick", "pay"]), Advance("69s"))
    assert story.status == "running"  # the second attempt began after ten seconds
    story.do(Advance("1s"))
    assert (story.status, story.error) == (
        "failed",
        "task 'order/parallel-1/pay': took longer than 60 s",
    )


def test_timers_that_come_due_in_one_stretch_ring_in_their_order() -> None:
    flow = Workflow(
        "w",
        parallel(
            sequence(timer("3d", name="late"), ship), sequence(timer("1d"), timer("1d"), pick)
        ),
    )
    story = Story(flow).do(Advance("9d"))
    assert [id for id in story.fired if "happens" in id] == [
        "w/sequence-2/timer-1.happens",
        "w/sequence-2/timer-2.happens",
        "w/sequence-1/late.happens",
    ]


def test_an_event_for_nobody_is_kept_or_an_error() -> None:
    kept = Workflow("w", sequence(pick, event("x"), ship))
    run_story(kept, Signal("x", {"n": 1}), Complete("pick"), Expect(running=["ship"]))
    lost = Workflow("w", sequence(pick, event("x", transient=True), ship))
    with pytest.raises(StoryError, match="nobody waits for event 'x', and it is not kept"):
        run_story(lost, Signal("x"))


def test_a_case_that_waits_for_a_person_goes_on_with_what_he_corrects() -> None:
    flow = Workflow(
        "w", exclusive_choice(when("x > 0", pick), when("x < 0", ship), exhaustive=True)
    )
    story = Story(flow, {"x": 0})
    assert "no guard is true" in (story.error or "")
    assert story.do(Retry({"x": -1})).running == ("ship",)
    assert story.error is None


def test_free_guards_are_answered_by_the_story() -> None:
    choice = exclusive_choice(when("x > 0", pick), otherwise=ship, name="which")
    flow = Workflow("w", parallel(choice, task(name="another")(pick)))
    story = Story(flow, {"x": 1}, guards="free")
    assert story.choices == ("which",)
    assert run_story(flow, *story.answers[1:], guards="free").running == ("another", "ship")
    with pytest.raises(StoryError, match="has no answer"):
        story.do(Choose("which", ("pay",)))


def test_instances_of_a_task_have_numbers() -> None:
    flow = Workflow("w", multiple_instances(pick, 2))
    story = Story(flow, fakes={"pick": lambda case: {f"n{case.instance}": case.instance}})
    one, other = story.running
    assert one != other
    with pytest.raises(StoryError, match="several are 'pick'"):
        story.do(Complete("pick"))
    story.do(Complete(other), Complete("pick"))
    assert story.variables == {"n0": 0, "n1": 1}


def test_the_variables_model_checks_what_a_story_says() -> None:
    class Order(BaseModel):
        total: int = 0

    flow = Workflow("w", sequence(event("x"), pick), variables=Order)
    with pytest.raises(StoryError, match="event 'x': variable 'total'"):
        run_story(flow, Signal("x", {"total": "much"}))
    with pytest.raises(StoryError, match="variable 'total'"):
        run_story(flow, Signal("x"), Complete("pick", {"total": "much"}))
    assert Story(flow, fakes={"pick": {"total": 3}}).do(
        Signal("x"), Complete("pick")
    ).variables == {"total": 3}


def test_steps_print_as_they_are_written() -> None:
    steps = [
        Complete("pay"), Complete("pay", {"x": 1}), Fail("pay", "no"), Signal("x"), Advance("1d"),
        Ring("week"), Choose("c", ("a",)), Retry({"x": 1}), Cancel(),
        Suspend("why"), Resume(), Expect(status="running"),
    ]  # fmt: skip
    for step in steps:
        assert eval(repr(step)) == step
    assert repr(Complete("pay")) == "Complete('pay')"


def test_a_suspended_case_lets_bodies_end_and_begins_nothing() -> None:
    story = Story(ORDER).do(Suspend(), Expect(status="suspended"), Complete("pick"), Fail("pay"))
    with pytest.raises(StoryError, match="the next attempt of 'pay' begins when the case is res"):
        story.do(Complete("pay"))
    with pytest.raises(StoryError, match="the case is suspended; only a running case"):
        story.do(Suspend())
    story.do(Advance("1h"), Resume(), Complete("pay"), Complete("ship"))
    assert (story.status, story.time) == ("completed", 3600 + 10)
    with pytest.raises(StoryError, match="only a suspended case is resumed"):
        story.do(Resume())


def test_errors_that_are_given_up_on_and_deadlines_end_a_task() -> None:
    def body(case: Any) -> None: ...

    flow = Workflow("w", task(name="t", retries=9, give_up_on=KeyError)(body) >> ship)
    assert run_story(flow, Fail("t"), fakes={"t": raising(KeyError("x"))}).status == "failed"
    assert run_story(flow, Fail("t"), fakes={"t": raising(OSError("x"))}).running == ("t",)

    flow = Workflow(
        "w", task(name="t", retries=9, delay="40s", backoff=1, deadline="1m")(body) >> ship
    )
    story = Story(flow).do(Fail("t"), Expect(running=["t"]), Fail("t"))
    assert story.error == "task 'w/t': no attempt is left before its deadline of 60 s"
    story = Story(flow).do(Fail("t"), Advance("59s"), Expect(running=["t"]), Advance("1s"))
    assert story.error == "task 'w/t': took longer than its deadline of 60 s"


# -- fakes on a real engine ------------------------------------------------------------------------


async def test_a_faked_workflow_continues_the_cases_of_the_real_one(tmp_path: Any) -> None:
    flow = Workflow("w", sequence(event("go"), pick, pay))
    tested = faked(flow, {"pick": {"picked": True}, "pay": lambda case: {"seen": case["picked"]}})
    assert tested.content_hash == flow.content_hash
    store = f"sqlite:///{tmp_path / 'x.db'}"
    async with Engine(store, workflows=flow) as engine:
        await engine.start(flow)
    async with Engine(store, workflows=tested) as engine:
        (case,) = await engine.open_cases()
        await engine.signal(case, "go")
        assert (await case.wait()).variables == {"picked": True, "seen": True}


async def test_a_fake_runs_in_the_loop_whatever_the_executor_of_its_task() -> None:
    loops = []

    async def fake(case: Any) -> dict[str, bool]:
        loops.append(asyncio.get_running_loop())
        return {"faked": True}

    flow = Workflow("w", task(name="far", executor="process")(pick) >> ship)
    outcome = await faked(flow, {"far": fake, "ship": None}).arun()
    assert outcome.variables == {"faked": True}
    assert loops == [asyncio.get_running_loop()]


@pytest.mark.parametrize("name", EXECUTABLE)
def test_fakes_leave_every_pattern_the_definition_it_was(name: str) -> None:
    flow = Workflow("w", EXECUTABLE[name])
    fakes = {id: {"faked": True} for id in flow.tasks}
    tested = faked(flow, fakes)
    calls = any(t.calls is not None for t in flow.tasks.values())
    assert (tested.content_hash == flow.content_hash) is not calls
    assert all(t.qualified_name == flow.tasks[id].qualified_name for id, t in tested.tasks.items())
    assert all(t.body is not flow.tasks[id].body for id, t in tested.tasks.items())


def test_a_story_and_an_engine_end_alike() -> None:
    fakes = {"pick": {"a": 1}, "pay": {"b": 2}, "ship": raising(ValueError("no truck"))}
    outcome = faked(ORDER, fakes).run()
    story = run_story(ORDER, Complete("pick"), Complete("pay"), Fail("ship"), fakes=fakes)
    assert (story.status, story.variables, story.error) == (
        outcome.status,
        outcome.variables,
        outcome.error,
    )


def test_the_longest_name_says_which_fake_a_task_has() -> None:
    flow = Workflow("w", sequence(pick, sequence(ship, pick, name="inner"), pick))
    story = Story(flow, fakes={"pick": {"by": "any"}, "inner/pick": {"by": "inner"}})
    seen = []
    while story.status == "running":
        story.do(Complete(story.running[0]))
        seen.append(story.variables.get("by"))
    assert seen == ["any", "any", "inner", "any"]


@pytest.mark.parametrize(
    ("fakes", "message"),
    [
        ({"shp": {}}, "no task 'shp' to be faked; did you mean 'ship'"),
        ({"ship": 3}, "the fake of 'ship' is 3; give the updates"),
    ],
)
def test_a_fake_that_fits_nothing_is_an_error(fakes: Any, message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        Story(ORDER, fakes=fakes)
    with pytest.raises(DefinitionError, match=message):
        faked(ORDER, fakes)


def test_several_instances_that_are_added_while_others_run() -> None:
    flow = Workflow("w", growing_instances(pick, add=event("more"), most=3, until="n > 1"))
    story = Story(flow, {"n": 0}).do(Signal("more"))
    assert len(story.running) == 2
