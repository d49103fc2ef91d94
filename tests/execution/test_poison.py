"""Cases that fail again and again, and floods of new ones, do not slow the others: counted in
virtual time, in commits and in turns, never in seconds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from petriflow import Engine, TaskContext, Workflow, task
from petriflow.execution.observer import Observer
from petriflow.execution.starting import MOST_BIRTHS
from petriflow.execution.store import Batch
from petriflow.patterns import sequence
from petriflow.testing import VirtualClock

from .test_engine import MEMORY, step

HEALTHY, POISON = 20, 50


class Commits(Observer):
    def __init__(self) -> None:
        self.count = 0

    def wrote(self, events: int, seconds: float, waiting: int) -> None:
        self.count += 1


async def latencies(poison: Workflow | None, clock: VirtualClock | None = None) -> list[float]:
    """How long each of some healthy cases takes, in virtual seconds, while so many poison cases are
    open and there is room for four bodies."""
    clock = clock or VirtualClock()

    async def busy(case: TaskContext) -> None:
        await clock.sleep(1)

    flow = Workflow("healthy", sequence(*(task(name=f"t{n}")(busy) for n in range(3))))
    flows = [flow, poison] if poison else [flow]
    async with Engine(MEMORY, workflows=flows, limit=4, clock=clock) as engine:
        if poison:
            sick = [await engine.start(poison, {}) for _ in range(POISON)]
            for case in sick if poison.name == "stuck" else ():
                await case.settle()
        began = clock.now()

        async def one() -> float:
            outcome = await (await engine.start(flow, {})).wait()
            assert outcome.completed
            return clock.now() - began

        took = await asyncio.gather(*(one() for _ in range(HEALTHY)))
        if poison:
            assert all(case.status == "running" for case in sick)
        return sorted(took)


async def fails(case: TaskContext) -> None:
    raise OSError("poison")


@pytest.mark.promise("RUN-30")
@pytest.mark.parametrize(
    "limits",
    [
        {"retries": 10**6, "delay": 1, "backoff": 1},
        {"retries": 10**6, "delay": 0.5, "jitter": 1, "backoff": 1},
        {"on_failure": "incident"},
    ],
    ids=["retries", "jitter", "incidents"],
)
async def test_cases_that_always_fail_leave_the_others_as_quick_as_they_were(
    limits: dict[str, Any],
) -> None:
    """With room for four bodies: who pauses, or waits for a person, takes none."""
    alone = await latencies(None)
    name = "stuck" if "on_failure" in limits else "poison"
    beside = await latencies(Workflow(name, task(name="fails", **limits)(fails)))
    assert max(alone) == HEALTHY * 3 / 4
    assert beside == alone


@pytest.mark.promise("RUN-30")
async def test_a_limit_on_the_failing_task_leaves_the_rest_of_the_room_to_the_others() -> None:
    """Its bodies take long until they fail, and come again at once."""
    clock = VirtualClock()

    async def slow(case: TaskContext) -> None:
        await clock.sleep(1)
        raise OSError("poison")

    alone = await latencies(None)
    poison = task(name="slow", retries=10**6, delay=0, limit=1)(slow)
    beside = await latencies(Workflow("poison", poison), clock)
    # One of the four places at the most is theirs.
    assert max(beside) <= max(alone) * 4 / 3 + 1


@pytest.mark.promise("RUN-30")
async def test_cases_that_fail_without_any_pause_hold_the_others_up_by_few_commits() -> None:
    """A task waits for no more than one turn of each other case, and what has come together is
    written at once, however many attempts it is of."""

    async def commits(poison: int) -> int:
        seen = Commits()
        hot = Workflow("hot", task(name="hot", retries=10**9, delay=0)(fails))
        flow = Workflow("healthy", sequence(*(step(f"t{n}") for n in range(3))))
        async with Engine(MEMORY, workflows=[flow, hot], limit=4, observers=[seen]) as engine:
            for _ in range(poison):
                await engine.start(hot, {})
            before = seen.count
            cases = await asyncio.gather(*(engine.start(flow, {}) for _ in range(HEALTHY)))
            outcomes = await asyncio.gather(*(case.wait() for case in cases))
            assert all(outcome.completed for outcome in outcomes)
            return seen.count - before

    # Three turns for each healthy case, four bodies at once, all others coming in between.
    assert await commits(POISON) <= await commits(0) + 3 * (HEALTHY + POISON) / 4


async def test_an_undo_that_always_fails_leaves_the_others_as_quick_as_they_were() -> None:
    alone = await latencies(None)
    back = task(name="back", retries=10**6, delay=1, backoff=1)(fails)
    poison = Workflow("poison", sequence(task(name="a", compensate=back)(nothing), fails))
    beside = await latencies(poison)
    assert beside == alone


async def nothing(case: TaskContext) -> None: ...


@pytest.mark.promise("RUN-31")
async def test_a_flood_of_new_cases_is_stored_in_portions_and_others_come_in_between() -> None:
    flow, other = Workflow("flood", step("a", a=1)), Workflow("other", step("b", b=1))
    async with Engine(MEMORY, workflows=[flow, other]) as engine:
        commit, births = engine._store.commit, []
        at: dict[str, int] = {}

        def counted(batch: Batch) -> frozenset[str]:
            births.append(sum(r.kind == "CaseStarted" for r in batch.records))
            for case in batch.cases:
                if case.workflow == "other":
                    at.setdefault(case.status, len(births))
            return commit(batch)

        engine._store.commit = counted  # type: ignore[method-assign]
        one = await engine.start(other, {})
        flood = [asyncio.create_task(engine.start(flow, {})) for _ in range(5 * MOST_BIRTHS)]
        assert (await one.wait()).completed
        cases = await asyncio.gather(*flood)
        outcomes = await asyncio.gather(*(case.wait() for case in cases))
    assert all(outcome.completed for outcome in outcomes)
    assert max(births) <= MOST_BIRTHS
    assert sum(births) == 5 * MOST_BIRTHS + 1
    assert at["completed"] - at["running"] <= 3
