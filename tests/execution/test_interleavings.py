"""Each pattern on the engine, with asynchronous bodies that end when the test says so, in every
order: what is observed is the language of the expanded net, all of it and nothing else.

One step of a run is what the world does (a body ends, an event comes, a timer rings) and all that
follows from it by itself. The net's side is computed with net/firing.py and the engine's priority:
first what is silent or starts a task, then the decisions, and only then the world. A word is what
the world did and what was decided at each step, and the marking at which the net then rests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from petriflow import Engine, TaskContext, Workflow
from petriflow.execution import turns as shell
from petriflow.execution.events import Decide, Decided, StartTask
from petriflow.execution.handle import CaseHandle
from petriflow.execution.program import Program, program, undeclared_choices
from petriflow.execution.store import Record
from petriflow.net import Marking, enabled, fire, replay
from petriflow.patterns.catalogue import CATALOGUE
from petriflow.patterns.fragment import Event as Happening
from petriflow.testing.ways import ways

from .test_engine import MEMORY
from .test_language import PATTERNS

EXAMPLES = {f"{p.number} {p.name}, its example": p.example() for p in CATALOGUE}
#: Where nothing decides between two steps the engine refuses; RUN has the same with an event.
EXECUTABLE = {
    name: fragment
    for name, fragment in (PATTERNS | EXAMPLES).items()
    if not undeclared_choices(Workflow("w", fragment))
}
#: what the world did, what was decided then, and where the net rests
Step = tuple[str, tuple[str, ...], Marking]
Word = tuple[Step, ...]
#: how many tokens there were when a patient choice last said "not yet"; it is asked about others
Asked = frozenset[tuple[str, int]]
#: a pattern is followed as deep as it has no more words than this
WORDS = 60


class Language:
    """The words of a net under the engine's priority."""

    def __init__(self, known: Program) -> None:
        self.known, self.net = known, known.workflow.expanded
        ids = [t.id for t in self.net.transitions]
        self.patient = {
            ids[t]: d.choice.place for t, d in known.decides.items() if d.choice.patient
        }
        self.decided = {ids[t] for t in known.decides.keys() | known.tallied.keys()}
        asked = known.decides.keys() | known.tallied.keys() | known.triggers.keys()
        self.eager = {ids[t] for t in known.everything_set - asked}

    def words(self) -> set[Word]:
        """Its words, as many steps long as there are few of them."""
        initial = self.net.initial_marking
        found = {((step,), asked) for step, asked in self.after("", initial, frozenset())}
        while True:
            longer = set()
            for word, asked in found:
                after = list(self.next(word[-1][2], asked))
                longer |= {((*word, step), then) for step, then in after} or {(word, asked)}
            if len(longer) > WORDS or longer == found:
                return {word for word, _ in found}
            found = longer

    def next(self, marking: Marking, asked: Asked) -> Iterator[tuple[Step, Asked]]:
        for t in enabled(self.net, marking):
            if t.id not in self.patient:
                yield from self.after(t.id, fire(t, marking, self.net), asked)

    def after(self, did: str, marking: Marking, asked: Asked) -> set[tuple[Step, Asked]]:
        """All that can follow by itself."""
        found: set[tuple[Step, Asked]] = set()
        seen, todo = set(), [(marking, tuple[str, ...](), asked)]
        while todo:
            marking, decisions, asked = state = todo.pop()
            if state in seen:
                continue
            seen.add(state)
            ready = list(enabled(self.net, marking))
            if eager := [t for t in ready if t.id in self.eager]:
                todo.append((fire(eager[0], marking, self.net), decisions, asked))
                continue
            open = [t for t in ready if t.id in self.decided and t.id not in self.patient]
            places = {t: self.patient[t.id] for t in ready if t.id in self.patient}
            arrived = {t: p for t, p in places.items() if (p, marking[p]) not in asked}
            for t in open or arrived:
                after = fire(t, marking, self.net), tuple(sorted((*decisions, t.id)))
                todo.append((*after, frozenset(a for a in asked if a[0] != places.get(t))))
            if not open:
                known = frozenset(a for a in asked if a[0] not in arrived.values())
                now = known | {(p, marking[p]) for p in arrived.values()}
                found.add(((did, decisions, marking), now))
        return found


# -- the engine, and a world that does as it is told -----------------------------------------------


