"""What is done to engines at work: kill -9, SIGSTOP past their lease, their server taken away."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from petriflow.execution.store.ownership import LEASE

from . import mixed

ROOT = Path(__file__).parents[2]
#: For so many seconds a program may make no progress.
PATIENCE = 90.0
#: Told of each thing that was done; a bar may be moved by it.
Tell = Callable[[], object]


class Server(Protocol):
    """A database server that can be stopped and started."""

    def stop(self) -> None: ...

    def start(self) -> None: ...


class Engines:
    """Processes of `mixed.py` on one store."""

    def __init__(self, url: str, log: Path, number: int) -> None:
        self.url, self.log, self.number = url, log, number
        self.children: list[subprocess.Popen[bytes]] = []

    def launch(self) -> subprocess.Popen[bytes]:
        paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        child = subprocess.Popen(
            [sys.executable, "-m", mixed.__name__, self.url, str(self.log), str(self.number)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self.children.append(child)
        return child

    def seen(self) -> int:
        """How many bodies have begun."""
        return self.log.read_bytes().count(b"\n") if self.log.exists() else 0

    def wait_for(self, bodies: int) -> None:
        """Return when so many bodies more have begun, or an engine has ended."""
        wanted, deadline = self.seen() + bodies, time.monotonic() + PATIENCE
        while self.seen() < wanted and all(child.poll() is None for child in self.children):
            assert time.monotonic() < deadline, "the engines make no progress"
            time.sleep(0.002)

    def finish(self) -> None:
        """Return when all cases have ended and all engines with them."""
        deadline = time.monotonic() + PATIENCE
        for child in self.children:
            _, said = child.communicate(timeout=max(1.0, deadline - time.monotonic()))
            assert child.returncode == 0, said.decode()
        self.children.clear()

    def kill(self, child: subprocess.Popen[bytes]) -> bool:
        """kill -9; whether it was still at work. An engine that has failed is an error."""
        child.kill()
        _, said = child.communicate()
        self.children.remove(child)
        assert child.returncode in (0, -9), said.decode()
        return child.returncode == -9

    def __enter__(self) -> Engines:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.children:
            child.kill()  # it ends stopped processes, too
            child.communicate()


def kill_again_and_again(
    engines: Engines, together: int, chance: random.Random, most: int, tell: Tell = bool
) -> int:
    """Kill one of the engines at a random moment and begin another; the answer is how often."""
    kills = 0
    with engines:
        while kills < most:
            while len(engines.children) < together:
                engines.launch()
            engines.wait_for(chance.randrange(60))
            time.sleep(chance.random() * 0.02)
            killed = engines.kill(chance.choice(engines.children))
            if not killed or any(child.poll() == 0 for child in engines.children):
                break  # all cases have ended
            kills += 1
            tell()
        engines.launch()
        engines.finish()
    return kills


def pause_past_the_lease(
    engines: Engines, together: int, chance: random.Random, most: int, tell: Tell = bool
) -> int:
    """Stop one engine after the other at random moments for longer than its lease; how often."""
    pauses = 0
    with engines:
        for _ in range(together):
            engines.launch()
        while pauses < most:
            engines.wait_for(chance.randrange(1, 30))
            if any(child.poll() is not None for child in engines.children):
                break
            # All but one: the longest stop is that of whoever is stopped first.
            for child in chance.sample(engines.children, together - 1):
                time.sleep(chance.random() * 0.05)
                child.send_signal(signal.SIGSTOP)
                pauses += 1
                tell()
            time.sleep(LEASE + 1.0)
            for child in engines.children:
                child.send_signal(signal.SIGCONT)
        engines.finish()
    return pauses


def restart_under_load(
    engines: Engines,
    together: int,
    server: Server,
    chance: random.Random,
    most: int,
    tell: Tell = bool,
) -> int:
    """Stop and start the database server at random moments; how often."""
    restarts = 0
    with engines:
        for _ in range(together):
            engines.launch()
        while restarts < most:
            engines.wait_for(chance.randrange(1, 60))
            if any(child.poll() is not None for child in engines.children):
                break
            server.stop()
            time.sleep(chance.random() * 0.2)
            server.start()
            restarts += 1
            tell()
        engines.finish()
    return restarts
