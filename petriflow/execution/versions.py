"""Versions of workflows in a store, and cases that move from one to another."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from petriflow.analysis.display import Listing
from petriflow.execution.case import Case
from petriflow.execution.clock import working
from petriflow.execution.events import FINAL, Migrated
from petriflow.execution.handle import CaseHandle
from petriflow.execution.migration import Moving, Plan, Variables, moved, obstacle
from petriflow.execution.orders import Orders
from petriflow.execution.store import Definition, StoredCase, WorkItem
from petriflow.net import Marking
from petriflow.net.errors import DefinitionError, MigrationError, StoreError
from petriflow.patterns.fragment import within
from petriflow.workflow import Workflow

#: How often it is begun anew when the cases go on while it is looked at what becomes of them.
TRIES = 10


@dataclass(frozen=True, slots=True)
class Move:
    """What becomes of one case: from which marking to which, and why not if it is `refused`."""

    case_id: str
    before: str
    after: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class Migration(Listing):
    """What becomes, or became, of cases in another version; it shows itself as a table."""

    workflow: str
    definition: str
    moves: tuple[Move, ...]
    applied: bool

    @property
    def refused(self) -> tuple[Move, ...]:
        """The cases that cannot be moved; if there are any, none is."""
        return tuple(move for move in self.moves if move.verdict == "refused")

    @property
    def title(self) -> str:
        """What was done, in a line."""
        count, refused = len(self.moves), len(self.refused)
        cases = "1 case" if count == 1 else f"{count} cases"
        to = f"version {self.definition[:12]} of {self.workflow!r}"
        if self.applied:
            return f"{cases} moved to {to}"
        if refused:
            return f"no case is moved to {to}: {refused} of {cases} cannot be"
        return f"{cases} can be moved to {to}; none was yet"

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("case", "from", "to", "verdict", "reason")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The cases, one by one."""
        return ((m.case_id, m.before, m.after, m.verdict, m.reason) for m in self.moves)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON data."""
        return asdict(self) | {"moves": [asdict(move) for move in self.moves]}


class Versions(Orders):
    """The side of `Engine` that knows the versions of workflows."""

    async def definitions(self) -> tuple[Definition, ...]:
        """The versions of workflows that the store keeps, and how many cases use each."""
        self.check()
        return tuple(await self._in_writer(self._store.definitions))

    async def of_definition(self, hash: str) -> tuple[str, ...]:
        """The open cases of a version, whoever has them; those that others called too."""
        self.check()
        return tuple(await self._in_writer(self._store.of_definition, hash))

    async def forget(self, hash: str) -> Definition:
        """Remove a version that no case uses, neither an open one nor one that has ended and whose
        history is kept.

        Args:
            hash: its content hash, or enough of its beginning.

        Raises:
            StoreError: cases use it, or this engine was given it.
            DefinitionError: there is none, or several begin so.
        """
        self._check_open()
        if own := [w for known, w in self._workflows.items() if hash and known.startswith(hash)]:
            raise StoreError(f"this engine runs {own[0].name!r} in this version")
        return await self._in_writer(self._store.forget, hash)

    async def migrate(
        self,
        cases: CaseHandle | str | Sequence[CaseHandle | str],
        *,
        to: Workflow | str,
        places: Mapping[str, str] | None = None,
        variables: Variables | None = None,
        check: bool = False,
    ) -> Migration:
        """Have cases go on in another version of their workflow: all of them, or none.

        A case keeps its id, its history, its variables, and what is under way. The bodies at work
        are called off, and those of the new version begin under the same `firing_id`. Choices that
        were open or stuck are asked anew. A timer keeps its moment where the new version has one of
        the same id; where it does not, it is called off. A case is refused where the new version
        has no place for something that it has, or where it could not be sure to end properly from
        there. The old version need not be at hand.

        Args:
            cases: one or several, by handle or id; running or suspended.
            to: one of the engine's workflows.
            places: from ids of the old version to ids of the new one: of places, tasks, triggers,
                or blocks with all in them. What is not named keeps its id.
            variables: makes the case's variables of the new version from those that it has.
            check: only say what would become of them.

        Raises:
            MigrationError: a case is refused; the message says of each why, and nothing was
                changed.
            DefinitionError: this engine was not given the new version, or `places` names what
                neither version has.
            UnknownCase: there is no such case.
        """
        self._check_open()
        plan = Plan(self._find(to), dict(places or {}), variables)
        _check_targets(plan)
        several = [cases] if isinstance(cases, CaseHandle | str) else list(cases)
        ids = list(dict.fromkeys(c if isinstance(c, str) else c.id for c in several))
        verdicts: dict[Marking, str | None] = {}
        for _ in range(TRIES):
            await self._look(ids, plan, verdicts)
            async with self._having:
                done = await self._migrate(ids, plan, check, verdicts)
            if done is None:
                continue
            if done.refused and not check:
                raise MigrationError(str(done))
            return done
        raise MigrationError(
            "the cases go on faster than it can be looked at what becomes of them; suspend them"
        )

    async def _look(
        self, ids: Sequence[str], plan: Plan, verdicts: dict[Marking, str | None]
    ) -> None:
        """See from which markings the cases could end; it may take long, and they go on."""
        await self.committed()
        rows = list((await self._in_writer(self._store.cases, ids)).values())
        await self._check_sources(rows, plan)
        for row in rows:
            with suppress(MigrationError):
                marking = Marking(Moving(row, plan).event().marking)
                if marking not in verdicts:
                    with working(self._clock):
                        verdicts[marking] = await asyncio.to_thread(
                            obstacle, plan.to.expanded, marking
                        )

    async def _migrate(
        self, ids: Sequence[str], plan: Plan, check: bool, verdicts: Mapping[Marking, str | None]
    ) -> Migration | None:
        """One try; `None` if a case has gone on meanwhile."""
        await self.committed()
        rows = await self._in_writer(self._store.cases, ids)
        others = [id for id in ids if id not in self._handles and rows[id].status not in FINAL]
        hashes = list({row.definition for row in rows.values()} | self._workflows.keys())
        again, new = await self._in_writer(self._store.acquire, others, hashes)
        called = [row for row in new if row.id not in rows]
        had = {row.id for row in (*again, *new)}
        applied = False
        try:
            rows |= {row.id: row for row in (*again, *new) if row.id in rows}
            due = await self._in_writer(self._store.timers, [*ids, *(row.id for row in called)])
            work = await self._in_writer(self._store.work_of, ids)
            # From here on nothing happens but this, until the cases are moved.
            for id in ids:
                if handle := self._handles.get(id):
                    if handle._case.seq != rows[id].version:
                        return None  # what is stored of its timers and items is not all
                    rows[id] = self._row(handle)
                    had.add(id)
            foreign = [row for row in called if row.definition not in self._workflows]
            unknown = {row.parent for row in foreign} | {row.id for row in foreign}
            judged = [
                self._judged(row, plan, row.id in had - unknown and row.parent not in unknown)
                for row in rows.values()
            ]
            if any(event and Marking(event.marking) not in verdicts for event, _ in judged):
                return None
            judged = [_settled(event, move, verdicts) for event, move in judged]
            events = {move.case_id: event for event, move in judged if event is not None}
            if len(events) == len(ids) and not check:
                families = [handle for row in called if (handle := self._load(row))]
                await self._apply_all(rows, events, plan, due, work, {row.id for row in new})
                for handle in families:
                    self._observers.opened(handle, continued=True)
                    self._continue(handle, due)
                applied = True
            moves = tuple(move for _, move in judged)
            return Migration(plan.to.name, plan.to.content_hash, moves, applied)
        finally:
            if not applied and new:
                await self._in_writer(self._store.release, [row.id for row in new])

    def _judged(self, row: StoredCase, plan: Plan, had: bool) -> tuple[Migrated | None, Move]:
        """What becomes of a case, and the event that does it."""
        before = str(Marking(row.marking))
        try:
            moving = Moving(row, plan)
            event = moving.event()
            if not had:
                raise MigrationError(
                    "another engine is at work for it (stop that one, or suspend the case and wait "
                    "until its bodies have ended), or it has called a case, or was called by one, "
                    "whose workflow this engine was not given"
                )
        except MigrationError as error:
            return None, Move(row.id, before, "", "refused", str(error))
        after = str(Marking(event.marking))
        return event, Move(row.id, before, after, "fits", "; ".join(moving.notes))

    async def _apply_all(
        self,
        rows: Mapping[str, StoredCase],
        events: Mapping[str, Migrated],
        plan: Plan,
        due: Mapping[tuple[str, str], float],
        work: Sequence[WorkItem],
        new: Collection[str],
    ) -> None:
        """Move the cases, with one commit."""
        handles = []
        for id, event in events.items():
            for firing_id in rows[id].control["running"]:
                self._bodies.cancel(firing_id)
            handles.append(self._move(rows[id], event, plan.to, due))
            self._relist(handles[-1], [item for item in work if item.case_id == id])
            if id in new:
                self._observers.opened(handles[-1], continued=True)
        await self.committed()
        if lost := [handle.id for handle in handles if handle.refused]:
            for id in events:  # whoever asks for them again reads them anew
                self._known.pop(id, None)
            raise MigrationError(
                f"case {lost[0]!r} was taken over by another engine meanwhile; nothing was changed"
            )
        for id in events:
            self._left.pop(id, None)
        for (id, timer), at in due.items():
            if timer in _timers(self._known[id]._case):
                self._timers.set(id, timer, at)

    def _move(
        self,
        row: StoredCase,
        event: Migrated,
        to: Workflow,
        due: Mapping[tuple[str, str], float],
    ) -> CaseHandle:
        """Have a case in its new version, and let it go on there."""
        case = moved(event, row.id, row.version, to)
        handle = self._handles.get(row.id)
        if handle is None:
            handle = self._known.get(row.id) or CaseHandle(self, case, to, row.created_at)
            self._known[row.id] = self._handles[row.id] = handle
            handle.away = handle.refused = False
            handle.fence = row.fence
            if row.parent is not None and row.call is not None:
                handle.parent_id = row.parent
                handle.firing_id, handle.depth, handle.began_with = row.call
                self._children.adopt(handle)
        handle._case, handle.workflow = case, to
        self._batch.moved.append((row.id, to.content_hash, to.name))
        for transition in row.control.get("about", {}):
            self._batch.subscriptions[row.id, transition] = None
        for incident in row.control["incidents"]:
            if incident not in event.control["incidents"]:
                self._batch.incidents[row.id, incident] = None
        for transition in row.control.get("about", ()):  # in the new version it waits anew
            self._batch.subscriptions[row.id, transition] = None
        wanted = _timers(case)
        for (id, timer), at in due.items():
            if id != row.id:
                continue
            if timer in case.running:
                self._bodies.deadlines[timer] = at
            if timer not in wanted:
                self._batch.timers[id, timer] = None
                self._timers.unset(id, timer)
        self.turn(handle, event)
        return handle

    def _relist(self, handle: CaseHandle, known: Sequence[WorkItem]) -> None:
        """Have the work lists of people show the case's items as the new version has them."""
        now = handle._case.items
        for item in known:
            if item.id not in now:
                self._batch.work[item.id] = handle.id, None
                continue
            task = now[item.id].task
            role = handle.workflow.tasks[task].role or ""
            self._batch.work[item.id] = (
                handle.id,
                replace(item, workflow=handle.workflow.name, task=task, role=role),
            )
        unlisted = now.keys() - {item.id for item in known}
        self._list_work(handle, {id: item for id, item in now.items() if id not in unlisted})

    async def _check_sources(self, rows: Collection[StoredCase], plan: Plan) -> None:
        """Refuse a mapping from what no version of the cases has."""
        known: set[str] = set()
        for hash in {row.definition for row in rows}:
            net = (await self._in_writer(self._store.definition, hash))["net"]
            known |= {*net["places"], *(t["id"] for t in net["transitions"])}
        for old in plan.places if rows else ():
            running = old.removesuffix(".running")
            if running not in known and not any(within(old, id) for id in known):
                raise DefinitionError(f"places: the cases' version has nothing called {old!r}")


def _settled(
    event: Migrated | None, move: Move, verdicts: Mapping[Marking, str | None]
) -> tuple[Migrated | None, Move]:
    """The case is refused, too, if it could not be sure to end."""
    why = verdicts[Marking(event.marking)] if event is not None else None
    if why is None:
        return event, move
    return None, replace(move, verdict="refused", reason=why)


def _timers(case: Case) -> set[str]:
    """The timers that are kept for a case: its own, and the deadlines of its bodies."""
    return {*case.running, *(timer.timer for timer in case.timers)}


def _check_targets(plan: Plan) -> None:
    net = plan.to.expanded
    known = [*(place.id for place in net.places), *(t.id for t in net.transitions)]
    for new in plan.places.values():
        if not any(within(new, id) for id in known):
            raise DefinitionError(f"places: workflow {plan.to.name!r} has nothing called {new!r}")
