"""`petriflow solve`: what is printed, where, and the exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from petriflow.cli import main

MODEL = """
from petriflow import Net, Workflow
from petriflow.patterns import sequence
from petriflow.simulation import Timing, exponential

def pay(case): ...
def ship(case): ...

order = Workflow("order", sequence(pay, ship),
    timing=Timing({"pay": exponential("2m"), "ship": exponential("1h")}, unit="min"))
fixed = Workflow("fixed", sequence(pay, ship), timing=Timing({"pay": 3, "ship": exponential(4)}))
queue = (Net.build("queue").place("free", 2).place("in")
    .transition("arrive", "free", "in").transition("serve", "in", "free").done())
"""
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    monkeypatch.chdir(tmp_path)
    Path("m.py").write_text(MODEL, encoding="utf-8")

    def run(name: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["petriflow", "solve", f"m.py:{name}", *arguments])
        with pytest.raises(SystemExit) as exit:
            main()
        code = exit.value.code
        return (code if isinstance(code, int) else 0, *capsys.readouterr())

    return run


@pytest.mark.promise("CLI-50")
def test_a_workflow_is_solved_with_its_own_timing(cli: Cli) -> None:
    code, out, err = cli("order")
    assert (code, err) == (0, "")
    assert out.startswith("order: one case, cycle time: 62 min on average, deviation 60.0333; ")
    code, out, _ = cli("order", "--json", "--mean", "ship=30m")
    found = json.loads(out)
    assert found["cycle_time"]["mean"] == pytest.approx(32)
    assert found["tasks"]["ship"]["work"] == pytest.approx(30)


@pytest.mark.promise("CLI-50")
def test_a_net_is_solved_with_the_means_that_are_given(cli: Cli) -> None:
    code, out, _ = cli("queue", "--json", "--mean", "arrive=1m", "--mean", "serve=30")
    assert code == 0
    assert json.loads(out)["transitions"]["serve"]["throughput"] == pytest.approx(6 / 7 / 60)


@pytest.mark.promise("CLI-50")
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["fixed"], "the duration of 'fixed/pay.complete' is 3, not exponential"),
        (["queue"], "'queue' has no timing"),
        (["queue", "--mean", "arrive"], "--mean arrive: write NAME=TIME"),
        (["queue", "--mean", "arive=3"], "did you mean 'arrive'?"),
        (["queue", "--mean", "arrive=3", "--max-markings", "1"], "more than 1 markings"),
    ],
)
def test_what_cannot_be_solved_is_exit_code_2_with_the_reason(
    cli: Cli, arguments: list[str], reason: str
) -> None:
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "")
    assert reason in err


def test_bounds_need_no_state_space(cli: Cli) -> None:
    given = ["--mean", "arrive=1m", "--mean", "serve=30"]
    code, out, _ = cli("queue", "--bounds", *given)
    assert code == 0
    assert "arrive      0.0111111  0.0166667" in out
    code, out, _ = cli("queue", "--bounds", "--json", *given)
    assert json.loads(out)["upper"]["serve"] == pytest.approx(1 / 60)
    code, _, err = cli("order", "--bounds")
    assert code == 2
    assert "'order' is a workflow" in err


def test_constants_are_taken_for_stages_where_that_is_asked_for(cli: Cli) -> None:
    code, out, _ = cli("fixed", "--stages", "9")
    assert code == 0
    assert "approximate: fixed/pay.complete: 3 as 9 stages" in out
