"""`petriflow cases migrate`, `db definitions`, `db forget` and `schedules`."""

from __future__ import annotations

from pathlib import Path

import pytest

from .test_cases import OFFER, opened
from .test_cli import Cli, cli, model

__all__ = ["cli"]

LONGER = """
from petriflow.patterns import event
def c(case): ...
w = Workflow('w', sequence(a, event('paid'), b, c), example={'n': 1})
"""
RENAMED = """
from petriflow.patterns import event
def c(case): ...
w = Workflow('w', sequence(c, event('paid'), b), example={'n': 1})
"""


@pytest.mark.promise("VERSION-5")
def test_cases_are_moved_to_a_new_version(cli: Cli) -> None:
    one, two = opened(cli), opened(cli)
    new = model(LONGER, "new.py")
    dry = cli("cases", "migrate", "m.py", new, "--all", "--dry-run", "--json")
    assert dry.code == 0
    assert not dry.json["applied"]
    assert {m["case_id"]: m["verdict"] for m in dry.json["moves"]} == {one: "fits", two: "fits"}
    hash = dry.json["definition"]
    assert cli("cases", "migrate", "m.py", new, one).code == 0
    listed = cli("db", "definitions", "--json").json["definitions"]
    assert {d["hash"] == hash: d["open_cases"] for d in listed} == {True: 1, False: 1}
    old = next(d["hash"] for d in listed if d["hash"] != hash)
    refused = cli("db", "forget", old[:8])
    assert refused.code == 2
    assert "used by 1 open and no ended cases" in refused.err
    done = cli("cases", "migrate", old[:8], new, "--all")
    assert done.code == 0
    assert "1 case moved to version" in done.out
    assert cli("db", "forget", old[:8], "--json").json["forgotten"] == old
    assert old[:12] not in cli("db", "definitions").out
    assert cli("cases", "signal", one, "paid", "--model", new).code == 0
    ended = cli("run", new, "--continue", "--json").json["cases"]
    assert sorted((c["case"], c["status"]) for c in ended) == [
        (one, "completed"),
        (two, "running"),
    ]


@pytest.mark.promise("VERSION-5")
def test_a_case_that_does_not_fit_is_told_of(cli: Cli) -> None:
    id = opened(cli)
    new = model(RENAMED, "new.py")
    said = cli("cases", "migrate", "m.py", new, id)
    assert said.code == 1
    assert "no case is moved to version" in said.out
    told = cli("cases", "migrate", "m.py", new, id, "--json").json
    assert "it has tokens on 'w/a.out', and the new version has no such place" in str(told)
    assert cli("cases", "migrate", "m.py", new, id, "--place", "w/a=w/c").code == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("m.py", "m.py"), "name the cases, or give --all"),
        (("m.py", "new.py", "--all", "--place", "a"), "write OLD=NEW"),
        (("new.py", "m.py", "--all"), "the store has no case of the version in new.py"),
        (("beef", "new.py", "--all"), "the store keeps no definition 'beef'"),
        (("m.py", "new.py", "nobody"), "has no case 'nobody'"),
    ],
)
def test_orders_to_migrate_that_make_no_sense(
    cli: Cli, arguments: tuple[str, ...], why: str
) -> None:
    opened(cli)
    model(LONGER, "new.py")
    said = cli("cases", "migrate", *arguments)
    assert (said.code, said.out) == (2, "")
    assert why in said.err


@pytest.mark.promise("SCHEDULE-4")
def test_schedules_are_added_listed_and_removed(cli: Cli) -> None:
    file = model(OFFER)
    assert cli("db", "upgrade").code == 0
    assert cli("schedules", "list").out == "no schedules\n"
    zone = ("--timezone", "Europe/Berlin", "--input", '{"n": 7}')
    said = cli("schedules", "add", "nightly", file, "0 6 * * 1-5", *zone)
    assert said.code == 0
    assert "schedule nightly: next at " in said.out
    (kept,) = cli("schedules", "list", "--json").json["schedules"]
    assert (kept["name"], kept["workflow"], kept["cron"]) == ("nightly", "w", "0 6 * * 1-5")
    assert "variables" not in kept
    assert "Europe/Berlin" in cli("schedules", "list").out
    assert cli("schedules", "remove", "nightly").code == 0
    assert cli("schedules", "remove", "nightly", "--json").json == {
        "schedule": "nightly",
        "removed": False,
    }
    for bad in (("x", "six o'clock"), ("x", "* * * * *", "--timezone", "Mars/Base")):
        said = cli("schedules", "add", bad[0], file, *bad[1:])
        assert (said.code, said.out) == (2, "")
        assert "such as" in said.err
    assert Path("petriflow.db").exists()
