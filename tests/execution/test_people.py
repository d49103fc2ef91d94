"""Work lists on real engines: who may do what, races, restarts, other engines, other stores."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr

from petriflow import Engine, Workflow, call, collect, human
from petriflow.execution import Outcome
from petriflow.execution.observer import Observer
from petriflow.net.errors import (
    DefinitionError,
    ItemConflict,
    NotPermitted,
    UnknownCase,
    UnknownItem,
    VariableError,
)
from petriflow.patterns import (
    cancellable,
    deferred_choice,
    event,
    multiple_instances,
    parallel,
    sequence,
    timer,
)
from petriflow.testing import VirtualClock

from .test_engine import MEMORY, step, until

review = human("review", role="reviewer", asks=["ok"])
REVIEW = Workflow("doc", sequence(review, step("file", filed=True)))
PATIENT = Workflow(
    "patient",
    deferred_choice(review, timer("3d") >> step("escalate", ok=False), event("withdrawn")),
)


class Paper(BaseModel):
    title: str = "Nets"
    ok: bool | None = None
    due: date | None = None
    salary: int = 0
    notes: list[str] = Field(default_factory=list)


def engine(*flows: Workflow, store: str = MEMORY, **more: Any) -> Engine:
    return Engine(store, workflows=flows, **more)


async def one(running: Engine, **which: Any) -> str:
    (item,) = await running.work(**which)
    return item.id


# -- from the offer to the end -------------------------------------------------------------------


@pytest.mark.promise("PEOPLE-1")
async def test_a_person_claims_gives_back_and_completes(store: str) -> None:
    async with engine(REVIEW, store=store) as running:
        case = await running.start(REVIEW, {"text": "…"})
        (item,) = await running.work("reviewer")
        assert (item.case_id, item.workflow, item.role) == (case.id, "doc", "reviewer")
        assert (item.task, item.holder, item.claimed_at) == ("doc/review", None, None)
        assert item.id == f"{case.id}/doc/review/1"
        assert case.asks == ("doc/review",)
        assert case.at_work == ()
        assert (await case.settle()).status == "running"

        held = await running.claim(item, by="ann", roles="reviewer")
        assert (held.id, held.holder) == (item.id, "ann")
        assert held.claimed_at is not None
        assert held == (await running.work(holder="ann"))[0]
        assert await running.claim(held, by="ann", roles=[]) == held  # it is hers already
        back = await running.release(held, by="ann")
        assert back == item
        assert list(await running.work()) == [item]

        await running.claim(item.id, by="bob", roles=["author", "reviewer"])
        await running.complete_task(item, {"ok": True}, by="bob")
        outcome = await case.wait()
        assert outcome.variables == {"text": "…", "ok": True, "filed": True}
        assert not await running.work()
        done = [r for r in await running.history(case.id) if r.kind == "TaskCompleted"]
        assert [r.data.get("by") for r in done] == ["bob", None]


async def test_completing_what_nobody_holds_claims_it_first() -> None:
    async with engine(REVIEW) as running:
        case = await running.start(REVIEW)
        await running.complete_task(await one(running), {"ok": True}, by="ann", roles="reviewer")
        assert (await case.wait()).completed
        kinds = [r.kind for r in await running.history(case.id)]
        assert kinds[:3] == ["CaseStarted", "TaskClaimed", "TaskCompleted"]


async def test_the_lists_are_filtered_and_show_themselves() -> None:
    both = Workflow("both", parallel(review, human("sign", role="boss")))
    async with engine(both, REVIEW) as running:
        assert str(await running.work()) == "nothing waits for a person"
        case = await running.start(both)
        await running.start(REVIEW)
        assert [i.task for i in await running.work()] == [
            "both/review", "both/sign", "doc/review",
        ]  # fmt: skip
        assert [i.role for i in await running.work(["boss", "nobody"])] == ["boss"]
        assert len(await running.work(workflow=REVIEW)) == len(await running.work(limit=1)) == 1
        assert len(await running.work("reviewer", case=case)) == 1
        await running.claim(await one(running, role="boss"), by="eve", roles="boss")
        (held,) = await running.work(holder="eve")
        assert held.task == "both/sign"
        shown = await running.work()
        assert str(shown).startswith("3 items:\n  task")
        assert "eve" in shown._repr_html_()
        with pytest.raises(DefinitionError, match="at least one"):
            await running.work(limit=0)


async def test_every_instance_is_an_item_with_its_number() -> None:
    many = Workflow("many", multiple_instances(review, 3), merge={"ok": collect})
    async with engine(many) as running:
        case = await running.start(many, {"ok": []})
        items = list(await running.work())
        assert [i.instance for i in items] == [0, 1, 2]
        for item in reversed(items):
            await running.complete_task(item, {"ok": item.instance}, by="ann", roles="reviewer")
        assert (await case.wait()).variables["ok"] == [2, 1, 0]


# -- who may do what -----------------------------------------------------------------------------


@pytest.mark.promise("PEOPLE-5")
async def test_only_the_role_may_claim_and_only_the_holder_may_go_on() -> None:
    async with engine(REVIEW) as running:
        case = await running.start(REVIEW)
        item = await one(running)
        with pytest.raises(NotPermitted, match="offered to the role 'reviewer', and 'eve' has 'x'"):
            await running.claim(item, by="eve", roles=["x"])
        with pytest.raises(NotPermitted, match="'eve' has none"):
            await running.complete_task(item, {"ok": True}, by="eve")
        with pytest.raises(ItemConflict, match="nobody holds it"):
            await running.release(item, by="ann")
        await running.claim(item, by="ann", roles="reviewer")
        with pytest.raises(ItemConflict, match="held by 'ann', who can give it back"):
            await running.claim(item, by="bob", roles="reviewer")
        with pytest.raises(ItemConflict, match="'ann' holds it"):
            await running.release(item, by="bob")
        with pytest.raises(ItemConflict, match="held by 'ann'"):
            await running.complete_task(item, {"ok": True}, by="bob", roles="reviewer")
        with pytest.raises(DefinitionError, match="by=' '; name the person"):
            await running.claim(item, by=" ", roles="reviewer")
        assert [r.kind for r in await running.history(case.id)] == ["CaseStarted", "TaskClaimed"]


@pytest.mark.promise("PEOPLE-5")
async def test_what_is_not_on_the_lists_says_what_became_of_it() -> None:
    flow = Workflow("w", cancellable(review, by=event("stop")))
    async with engine(REVIEW, flow) as running:
        for unknown in ("nothing", "a/b/c/1"):
            with pytest.raises(UnknownItem, match="there is no work item"):
                await running.claim(unknown, by="ann", roles="reviewer")
        case = await running.start(REVIEW)
        item = await one(running)
        await running.complete_task(item, {"ok": True}, by="ann", roles="reviewer")
        with pytest.raises(UnknownItem, match=r"was completed by 'ann' at 20.* UTC"):
            await running.complete_task(item, {"ok": True}, by="ann", roles="reviewer")
        await case.wait()
        with pytest.raises(UnknownItem, match="was completed by 'ann'"):
            await running.release(item, by="ann")
        stopped = await running.start(flow)
        item = await one(running)
        await running.signal(stopped, "stop")
        with pytest.raises(UnknownItem, match=r"was withdrawn, or never there \(completed\)"):
            await running.complete_task(item, {"ok": True}, by="ann", roles="reviewer")
        assert str(UnknownItem("x")) == "x"


@pytest.mark.promise("PEOPLE-5")
@pytest.mark.parametrize(
    ("updates", "why"),
    [
        ({}, "'ok' is missing; 'review' asks for 'ok'"),
        ({"ok": True, "salary": 9}, "'salary' is not asked for; 'review' asks for 'ok'"),
        ({"ok": "perhaps"}, "variable 'ok' does not fit Paper"),
        ({"ok": object()}, "variable 'ok' has no form in JSON"),
        ([("ok", True)], "a person hands in a mapping"),
    ],
)
async def test_what_does_not_fit_is_refused_and_the_item_stays(updates: Any, why: str) -> None:
    flow = Workflow("w", review, variables=Paper)
    async with engine(flow) as running:
        case = await running.start(flow, {})
        item = await one(running)
        with pytest.raises(VariableError) as refused:
            await running.complete_task(item, updates, by="ann", roles="reviewer")
        assert why in str(refused.value)
        assert (await running.work())[0].holder is None
        await running.complete_task(item, {"ok": False}, by="ann", roles="reviewer")
        assert (await case.wait()).variables["ok"] is False


@pytest.mark.promise("PEOPLE-6")
async def test_a_form_tells_what_is_asked_and_shows_what_may_be_seen() -> None:
    asks = human("note", role="r", asks=["ok", "due", "notes"], shows=["title", "notes"])
    flow = Workflow("w", asks, variables=Paper, merge={"notes": collect})
    anything = Workflow("any", human("do", role="r"))
    async with engine(flow, anything) as running:
        case = await running.start(flow, {"salary": 9})
        item = await one(running)
        form = await running.work_form(item)
        assert form.shown == {"title": "Nets", "notes": []}
        assert form.item.id == item
        assert form.schema["title"] == "note"
        assert form.schema["required"] == ["ok", "due", "notes"]
        assert form.schema["additionalProperties"] is False
        properties = form.schema["properties"]
        assert properties["notes"] == {"type": "string"}  # one of those that are collected
        assert {"format": "date", "type": "string"} in properties["due"]["anyOf"]
        filled = {"ok": True, "due": "2026-12-24", "notes": "fine"}
        await running.complete_task(item, filled, by="ann", roles="r")
        assert (await case.wait()).variables["notes"] == ["fine"]
        await running.start(anything, {"x": 1})
        form = await running.work_form(await one(running))
        assert (form.schema, form.shown) == (
            {"title": "do", "type": "object", "properties": {}},
            {"x": 1},
        )


@pytest.mark.promise("PEOPLE-6")
async def test_secret_variables_are_neither_shown_nor_told_in_errors() -> None:
    flow = Workflow("w", human("do", role="r"), variables=Paper, secret=["salary"])
    async with engine(flow) as running:
        case = await running.start(flow, {"salary": 12345})
        item = await one(running)
        assert "12345" not in str((await running.work_form(item)).shown)
        with pytest.raises(VariableError) as refused:
            await running.complete_task(item, {"salary": "98765 EUR"}, by="ann", roles="r")
        assert "98765" not in str(refused.value)
        await running.complete_task(item, {"title": SecretStr("x")}, by="ann", roles="r")
        assert (await case.wait()).variables["title"] == "x"


async def test_dates_and_the_like_may_be_handed_in_as_they_are() -> None:
    flow = Workflow("w", human("do", role="r", asks=["due"]), variables=Paper)
    async with engine(flow) as running:
        case = await running.start(flow, {})
        await running.complete_task(
            await one(running), {"due": date(2026, 12, 24)}, by="ann", roles="r"
        )
        assert (await case.wait()).variables["due"] == "2026-12-24"


# -- races, time, trouble ------------------------------------------------------------------------


@pytest.mark.promise("PEOPLE-2")
async def test_of_many_who_claim_at_once_one_has_it(store: str) -> None:
    async with engine(PATIENT, store=store) as running:
        await running.start(PATIENT)
        item = await one(running)
        people = [f"p{n}" for n in range(20)]
        claims = (running.claim(item, by=who, roles="reviewer") for who in people)
        found = await asyncio.gather(*claims, return_exceptions=True)
        (winner,) = [f for f in found if not isinstance(f, BaseException)]
        losers = [f for f in found if isinstance(f, BaseException)]
        assert all(isinstance(f, ItemConflict) for f in losers)
        assert [i.holder for i in await running.work()] == [winner.holder]


@pytest.mark.promise("PEOPLE-2")
async def test_a_claim_withdraws_the_timer_and_a_timer_the_item() -> None:
    async with engine(PATIENT, clock=VirtualClock(now=0)) as running:
        case = await running.start(PATIENT)  # nobody comes
        outcome = await case.wait()
        assert outcome.variables == {"ok": False}
        assert not await running.work()
    clock = VirtualClock(now=0, jumps=False)
    async with engine(PATIENT, clock=clock) as running:
        case = await running.start(PATIENT)
        await running.claim(await one(running), by="ann", roles="reviewer")
        await clock.advance("9d")
        assert case.waits_for == ()
        assert not await running.signal(case, "withdrawn") or case.status == "running"
        item = await one(running)
        await running.release(item, by="ann")
        await clock.advance("9d")
        await running.complete_task(item, {"ok": True}, by="bob", roles="reviewer")
        assert (await case.wait()).variables == {"ok": True}


@pytest.mark.promise("PEOPLE-3")
@pytest.mark.parametrize("claimed", [True, False])
async def test_a_deadline_fails_the_task_after_a_restart_too(claimed: bool, tmp_path: Any) -> None:
    flow = Workflow("w", human("sign", role="boss", deadline="2d"))
    store, clock = f"sqlite:///{tmp_path / 'x.db'}", VirtualClock(now=0, jumps=False)
    async with engine(flow, store=store, clock=clock) as running:
        case = await running.start(flow)
        await clock.advance("1d")
        if claimed:
            await running.claim(await one(running), by="ann", roles="boss")
    async with engine(flow, store=store, clock=clock) as running:
        again = await running.case(case.id)
        item = await one(running)
        await clock.advance("23h")
        assert again.status == "running"
        await clock.advance("1h")
        outcome = await again.wait()
        assert (outcome.status, outcome.error) == (
            "failed",
            "task 'w': took longer than its deadline of 172800 s",
        )
        with pytest.raises(UnknownItem, match="has failed at 1970-01-03 00:00:00 UTC"):
            await running.claim(item, by="ann", roles="boss")
        assert not await running.work()


@pytest.mark.promise("PEOPLE-4")
async def test_a_suspended_case_keeps_its_items_and_takes_what_is_held() -> None:
    flow = Workflow("w", sequence(parallel(review, human("sign", role="boss")), step("end")))
    async with engine(flow) as running:
        case = await running.start(flow)
        held, free = [i.id for i in await running.work()]
        await running.claim(held, by="ann", roles="reviewer")
        await running.suspend(case)
        assert len(await running.work()) == 2
        with pytest.raises(ItemConflict, match="its case is suspended"):
            await running.claim(free, by="eve", roles="boss")
        with pytest.raises(ItemConflict, match="its case is suspended"):
            await running.complete_task(free, {}, by="eve", roles="boss")
        await running.complete_task(held, {"ok": True}, by="ann")
        await running.resume(case)
        await running.complete_task(free, {}, by="eve", roles="boss")
        assert (await case.wait()).completed


async def test_a_case_that_is_cancelled_takes_its_items_and_those_of_its_callees() -> None:
    flow = Workflow("w", parallel(review, call(REVIEW)))
    async with engine(flow, REVIEW) as running:
        case = await running.start(flow)
        assert len(await running.work()) == 2
        await running.cancel(case)
        assert not await running.work()


async def test_a_person_does_the_task_of_a_called_case() -> None:
    flow = Workflow("w", sequence(call(REVIEW), step("end")))
    async with engine(flow, REVIEW) as running:
        case = await running.start(flow)
        item = await one(running)
        assert item.startswith(f"{case.id}/w/doc/1/doc/review/")
        await running.complete_task(item, {"ok": True}, by="ann", roles="reviewer")
        with pytest.raises(UnknownItem, match="was completed by 'ann'"):
            await running.claim(item, by="bob", roles="reviewer")
        assert (await case.wait()).variables == {"ok": True, "filed": True}


@pytest.mark.promise("PEOPLE-1")
@pytest.mark.parametrize("seed", [1, 2])
async def test_in_a_crowd_the_lists_are_what_the_cases_know(seed: int, store: str) -> None:
    """Many people do anything to everything at once; every item has one holder, and one end."""
    flow = Workflow(
        "crowd",
        sequence(
            deferred_choice(review, human("other", role="reviewer"), event("stop")),
            parallel(review, human("sign", role="reviewer")),
        ),
    )
    chance = random.Random(seed)
    done: list[str] = []

    async def person(running: Engine, name: str) -> None:
        for _ in range(20):
            items = list(await running.work())
            if not items:
                return
            mine = [item for item in items if item.holder == name]
            item = chance.choice(mine or items)
            filled = {"ok": name} if item.task.endswith("review") else {}
            with suppress(ItemConflict, UnknownItem, UnknownCase):
                match chance.choice(["release", "claim", "complete", "complete", "stop"]):
                    case "release":
                        await running.release(item, by=name)
                    case "claim":
                        await running.claim(item, by=name, roles="reviewer")
                    case "complete":
                        await running.complete_task(item, filled, by=name, roles="reviewer")
                        done.append(item.id)
                    case _ if chance.random() < 0.2:
                        await running.signal(item.case_id, "stop")

    async with engine(flow, store=store) as running:
        cases = [await running.start(flow) for _ in range(6)]
        await asyncio.gather(*(person(running, f"p{n}") for n in range(8)))
        rows = {i.id: (i.task, i.holder) for i in await running.work(limit=None)}
        known = {}
        for case in cases:
            again = await running.case(case.id)
            known |= {id: (i.task, i.holder) for id, i in again._case.items.items()}
        assert rows == known
        assert len(done) == len(set(done)) > 0
        histories = [await running.history(case.id) for case in cases]
        ended = [r.data["firing_id"] for h in histories for r in h if r.kind == "TaskCompleted"]
        assert sorted(ended) == sorted(done)


# -- restarts and other engines ------------------------------------------------------------------


@pytest.mark.promise("PEOPLE-1")
async def test_a_restart_keeps_items_and_their_holders(store: str) -> None:
    async with engine(REVIEW, store=store) as running:
        case = await running.start(REVIEW)
        held = await running.claim(await one(running), by="ann", roles="reviewer")
    async with engine(REVIEW, store=store) as running:
        assert list(await running.work()) == [held]
        with pytest.raises(ItemConflict):
            await running.claim(held, by="bob", roles="reviewer")
        await running.complete_task(held, {"ok": True}, by="ann")
        assert (await (await running.case(case.id)).wait()).completed


@pytest.mark.promise("PEOPLE-1")
async def test_a_person_may_be_at_any_engine(database: str) -> None:
    """One has the case at work, another is asked; later the other one has it."""
    slow = asyncio.Event()

    async def work(case: Any) -> None:
        await slow.wait()

    flow = Workflow("w", sequence(parallel(review, work), step("end", ended=True)))
    async with engine(flow, store=database) as first, engine(flow, store=database) as second:
        case = await first.start(flow)
        item = await one(second)
        claims = (
            at.claim(item, by=who, roles="reviewer")
            for at, who in ((first, "ann"), (second, "bob"), (second, "eve"), (first, "tom"))
        )
        found = await asyncio.gather(*claims, return_exceptions=True)
        (held,) = [f for f in found if not isinstance(f, BaseException)]
        assert sum(isinstance(f, ItemConflict) for f in found) == 3
        with pytest.raises(VariableError, match="'ok' is missing"):
            await second.complete_task(item, {}, by=held.holder)
        await second.complete_task(item, {"ok": True}, by=held.holder)
        with pytest.raises(UnknownItem, match="was completed by"):
            await second.complete_task(item, {"ok": True}, by=held.holder)
        slow.set()
        outcome: Outcome = await case.wait()
        assert outcome.variables == {"ok": True, "ended": True}


async def test_an_engine_without_the_workflow_lists_the_item_and_leaves_it(tmp_path: Any) -> None:
    store = f"sqlite:///{tmp_path / 'x.db'}"
    async with engine(REVIEW, store=store) as running:
        await running.start(REVIEW)
    async with engine(PATIENT, store=store) as other:
        item = await one(other)
        with pytest.raises(UnknownCase, match="version of workflow 'doc'"):
            await other.claim(item, by="ann", roles="reviewer")
        with pytest.raises(UnknownCase, match="version of workflow 'doc'"):
            await other.work_form(item)
        assert len(await other.work()) == 1


@pytest.mark.promise("PEOPLE-1")
async def test_another_version_offers_what_is_open_to_its_own_role(store: str) -> None:
    old = Workflow("w", sequence(parallel(review, human("sign", role="boss")), step("end")))
    by_all = human("review", role="anybody")
    new = Workflow("w", sequence(parallel(by_all, step("sign")), step("end")))
    clock = VirtualClock(now=0, jumps=False)
    async with engine(old, store=store, clock=clock) as running:
        case = await running.start(old)
        await clock.advance(10)
        held = await running.claim(await one(running, role="reviewer"), by="ann", roles="reviewer")
        await clock.advance(10)
    async with engine(new, store=store, clock=clock) as running:
        await running.migrate(case.id, to=new)
        assert list(await running.work()) == [replace(held, role="anybody")]
        await running.complete_task(held, {}, by="ann")
        assert (await (await running.case(case.id)).wait()).completed


# -- who looks on --------------------------------------------------------------------------------


class Diary(Observer):
    def __init__(self) -> None:
        self.told: list[tuple[str, float]] = []

    def queued(self, case: Any, command: Any, at: float) -> None:
        self.told.append((f"queued {command.task}", at))

    def began(self, case: Any, command: Any, at: float) -> None:
        self.told.append((f"began {command.task}", at))

    def committed(self, case: Any, record: Any) -> None:
        if record.task:
            self.told.append((f"{record.kind} {record.task}", record.at))


async def test_observers_are_told_when_it_was_offered_claimed_and_done() -> None:
    diary, clock = Diary(), VirtualClock(now=0, jumps=False)
    flow = Workflow("w", review)
    async with engine(flow, observers=[diary], clock=clock) as running:
        case = await running.start(flow)
        await clock.advance(10)
        await running.claim(await one(running), by="ann", roles="reviewer")
        await clock.advance(5)
        await running.complete_task(await one(running), {"ok": True}, by="ann")
        await case.wait()
        await until(lambda: len(diary.told) == 4)
    assert diary.told == [
        ("TaskClaimed w", 10.0),
        ("queued w", 0.0),
        ("began w", 10.0),
        ("TaskCompleted w", 15.0),
    ]


# -- how it is written ---------------------------------------------------------------------------


def test_a_persons_task_that_cannot_be_is_refused() -> None:
    for wrong in ({"role": ""}, {"role": "r", "asks": "ok"}, {"role": "r", "asks": ["a", "a"]}):
        with pytest.raises(DefinitionError, match="task 'x'"):
            human("x", **wrong)  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="no time at all"):
        human("x", role="r", deadline=0)
    for body in (human("x", role="r", asks=["oh"]), human("x", role="r", shows=["oh"])):
        with pytest.raises(DefinitionError, match="'w' speaks of 'oh', which is not declared"):
            Workflow("w", body, variables=Paper)


@pytest.mark.promise("FLOW-10")
def test_the_role_and_what_is_asked_are_part_of_the_definition() -> None:
    makes = [
        human("x", role="a"),
        human("x", role="b"),
        human("x", role="a", asks=["y"]),
        human("x", role="a", shows=["y"]),
        human("x", role="a", shows=[]),
        human("x", role="a", deadline=1),
    ]
    assert len({Workflow("w", body).content_hash for body in makes}) == len(makes)
