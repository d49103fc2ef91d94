"""Redis: hints and summaries with it, and everything without it. The server is the tests' own."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from redis import Redis as Client
from redis.exceptions import ConnectionError as Refused

from petriflow import Engine, Workflow
from petriflow.execution import Redis
from petriflow.execution.redis import RedisLink
from petriflow.execution.store import Summary
from petriflow.net.errors import DefinitionError, UnknownCase
from petriflow.patterns import event, sequence

from .test_engine import step, until

flow = Workflow("w", sequence(event("go"), step("work", done=True), event("end")))


class Server:
    """A Redis on a free port, in a folder of its own; never the machine's."""

    def __init__(self, program: str, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._command = [program, "--port", str(self.port), "--dir", str(folder), "--save", ""]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        with Client.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                    return
                except Refused:
                    assert time.monotonic() < deadline, "the Redis server does not start"
                    time.sleep(0.02)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def keys(self) -> list[str]:
        with Client.from_url(self.url, decode_responses=True) as client:
            return sorted(client.keys())  # type: ignore[type-var, arg-type]

    def put(self, key: str, text: str) -> None:
        with Client.from_url(self.url) as client:
            client.set(key, text)

    def life(self, key: str) -> int:
        with Client.from_url(self.url) as client:
            return int(client.pttl(key))  # type: ignore[arg-type]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Redis is not installed here: there is no redis-server")
    server = Server(program, tmp_path)
    yield server
    server.kill()


def link(engine: Engine) -> RedisLink:
    assert engine._cache is not None
    return engine._cache


@pytest.mark.promise("STORE-14")
async def test_a_summary_is_kept_in_redis_and_goes_with_the_next_commit(server: Server) -> None:
    async with Engine("sqlite://", workflows=[flow], redis=server.url) as engine:
        await until(lambda: link(engine).up)
        case = await engine.start(flow)
        await until(lambda: not link(engine)._stale)
        first = await engine.summary(case)
        assert (first.id, first.workflow, first.status) == (case.id, "w", "running")
        (key,) = await asyncio.to_thread(server.keys)
        assert 9_000 < await asyncio.to_thread(server.life, key) <= 10_000
        assert await engine.summary(case.id) == first
        marked = asdict(first) | {"workflow": "from Redis"}
        await asyncio.to_thread(server.put, key, json.dumps(marked))
        assert (await engine.summary(case)).workflow == "from Redis"
        await engine.signal(case, "go")
        await until(lambda: not link(engine)._stale)
        assert (await engine.summary(case)).workflow == "w"
        await engine.signal(case, "end")
        assert (await case.wait()).completed
        await until(lambda: not link(engine)._stale)
        assert (await engine.summary(case)).status == "completed"
        with pytest.raises(UnknownCase):
            await engine.summary("nobody")


@pytest.mark.promise("STORE-14")
async def test_what_a_slow_reader_puts_in_goes_as_soon_as_if_it_had_been_quick(
    server: Server,
) -> None:
    connected = RedisLink(Redis(server.url, ttl=0.2), "store")
    connected.open(lambda topic: None)
    try:
        await until(lambda: connected.up)

        async def slowly(status: str, pause: float) -> Summary:
            await asyncio.sleep(pause)
            return Summary("1", "w", status, 0.0, 0.0, None)

        assert (await connected.summary("1", lambda: slowly("old", 0.3))).status == "old"
        assert (await connected.summary("1", lambda: slowly("new", 0))).status == "new"
        assert (await connected.summary("1", lambda: slowly("newer", 0))).status == "new"
        await asyncio.sleep(0.25)
        assert (await connected.summary("1", lambda: slowly("newest", 0))).status == "newest"
    finally:
        await connected.close()


@pytest.mark.promise("STORE-14")
async def test_what_redis_holds_that_nobody_can_read_is_read_from_the_store(
    server: Server,
) -> None:
    async with Engine("sqlite://", workflows=[flow], redis=Redis(server.url, prefix="p")) as engine:
        await until(lambda: link(engine).up)
        case = await engine.start(flow)
        await until(lambda: not link(engine)._stale)
        right = await engine.summary(case)
        (key,) = await asyncio.to_thread(server.keys)
        assert key.startswith("p:")
        for text in ("no JSON", "[]", '{"id": "1"}', '{"nobody": 1}'):
            await asyncio.to_thread(server.put, key, text)
            assert await engine.summary(case) == right


@pytest.mark.promise("STORE-14")
async def test_redis_may_be_lost_and_come_back_at_any_moment(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with Engine("sqlite://", workflows=[flow], redis=server.url) as engine:
        await until(lambda: link(engine).up)
        case = await engine.start(flow)
        await until(lambda: not link(engine)._stale)
        await engine.summary(case)
        server.kill()
        assert (await engine.summary(case)).status == "running"
        assert await engine.signal(case, "go")
        await until(lambda: not link(engine).up)
        assert await engine.signal(case, "end")
        assert (await case.wait()).completed
        assert (await engine.summary(case)).status == "completed"
        await asyncio.to_thread(server.start)
        await until(lambda: link(engine).up)
        assert (await engine.summary(case)).status == "completed"
        assert len(await asyncio.to_thread(server.keys)) == 1
    lost = [r.message for r in caplog.records if "cannot be reached" in r.message]
    assert len(lost) == 1
    assert lost[0].startswith("Redis on 127.0.0.1 cannot be reached")


@pytest.mark.promise("STORE-14")
async def test_an_engine_runs_without_the_redis_that_it_was_given() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        url = f"redis://:password@127.0.0.1:{nobody.getsockname()[1]}"
        async with Engine("sqlite://", workflows=[flow], redis=url) as engine:
            case = await engine.start(flow)
            assert await engine.signal(case, "go")
            assert await engine.signal(case, "end")
            assert (await case.wait()).completed
            assert (await engine.summary(case)).status == "completed"


@pytest.mark.promise("STORE-13")
async def test_engines_hint_to_each_other_by_redis(database: str, server: Server) -> None:
    async with (
        Engine(database, workflows=[flow], redis=server.url) as one,
        Engine(database, workflows=[flow], redis=server.url) as other,
    ):
        assert await asyncio.to_thread(one._store.identity) == other._store.identity()
        await until(lambda: link(one).up and link(other).up)
        heard: list[str] = []
        link(other)._heard = heard.append
        case = await one.start(flow)
        await until(lambda: f"case {case.id}" in heard)
        first = await other.summary(case.id)
        assert await one.signal(case, "go")
        await until(lambda: not link(one)._stale)
        assert (await other.summary(case.id)).updated_at > first.updated_at


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"url": "http://x"}, "begins with redis://"),
        ({"url": "redis://x", "ttl": 0}, "ttl=0; use a number of seconds above 0"),
    ],
)
def test_a_redis_that_cannot_be_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        Redis(**wrong)  # type: ignore[arg-type]
