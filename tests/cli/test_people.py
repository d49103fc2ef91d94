"""`petriflow cases work | form | claim | release | complete`: people at a terminal."""

from __future__ import annotations

import pytest

from .test_cases import cases
from .test_cli import Cli, cli, model

__all__ = ["cli"]

REVIEW = """
from petriflow import human
w = Workflow('w', sequence(a, human('review', role='reviewer', asks=['ok', 'why']), b),
             example={'n': 1})
"""
ORDER = ("--model", "m.py")


def offered(cli: Cli) -> str:
    """The item of a case that waits for a review."""
    said = cli("run", model(REVIEW))
    assert said.code == 3
    assert "waiting: for a person of the role 'reviewer' to do 'review'" in said.out
    assert "petriflow cases work" in said.out
    (item,) = cases(cli, "work").json["items"]
    id: str = item["id"]
    return id


@pytest.mark.promise("CLI-30")
def test_a_person_lists_claims_gives_back_and_completes(cli: Cli) -> None:
    item = offered(cli)
    (line,) = cases(cli, "work", "--role", "reviewer").json["items"]
    assert (line["task"], line["role"], line["holder"]) == ("w/review", "reviewer", None)
    assert cases(cli, "work", "--role", "boss").json == {"items": []}
    assert cli("cases", "work", "--held-by", "ann").out.strip() == "nothing waits for a person"
    form = cases(cli, "form", item, *ORDER).json
    assert (form["schema"]["required"], form["shown"]) == (["ok", "why"], {"n": 1, "a": 1})
    assert "to fill in: ok, why" in cli("cases", "form", item, *ORDER).out
    ann = (*ORDER, "--as", "ann", "--role", "reviewer")
    said = cases(cli, "claim", item, *ann)
    assert (said.code, said.json["done"], said.json["status"]) == (0, True, "running")
    told = cli("cases", "work", "--held-by", "ann").out
    assert "ann" in told
    assert item in told, "whole, however narrow the terminal is"
    (wait,) = cases(cli, "explain", line["case_id"]).json["waits"]
    assert (wait["kind"], wait["element"]) == ("person", "w/review")
    assert wait["why"].startswith("held by 'ann' since 20")
    assert cases(cli, "release", item, *ORDER, "--as", "ann").code == 0
    (wait,) = cases(cli, "explain", line["case_id"], *ORDER).json["waits"]
    assert wait["why"].startswith("offered to the role 'reviewer' since 20")
    done = cases(cli, "complete", item, *ann, "--set", "ok=true", "--payload", '{"why": "fine"}')
    assert done.code == 0
    (ended,) = cli("run", "m.py", "--continue", "--json").json["cases"]
    assert ended["variables"] == {"n": 1, "a": 1, "ok": True, "why": "fine", "b": 2}
    again = cases(cli, "complete", item, *ann, "--set", "ok=true")
    assert (again.code, again.out) == (2, "")
    assert "was completed by 'ann'" in again.err


@pytest.mark.promise("CLI-30")
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("claim", "ITEM", *ORDER, "--as", "eve"), "offered to the role 'reviewer'"),
        (("claim", "nothing", *ORDER, "--as", "eve"), "there is no work item 'nothing'"),
        (("release", "ITEM", *ORDER, "--as", "eve"), "nobody holds it"),
        (("complete", "ITEM", *ORDER, "--as", "e", "--role", "reviewer"), "'ok' is missing"),
        (("complete", "ITEM", *ORDER, "--as", "e", "--set", "ok"), "write NAME=VALUE"),
        (("claim", "ITEM", "--model", "other.py", "--as", "e"), "was started with another model"),
        (("form", "ITEM", "--model", "other.py"), "another version of workflow"),
    ],
)
def test_what_a_person_may_not_do_is_said(
    cli: Cli, arguments: tuple[str, ...], complaint: str
) -> None:
    item = offered(cli)
    model("w = Workflow('other', a)", "other.py")
    said = cases(cli, *(item if word == "ITEM" else word for word in arguments))
    assert (said.code, said.out) == (2, "")
    assert complaint in said.err
    assert len(cases(cli, "work").json["items"]) == 1
