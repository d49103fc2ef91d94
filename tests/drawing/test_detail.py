"""Levels of detail: what is folded, what is kept, and that overlays land on either."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from petriflow import Net, Workflow, human
from petriflow.analysis import place_invariants, siphons, structure, verify
from petriflow.drawing import Overlay, draw
from petriflow.drawing.fold import LARGE, fold_large
from petriflow.drawing.subject import duration
from petriflow.net import Marking
from petriflow.net.errors import DrawingError
from petriflow.patterns import (
    cancellable,
    event,
    exclusive_choice,
    multiple_instances,
    parallel,
    sequence,
    timer,
    when,
)
from petriflow.workflow import call

from .geometry import NETS, nets, nodes
from .test_geometry import check


def a(case): ...
def b(case): ...
def c(case): ...
def d(case): ...


FLOW = Workflow(
    "flow",
    sequence(
        parallel(a, b, name="both"), exclusive_choice(when("x", c), otherwise=d, name="either")
    ),
)


def labels(drawing) -> set[str]:
    return {s.content for g in drawing.scene.groups for s in g.shapes if hasattr(s, "content")}


@pytest.mark.promise("DRAW-5")
def test_a_workflow_is_drawn_by_its_tasks_its_patterns_or_the_net_that_runs() -> None:
    assert set(nodes(draw(FLOW).scene)) == {n.id for n in (*FLOW.net.places, *FLOW.net.transitions)}
    whole = FLOW.expanded
    drawn = nodes(draw(FLOW, detail="net").scene)
    assert set(drawn) == {n.id for n in (*whole.places, *whole.transitions)}
    folded = draw(FLOW, detail="pattern")
    assert {"both", "parallel · 2 tasks", "either", "exclusive choice · 2 tasks"} <= labels(folded)
    assert len(nodes(folded.scene)) == 5


@pytest.mark.promise("DRAW-5")
def test_an_overlay_of_the_net_that_runs_lands_on_every_detail() -> None:
    trace = ("flow/both.split", "flow/both/a.start", "flow/both/b.start", "flow/both/b.complete")
    overlay = Overlay(path=trace, tokens=Marking("flow/both/a.running"))
    for detail, steps in (("task", {"1", "2", "3–4"}), ("net", {"1", "2", "3", "4"})):
        assert steps <= labels(draw(FLOW, detail=detail, overlay=overlay))
    folded = draw(FLOW, detail="pattern", overlay=overlay)
    assert "1–4" in labels(folded)
    block = nodes(folded.scene)["flow/both (folded)"]
    assert "1 token" in block.title


def test_a_detail_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(DrawingError, match="'pattern', 'task' or 'net'"):
        draw(FLOW, detail="everything")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NETS)
def test_nets_without_patterns_fold_to_nothing_wrong(name: str) -> None:
    net = NETS[name]
    folded = fold_large(net, 5)
    check(folded.net, draw(folded.net).scene)
    gone = {n.id for n in (*net.places, *net.transitions)} - {
        n.id for n in (*folded.net.places, *folded.net.transitions)
    }
    assert gone == set(folded.home)
    assert set(folded.home.values()) <= {t.id for t in folded.net.transitions}


@given(nets())
@settings(max_examples=60)
def test_any_net_can_be_folded(net: Net) -> None:
    folded = fold_large(net, 1)
    check(folded.net, draw(folded.net).scene)


def test_a_net_of_blocks_folds_until_it_is_small() -> None:
    assert len(fold_large(NETS["choice"], 3).net.transitions) == 1
    assert len(fold_large(NETS["parallel"], 3).net.transitions) == 1


@pytest.mark.promise("DRAW-6")
def test_a_net_too_large_for_a_picture_is_folded_unless_its_detail_is_asked_for() -> None:
    build = Net.build("long").place("p0")
    for n in range(400):
        build.place(f"p{n + 1}").transition(f"t{n}", f"p{n}", f"p{n + 1}")
    net = build.done()
    drawn = nodes(draw(net, overlay=Overlay(path=("t0", "t1"))).scene)
    assert len(drawn) <= LARGE
    assert len(nodes(draw(net, detail="task").scene)) == 801


@pytest.mark.promise("DRAW-6")
def test_a_page_scrolls_before_it_shrinks_a_picture_beyond_reading() -> None:
    drawing = draw(FLOW)
    assert f"min-width:{int(drawing.scene.width * 0.75)}px" in drawing.svg()


# -- signs ------------------------------------------------------------------------------------


def test_what_a_step_waits_for_or_runs_is_shown_by_a_sign() -> None:
    inner = Workflow("inner", a)
    flow = Workflow(
        "signs",
        sequence(
            cancellable(call(inner), by=event("stop")),
            timer("90s"),
            multiple_instances(b, "n", most=3),
        ),
    )
    drawing = draw(flow)
    assert {"stop", "1 min 30 s"} <= labels(drawing)
    signs = [s for g in drawing.scene.groups for s in g.shapes if s.style == "sign"]
    assert len(signs) >= 2 + 2 + 2 + 1, "a letter, a clock, a plus in a box, three bars"
    assert "⏱" not in drawing.svg()


def test_the_task_of_a_person_has_a_person_and_their_role() -> None:
    flow = Workflow("people", sequence(human("review", role="reviewer"), a))
    for detail in ("task", "net"):
        drawing = draw(flow, detail=detail)
        shapes = [s for g in drawing.scene.groups for s in g.shapes if s.style == "sign"]
        assert len(shapes) == 2, "a head and shoulders"
    assert "reviewer" in labels(draw(flow))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (0.5, "0.5 s"), (172_800, "2 d"), (5_400, "1 h 30 min")]
)
def test_durations_are_written_as_people_do(seconds: float, text: str) -> None:
    assert duration(seconds) == text


# -- overlays -----------------------------------------------------------------------------------


@pytest.mark.promise("DRAW-7")
def test_heat_is_a_colour_a_number_and_a_legend() -> None:
    heat = {"A": 1.0, "B": 2000.0}
    drawing = draw(NETS["sequence"], overlay=Overlay(heat=heat, heat_label="s of waiting"))
    assert {"1", "2,000", "s of waiting: 1"} <= labels(drawing)
    drawn = nodes(drawing.scene)
    assert drawn["A"].shapes[0].style == "task-heat1"
    assert drawn["B"].shapes[0].style == "task-heat5"
    assert "2,000 s of waiting" in drawn["B"].title
    with pytest.raises(DrawingError, match="nan"):
        draw(NETS["sequence"], overlay=Overlay(heat={"A": float("nan")}))


@pytest.mark.promise("DRAW-7")
def test_two_markings_are_compared_on_one_net() -> None:
    overlay = Overlay(before=Marking("i"), tokens=Marking({"a0": 1, "b0": 2}))
    shown = labels(draw(NETS["parallel"], overlay=overlay))
    assert {"−1", "+1", "+2"} <= shown
    both = draw(NETS["parallel"], overlay=Overlay(before=Marking("i"), tokens=Marking("i")))
    assert not {"+1", "−1"} & labels(both)


@pytest.mark.promise("DRAW-7")
@pytest.mark.parametrize(("cases", "chips"), [(1, 1), (5, 5), (6, 1), (2000, 1)])
def test_live_cases_are_chips_up_to_five_and_then_a_number(cases: int, chips: int) -> None:
    drawing = draw(NETS["sequence"], overlay=Overlay(cases={"p": cases}))
    found = [s for s in nodes(drawing.scene)["p"].shapes if s.style == "chip"]
    assert len(found) == chips
    assert (str(min(cases, 999)) in {t.rstrip("+") for t in labels(drawing)}) == (cases > 5)


@pytest.mark.promise("DRAW-7")
def test_results_of_the_analysis_are_shown_as_they_are() -> None:
    net = NETS["mutex"]
    for found in (place_invariants(net)[0], siphons(net)[0], structure(net)):
        drawn = nodes(draw(net, overlay=found).scene)
        assert any("chosen" in group.marks for group in drawn.values())
    stuck = Net.build().places("i", "p", "o").transition("t", "i", "p").transition("u", "p", "o")
    net = stuck.transition("v", "i", {"o": 2}).done()
    witness = verify(net).witness
    assert witness is not None
    drawn = nodes(draw(net, overlay=witness).scene)
    assert any("path" in group.marks for group in drawn.values())
    with pytest.raises(DrawingError, match="cannot be shown"):
        draw(net, overlay=42)  # type: ignore[arg-type]


def test_the_same_picture_can_be_drawn_into_axes_of_ones_own() -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 2))
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    drawing = draw(FLOW)
    assert drawing.plot(left) is left
    assert len(right.patches) == 0
    shapes = sum(len(g.shapes) for g in drawing.scene.groups)
    assert len(left.patches) + len(left.texts) == shapes
    assert max(t.get_fontsize() for t in left.texts) < 12, "letters shrink with the picture"
