"""Several engines on one store: an engine keeps its cases, takes over those of engines that are
gone, and lets go of those that it has lost.

This goes on in every engine, in its ordinary loop. The fences in the store keep an engine that was
away for too long from doing harm; here it learns of it and drops what it has of those cases.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Mapping
from typing import cast

from petriflow.execution.case import Case
from petriflow.execution.events import FINAL, CancelTask, Decide, ScheduleTimer, Status, TimerFired
from petriflow.execution.handle import CaseHandle
from petriflow.execution.orders import Orders
from petriflow.execution.program import program
from petriflow.execution.questions import answer
from petriflow.execution.store import StoredCase
from petriflow.execution.store.ownership import without
from petriflow.execution.timers import Due
from petriflow.net.errors import StoreError, UnknownCase, say
from petriflow.workflow import Workflow

log = logging.getLogger("petriflow")

#: Seconds between looks at the orders that guests leave in a SQLite file.
GUESTS = 0.5


class Leases(Orders):
    """The side of `Engine` that has cases, and shares their store with others."""

    async def _keep_leases(self) -> None:
        """Renew, take over and let go, again and again; by the real clock, as the database does."""
        while self._store.lease is None and self._store.guests:
            await asyncio.sleep(GUESTS)
            try:
                await self._work_off()
            except StoreError as error:
                log.warning("orders could not be looked up: %s", error)
        while self._store.lease is not None:
            await asyncio.sleep(self._store.lease / 3)
            try:
                await self._renew()
                self._observers.renewed()
                await self._timers.look(self._clock.now() + self._store.lease)
                await self._refresh(list(self._watched.values()))
                await self._work_off()
                self._observers.counted(await self._in_writer(self._store.counts))
            except StoreError as error:  # a commit that needs the store will tell; else it passes
                log.warning("leases were not renewed: %s", error)
            except Exception:  # an engine without this loop would lose its cases
                log.exception("leases were not renewed")

    async def _take_all(self) -> None:
        """Go on with all cases that are free, a portion at a time: the lease must not run out."""
        definitions = list(self._workflows)
        for id, workflow, parent in await self._in_writer(self._store.foreign, definitions):
            if parent is None:
                self._left[id] = workflow
            else:
                self._children.elsewhere.add(id)
        stored = await self._in_writer(self._store.open_cases, self._takes())
        await self._take(stored)
        while stored and self._store.lease is not None:
            stored = await self._renew()

    def _takes(self) -> list[str]:
        """The definitions whose cases are gone on with unasked."""
        return list(self._workflows)

    async def _renew(self) -> list[StoredCase]:
        """Keep the cases, and go on with those whose engine is gone; the answer is these."""
        async with self._having:
            mine = {id: handle.fence for id, handle in self._handles.items()}
            lost, found = await self._in_writer(self._store.renew, self._takes(), mine)
            self._let_go(lost)
            if not self._stopping:
                await self._take(found)
        return found

    async def _take(self, stored: Collection[StoredCase], again: bool = False) -> None:
        """Have cases of the store and go on with them; `again` if this engine had them last."""
        if not stored:
            return
        due = await self._in_writer(self._store.timers, [row.id for row in stored])
        for handle in [handle for row in stored if (handle := self._load(row))]:
            if not again:
                self._observers.opened(handle, continued=True)
            try:
                self._continue(handle, due)
            except Exception as error:  # such as a timer whose row is not there
                self._let_go([handle.id], unborn=[handle.id])
                self._observers.left(handle)
                self._set_aside(handle.id, _damaged(handle.id, error))

    def _load(self, stored: StoredCase) -> CaseHandle | None:
        """Have a case of the store; one that cannot be read stays there and stops no other."""
        workflow = self._workflows.get(stored.definition)
        if workflow is None:  # called by a case that is this engine's, and of another version
            self._children.elsewhere.add(stored.id)
            return None
        try:
            handle = self._handle(stored, workflow)
        except StoreError as error:
            self._set_aside(stored.id, error)
            return None
        handle.away = handle.refused = False
        self._handles[stored.id] = handle
        if stored.parent is not None and stored.call is not None:
            handle.parent_id = stored.parent
            handle.firing_id, handle.depth, handle.began_with = stored.call
            self._children.adopt(handle)
        if stored.active and not handle.active:  # of a time when that was not noted
            self.touch(handle)
        return handle

    def _set_aside(self, id: str, error: StoreError) -> None:
        """Leave a damaged case as it is; whoever asks for it is told."""
        self._damaged[id] = error
        log.error("%s", error, extra={"case_id": id})

    def _handle(self, stored: StoredCase, workflow: Workflow) -> CaseHandle:
        try:
            case = Case.load(
                program(workflow),
                stored.id,
                cast(Status, stored.status),
                stored.version,
                stored.error,
                (stored.marking, stored.variables, stored.control),
            )
        except Exception as error:
            raise _damaged(stored.id, error) from error
        handle = self._known.get(stored.id)
        if handle is None:
            handle = CaseHandle(self, case, workflow, stored.created_at, away=True)
            self._known[stored.id] = handle
        handle._case, handle.workflow, handle.fence = case, workflow, stored.fence
        handle.told = case.finished
        return handle

    def _continue(self, handle: CaseHandle, due: Mapping[tuple[str, str], float]) -> None:
        """Carry out what stands open of a case of the store."""
        case = handle._case
        firings = {firing: due.get((case.id, firing)) for firing in case.bodies}
        self._bodies.deadlines |= {firing: at for firing, at in firings.items() if at is not None}
        for command in case.open_commands():
            match command:
                case Decide():
                    self.turn(handle, answer(handle.workflow, command))
                case ScheduleTimer(timer):
                    self._set_timer(handle, timer, due[case.id, timer])
                case CancelTask(firing_id):
                    self._call_off(handle, firing_id)
                case _:
                    self._carry_out(handle, command)

    # -- cases that only wait ---------------------------------------------------------------

    async def _reach(self, id: str) -> CaseHandle | None:
        while id not in self._handles:
            if id in self._reaching:
                await asyncio.shield(self._reaching[id])
                continue
            self._reaching[id] = self._loop.create_task(self._acquire_one(id))
            if not await asyncio.shield(self._reaching[id]):
                break
            # Else it was had, and may have been put away again by another's order already.
        if handle := self._handles.get(id):
            return handle
        if id in self._damaged:
            raise self._damaged[id]
        stored = await self._in_writer(self._store.case, id)
        if stored.definition not in self._workflows:
            raise UnknownCase(
                f"case {id!r} is of another version of workflow {stored.workflow!r}, which this "
                "engine was not given"
            )
        if stored.status in FINAL:
            raise UnknownCase(f"case {id!r} is not open: it is {stored.status}")
        while stored.parent is not None:
            stored = await self._in_writer(self._store.case, stored.parent)
            if stored.definition not in self._workflows and stored.status not in FINAL:
                raise UnknownCase(
                    f"case {id!r} was called by case {stored.id!r} of workflow "
                    f"{stored.workflow!r}, which this engine was not given"
                )
        return None

    async def _acquire_one(self, id: str) -> bool:
        try:
            await self._acquire([id])
            return id in self._handles
        finally:  # not later: whoever waited for what is done already would never let others run
            del self._reaching[id]

    async def _acquire(self, ids: Collection[str]) -> None:
        # One after the other: what was read of a case is what it is when it is had.
        async with self._having:
            missing = [id for id in ids if id not in self._handles]
            if not missing or self._stopping:
                return
            again, new = await self._in_writer(self._store.acquire, missing, list(self._workflows))
            # Those that called them and those that they call come too, unless they are here.
            await self._take([row for row in again if row.id not in self._handles], again=True)
            await self._take([row for row in new if row.id not in self._handles])

    def _put_away(self, handle: CaseHandle) -> None:
        handle.away = True
        del self._handles[handle.id]
        if handle.awaited:
            self._watched[handle.id] = handle

    async def _refresh(self, handles: Collection[CaseHandle]) -> None:
        known = {h.id: h._case.seq for h in handles if h.away}
        for row in await self._in_writer(self._store.changed, known) if known else ():
            handle = self._known.get(row.id)
            if handle is not None and handle.away and row.definition not in self._workflows:
                self._watched.pop(row.id, None)
                handle.abandon(
                    UnknownCase(
                        f"case {row.id!r} was moved to another version of workflow "
                        f"{row.workflow!r}, which this engine was not given"
                    )
                )
            elif handle is not None and handle.away:
                self._handle(row, self._workflows[row.definition]).tell()
                if not handle.awaited:
                    self._watched.pop(row.id, None)

    def watch(self, handle: CaseHandle) -> None:
        """Somebody waits for the case: see that they are told."""
        if handle.away:
            self._watched[handle.id] = handle
            self._heard(f"case {handle.id}")  # what is known of it may be of long ago
        elif handle._case.idle or handle._case.stuck:
            self.touch(handle)

    def _let_go(self, ids: Collection[str], unborn: Collection[str] = ()) -> None:
        """Drop cases that another engine has: nothing of them is stored, started or told here.

        The unborn were refused at their birth, since another engine had used their key.
        """
        if not ids:
            return
        for handle in [self._handles.pop(id) for id in ids if id in self._handles]:
            handle.away = handle.refused = True
            self._dirty.pop(handle.id, None)
            self._children.forget(handle)
            for firing_id in handle._case.running:
                self._bodies.cancel(firing_id)
            if handle.awaited:
                self._watched[handle.id] = handle
            if handle.id in unborn:
                continue
            self._observers.left(handle)
            log.warning(
                "case %r was taken over by another engine while this one was away; it goes on "
                "there",
                handle.id,
                extra={"case_id": handle.id},
            )
        self._batch = without(self._batch, ids)
        self._commands = [(h, command) for h, command in self._commands if not h.refused]

    # -- timers -----------------------------------------------------------------------------

    def _set_timer(self, handle: CaseHandle, timer: str, due: float) -> None:
        self._timers.set(handle.id, timer, due)

    async def _first_timers(self, before: float, limit: int) -> list[Due]:
        return await self._in_writer(self._store.due, list(self._workflows), before, limit)

    async def _ring(self, due: list[tuple[str, str]]) -> None:
        """Timers are due; of those that nobody waits for any more, nothing comes."""
        reached = set[str]()
        while True:
            for case, timer in due:
                handle = self._handles.get(case)
                if handle and handle._case.awaits(timer):
                    self.turn(handle, TimerFired(timer))
            # While some are reached for, others that were at hand may be put away.
            due = [(case, timer) for case, timer in due if case not in self._handles]
            away = {case for case, _ in due} - reached
            if not away:
                break
            await self._acquire(away)
            reached |= away
        for case in reached:
            self._settle(case)

    def _settle(self, id: str) -> None:
        """Put a case away that was reached for, if nothing has come of it."""
        handle = self._handles.get(id)
        if handle and id not in self._dirty and not handle.active:
            self._put_away(handle)


def _damaged(id: str, error: Exception) -> StoreError:
    what = f"{type(error).__name__}: {say(error)}"
    return StoreError(f"case {id!r} in the store is damaged ({what}); restore the file")
