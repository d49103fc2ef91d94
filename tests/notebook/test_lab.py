"""The widget in a real JupyterLab: clicked, played back, following a case; and what it leaves.

Screenshots are kept in `PETRIFLOW_PICTURES`, a folder, to be looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .lab import PATIENCE, Lab, browser, chromium, jupyterlab, notebook

pytestmark = pytest.mark.slow

CELLS = (
    # 0: a net, drawn
    """
from petriflow import Net, Workflow, Engine, verify
from petriflow.patterns import parallel, exclusive_choice, when

def pick(case): ...
def weigh(case): ...
def ship(case): ...
def store(case): ...

parcel = Workflow(
    "parcel",
    parallel(pick, weigh) >> exclusive_choice(when("paid", ship), otherwise=store),
    example={"paid": True},
)
parcel
""",
    # 1: the token game
    "game = parcel.play()\ngame",
    # 2: what Python knows of it
    "print('told:', game.marking, game.trace)",
    # 3: a witness
    """
claim = (
    Net.build("claim")
    .places("start", "by_phone", "by_letter", "end")
    .transition("call", "start", "by_phone")
    .transition("write", "start", "by_letter")
    .transition("settle", ["by_phone", "by_letter"], "end")
    .done()
)
witness = verify(claim).play()
witness
""",
    # 4: a case, live, that waits for an event
    """
import asyncio
from petriflow.patterns import event, sequence

async def prepare(case):
    await asyncio.sleep(0.2)

waiting = Workflow("waiting", sequence(prepare, event("paid"), ship))
engine = await Engine("sqlite://", workflows=[waiting]).__aenter__()
case = await engine.start(waiting)
case.view()
""",
    # 5: what brings the case to its end
    "await engine.signal(case, 'paid')\nprint((await case.wait()).status)",
    # 6: its history, to be played back
    "waiting.play(await engine.history(case.id))",
    "await engine.__aexit__(None, None, None)",
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    chromium()
    folder = tmp_path_factory.mktemp("lab")
    (folder / "book.ipynb").write_text(notebook(CELLS), "utf-8")
    pictures = Path(os.environ.get("PETRIFLOW_PICTURES") or folder / "pictures")
    with jupyterlab(folder) as address, browser() as opened:
        page = opened.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE)
        shown = Lab(page, pictures)
        shown.open(address, "book.ipynb")
        yield shown


def at(board, position: int | str) -> None:
    """Wait until the board has reached a position."""
    board.page.wait_for_function(
        "([board, n]) => board.dataset.position === n", arg=[board.element_handle(), str(position)]
    )
    board.page.wait_for_function(  # no token flies any more
        "board => !board.querySelector('.pfb-flyer')", arg=board.element_handle()
    )


def enabled(board) -> list[str]:
    return board.locator("g.is-enabled").evaluate_all("all => all.map(g => g.dataset.id)")


@pytest.mark.promise("DRAW-8")
def test_a_transition_is_clicked_the_token_moves_and_python_knows(lab: Lab) -> None:
    drawn = lab.run(0)
    assert drawn.locator("svg g.pf-transition").count() == 8
    lab.picture("1-workflow")
    board = lab.run(1).locator(".pfb")
    assert enabled(board) == ["parcel/parallel-1.split"]
    lab.picture("2-game", board)
    board.locator("g[data-id='parcel/parallel-1.split']").click()
    at(board, 1)
    assert sorted(enabled(board)) == ["parcel/parallel-1/pick", "parcel/parallel-1/weigh"]
    lab.picture("3-game-clicked", board)
    # by keyboard alone
    board.locator("g[data-id='parcel/parallel-1/pick']").focus()
    lab.page.keyboard.press("Enter")
    at(board, 2)
    told = lab.run(2)
    assert "parcel/parallel-1/pick" in told.inner_text()
    assert "weigh.in" in told.inner_text()
    board.focus()
    lab.page.keyboard.press("u")
    at(board, 1)
    lab.page.keyboard.press("ArrowRight")
    at(board, 2)
    lab.page.keyboard.press("r")
    at(board, 0)
    assert "('parcel/parallel-1.split'" not in lab.run(2).inner_text()


@pytest.mark.promise("DRAW-8")
def test_the_picture_is_moved_and_enlarged(lab: Lab) -> None:
    board = lab.run(1).locator(".pfb")
    box = "svg => svg.getAttribute('viewBox')"
    svg = board.locator(".pfb-stage svg")
    first = svg.evaluate(box)
    board.get_by_label("Larger (+)").click()
    large = svg.evaluate(box)
    assert float(large.split()[2]) < float(first.split()[2])
    area = board.locator(".pfb-stage").bounding_box()
    x, y = area["x"] + area["width"] / 2, area["y"] + area["height"] - 8
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    lab.page.mouse.move(x - 60, y - 5, steps=4)
    lab.page.mouse.up()
    moved = svg.evaluate(box)
    assert float(moved.split()[0]) > float(large.split()[0])
    assert enabled(board) == ["parcel/parallel-1.split"], "dragging fires nothing"


def test_where_the_tokens_go_comes_into_sight(lab: Lab) -> None:
    board = lab.run(1).locator(".pfb")
    for _ in range(6):
        board.get_by_label("Larger (+)").click()
    board.focus()
    steps = ("parallel-1.split", "parallel-1/pick", "parallel-1/weigh", "parallel-1.join")
    for n, step in enumerate(steps, 1):
        node = board.locator(f"g[data-id='parcel/{step}']")
        node.focus()
        lab.page.keyboard.press("Enter")
        at(board, n)
        seen, moved = board.locator(".pfb-stage").bounding_box(), node.bounding_box()
        assert seen["x"] <= moved["x"] <= seen["x"] + seen["width"]


@pytest.mark.promise("DRAW-9")
def test_a_witness_is_played_back_to_the_fault(lab: Lab) -> None:
    board = lab.run(3).locator(".pfb")
    assert board.locator(".is-fault").count() == 0
    board.get_by_label("Play (P)").click()
    at(board, 1)
    assert board.locator(".is-fault").count() > 0
    lab.picture("4-witness", board)
    board.get_by_label("Step", exact=True).fill("0")
    at(board, 0)
    assert sorted(enabled(board)) == ["call", "write"]


@pytest.mark.promise("DRAW-9")
def test_a_running_case_is_followed_to_its_end_and_its_history_played_back(lab: Lab) -> None:
    board = lab.run(4).locator(".pfb")
    waits = board.locator("g.is-enabled[data-id$='paid.happens']")
    waits.wait_for(state="attached")
    lab.picture("5-case-waits", board)
    assert "completed" in lab.run(5).inner_text()
    lab.page.wait_for_function(
        "board => board.dataset.status === 'completed'", arg=board.element_handle()
    )
    lab.picture("6-case-ended", board)
    again = lab.run(6).locator(".pfb")
    again.get_by_label("Step", exact=True).fill("2")
    at(again, 2)
    lab.picture("7-history", again)
    lab.run(7)


def test_the_dark_theme_is_followed(lab: Lab) -> None:
    lab.page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    board = lab.run(1).locator(".pfb")
    colour = board.evaluate("board => getComputedStyle(board).backgroundColor")
    assert colour == "rgb(20, 24, 31)"
    lab.picture("8-dark", board)
    lab.page.evaluate("document.body.dataset.jpThemeLight = 'true'")