class World:
    """Answers everything by the next number of a script, and notes how many answers there were."""

    def __init__(self, script: list[int]) -> None:
        self.script, self.of = script, list[int]()
        self.bodies: dict[str, asyncio.Future[None]] = {}

    def pick(self, count: int) -> int:
        self.of.append(count)
        if len(self.of) > len(self.script):
            self.script.append(0)
        return self.script[len(self.of) - 1]

    def next_script(self) -> list[int] | None:
        """The script that takes the next way at the last place where there is one."""
        for n in reversed(range(len(self.of))):
            if self.script[n] + 1 < self.of[n]:
                return [*self.script[:n], self.script[n] + 1]
        return None

    async def body(self, case: TaskContext) -> None:
        self.bodies[case.firing_id] = ended = asyncio.get_running_loop().create_future()
        try:
            await ended
        finally:
            del self.bodies[case.firing_id]

    def decide(self, workflow: Workflow, command: Decide) -> Decided:
        takes = ways(program(workflow), command.choice)
        return Decided(command.choice, command.number, takes[self.pick(len(takes))])

    def now(self) -> float:
        return 1e9

    async def sleep(self, seconds: float) -> None:
        await asyncio.get_running_loop().create_future()  # a timer rings when the world says so


async def play(running: Engine, case: CaseHandle, world: World, steps: int) -> list[int]:
    """Let the world take so many steps; the numbers of events after each."""
    told = [case._case.seq]
    names = {t.name for t in case._case.program.triggers.values() if isinstance(t, Happening)}
    for _ in range(steps):
        inner = case._case  # another one after each time that the case has only waited
        at_work = [c.firing_id for c in inner.open_commands() if isinstance(c, StartTask)]
        rings = [timer.timer for timer in inner.waiting.timers]
        await until(lambda ids=at_work: world.bodies.keys() == set(ids))
        futures = [world.bodies[id] for id in at_work]
        events = [name for name in sorted(names) if inner.waiting.taker(name)]
        if not futures and not rings and not events:
            break
        before, chosen = inner.seq, world.pick(len(futures) + len(rings) + len(events))
        if chosen < len(futures):
            futures[chosen].set_result(None)
        elif (timer := chosen - len(futures)) < len(rings):
            await running._ring([(case.id, rings[timer])])
        else:
            await running.signal(case, events[timer - len(rings)])
        await until(lambda before=before: case._case.seq > before)
        await running.committed()
        told.append(case._case.seq)
    return told


async def until(condition: Callable[[], bool]) -> None:
    """Let the engine work until this is so."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the condition is anything, not an event
            await asyncio.sleep(0)


@pytest.mark.promise("RUN-8")
@pytest.mark.parametrize("name", EXECUTABLE)
async def test_the_engine_does_all_that_the_net_can_and_nothing_else(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds = [World([])]

    async def body(case: TaskContext) -> None:
        await worlds[-1].body(case)

    class Time:
        def now(self) -> float:
            return worlds[-1].now()

        async def sleep(self, seconds: float) -> None:
            await worlds[-1].sleep(seconds)

    fragment = EXECUTABLE[name]
    workflow = Workflow("w", replace(fragment, tasks=dict.fromkeys(fragment.tasks, body)))
    known = program(workflow)
    language = Language(known)
    expected = language.words()
    steps = max(map(len, expected)) - 1
    monkeypatch.setattr(shell, "answer", lambda flow, command: worlds[-1].decide(flow, command))

    observed: set[Word] = set()
    records: list[Record] = []
    script: list[int] | None = []
    async with Engine(
        MEMORY,
        workflows=workflow,
        allow_unsound=True,
        clock=Time(),
        on_event=records.append,
    ) as run:
        while script is not None:
            records.clear()
            worlds.append(World(script))
            case = await run.start(workflow)
            told = await play(run, case, worlds[-1], steps)
            if not case._case.incidents:  # a guard may ask for what cannot happen, and waits then
                observed.add(word(language, list(records), told))
            script = worlds[-1].next_script()
            if not case._case.finished:
                await case.cancel()
    assert observed <= expected, "the engine did what the net cannot"
    assert expected <= observed, "the net can do what the engine did not"


def test_the_engine_executes_the_example_of_every_pattern() -> None:
    assert EXAMPLES.keys() <= EXECUTABLE.keys()
    assert len(EXAMPLES) == 43


def word(language: Language, records: list[Record], told: list[int]) -> Word:
    net, steps, marking = language.net, [], language.net.initial_marking
    for n, seq in enumerate(told):
        since = told[n - 1] if n else 0
        fired = [t for record in records if since < record.seq <= seq for t in record.fired]
        marking = list(replay(net, fired, marking))[-1]
        did = "" if n == 0 else fired[0]
        decisions = fired if n == 0 else fired[1:]
        steps.append((did, tuple(sorted(t for t in decisions if t in language.decided)), marking))
    return tuple(steps)
