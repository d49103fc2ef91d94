"""A PostgreSQL cluster of the tests' own, for those that ask for one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from petriflow.execution.store import upgrade_store

from .cluster import Cluster, NoServer, running

NUMBERS = count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A running server, gone with the tests."""
    try:
        with running() as cluster:
            yield cluster
    except NoServer as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> Cluster:
    """The cluster with a database `template` in it, whose tables are up to date."""
    cluster.run("CREATE DATABASE template")
    upgrade_store(cluster.url("template"))
    return cluster


@pytest.fixture
def empty_database(cluster: Cluster) -> str:
    """The URL of a database without any table."""
    name = f"empty_{next(NUMBERS)}"
    cluster.run(f"CREATE DATABASE {name}")
    return cluster.url(name)


@pytest.fixture
def database(template: Cluster) -> str:
    """The URL of a database with the tables of a store and no case."""
    name = f"cases_{next(NUMBERS)}"
    template.run(f"CREATE DATABASE {name} TEMPLATE template")
    return template.url(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, of each kind."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("database"))
    return f"sqlite:///{tmp_path / 'x.db'}"
