"""The token game, and the widget without a browser: what is wished, and what is sent in answer."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import petriflow
from petriflow import Engine, Net, Workflow, ask, play, verify
from petriflow.drawing.game import TokenGame
from petriflow.net import Marking
from petriflow.net.errors import NotEnabled
from petriflow.net.firing import replay
from petriflow.patterns import event, exclusive_choice, parallel, sequence, when

from .geometry import NETS


def a(case): ...
def b(case): ...
def c(case): ...


FLOW = Workflow("flow", parallel(a, b) >> c)


def wish(board: Any, **said: Any) -> None:
    """What the browser does when something is clicked."""
    board.wish = said | {"n": board.wish.get("n", 0) + 1}


# -- the game -----------------------------------------------------------------------------------


@pytest.mark.promise("DRAW-10")
@given(st.sampled_from(sorted(NETS)), st.lists(st.integers(-3, 9), max_size=30))
def test_every_way_of_playing_is_a_replay(name: str, moves: list[int]) -> None:
    """Whatever is fired, taken back and jumped to, the markings are those of the firing rule."""
    net = NETS[name]
    game = TokenGame(net)
    for move in moves:
        if move < 0:
            game.seek(game.position + move if move > -3 else len(game.trace))
        elif game.enabled:
            game.fire(game.enabled[move % len(game.enabled)])
        assert [*replay(net, game.trace)][game.position] == game.marking


@pytest.mark.promise("DRAW-10")
def test_what_was_taken_back_is_forgotten_only_when_another_step_is_made() -> None:
    game = TokenGame(NETS["parallel"])
    game.fire("_split").fire("A").fire("B").undo().undo()
    assert (game.position, game.trace) == (1, ("_split", "A", "B"))
    game.fire("A")
    assert game.trace == ("_split", "A", "B"), "the same step once more"
    game.undo().fire("C")
    assert game.trace == ("_split", "C")
    assert game.reset().trace == ()


@pytest.mark.promise("DRAW-10")
def test_what_cannot_fire_is_refused_and_changes_nothing() -> None:
    game = TokenGame(NETS["parallel"])
    with pytest.raises(NotEnabled, match="'A' is not enabled"):
        game.fire("A")
    assert game.position == 0
    with pytest.raises(NotEnabled, match="'_join'"):
        game.meant("_join")


def test_a_drawn_task_stands_for_the_half_whose_turn_it_is() -> None:
    game = TokenGame(NETS["parallel"].expanded())
    game.fire("_split")
    assert game.meant("A") == "A.start"
    assert game.fire("A.start").meant("A") == "A.complete"


# -- the widget ---------------------------------------------------------------------------------


def test_a_click_is_a_wish_and_the_answer_a_picture_and_a_state() -> None:
    board = play(FLOW)
    assert board.state["enabled"] == ["flow/parallel-1.split"]
    before = board.picture
    wish(board, do="fire", id="flow/parallel-1.split")
    assert board.marking == Marking(["flow/parallel-1/a.in", "flow/parallel-1/b.in"])
    assert board.state["enabled"] == ["flow/parallel-1/a", "flow/parallel-1/b"]
    assert board.state["moves"]["through"] == "flow/parallel-1.split"
    assert board.picture != before
    ET.fromstring(board.picture)
    wish(board, do="undo")
    assert (board.position, len(board.trace)) == (0, 1)
    assert board.picture == before


def test_a_wish_that_cannot_be_granted_is_a_message() -> None:
    board = play(FLOW)
    wish(board, do="fire", id="flow/c")
    assert "cannot fire" in board.state["message"]
    wish(board, do="fire", id="<script>")
    assert board.position == 0
    wish(board, do="seek", to=99)
    assert board.position == 0


def test_a_witness_is_played_to_its_end_where_the_fault_is_marked() -> None:
    report = verify(stuck())
    board = report.play()
    assert board.position == 0
    assert "is-fault" not in board.picture
    board.seek(99)
    assert board.marking == report.witness.marking
    assert "is-fault" in board.picture
    answer = ask(stuck(), "EF by_letter")
    assert answer.play().trace == answer.witness.trace


def stuck() -> Net:
    return (
        Net.build("claim")
        .places("start", "by_phone", "by_letter", "end")
        .transition("call", "start", "by_phone")
        .transition("write", "start", "by_letter")
        .transition("settle", ["by_phone", "by_letter"], "end")
        .done()
    )


async def test_the_history_of_a_case_is_played_back_with_its_tasks_in_two_halves() -> None:
    flow = Workflow(
        "f", sequence(a, exclusive_choice(when("x", b), otherwise=c)), example={"x": True}
    )
    async with Engine("sqlite://", workflows=[flow]) as engine:
        case = await engine.start(flow)
        await case.wait()
        board = flow.play(await engine.history(case.id))
    board.seek(99)
    assert board.marking == Marking(flow.net.sink.id)
    assert "f/a.start" in board.trace


@pytest.mark.promise("DRAW-9")
async def test_a_live_view_moves_with_the_commits_and_ends_with_the_case() -> None:
    flow = Workflow("f", sequence(a, event("paid"), b))
    async with Engine("sqlite://", workflows=[flow]) as engine:
        case = await engine.start(flow)
        board = case.view()
        seen: list[str] = []
        board.observe(lambda change: seen.append(change["new"]["status"]), names="state")
        assert (await case.settle()).status == "running"
        assert "is-enabled" in board.picture
        assert "paid" in board.state["step"]
        await engine.signal(case, "paid")
        await case.wait()
        assert board.state["status"] == "completed"
        assert seen[-1] == "completed"
        assert board.state["marking"] == dict(Marking(flow.net.sink.id))


async def test_one_who_looks_on_and_fails_does_not_disturb_the_case() -> None:
    flow = Workflow("f", sequence(a, event("paid"), b))
    calls: list[int] = []

    def look() -> None:
        calls.append(1)
        raise RuntimeError("broken")

    async with Engine("sqlite://", workflows=[flow]) as engine:
        case = await engine.start(flow)
        case.on_commit(look)
        await case.settle()
        await engine.signal(case, "paid")
        assert (await case.wait()).completed
    assert len(calls) == 1


@pytest.mark.promise("DRAW-10")
def test_an_exported_notebook_keeps_the_picture() -> None:
    board = play(FLOW)
    made = board._repr_mimebundle_()
    data = made[0] if isinstance(made, tuple) else made
    assert data["image/svg+xml"] == board.picture
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/plain"].startswith("<Game of")


def test_the_browsers_part_is_one_file_of_the_package_and_fetches_nothing() -> None:
    folder = Path(petriflow.__file__).parent / "drawing" / "static"
    (script,) = folder.iterdir()
    text = script.read_text("utf-8")
    assert "import " not in text.replace("important", "")
    assert "http://www.w3.org/2000/svg" in text
    assert text.count("http") == 1, "the only address is the name of SVG"
    assert "eval(" not in text


def test_without_the_extra_the_error_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['anywidget'] = None\n"
        "from petriflow import Net\n"
        "net = Net.build().places('i', 'o').transition('t', 'i', 'o').done()\n"
        "try:\n    net.play()\n"
        "except Exception as error:\n    print(type(error).__name__, error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "DrawingError" in done.stdout
    assert "pip install 'petriflow[jupyter]'" in done.stdout
