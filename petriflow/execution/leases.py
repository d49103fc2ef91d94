"""Several engines on one store: an engine keeps its cases, takes over those of engines that are
gone, and lets go of those that it has lost.

This goes on in every engine, in its ordinary loop. The fences in the store keep an engine that was
away for too long from doing harm; here it learns of it and drops what it has of those cases.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import TypeVar

from petriflow.execution.core import Core
from petriflow.execution.store import StoredCase
from petriflow.execution.store.ownership import without
from petriflow.net.errors import StoreError

log = logging.getLogger("petriflow")
T = TypeVar("T")


class Leases(Core):
    """The side of `Engine` that shares a store with others."""

    async def _keep_leases(self) -> None:
        """Renew, take over and let go, again and again; by the real clock, as the database does."""
        found: list[StoredCase] = []
        while self._store.lease is not None:
            await asyncio.sleep(self._store.lease / 3)
            try:
                lost, more = await self._in_writer(self._store.renew, list(self._workflows))
                self._observers.renewed()
                self._let_go(lost)
                found = [row for row in found if row.id not in lost] + more
                if found and not self._stopping:
                    await self._take(found)
                    found = []
            except StoreError as error:  # a commit that needs the store will tell; else it passes
                log.warning("leases were not renewed: %s", error)
            except Exception:  # an engine without this loop would lose its cases
                log.exception("leases were not renewed")

    async def _take_all(self) -> None:
        """Go on with all cases that are free, a portion at a time: the lease must not run out."""
        stored = await self._in_writer(self._store.open_cases, list(self._workflows))
        while stored:
            await self._take(stored)
            lost, stored = await self._in_writer(self._store.renew, list(self._workflows))
            self._let_go(lost)

    async def _take(self, stored: Collection[StoredCase]) -> None:
        """Go on with cases of the store."""
        due = await self._in_writer(self._store.timers, [row.id for row in stored])
        for handle in [handle for row in stored if (handle := self._load(row))]:
            self._observers.opened(handle, continued=True)
            self._continue(handle, due)

    def _let_go(self, ids: Collection[str]) -> None:
        """Drop cases that another engine has: nothing of them is stored, started or told here."""
        if not ids:
            return
        for handle in [self._handles.pop(id) for id in ids if id in self._handles]:
            handle.lost = StoreError(
                f"case {handle.id!r} was taken over by another engine while this one was away; "
                "it goes on there"
            )
            self._dirty.pop(handle.id, None)
            self._children.forget(handle)
            for firing_id in handle._case.running:
                self._bodies.cancel(firing_id)
            for waiter in (*handle._waiters, *handle._settlers):
                if not waiter.done():
                    waiter.set_exception(handle.lost)
            self._observers.left(handle)
            log.warning("%s", handle.lost, extra={"case_id": handle.id})
        for key in [key for key in self._timers if key[0] in ids]:
            self._timers.pop(key).cancel()
        self._batch = without(self._batch, ids)
        self._commands = [(h, command) for h, command in self._commands if h.lost is None]
