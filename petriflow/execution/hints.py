"""Looking: what an engine does when another says that something has changed; and summaries."""

from __future__ import annotations

import asyncio
import logging

from petriflow.execution.core import Core
from petriflow.execution.handle import CaseHandle
from petriflow.execution.notify import ALL
from petriflow.execution.store import Summary
from petriflow.net.errors import StoreError

log = logging.getLogger("petriflow")


class Hints(Core):
    """The side of `Engine` that looks at once at what others have changed.

    All of it is looked at by the engine's loops as well, only later.
    """

    def _listen(self) -> asyncio.Task[None]:
        """Hear hints from now on; the answer is the task that looks."""
        self._notifier.open(self._heard)
        return asyncio.create_task(self._look_for_ever())

    def _heard(self, topic: str) -> None:
        kind, _, what = topic.partition(" ")
        self._topics.setdefault(kind, set()).add(what)
        self._hinted.set()

    async def _look_for_ever(self) -> None:
        while True:
            await self._hinted.wait()
            self._hinted.clear()
            topics, self._topics = self._topics, {}
            try:
                await self._look_at(topics)
            except StoreError as error:  # a commit that needs the store will tell; else it passes
                log.warning("what others had changed was not looked at: %s", error)
            except Exception:  # the loops look all the same
                log.exception("what others had changed was not looked at")

    async def _look_at(self, topics: dict[str, set[str]]) -> None:
        """Look at what others have changed, by its kind: which of it, or all."""
        everything = ALL in topics
        answers = topics.get("answer", set())
        for order, answered in self._answered.items():
            if everything or order in answers or ALL in answers:
                answered.set()
        cases = topics.get("case", set())
        everyone = everything or ALL in cases
        if watched := [h for id, h in self._watched.items() if everyone or id in cases]:
            await self._refresh(watched)
        if everything or "order" in topics:
            await self._work_off()

    async def summary(self, case: CaseHandle | str) -> Summary:
        """A case of the store in a line, ended ones too: for whoever asks often how it is.

        With `Engine(redis=…)` it comes from Redis and is at most its `ttl` seconds old; without, or
        while Redis cannot be reached, it is read from the store. `list` always reads the store.

        Raises:
            UnknownCase: there is no such case.
        """
        self.check()
        id = case if isinstance(case, str) else case.id

        async def read() -> Summary:
            return await self._in_writer(self._store.summary, id)

        return await read() if self._cache is None else await self._cache.summary(id, read)
