"""Messages: events that are told by what they are about, and find their case by themselves.

A case that waits for `event("payment", about="order_id")` has a row that says so, written in the
transaction in which it begins to wait. A message is stored first, and then given to the case that
has waited longest, by an order to whoever has it; the case takes it in one transaction with the
note that it is taken. Whoever of the two comes second looks, after its commit, for the other, so
that they always find each other, in whichever engines they come. And where an engine died before
it could look, the others do, for every engine looks for all such pairs from time to time.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from itertools import groupby
from typing import Any

from petriflow.execution.core import Away
from petriflow.execution.events import EventReceived
from petriflow.execution.handle import CaseHandle
from petriflow.execution.orders import Orders
from petriflow.execution.program import program
from petriflow.execution.store import Message, Order
from petriflow.net.errors import (
    DefinitionError,
    PetriflowError,
    StoreError,
    UnknownCase,
    VariableError,
)
from petriflow.patterns.fragment import Event
from petriflow.workflow.variables import Data, canonical, plain

log = logging.getLogger("petriflow")

#: Seconds between looks for messages and cases that have missed each other, where engines share a
#: store; each look costs the database as much as there are messages that nobody has taken.
NET = 10.0


class Messages(Orders):
    """The side of `Engine` that hears of events by what they are about."""

    async def tell(
        self,
        event: str,
        *,
        about: Any,
        payload: Mapping[str, Any] | None = None,
        key: str | None = None,
        keep: bool = False,
    ) -> str | None:
        """Tell that something has happened to whichever case waits for it: one that waits for
        `event(name, about="order_id")` and whose variable `order_id` is what this is about.

        Just one case gets it, the one that has waited longest, and once. If nobody waits for it, a
        persistent event is kept until somebody does, however long that takes, or until it is
        purged; a transient one is lost.

        Args:
            event: the name of the event.
            about: the value that the variable has; compared as JSON, so that 7 is not "7".
            payload: updates to the variables of the case.
            key: a name for this one happening: told again under the same key, nothing happens.
            keep: keep it in any case until somebody waits for it, although it is transient, or no
                workflow of this engine waits for such an event.

        Returns:
            The id of the case that has taken it; `None` if nobody has until now.

        Raises:
            DefinitionError: no workflow of this engine waits for such an event.
            VariableError: the payload or what it is about cannot be stored, or does not fit the
                variables' model of the case that waits for it. Then it is not kept.
        """
        self._check_open()
        persistent = self.keeps(event) if not keep else True
        if about is None:
            raise DefinitionError(f"event {event!r}: about=None says nothing; give it a value")
        given = plain({"about": about, "payload": dict(payload or {})})
        if key is not None and (not isinstance(key, str) or not key):
            raise DefinitionError(f"a key is a text that is not empty, not {key!r}")
        # Names of events hold no slash: they are segments of paths.
        id = secrets.token_hex(16) if key is None else f"{event}/{key}"
        message = Message(id, event, canonical(given["about"]), given["payload"], self._clock.now())
        known: Message | None = None
        if persistent:
            known = await self._in_writer(self._store.tell, message)
        elif key:
            known = await self._in_writer(self._store.message, id)
        if known is not None and known.taken_by is not None:
            return known.taken_by or None
        try:
            taker = await self._give(known or message, kept=persistent)
        except VariableError:
            if persistent:
                await self._in_writer(self._store.withdraw, id)
            raise
        if taker is None and not persistent and key:
            await self._in_writer(self._store.tell, replace(message, taken_by=""))
        return taker

    def keeps(self, event: str) -> bool:
        """Whether such an event is persistent: kept until somebody waits for it.

        Raises:
            DefinitionError: no workflow of this engine waits for it by what it is about.
        """
        known: dict[str, bool] = {}
        plainly = ""
        for workflow in self._workflows.values():
            for trigger in program(workflow).triggers.values():
                if isinstance(trigger, Event) and trigger.about is not None:
                    known[trigger.name] = known.get(trigger.name, False) or trigger.persistent
                elif isinstance(trigger, Event) and trigger.name == event:
                    plainly = workflow.name
        if event in known:
            return known[event]
        if plainly:
            raise DefinitionError(
                f"workflow {plainly!r} waits for {event!r}, but not by what it is about; tell it "
                "by signal(case, …), or write event(…, about=…)"
            )
        names = ", ".join(map(repr, sorted(known))) or "none"
        raise DefinitionError(
            f"no workflow of this engine waits for {event!r} by what it is about; it knows {names};"
            " keep=True, or `cases tell` without --model, keeps it for a workflow that does"
        )

    async def _give(self, message: Message, *, kept: bool) -> str | None:
        """Give a message to the case that has waited longest; the answer is who has it."""
        if message.id not in self._giving:
            # Whoever gives up waiting leaves it to the engine.
            self._giving[message.id] = self._loop.create_task(self._give_once(message, kept))
            self._giving[message.id].add_done_callback(lambda task: self._given(message.id, task))
        return await asyncio.shield(self._giving[message.id])

    def _given(self, id: str, task: asyncio.Task[str | None]) -> None:
        del self._giving[id]
        if not task.cancelled():
            task.exception()  # whoever waits is told; but nobody may

    async def _give_once(self, message: Message, kept: bool) -> str | None:
        tried: set[str] = set()
        while True:
            known = await self._in_writer(self._store.message, message.id)
            if known is not None and known.taken_by is not None:
                return known.taken_by or None
            waits = await self._in_writer(self._store.subscribers, message.event, message.about)
            case, definition = next((w for w in waits if w[0] not in tried), ("", ""))
            if not case:
                return None
            tried.add(case)
            if definition in self._workflows:
                with suppress(UnknownCase):  # it has ended
                    await self._order(case, "take", message=asdict(message))
            elif kept and self._store.lease is not None:
                # An engine that knows it will see to it.
                order = Order(
                    secrets.token_hex(16), case, "take", {"message": asdict(message)}, message.at
                )
                await self._in_writer(self._store.order, order)
                self._hint(f"order {order.id}")
                return None

    async def _order_take(self, handle: CaseHandle, message: Data) -> bool:
        """Whether the case has taken the message."""
        told = Message(**message)
        known = await self._in_writer(self._store.message, told.id)
        if known is not None and known.taken_by is not None:
            return known.taken_by == handle.id
        case = handle._case
        if told.id in self._taking:
            await self.committed()  # then it is known who has it
            return False
        # From here to the turn nobody else can come in between.
        if handle.away:
            raise Away(f"case {handle.id!r} is not this engine's now")
        if not case.takes(told.event, told.about):
            return False
        checked = handle.workflow.schema.updates(case.variables, told.payload)
        self._taking[told.id] = handle.id
        try:
            self._batch.taken.append(replace(told, taken_by=handle.id))
            return await self._apply(handle, EventReceived(told.event, checked, told.about))
        finally:
            del self._taking[told.id]

    # -- whoever comes second ---------------------------------------------------------------

    def _seek(self, event: str, about: str) -> None:
        self._sought.add((event, about))
        self._seeking.set()

    async def _match_for_ever(self) -> None:
        """Bring together cases and messages: at once where a case has just begun to wait, and from
        time to time all.
        """
        refused: set[str] = set()
        everything = self._store.lease is not None
        async with asyncio.TaskGroup() as giving:
            while True:
                for some in await self._missed(everything):
                    giving.create_task(self._give_all(some, refused))
                try:
                    # `wait_for` may take a cancellation for the event.
                    async with asyncio.timeout(NET if self._store.lease else None):
                        await self._seeking.wait()
                    everything = False
                except TimeoutError:
                    everything = True

    async def _missed(self, everything: bool) -> list[list[Message]]:
        """The messages that a case may be waiting for, those about one thing together."""
        self._seeking.clear()
        sought, self._sought = self._sought, set()
        try:
            found = await self._in_writer(self._store.wanted, None if everything else sought)
        except StoreError as error:
            log.warning("messages were not looked for: %s", error)
            self._sought |= sought
            return []
        return [list(some) for _, some in groupby(sorted(found, key=_pair), key=_pair)]

    async def _give_all(self, messages: list[Message], refused: set[str]) -> None:
        """Give messages about one thing to those who wait for them, one after the other."""
        for message in messages:
            try:
                await self._give(message, kept=True)
            except PetriflowError as error:  # it is kept: another case may be able to take it
                if message.id not in refused:
                    what = message.event, message.about
                    log.error("event %r about %s is not taken: %s", *what, error)
                refused.add(message.id)
            except Exception:  # the next look comes all the same
                log.exception("event %r about %s is not taken", message.event, message.about)


def _pair(message: Message) -> tuple[str, str]:
    return message.event, message.about
