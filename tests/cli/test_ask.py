"""`petriflow ask`: what is printed, where, and the exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from petriflow.cli import main
from petriflow.formats.target import load_target
from petriflow.net import Net, replay

MODEL = """
from petriflow import Net, Workflow
from petriflow.patterns import parallel, sequence

def pay(case): ...
def ship(case): ...

order = Workflow("order", sequence(pay, ship))
both = Workflow("both", parallel(pay, ship))
ring = (Net.build("ring").places("i", "a", "o").transition("in", "i", "a")
    .transition("again", "a", "a").transition("out", "a", "o").done())
"""
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """`petriflow ask` about one of the models: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    Path("m.py").write_text(MODEL, encoding="utf-8")

    def run(name: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["petriflow", "ask", f"m.py:{name}", *arguments])
        with pytest.raises(SystemExit) as exit:
            main()
        code = exit.value.code
        return (code if isinstance(code, int) else 0, *capsys.readouterr())

    return run


@pytest.mark.promise("CLI-10")
def test_yes_is_exit_code_0_and_tells_the_way(cli: Cli) -> None:
    code, out, err = cli("order", "EF running(ship)")
    assert (code, err) == (0, "")
    assert out.startswith("yes: EF running(ship) (order, expanded form, ")
    assert "  1. 'pay' (order/pay)\n  2. the start of 'ship' (order/ship)\n" in out


@pytest.mark.promise("CLI-10")
def test_no_is_exit_code_1_and_its_counterexample_replays(cli: Cli) -> None:
    code, out, _ = cli("both", "mutex(pay, ship)", "--json")
    assert code == 1
    answer = json.loads(out)
    assert (answer["name"], answer["verdict"], answer["form"]) == ("both", "no", "expanded")
    assert answer["query"] == "mutex(pay, ship)"
    witness = answer["witness"]
    assert witness["kind"] == "counterexample"
    net = load_target("m.py:both").net.expanded()  # type: ignore[union-attr]
    *_, last = replay(net, witness["trace"])
    assert dict(last) == witness["marking"]
    assert {"both/pay.running", "both/ship.running"} <= set(witness["marking"])


def test_a_loop_is_in_the_answer(cli: Cli) -> None:
    code, out, _ = cli("ring", "AF completed", "--json")
    assert code == 1
    answer = json.loads(out)
    assert answer["form"] == "atomic"  # a bare net as it is
    assert (answer["witness"]["trace"], answer["witness"]["loop"]) == (["in"], ["again"])
    net = load_target("m.py:ring")
    assert isinstance(net, Net)
    assert cli("ring", "AG EF completed")[0] == 0


def test_the_form_can_be_chosen(cli: Cli) -> None:
    assert cli("order", "EF running(pay)", "--form", "expanded")[0] == 0
    code, out, err = cli("order", "EF running(pay)", "--form", "atomic")
    assert (code, out) == (2, "")
    assert "ask about the expanded form" in err


@pytest.mark.promise("CLI-10")
def test_a_limit_that_is_reached_is_exit_code_3(cli: Cli) -> None:
    code, out, _ = cli("both", "EF completed", "--max-markings", "2")
    assert code == 3
    assert out.startswith("unknown: EF completed")
    assert "raise max_markings" in out


def test_a_query_that_cannot_be_read_is_exit_code_2_with_a_caret(cli: Cli) -> None:
    for query, said in {
        "EF shp": "petriflow: 'shp' is no place of net 'order'; did you mean ship",
        "EF (ship": "petriflow: the query ends too early\n  EF (ship\n          ^\n",
        "AF [bold]x": "petriflow: a condition, a place or a number is missing before '['",
    }.items():
        code, out, err = cli("order", query, "--json")
        assert (code, out) == (2, "")
        assert err.startswith(said)
