"""`petriflow cases incidents | retry | skip | fail`: what an operator does where cases wait."""

from __future__ import annotations

from pathlib import Path

import pytest

from .test_cases import cases
from .test_cli import Cli, cli, model

__all__ = ["cli"]

PAY = """
from pathlib import Path
def undo(case): Path("undone").write_text(case.undoes)
@task(compensate=undo)
def book(case): return {"booked": 1}
@task(on_failure="incident")
def pay(case):
    if case["card"] != "gold":
        raise OSError("card declined")
    return {"paid": True}
w = Workflow('w', sequence(book, pay), example={'card': 'tin'})
"""
CHOICE = """
w = Workflow('w', sequence(
    exclusive_choice(when('n > 1', a), when('n < 0', b), exhaustive=True, name='n'), a,
), example={'n': 0})
"""


def waiting(cli: Cli, text: str) -> str:
    """A case that waits for a person."""
    said = cli("run", model(text), "--json")
    assert said.code == 3
    id: str = said.json["case"]
    return id


ORDER = ("--model", "m.py")


@pytest.mark.promise("CLI-20")
def test_incidents_are_listed_and_a_task_is_tried_again_with_a_correction(cli: Cli) -> None:
    id = waiting(cli, PAY)
    (found,) = cases(cli, "incidents").json["incidents"]
    assert (found["case_id"], found["workflow"], found["element"]) == (id, "w", "w/pay")
    assert "card declined" in found["error"]
    assert cases(cli, "incidents", "--workflow", "other").json == {"incidents": []}
    assert id in cli("cases", "incidents").out
    (wait,) = cases(cli, "explain", id).json["waits"]
    assert (wait["kind"], wait["element"]) == ("incident", "w/pay")
    said = cases(cli, "retry", id, *ORDER, "--task", "pay", "--set", "card=gold", "--by", "ada")
    assert said.json == {"case": id, "done": True, "status": "running"}
    assert cases(cli, "retry", id, *ORDER).code == 1
    assert cli("cases", "incidents").out.strip() == "no case waits for a person"
    (ended,) = cli("run", "m.py", "--continue", "--json").json["cases"]
    assert ended["variables"] == {"card": "gold", "booked": 1, "paid": True}
    assert cases(cli, "retry", id, *ORDER).code == 1, "it has ended"


@pytest.mark.promise("CLI-20")
def test_a_task_is_skipped_with_values_of_any_kind(cli: Cli) -> None:
    id = waiting(cli, PAY)
    set_ = ("--set", 'paid={"by": "hand"}', "--set", "note=as agreed")
    assert cases(cli, "skip", id, "pay", *ORDER, *set_).code == 0
    shown = cases(cli, "show", id).json
    assert shown["status"] == "completed"
    assert shown["variables"]["paid"] == {"by": "hand"}
    assert shown["variables"]["note"] == "as agreed"


@pytest.mark.promise("CLI-20")
@pytest.mark.parametrize("how", ["fail", "cancel"])
def test_a_case_is_given_up_and_the_next_engine_undoes_what_it_did(cli: Cli, how: str) -> None:
    id = waiting(cli, PAY)
    where = ("pay",) if how == "fail" else ()
    said = cli("cases", how, id, *where, *ORDER, "--reason", "no money")
    assert said.code == 0
    assert "is being given up" in said.out
    assert "undoing 'w/book'" in said.out
    assert "no money" in said.out
    assert not Path("undone").exists(), "a command runs no bodies"
    if how == "cancel":
        assert cli("cases", how, id, *ORDER).code == 1
    ended = cli("run", "m.py", "--continue", "--json")
    assert ended.code == 1
    assert ended.json["cases"][0]["status"] == ("failed" if how == "fail" else "cancelled")
    assert Path("undone").read_text().startswith(f"{id}/w/book/")


@pytest.mark.promise("CLI-20")
def test_at_a_choice_a_branch_is_named(cli: Cli) -> None:
    id = waiting(cli, CHOICE)
    assert cases(cli, "skip", id, "n", *ORDER, "--take", "b").code == 0
    (ended,) = cli("run", "m.py", "--continue", "--json").json["cases"]
    assert ended["variables"] == {"n": 0, "b": 2, "a": 1}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("skip", "CASE", "gone"), "has no incident 'gone'; it waits for a person at 'w/pay'"),
        (("skip", "CASE", "pay", "--take", "b"), "is a task and has no branches"),
        (("skip", "CASE", "pay", "--set", "paid"), "write NAME=VALUE"),
        (("retry", "CASE", "--choice", "gone"), "has no incident 'gone'"),
        (("fail", "nobody", "pay"), "has no case 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_said(cli: Cli, arguments: tuple[str, ...], complaint: str) -> None:
    id = waiting(cli, PAY)
    words = [id if word == "CASE" else word for word in arguments]
    said = cli("cases", *words, *ORDER)
    assert (said.code, said.out) == (2, "")
    assert complaint in said.err
