"""A PostgreSQL server of one's own, for tests and benchmarks; never the machine's."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa


class NoServer(Exception):
    """PostgreSQL cannot be run here; the text says why."""


def programs() -> Path | None:
    """The folder of initdb and postgres; Debian keeps them off the path."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@dataclass
class Cluster:
    """A server on a free port, in a folder of its own; never the machine's."""

    programs: Path
    folder: Path
    port: int
    user: str | None
    #: whether a commit waits for the disk; tests do without
    fsync: bool = False
    server: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        command = [self.programs / "postgres", "-D", self.folder / "data", "-p", str(self.port)]
        options = [
            f"unix_socket_directories={self.folder}",
            f"fsync={'on' if self.fsync else 'off'}",
            "log_min_messages=fatal",
        ]
        self.server = subprocess.Popen(
            [*command, *(word for o in options for word in ("-c", o))],
            user=self.user,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        engine = sa.create_engine(self.url("postgres"))
        deadline = time.monotonic() + 60
        while True:
            try:
                engine.connect().close()
                break
            except sa.exc.OperationalError:
                assert time.monotonic() < deadline, "the PostgreSQL server does not start"
                time.sleep(0.05)
        engine.dispose()

    def stop(self) -> None:
        assert self.server is not None
        self.server.send_signal(signal.SIGINT)  # its fast shutdown
        self.server.wait(60)

    def run(self, statement: str) -> None:
        engine = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()


@contextmanager
def running(fsync: bool = False) -> Iterator[Cluster]:
    """A running server in a folder of its own; both are gone afterwards.

    Raises:
        NoServer: PostgreSQL is not installed, or cannot be run by this user.
    """
    found = programs()
    if found is None:
        raise NoServer("PostgreSQL is not installed here: there is no initdb")
    root = os.geteuid() == 0  # the server refuses to run as root
    if root and subprocess.run(["id", "postgres"], capture_output=True).returncode:
        raise NoServer("PostgreSQL does not run as root, and there is no user postgres")
    folder = Path(tempfile.mkdtemp(prefix="petriflow-"))
    user = "postgres" if root else None
    if user:
        shutil.chown(folder, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cluster = Cluster(found, folder, port, user, fsync)
    make = [found / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "--no-sync"]
    try:
        subprocess.run(
            [*make, "-E", "UTF8", "--locale=C"],
            user=user, cwd=folder, check=True, capture_output=True, timeout=120,
        )  # fmt: skip
        cluster.start()
        yield cluster
        cluster.stop()
    finally:
        if cluster.server is not None and cluster.server.poll() is None:
            cluster.server.kill()
            cluster.server.wait()
        shutil.rmtree(folder, ignore_errors=True)
