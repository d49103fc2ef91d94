"""What a user asks of an engine about its cases: the side of `Engine` that faces people."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar, cast, get_args

from petriflow.execution.core import Away
from petriflow.execution.events import (
    OPEN,
    CancelRequested,
    EventReceived,
    Resumed,
    Status,
    Suspended,
)
from petriflow.execution.explain import Explanation, explained
from petriflow.execution.handle import CaseHandle, Outcome
from petriflow.execution.history import History, history, secrets
from petriflow.execution.logs import event_log
from petriflow.execution.orders import Orders
from petriflow.execution.program import program
from petriflow.execution.store import Summary, Which
from petriflow.formats.event_log import EventLog
from petriflow.net.errors import DefinitionError, UnknownCase, printable
from petriflow.patterns.duration import Duration, seconds
from petriflow.patterns.fragment import Event as Wait
from petriflow.workflow import Workflow

T = TypeVar("T")


def which(
    status: str | None, workflow: str | None, since: float | None, limit: int | None
) -> Which:
    """Which cases to list; raises DefinitionError where there can be none such."""
    if status is not None and status not in get_args(Status):
        known = ", ".join(map(repr, get_args(Status)))
        raise DefinitionError(f"no case is ever {status!r}; the states are {known}")
    if limit is not None and limit < 1:
        raise DefinitionError(f"a list has at least one place, not {limit}")
    return Which(status, workflow, since, limit)


class Desk(Orders):
    """The questions and orders that an `Engine` takes for its cases; it does the work itself."""

    @property
    def left(self) -> Mapping[str, str]:
        """The open cases of the store whose definition this engine was not given, with the names of
        their workflows. They wait, as they are, for an engine that has it.
        """
        return MappingProxyType(self._left)

    async def case(self, id: str) -> CaseHandle:
        """A case of the store, open or ended, whichever engine is at work for it.

        Raises:
            UnknownCase: there is no such case, or its workflow was not given to this engine.
        """
        self.check()
        known = self._known.get(id)
        if known is not None:
            await self._refresh([known])
            return known
        stored = await self._in_writer(self._store.case, id)
        if stored.definition not in self._workflows:
            raise UnknownCase(
                f"case {id!r} is of another version of workflow {stored.workflow!r}, which this "
                "engine was not given"
            )
        known = self._known.get(id)  # it may have come meanwhile
        return known or self._handle(stored, self._workflows[stored.definition])

    async def open_cases(self) -> tuple[CaseHandle, ...]:
        """All open cases of the engine's workflows, the oldest first; not those that others called.

        It holds them all in memory; `list` tells of many more cases.
        """
        found: list[Summary] = []
        for status in sorted(OPEN):
            found += await self.list(status=cast(Status, status), limit=None)
        found.sort(key=lambda summary: (summary.created_at, summary.id))
        mine = [s.id for s in found if s.id not in self._left]
        return tuple([await self.case(id) for id in mine])

    async def signal(
        self,
        case: CaseHandle | str,
        event: str,
        payload: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
    ) -> bool:
        """Tell a case that something has happened; what that leads to is stored when this returns.

        Args:
            case: the case, or its id.
            event: the name that its workflow waits for by `event(name)`.
            payload: updates to the case's variables.
            key: a name for this one happening: told again under the same key, nothing happens.

        Returns:
            Whether it was of use: taken by a step that waited, or kept for one that will.

        Raises:
            UnknownCase: this engine has no open case of this id.
            DefinitionError: the workflow has no event of this name.
            VariableError: the payload cannot be stored or does not fit the variables' model.
        """
        told: bool = await self._order(case, "signal", event=event, payload=payload or {}, key=key)
        return told

    async def _order_signal(
        self, handle: CaseHandle, event: str, payload: Mapping[str, Any], key: str | None
    ) -> bool:
        known = {t.name for t in program(handle.workflow).triggers.values() if isinstance(t, Wait)}
        if event not in known:
            names = ", ".join(map(repr, sorted(known))) or "no event"
            raise DefinitionError(
                f"workflow {handle.workflow.name!r} does not wait for {event!r}; it knows {names}"
            )
        checked = handle.workflow.schema.updates(handle._case.variables, payload)
        if key is None:
            return await self._apply(handle, EventReceived(event, checked))
        if (handle.id, key) in self._telling:
            return False
        self._telling.add((handle.id, key))  # before the store is asked, lest two ask at once
        try:
            if await self._in_writer(self._store.told, handle.id, key):
                return False
            told = handle.id, key, event, self._clock.now()
            return await self._apply(handle, EventReceived(event, checked), told)
        finally:
            self._telling.discard((handle.id, key))

    async def suspend(self, case: CaseHandle | str, reason: str = "") -> bool:
        """Hold a case: bodies that run may finish and events are received, but nothing new starts.

        The cases that its tasks call are suspended with it.

        Returns:
            Whether the case was running; otherwise nothing happens.

        Raises:
            UnknownCase: this engine has no open case of this id.
        """
        held: bool = await self._order(case, "suspend", reason=printable(str(reason)))
        return held

    async def _order_suspend(self, handle: CaseHandle, reason: str) -> bool:
        return await self._tell_all(handle, Suspended(reason))

    async def resume(self, case: CaseHandle | str) -> bool:
        """Let a suspended case go on, with the cases that its tasks call.

        Returns:
            Whether the case was suspended; otherwise nothing happens.

        Raises:
            UnknownCase: this engine has no open case of this id.
        """
        freed: bool = await self._order(case, "resume")
        return freed

    async def _order_resume(self, handle: CaseHandle) -> bool:
        return await self._tell_all(handle, Resumed())

    async def cancel(self, case: CaseHandle | str, reason: str = "") -> Outcome:
        """Give a case up: running bodies are cancelled, nothing further starts, and what can be
        undone is undone, the last first.

        Returns:
            The case as it is then: `cancelled`; or, as long as there is something to undo,
            `running` or `suspended`, and `wait` returns when it is over.

        Raises:
            UnknownCase: this engine has no open case of this id.
        """
        handle = case if isinstance(case, CaseHandle) else await self.case(case)
        with suppress(UnknownCase):  # it has ended
            if not handle.told:
                await self._order(handle, "cancel", reason=printable(str(reason)))
        if handle.away:
            await self._refresh([handle])
        return handle._outcome()

    async def _order_cancel(self, handle: CaseHandle, reason: str) -> bool:
        return await self._apply(handle, CancelRequested(reason))

    async def _tell_all(self, first: CaseHandle, event: Suspended | Resumed) -> bool:
        """Suspend or resume a case and those that it calls; the answer is whether it was of use."""
        before: Status = "running" if isinstance(event, Suspended) else "suspended"
        useful = first.status == before
        family = [first] if useful else []
        for member in family:
            family += self._children.of(member)
            if member.status == before:
                self.turn(member, event)
        await self.committed()
        if first.refused:
            raise Away(f"case {first.id!r} was taken over by another engine")
        return useful

    async def explain(self, case: CaseHandle | str) -> Explanation:
        """What a case waits for, or how it ended, by what is stored of it.

        It also tells of cases that have ended, and of those whose definition this engine was not
        given. Values of variables are not told.

        Raises:
            UnknownCase: there is no such case.
        """
        self.check()
        id = case if isinstance(case, str) else case.id
        return await self._in_writer(explained, self._store, id, self._workflows)

    async def list(
        self,
        *,
        status: Status | None = None,
        workflow: Workflow | str | None = None,
        since: datetime | float | None = None,
        limit: int | None = 100,
    ) -> tuple[Summary, ...]:
        """The cases of the store, ended ones too, the newest first; not those that others called.

        Args:
            status: only those in this state.
            workflow: only those of this workflow, by its name, in whatever version.
            since: only those begun at this time or later; a number is seconds since 1970.
            limit: at most so many; `None` for all.

        Raises:
            DefinitionError: there is no such state, or the limit is not positive.
        """
        self.check()
        name = workflow.name if isinstance(workflow, Workflow) else workflow
        after = since.timestamp() if isinstance(since, datetime) else since
        found = await self._in_writer(self._store.summaries, which(status, name, after, limit))
        return tuple(found)

    async def purge(self, older_than: Duration) -> int:
        """Remove the cases that ended longer ago than this, with their histories and all that they
        called; the answer is how many there were. What was told longer ago by what it is about is
        removed too, whether a case has taken it or not, and with it the memory of its key.

        Args:
            older_than: seconds, a timedelta, or a text such as "90d".

        Raises:
            DefinitionError: the duration cannot be read.
        """
        self._check_open()
        before = self._clock.now() - seconds(older_than, "purge: older_than")
        return await self._in_writer(self._store.purge, before)

    async def counts(self) -> dict[str, int]:
        """How many open cases there are of each workflow; where engines share a store, of those
        that this one had last.
        """
        self.check()
        return await self._in_writer(self._store.counts)

    async def history(self, case: CaseHandle | str) -> History:
        """The stored events of a case, in order; the values of secret variables are masked.

        Raises:
            UnknownCase: there is no such case.
        """
        self.check()
        id = case if isinstance(case, str) else case.id
        return await self._in_writer(history, self._store, id)

    async def log(self, workflow: Workflow | str) -> EventLog:
        """What the stored cases of a workflow have done, as an event log: `log.save("x.xes")`
        writes it for process-mining tools, `conformance(workflow.net, log)` holds it against the
        net.

        Raises:
            DefinitionError: the engine was not given this workflow.
        """
        self.check()
        return await self._in_writer(event_log, self._store, self._find(workflow))

    async def outcome(self, case: CaseHandle | str) -> Outcome:
        """What the store holds of a case, ended or not.

        Raises:
            UnknownCase: there is no such case.
        """
        self.check()
        id = case if isinstance(case, str) else case.id
        stored = await self._in_writer(self._store.case, id)
        secret = await self._in_writer(secrets, self._store, stored.definition)
        variables = {n: w[0] for n, w in stored.variables["scopes"][""][2].items()}
        status = cast(Status, stored.status)
        return Outcome(stored.id, status, variables, stored.error, tuple(sorted(secret)))
