"""Redis, for those who have it: hints between engines by pub/sub, and a cache of summaries.

Nothing is kept in Redis that is not in the store. While it cannot be reached, everything is read
from the store and engines look from time to time; no case waits for it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from petriflow.execution.notify import Link, first_of
from petriflow.execution.store import Summary
from petriflow.net.errors import DefinitionError

if TYPE_CHECKING:
    from redis.asyncio import Redis as Client

#: Seconds after which Redis counts as unreachable if it does not answer.
PATIENCE = 1.0
#: Seconds of silence after which it is asked whether it is still there.
HEALTH = 5.0


@dataclass(frozen=True, slots=True)
class Redis:
    """Which Redis an engine uses, by `Engine(…, redis=Redis(url))`, or the URL alone.

    Args:
        url: `redis://host:6379/0`, or `rediss://…` for an encrypted connection.
        ttl: the seconds for which a summary is kept: so old may be what `engine.summary` tells.
        prefix: with what its keys and its channel begin.
    """

    url: str
    ttl: float = 10.0
    prefix: str = "petriflow"

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in ("redis", "rediss", "unix"):
            raise DefinitionError("Redis: the URL begins with redis://, rediss:// or unix://")
        if not self.ttl > 0:
            raise DefinitionError(f"Redis: ttl={self.ttl!r}; use a number of seconds above 0")


class RedisLink(Link):
    """Hints by pub/sub, and summaries of cases that are at most `ttl` seconds old.

    A summary is read through: what is not in Redis is read from the store and kept. Every commit
    removes the summaries of its cases. A removal may be lost, and a slow reader may put in what it
    read before it; but whatever is kept goes `ttl` seconds after its reader began to read, by the
    clock of Redis.

    Args:
        redis: which one.
        store: what tells the store from others that use the same Redis.
    """

    def __init__(self, redis: Redis, store: str) -> None:
        super().__init__()
        self._redis = redis
        self._at = f"{redis.prefix}:{store}"
        where = urlsplit(redis.url)
        self.name = f"Redis on {where.hostname or where.path}"  # the URL may hold a password
        self._client = _client(redis.url)
        self._failed, self._changed = asyncio.Event(), asyncio.Event()
        #: the cases whose summaries are still to be removed
        self._stale: dict[str, None] = {}

    async def connected(self) -> None:
        """Subscribe, and stay until Redis does not answer."""
        self._failed.clear()
        # Connections in the pool may be of a server that is gone.
        await self._client.connection_pool.disconnect()
        async with self._client.pubsub() as ear:
            await ear.subscribe(self._at)
            self.begin()
            self._changed.set()  # what was not removed before the connection was lost

            async def listen() -> None:
                while True:
                    message = await ear.get_message(ignore_subscribe_messages=True, timeout=HEALTH)
                    if message is None:
                        await self._client.ping()
                    else:
                        self.hear(message["data"])

            async def fail() -> None:
                await self._failed.wait()
                raise ConnectionError("it did not answer")

            await first_of(listen(), self.speak(self._send), self._remove(), fail())

    async def close(self) -> None:
        """Listen no longer."""
        await super().close()
        await self._client.aclose()

    async def _send(self, text: str) -> None:
        await self._client.publish(self._at, text)

    # -- summaries --------------------------------------------------------------------------

    def forget(self, cases: Iterable[str]) -> None:
        """What is kept of these cases is not so any more."""
        if self.up:
            self._stale |= dict.fromkeys(cases)
            self._changed.set()

    async def summary(self, case: str, read: Callable[[], Awaitable[Summary]]) -> Summary:
        """The summary of a case, from Redis or else as it is read from the store."""
        from redis.exceptions import RedisError

        if not self.up or case in self._stale:
            return await read()
        try:
            async with self._client.pipeline(transaction=False) as asked:
                asked.get(self._key(case))
                asked.time()
                kept, (seconds, micros) = await asked.execute()
        except (RedisError, OSError):
            self._broken()
            return await read()
        if (found := _loaded(kept)) is not None:
            return found
        summary = await read()
        until = int(1000 * (seconds + self._redis.ttl)) + micros // 1000
        try:
            await self._client.set(self._key(case), json.dumps(asdict(summary)), pxat=until)
        except (RedisError, OSError):
            self._broken()
        return summary

    def _key(self, case: str) -> str:
        return f"{self._at}:case:{case}"

    def _broken(self) -> None:
        """Redis does not answer: nobody asks it until it is connected again."""
        self.up = False
        self._failed.set()

    async def _remove(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if stale := list(self._stale):
                await self._client.unlink(*map(self._key, stale))
                for case in stale:
                    del self._stale[case]


def _loaded(kept: str | None) -> Summary | None:
    """The summary of a text; none if somebody else has written it."""
    try:
        return None if kept is None else Summary(**json.loads(kept))
    except (TypeError, ValueError):
        return None


def _client(url: str) -> Client:
    try:
        from redis.asyncio import Redis as Client
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ModuleNotFoundError as error:
        raise DefinitionError(
            f"Engine(redis=…) needs {error.name}; install it: pip install 'petriflow[redis]'"
        ) from None
    try:
        return Client.from_url(
            url,
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),  # the link itself connects again
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
        )
    except ValueError as error:
        raise DefinitionError(f"Redis: its URL cannot be read: {error}") from None
