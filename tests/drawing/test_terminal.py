"""Nets in letters: all of it is there, in its place, and marked."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from petriflow import Net, draw
from petriflow.drawing import Overlay
from petriflow.drawing.terminal import columns, letters
from petriflow.net import Marking

from .geometry import NETS, nets


def test_a_small_net_is_drawn_as_on_a_page() -> None:
    drawn = draw(NETS["sequence"]).text()
    assert drawn.splitlines() == [
        "         ╭───╮                ╭───╮",
        "(●)────▶ │ A │ ────▶ ( )────▶ │ B │ ────▶(( ))",
        "         ╰───╯                ╰───╯",
        " i                    p                    o",
    ]


@pytest.mark.parametrize("name", NETS)
def test_every_task_and_place_is_in_the_text(name: str) -> None:
    net = NETS[name]
    text = draw(net).text()
    assert text.count("(") >= len(net.places)
    for task in net.tasks:
        assert task.label in text


@given(nets())
@settings(max_examples=40)
def test_any_net_can_be_written_in_letters(net: Net) -> None:
    rows = letters(draw(net).scene)
    width = max((len(row) for row in rows), default=0)
    assert all(columns(cell.sign) <= 2 for row in rows for cell in row)
    assert width < 4000


def test_tokens_are_dots_and_numbers_and_what_is_enabled_is_marked() -> None:
    overlay = Overlay(tokens=Marking({"i": 3, "p": 1}), enabled=frozenset(["A"]))
    drawing = draw(NETS["sequence"], overlay=overlay)
    assert "(3)" in drawing.text()
    assert "(●)" in drawing.text()
    marked = "".join(c.sign for r in letters(drawing.scene) for c in r if "enabled" in c.marks)
    assert "│ A │" in marked
