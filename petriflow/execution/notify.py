"""Notifiers: an engine says that something has changed, and the others look at once.

Every notification is a hint and no more. Whoever misses one looks all the same, a little later, for
the loops of each engine look by themselves; so a connection that is lost, or never had, loses
nothing. A hint is a topic such as `order ID`: of what kind it is, and which one.

Hints go out after what they tell of is committed, on a connection of their own: within the
transaction of a commit, PostgreSQL's NOTIFY would have all commits of the database wait for each
other.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

log = logging.getLogger("petriflow")

#: The topic of whoever may have missed something: look at all.
ALL = "*"
#: How many topics of one kind a message names; of more it says only that there are some.
MOST = 100
#: Seconds between attempts to connect, at first and at most.
QUICK, SLOW = 0.1, 5.0
#: Seconds of rest after a message, so that hints that come in a rush go together.
REST = 0.01
#: The channel of PostgreSQL, which every database has for itself.
CHANNEL = "petriflow"

Heard = Callable[[str], None]


class Notifier(Protocol):
    """What an engine needs to give hints and to hear those of others."""

    def open(self, heard: Heard) -> None:
        """Begin to listen, in the background; `heard` is called with each topic."""
        ...

    def hint(self, topic: str) -> None:
        """Tell others of a topic, some time; it neither waits nor fails."""
        ...

    async def close(self) -> None:
        """Listen no longer."""
        ...


class Silent:
    """For an engine that has its store for itself: nobody is there to tell."""

    def open(self, heard: Heard) -> None:
        """Nobody is heard."""

    def hint(self, topic: str) -> None:
        """Nobody is told."""

    async def close(self) -> None:
        """Nothing was opened."""


class Link:
    """A notifier by a connection that may be lost at any moment, and is made again.

    The loss is logged once. Hints given while there is no connection are dropped, and when there is
    one again the engine is told to look at all.
    """

    #: what is connected to, for the log
    name: str

    def __init__(self) -> None:
        self._me = secrets.token_hex(4)
        self._said: dict[str, None] = {}
        self._more = asyncio.Event()
        self._lost = False
        self._pause = QUICK
        self.up = False

    def open(self, heard: Heard) -> None:
        """Begin to listen, in the background."""
        self._heard = heard
        self._keeper = asyncio.create_task(self._keep())

    def hint(self, topic: str) -> None:
        """Tell others of a topic, soon; without a connection, never."""
        if self.up:
            self._said[topic] = None
            self._more.set()

    async def close(self) -> None:
        """Listen no longer."""
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)

    async def connected(self) -> None:
        """Connect, call `begin`, and stay until the connection is lost or this is cancelled."""
        raise NotImplementedError

    def begin(self) -> None:
        """The connection is there."""
        if self._lost:
            log.info("connected to %s again", self.name)
        self.up, self._lost, self._pause = True, False, QUICK
        self._heard(ALL)

    async def _keep(self) -> None:
        while True:
            try:
                await self.connected()
            except Exception as error:
                if not self._lost:
                    said = str(error).strip().partition("\n")[0] or type(error).__name__
                    log.warning("%s cannot be reached (%s); it goes on without", self.name, said)
            self.up, self._lost = False, True
            self._said.clear()
            await asyncio.sleep(self._pause)
            self._pause = min(2 * self._pause, SLOW)

    def hear(self, text: str) -> None:
        """A message has come; what this engine has said itself it need not hear."""
        sender, *topics = text.split("\n")
        if sender != self._me:
            for topic in topics:
                self._heard(topic)

    async def speak(self, send: Callable[[str], Awaitable[object]]) -> None:
        """Send the hints as they are given, those that came together in one message."""
        while True:
            await self._more.wait()
            self._more.clear()
            said, self._said = self._said, {}
            if said:
                await send("\n".join([self._me, *_shortened(said)]))
                await asyncio.sleep(REST)


def _shortened(topics: Mapping[str, None]) -> list[str]:
    kinds: dict[str, list[str]] = {}
    for topic in topics:
        kinds.setdefault(topic.partition(" ")[0], []).append(topic)
    return [
        topic
        for kind, found in kinds.items()
        for topic in (found if len(found) <= MOST else [f"{kind} {ALL}"])
    ]


async def first_of(*works: Awaitable[object]) -> None:
    """Do all of it until one ends; raises its error."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Postgres(Link):
    """Hints by LISTEN and NOTIFY, on two connections beside the store's.

    Args:
        name: of the server, for the log.
        connect: the arguments of `psycopg.AsyncConnection.connect`.
    """

    def __init__(self, name: str, connect: Mapping[str, Any]) -> None:
        super().__init__()
        self.name = f"LISTEN on {name}"
        self._connect = dict(connect)

    async def connected(self) -> None:
        """Listen on one connection, for as long as it does so it can do nothing else."""
        from psycopg import AsyncConnection

        async with (
            await AsyncConnection.connect(**self._connect, autocommit=True) as ear,
            await AsyncConnection.connect(**self._connect, autocommit=True) as mouth,
        ):
            await ear.execute(f"LISTEN {CHANNEL}")
            self.begin()

            async def listen() -> None:
                async for message in ear.notifies():
                    self.hear(message.payload)

            async def send(text: str) -> None:
                await mouth.execute("SELECT pg_notify(%s, %s)", (CHANNEL, text))

            await first_of(listen(), self.speak(send))
