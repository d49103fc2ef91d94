"""`petriflow db`: what is printed, where, and the exit codes."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from petriflow.cli import main
from petriflow.execution.store import VERSION

FIRST = Path(__file__).parents[1] / "execution" / "stores" / "version_1.sql"
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """`petriflow db` in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["petriflow", "db", *arguments])
        try:
            main()
            code: object = 0
        except SystemExit as exit:
            code = exit.code
        return (code if isinstance(code, int) else 0, *capsys.readouterr())

    return run


def test_status_tells_of_a_store_that_is_not_there_and_makes_none(cli: Cli, tmp_path: Path) -> None:
    code, out, err = cli("status")
    assert (code, err) == (1, "")
    assert "there are no tables yet; `petriflow db upgrade`" in out
    assert list(tmp_path.iterdir()) == []


def test_an_upgrade_makes_tables_and_finds_them_up_to_date_the_next_time(cli: Cli) -> None:
    code, out, _ = cli("upgrade", "--store", "sqlite:///x.db")
    assert (code, out) == (0, f"tables made, of version {VERSION}\n")
    assert cli("upgrade", "--store", "sqlite:///x.db")[1].endswith("already\n")
    code, out, _ = cli("status", "--store", "sqlite:///x.db", "--json")
    assert (code, json.loads(out)) == (0, {"version": VERSION, "known": VERSION, "current": True})


def test_an_old_store_is_told_and_upgraded(cli: Cli) -> None:
    with closing(sqlite3.connect("petriflow.db")) as db:
        db.executescript(FIRST.read_text("utf-8"))
    code, out, _ = cli("status")
    assert code == 1
    assert "the tables are of version 1;" in out
    code, out, _ = cli("upgrade", "--json")
    assert (code, json.loads(out)) == (0, {"before": 1, "version": VERSION})
    assert cli("status")[0] == 0


def test_a_newer_store_is_exit_code_2_for_both_commands(cli: Cli) -> None:
    cli("upgrade")
    with closing(sqlite3.connect("petriflow.db")) as db:
        db.execute("PRAGMA user_version = 99")
    for command in ("status", "upgrade"):
        code, out, err = cli(command)
        assert (code, out) == (2, "")
        assert "99" in err
        assert "update petriflow" in " ".join(err.split())
