"""`draw` and `play`: levels of detail, traces, themes, exports, and the game at the keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from petriflow.cli import app
from petriflow.net.errors import DefinitionError

ROOT = Path(__file__).parents[2]
MODEL = str(ROOT / "models" / "document_approval.py")
UNSOUND = """
from petriflow import Net
claim = (
    Net.build("claim").places("start", "by_phone", "by_letter", "end")
    .transition("call", "start", "by_phone").transition("write", "start", "by_letter")
    .transition("settle", ["by_phone", "by_letter"], "end").done()
)
"""


def run(*words: str, keys: str = "") -> str:
    done = CliRunner().invoke(app, [*words], input=keys, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def refused(*words: str) -> str:
    with pytest.raises(DefinitionError) as error:
        CliRunner().invoke(app, [*words], catch_exceptions=False)
    return str(error.value)


@pytest.fixture
def claim(tmp_path: Path) -> str:
    file = tmp_path / "claim.py"
    file.write_text(UNSOUND, "utf-8")
    return str(file)


@pytest.mark.promise("CLI-12")
def test_details_traces_and_themes_can_be_asked_for(tmp_path: Path, claim: str) -> None:
    goal = tmp_path / "a.svg"
    run("draw", MODEL, "--detail", "pattern", "-o", str(goal))
    assert "tasks" in goal.read_text("utf-8")
    run(
        "draw",
        MODEL,
        "--trace",
        "prepare.start, prepare.complete",
        "--theme",
        "dark",
        "-o",
        str(goal),
    )
    drawn = goal.read_text("utf-8")
    assert "is-path" in drawn
    assert "prefers-color-scheme" not in drawn
    run("draw", claim, "--trace", "witness", "-o", str(goal))
    assert "is-fault" in goal.read_text("utf-8")


@pytest.mark.promise("CLI-12")
def test_the_net_is_exported_as_dot_and_mermaid(tmp_path: Path) -> None:
    for suffix, head in ((".dot", 'digraph "approval"'), (".mmd", "flowchart LR")):
        goal = tmp_path / f"a{suffix}"
        run("draw", MODEL, "-o", str(goal))
        assert goal.read_text("utf-8").startswith(head)
    assert "neither traces nor themes" in refused(
        "draw", MODEL, "--theme", "dark", "-o", str(tmp_path / "a.dot")
    )


@pytest.mark.promise("CLI-12")
def test_a_trace_that_cannot_be_shown_is_refused(claim: str) -> None:
    assert "'nobody'" in refused("draw", claim, "--trace", "nobody")
    assert "no witness" in refused("draw", MODEL, "--trace", "witness")


@pytest.mark.promise("CLI-13")
def test_the_token_game_is_played_at_the_keyboard(claim: str) -> None:
    told = run("play", claim, keys="1\nu\n2\nx\nq\n")
    assert "1: 'call'" in told
    assert "step 1 · [by_phone]" in told
    assert "step 1 · [by_letter]" in told
    assert "nothing can fire any more" in told
    assert "x? a number fires" in told


@pytest.mark.promise("CLI-13")
def test_a_witness_is_played_back_step_by_step(claim: str) -> None:
    told = run("play", claim, "--trace", "witness", keys="\n")
    assert "step 0 of 1" in told
    assert "enter: " in told
    assert "step 1 · " in told


def test_the_end_of_a_case_is_told(tmp_path: Path) -> None:
    file = tmp_path / "one.py"
    file.write_text(
        "from petriflow import Net\n"
        "one = Net.build('one').places('i', 'o').transition('t', 'i', 'o').done()\n"
    )
    assert "the end is reached" in run("play", str(file), keys="\n\n")
