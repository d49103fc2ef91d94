"""Events told by what they are about: they find their case, one and once, whoever comes first."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from petriflow import Engine, TaskContext, Workflow, task
from petriflow.execution import Case, messages
from petriflow.execution.events import (
    CaseStarted,
    EventReceived,
    IncidentResolved,
    Subscribe,
    TaskCompleted,
    TimerFired,
    Unsubscribe,
)
from petriflow.execution.program import program
from petriflow.execution.store import Message, open_store
from petriflow.net.errors import CompositionError, DefinitionError, StoryError, VariableError
from petriflow.patterns import deferred_choice, event, parallel, sequence, structured_loop, timer
from petriflow.testing import Complete, Expect, Tell, VirtualClock, run_story
from petriflow.workflow.variables import canonical

from . import telling
from .test_engine import step, until
from .test_postgres import check_consistent, rows

PAY = "w/payment.happens"
flow = Workflow("w", sequence(event("payment", about="order_id"), step("ship", shipped=True)))
lost = Workflow("l", sequence(event("ring", about="n", transient=True), step("answer")))


# -- the case -------------------------------------------------------------------------------------


@pytest.mark.promise("RUN-40")
def test_a_case_subscribes_by_the_value_that_its_variable_has_when_it_begins_to_wait() -> None:
    case = Case(program(flow), "c")
    assert case.apply(CaseStarted({"order_id": {"b": 1, "a": "ä"}})) == [
        Subscribe(PAY, "payment", '{"a":"ä","b":1}')
    ]
    assert case.takes("payment", '{"a":"ä","b":1}')
    assert not case.takes("payment", "7")
    stored = case.dump()
    again = Case.load(case.program, "c", case.status, case.seq, case.error, stored)
    assert again.dump() == stored
    for one in (case, again):
        one.apply(EventReceived("payment", {}, "7"))
        assert one.late
        (gone, *_) = one.apply(EventReceived("payment", {"paid": 1}, '{"a":"ä","b":1}'))
        assert gone == Unsubscribe(PAY)
        assert not one.late
        assert one.variables["paid"] == 1


def test_what_is_signalled_to_the_case_is_taken_whatever_it_is_about() -> None:
    case = Case(program(flow), "c")
    case.apply(CaseStarted({"order_id": 7}))
    assert Unsubscribe(PAY) in case.apply(EventReceived("payment", {"paid": 1}))
    assert case.variables["paid"] == 1
    kept = Workflow("w", sequence(step("first"), event("payment", about="order_id")))
    case = Case(program(kept), "c")
    case.apply(CaseStarted({"order_id": 7}))
    case.apply(EventReceived("payment", {"paid": 1}))
    (firing,) = case.running
    commands = case.apply(TaskCompleted(firing, {}))
    assert case.status == "completed"
    assert not any(isinstance(c, Subscribe | Unsubscribe) for c in commands)


@pytest.mark.promise("RUN-40")
@pytest.mark.parametrize("variables", [{}, {"order_id": None}])
def test_a_variable_without_a_value_is_an_incident_that_a_person_can_settle(
    variables: dict[str, Any],
) -> None:
    case = Case(program(flow), "c")
    case.apply(CaseStarted(variables))
    assert case.stuck
    assert "variable 'order_id', which has no value" in case.incidents[PAY].error
    case.apply(IncidentResolved(PAY, {}))
    assert case.stuck
    assert case.apply(IncidentResolved(PAY, {"order_id": 7})) == [Subscribe(PAY, "payment", "7")]


def test_an_incident_at_an_event_goes_when_another_one_wins() -> None:
    offer = Workflow(
        "w",
        deferred_choice(
            sequence(event("x", about="n"), step("a")), sequence(timer("1d"), step("b"))
        ),
    )
    case = Case(program(offer), "c")
    case.apply(CaseStarted({}))
    assert len(case.incidents) == 1
    (due,) = case.waiting.timers
    case.apply(TimerFired(due.timer))
    assert not case.incidents
    assert [r.task.rpartition("/")[2] for r in case.running.values()] == ["b"]


def test_a_definition_without_about_has_the_hash_that_it_had() -> None:
    plain = Workflow("w", sequence(event("payment"), step("ship", shipped=True)))
    assert plain.document()["triggers"] == {PAY: ["payment", True]}
    assert flow.document()["triggers"] == {PAY: ["payment", True, "order_id"]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(JSON, JSON)
def test_what_events_are_about_is_the_same_text_just_for_the_same_value(one: Any, two: Any) -> None:
    assert canonical(json.loads(canonical(one))) == canonical(one)  # as it comes from the store
    if canonical(one) == canonical(two):
        assert one == two
    if isinstance(one, dict):
        assert canonical(dict(reversed(one.items()))) == canonical(one)


class Order(BaseModel):
    order_id: int
    shipped: bool = False


def test_what_an_event_is_about_has_to_be_declared_and_no_secret() -> None:
    with pytest.raises(CompositionError, match="about=7 is no name of a variable"):
        event("x", about=7)  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match=r"about 'order', which is not declared in Order"):
        Workflow("w", sequence(event("x", about="order"), step("a")), variables=Order)
    with pytest.raises(DefinitionError, match="'order_id', which is secret"):
        Workflow("w", flow.body, secret=["order_id"])


# -- an engine, on each store ---------------------------------------------------------------------


@pytest.mark.promise("RUN-40")
async def test_an_event_finds_the_case_that_waits_for_it(store: str) -> None:
    async with Engine(store, workflows=[flow]) as engine:
        one = await engine.start(flow, {"order_id": 1})
        two = await engine.start(flow, {"order_id": 2})
        told = await engine.explain(two)
        assert [w.why for w in told.waits if w.kind == "event"] == [
            "the event 'payment' about order_id=2 has not been told"
        ]
        assert await engine.tell("payment", about=2, payload={"by": "ada"}) == two.id
        outcome = await two.wait()
        assert outcome.variables == {"order_id": 2, "by": "ada", "shipped": True}
        assert await engine.tell("payment", about="1") is None
        assert one.status == "running"
        assert await engine.tell("payment", about=1) == one.id
        await one.wait()
    if store.startswith("postgresql"):
        check_consistent(store, flow)


@pytest.mark.promise("RUN-40")
async def test_a_persistent_event_is_kept_for_however_long_and_a_transient_one_is_lost(
    store: str,
) -> None:
    clock = VirtualClock(jumps=False)
    async with Engine(store, workflows=[flow, lost], clock=clock) as engine:
        assert await engine.tell("payment", about=7, payload={"n": 1}) is None
        await clock.advance("1s")
        assert await engine.tell("payment", about=7, payload={"n": 2}) is None
        assert await engine.tell("ring", about=7) is None
    await clock.advance("365d")
    async with Engine(store, workflows=[flow, lost], clock=clock) as engine:
        for n in (1, 2):
            case = await engine.start(flow, {"order_id": 7})
            assert (await case.wait()).variables == {"order_id": 7, "n": n, "shipped": True}
        case = await engine.start(lost, {"n": 7})
        assert case.status == "running"
        assert await engine.tell("ring", about=7) == case.id


@pytest.mark.promise("RUN-40")
async def test_told_twice_under_one_key_it_happens_once(store: str) -> None:
    async with Engine(store, workflows=[flow, lost]) as engine:
        assert await engine.tell("payment", about=7, payload={"n": 1}, key="k") is None
        assert await engine.tell("payment", about=7, payload={"n": 2}, key="k") is None
        one, two = [await engine.start(flow, {"order_id": 7}) for _ in range(2)]
        assert (await one.wait()).variables["n"] == 1
        assert await engine.tell("payment", about=7, key="k") == one.id
        assert two.status == "running"
        assert await engine.tell("ring", about=7, key="k") is None
        ringing = await engine.start(lost, {"n": 7})
        assert await engine.tell("ring", about=7, key="k") is None  # it was lost
        assert await engine.tell("ring", about=7, key="l") == ringing.id
        assert await engine.tell("ring", about=7, key="l") == ringing.id


async def test_the_case_that_has_waited_longest_has_it(store: str) -> None:
    async with Engine(store, workflows=[flow]) as engine:
        cases = [await engine.start(flow, {"order_id": 7}) for _ in range(3)]
        assert [await engine.tell("payment", about=7) for _ in range(3)] == [c.id for c in cases]
        assert await engine.tell("payment", about=7) is None


async def test_a_case_may_wait_again_for_the_same_event(store: str) -> None:
    def count(case: TaskContext) -> dict[str, Any]:
        return {"n": case["n"] + 1}

    loop = Workflow(
        "w", structured_loop(sequence(event("tick", about="id"), task(count)), until="n >= 3")
    )
    async with Engine(store, workflows=[loop]) as engine:
        case = await engine.start(loop, {"id": 7, "n": 0})
        for _ in range(3):
            assert await engine.tell("tick", about=7) == case.id
            await until(lambda: not case.at_work and (case.waits_for or case.told))
        assert (await case.wait()).variables["n"] == 3
    if store.startswith("postgresql"):
        check_consistent(store, loop)


async def test_bad_events_are_refused_and_nothing_is_kept(store: str) -> None:
    typed = Workflow("t", sequence(event("typed", about="order_id"), step("a")), variables=Order)
    plain = Workflow("p", sequence(event("plain"), step("a")))
    async with Engine(store, workflows=[flow, typed, plain]) as engine:
        with pytest.raises(DefinitionError, match=r"'pay' by what it is about; it knows 'payment'"):
            await engine.tell("pay", about=7)
        with pytest.raises(DefinitionError, match=r"tell it by signal\(case, …\)"):
            await engine.tell("plain", about=7)
        with pytest.raises(DefinitionError, match="about=None says nothing"):
            await engine.tell("payment", about=None)
        with pytest.raises(DefinitionError, match="a key is a text"):
            await engine.tell("payment", about=7, key="")
        with pytest.raises(VariableError, match="'about' is an object"):
            await engine.tell("payment", about=object())
        with pytest.raises(VariableError, match="'payload'"):
            await engine.tell("payment", about=7, payload={"x": object()})
        case = await engine.start(typed, {"order_id": 7})
        with pytest.raises(VariableError, match="shipped"):
            await engine.tell("typed", about=7, payload={"shipped": "perhaps"})
        assert await engine.tell("typed", about=7, payload={"shipped": True}) == case.id
        assert await engine.tell("pay", about=7, keep=True) is None
        assert (
            await engine._in_writer(engine._store.wanted, [("pay", "7"), ("typed", "7")])
            == [await engine._in_writer(engine._store.wanted, [("pay", "7")])][0]
        )


async def test_what_no_case_can_take_is_logged_once_and_keeps_nobody_waiting(
    store: str, caplog: pytest.LogCaptureFixture
) -> None:
    typed = Workflow("t", sequence(event("typed", about="order_id"), step("a")), variables=Order)
    async with Engine(store, workflows=[typed]) as engine:
        await engine.tell("typed", about=7, payload={"shipped": "perhaps"})
        await engine.tell("typed", about=7, payload={"shipped": True})
        case = await engine.start(typed, {"order_id": 7})
        assert (await case.wait()).variables["shipped"] is True
        await engine.start(typed, {"order_id": 7})
        await until(lambda: "is not taken" in caplog.text)
        assert caplog.text.count("is not taken") == 1


async def test_purge_removes_what_was_told_long_ago(store: str) -> None:
    clock = VirtualClock(jumps=False)
    async with Engine(store, workflows=[flow], clock=clock) as engine:
        await engine.tell("payment", about=7, payload={"n": 1})
        await clock.advance("2d")
        await engine.tell("payment", about=7, payload={"n": 2})
        await engine.purge("1d")
        case = await engine.start(flow, {"order_id": 7})
        assert (await case.wait()).variables["n"] == 2


# -- several engines ------------------------------------------------------------------------------


@pytest.mark.promise("RUN-41")
async def test_an_event_told_to_an_engine_reaches_a_case_that_another_one_is_at_work_for(
    database: str,
) -> None:
    go = asyncio.Event()

    async def hold(case: TaskContext) -> None:
        await go.wait()

    rings = event("ring", about="n", transient=True)
    busy = Workflow("w", parallel(hold, event("payment", about="n"), rings))
    async with Engine(database, workflows=[busy]) as one, Engine(database, workflows=[busy]) as two:
        case = await one.start(busy, {"n": 7})
        assert await two.tell("ring", about=7, payload={"rung": 1}) == case.id
        assert await two.tell("payment", about=7, payload={"paid": 1}) == case.id
        go.set()
        outcome = await case.wait()
        assert (outcome.variables["rung"], outcome.variables["paid"]) == (1, 1)
    check_consistent(database, busy)


@pytest.mark.promise("RUN-41")
async def test_an_engine_that_knows_no_workflow_tells_those_that_do(database: str) -> None:
    other = Workflow("other", sequence(event("x"), step("a")))
    async with (
        Engine(database, workflows=[flow]) as one,
        Engine(database, workflows=[other]) as two,
    ):
        case = await one.start(flow, {"order_id": 7})
        assert await two.tell("payment", about=7, keep=True) is None
        assert (await asyncio.wait_for(case.wait(), 20)).completed


@pytest.mark.promise("RUN-41")
async def test_messages_and_cases_that_come_at_the_same_moment_find_each_other(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "NET", 3600.0)  # whoever comes second finds the other
    number = 60
    async with Engine(database, workflows=[flow]) as one, Engine(database, workflows=[flow]) as two:
        engines = (one, two)

        async def start(n: int) -> Any:
            return await engines[n % 2].start(flow, {"order_id": n % 10})

        async def tell(n: int) -> None:
            payload, key = {"message": n}, f"{n}"
            await asyncio.gather(
                *(e.tell("payment", about=n % 10, payload=payload, key=key) for e in engines)
            )

        works = [work(n) for n in range(number) for work in (start, tell)]
        cases = [case for case in await asyncio.gather(*works) if case is not None]
        async with asyncio.timeout(60):
            outcomes = await asyncio.gather(*(case.wait() for case in cases))
        assert all(outcome.completed for outcome in outcomes)
        got = Counter(outcome.variables["message"] for outcome in outcomes)
        assert got == Counter(range(number))
    assert rows(database, "SELECT count(*) FROM subscriptions") == [(0,)]
    assert rows(database, "SELECT count(*), count(DISTINCT taken_by) FROM messages") == [
        (number, number)
    ]
    check_consistent(database, flow)


@pytest.mark.promise("RUN-41")
async def test_what_an_engine_stored_before_it_died_is_given_by_the_next(store: str) -> None:
    async with Engine(store, workflows=[flow]) as engine:
        case = await engine.start(flow, {"order_id": 7})
    died = open_store(store)  # after it stored the message, and before it looked for a case
    died.tell(Message("payment/k", "payment", "7", {"n": 1}, 1.0))
    died.close()
    async with Engine(store, workflows=[flow]) as engine:
        case = await engine.case(case.id)
        assert (await asyncio.wait_for(case.wait(), 20)).variables["n"] == 1


@pytest.mark.promise("RUN-41")
async def test_engines_look_for_what_others_have_left(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "NET", 0.1)
    async with Engine(database, workflows=[flow]) as engine:
        case = await engine.start(flow, {"order_id": 7})
        died = open_store(database)
        died.tell(Message("payment/k", "payment", "7", {"n": 1}, 1.0))
        died.close()
        assert (await asyncio.wait_for(case.wait(), 20)).variables["n"] == 1


@pytest.mark.promise("RUN-41")
async def test_of_two_cases_that_take_a_message_at_once_one_has_it_and_the_other_goes_on(
    database: str,
) -> None:
    async with Engine(database, workflows=[flow]) as one, Engine(database, workflows=[flow]) as two:
        cases = [await one.start(flow, {"order_id": 7}), await two.start(flow, {"order_id": 7})]
        message = Message("payment/k", "payment", "7", {"n": 1}, 1.0)
        told = [
            engine._order(case, "take", message=asdict(message))
            for engine, case in zip((one, two), cases, strict=True)
        ]
        assert sorted(await asyncio.gather(*told)) == [False, True]
        assert await two.tell("payment", about=7, payload={"n": 2}) in {c.id for c in cases}
        outcomes = [await case.wait() for case in cases]
        assert sorted(outcome.variables["n"] for outcome in outcomes) == [1, 2]
    check_consistent(database, flow)


# -- the testing kit ------------------------------------------------------------------------------


def test_a_story_tells_events_by_what_they_are_about() -> None:
    run_story(
        flow, Tell("payment", 7, {"paid": 1}), Complete("ship"), variables={"order_id": 7}
    ).do(Expect(status="completed", variables={"paid": 1}))
    later = Workflow("w", sequence(step("first"), event("payment", about="order_id")))
    story = run_story(later, Tell("payment", 7, {"paid": 1}), variables={"order_id": 7})
    assert story.copy().do(Complete("first")).status == "completed"
    other = run_story(later, Tell("payment", "7"), Complete("first"), variables={"order_id": 7})
    assert other.events == ("payment",)
    for wrong, message in [
        (Tell("ring", 8), "nobody waits for event 'ring' about 8, and it is not kept"),
        (Tell("payment", 8), "does not wait for 'payment' by what it is about"),
        (Tell("ring", object()), "'about' is an object"),
    ]:
        with pytest.raises(StoryError, match=message):
            run_story(lost, wrong, variables={"n": 7})


# -- kill -9 --------------------------------------------------------------------------------------


NUMBER = 200


def teller(url: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.execution.telling", url, str(NUMBER)]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.slow
@pytest.mark.promise("RUN-41")
def test_events_told_while_engines_are_killed_each_reach_their_case_once(database: str) -> None:
    dice = random.Random(1)
    ended = "SELECT count(*) FROM cases WHERE status = 'completed'"
    at_kill: list[int] = []
    engines = [teller(database) for _ in range(2)]
    try:
        for _ in range(8):
            victim = dice.randrange(2)
            pipe = engines[victim].stdout
            assert pipe is not None
            assert pipe.readline() == b"at work\n"
            time.sleep(dice.uniform(0, 0.5))  # a moment that nobody chose
            at_kill += [row[0] for row in rows(database, ended)]
            engines[victim].kill()
            engines[victim].communicate()
            engines[victim] = teller(database)
        for engine in engines:
            assert engine.wait(120) == 0, engine.stderr
    finally:
        for engine in engines:
            engine.kill()
            engine.communicate()
    assert any(0 < count < NUMBER for count in at_kill), at_kill  # it was at work
    check_consistent(database, telling.flow)
    cases = rows(database, "SELECT status, variables FROM cases")
    assert Counter(status for status, _ in cases) == {"completed": NUMBER}
    for _, variables in cases:
        found = {name: write[0] for name, write in variables["scopes"][""][2].items()}
        assert found["message"] == [found["order_id"]]
    told = "SELECT count(*) FROM events WHERE kind = 'EventReceived' AND NOT late"
    assert rows(database, told) == [(NUMBER,)]
    taken = "SELECT count(DISTINCT taken_by), count(*) FROM messages"
    assert rows(database, taken) == [(NUMBER, NUMBER)]
    assert rows(database, "SELECT count(*) FROM subscriptions") == [(0,)]
