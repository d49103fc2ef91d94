"""State spaces as pictures, and how results show themselves in a notebook."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import combinations

import pytest

from petriflow import Engine, Marking, Net, Workflow
from petriflow.analysis import (
    coverability_graph,
    explore,
    place_invariants,
    s_components,
    siphons,
    structure,
    verify,
)
from petriflow.drawing import draw_states
from petriflow.net.errors import DrawingError

from .geometry import NETS, area, body, overlap
from .test_pictures import hostile


def boxes(drawing):
    return [g for g in drawing.scene.groups if g.kind == "state"]


def queue() -> Net:
    build = Net.build("shop").place("open", 1).places("queue", "done")
    return (
        build.transition("arrive", "open", ["open", "queue"])
        .transition("serve", "queue", "done")
        .done()
    )


@pytest.mark.promise("DRAW-11")
@pytest.mark.parametrize("name", NETS)
def test_every_marking_is_a_box_and_no_two_overlap(name: str) -> None:
    space = explore(NETS[name])
    drawing = draw_states(space)
    ET.fromstring(drawing.svg())
    assert len(boxes(drawing)) == space.markings
    for one, other in combinations(boxes(drawing), 2):
        assert not overlap(body(one), body(other))
    for group in boxes(drawing):
        texts = [s for s in group.shapes if s.style == "label"]
        outer = body(group)
        for text in texts:
            left, _, right, _ = area(text)
            assert outer[0] <= left
            assert right <= outer[2]
    arrows = [g for g in drawing.scene.groups if g.kind == "arc"]
    ends = {
        (n, target)
        for n in range(space.graph.expanded)
        for target in space.graph.row(n)
        if n != target
    }
    assert len(arrows) == len(ends)


@pytest.mark.promise("DRAW-11")
def test_the_end_and_dead_ends_are_told_apart() -> None:
    build = Net.build("claim").places("start", "by_phone", "by_letter", "end")
    build.transition("call", "start", "by_phone").transition("write", "start", "by_letter")
    space = explore(build.transition("settle", ["by_phone", "by_letter"], "end").done())
    looks = {g.title: g.shapes[0].style for g in boxes(draw_states(space))}
    assert looks["[by_phone]"] == "task-fault"
    looks = {g.title: g.shapes[0].style for g in boxes(draw_states(explore(NETS["choice"])))}
    assert looks["[o]"] == "task-enabled"


def test_a_coverability_graph_has_omegas_and_tells_what_leads_back() -> None:
    drawing = draw_states(coverability_graph(queue()))
    (box,) = boxes(drawing)
    assert "arrive, serve leads back here" in box.title
    assert "ω × queue" in drawing.svg()


@pytest.mark.promise("DRAW-11")
def test_too_many_markings_are_refused_with_what_to_do_instead() -> None:
    space = explore(NETS["parallel"].expanded())
    with pytest.raises(DrawingError, match=r"ask about them.*most="):
        draw_states(space, most=5)
    assert "drawn" in space._repr_html_()


def test_hostile_names_do_no_harm() -> None:
    root = ET.fromstring(
        draw_states(explore(hostile(), initial=Marking(hostile().places[0].id))).svg()
    )
    tags = {e.tag.rpartition("}")[2] for e in root.iter()}
    assert tags <= {"svg", "title", "desc", "style", "g", "rect", "circle", "path", "text"}


# -- displays ----------------------------------------------------------------------------------


@pytest.mark.promise("DRAW-12")
@pytest.mark.parametrize(
    "made",
    [
        lambda net: explore(net),
        lambda net: coverability_graph(net),
        lambda net: place_invariants(net),
        lambda net: siphons(net),
        lambda net: s_components(net),
        lambda net: structure(net),
        lambda net: net.initial_marking,
        lambda net: verify(net),
    ],
)
def test_results_show_themselves_as_html_and_as_a_short_line(made) -> None:
    found = made(NETS["mutex"])
    assert len(repr(found)) < 160
    assert "\n" not in repr(found)
    html = found._repr_html_()
    for part in html.split("<svg")[1:]:
        ET.fromstring("<svg" + part[: part.index("</svg>")] + "</svg>")


def test_a_large_net_makes_no_pictures_that_nobody_opens() -> None:
    build = Net.build("long").place("p0")
    for n in range(200):
        build.place(f"p{n + 1}").transition(f"t{n}", f"p{n}", f"p{n + 1}")
    assert "<svg" not in place_invariants(build.done())._repr_html_()


@pytest.mark.promise("DRAW-12")
async def test_a_case_and_its_outcome_show_themselves() -> None:
    def a(case):
        return {"<b>": "<script>"}

    flow = Workflow("f", a)
    async with Engine("sqlite://", workflows=[flow]) as engine:
        case = await engine.start(flow)
        outcome = await case.wait()
        assert "<svg" in case._repr_html_()
        assert "is completed" in case._repr_html_()
    html = outcome._repr_html_()
    assert "✓" in html
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
