"""What is shown on top of a net, and that it lands on the right nodes."""

from __future__ import annotations

import pytest

from petriflow.drawing import Overlay, draw
from petriflow.drawing.scene import Circle, Rect, Scene
from petriflow.net import Marking, Net
from petriflow.net.errors import DrawingError

from .geometry import NETS, area, body, inside, nodes, overlap, texts

LOOP = NETS["loop"]


def steps(scene: Scene) -> dict[str, str]:
    """The number at each transition, by what its badge touches."""
    found = {}
    for group in scene.groups:
        for shape in group.shapes:
            if shape.style == "badge":
                (text,) = [s for s in group.shapes if s.style == "step"]
                assert inside(area(text), area(shape)), "a number sticks out of its badge"
                (node,) = [
                    id
                    for id, g in nodes(scene).items()
                    if g.kind == "transition" and overlap(area(shape), body(g))
                ]
                found[node] = text.content
    return found


@pytest.mark.promise("DRAW-4")
def test_the_steps_of_a_path_are_numbered() -> None:
    path = ("_enter", "Body", "_again", "Body", "_done")
    scene = draw(LOOP, overlay=Overlay(path=path)).scene
    assert steps(scene) == {"_enter": "1", "Body": "2, 4", "_again": "3", "_done": "5"}
    on_path = {id for id, group in nodes(scene).items() if "path" in group.marks}
    assert on_path == set(path)


@pytest.mark.promise("DRAW-4")
def test_the_lines_that_a_path_uses_stand_out_and_no_others() -> None:
    scene = draw(NETS["choice"], overlay=Overlay(path=("_selB", "B"))).scene
    hot = {
        arc
        for group in scene.groups
        if group.kind == "arc" and any(s.style == "line-path" for s in group.shapes)
        for arc in group.arcs
    }
    assert hot == {
        ("consume", "i", "_selB"), ("produce", "b0", "_selB"),
        ("consume", "b0", "B"), ("produce", "o", "B"),
    }  # fmt: skip


@pytest.mark.promise("DRAW-4")
def test_what_is_left_over_stuck_or_dead_is_marked_and_named() -> None:
    net = NETS["parallel"]
    overlay = Overlay(
        path=("_split", "A"),
        tokens=Marking(["a1", "b0", "c0"]),
        faults=frozenset({"a1", "_join"}),
        dead=frozenset({"C", "_join"}),
    )
    scene = draw(net, overlay=overlay).scene
    drawn = nodes(scene)
    assert drawn["a1"].shapes[0].style == "place-fault"
    assert drawn["C"].shapes[0].style == "task-dead"
    assert drawn["_join"].shapes[0].style == "bar-fault", "the graver state is the one shown"
    assert drawn["_join"].marks == ("fault", "dead")
    assert {t.content for t in texts(scene, "name-fault")} == {"a1", "_join"}
    assert "At fault: _join, a1." in scene.summary
    assert "Can never fire: C, _join." in scene.summary


def test_a_place_that_a_pattern_made_is_named_only_when_it_is_at_fault() -> None:
    from petriflow.patterns import sequence

    def pick(case): ...

    def pack(case): ...

    net = sequence(pick, pack, name="ship").net
    quiet, loud = (
        draw(net, overlay=Overlay(faults=faults)).scene
        for faults in (frozenset(), frozenset({"ship/pick.out"}))
    )
    shown = [t.content for t in texts(quiet, "name") + texts(loud, "name")]
    assert shown == []
    assert [t.content for t in texts(loud, "name-fault")] == ["pick.out"]


def test_states_and_tokens_leave_every_node_where_it_was() -> None:
    net = NETS["multi-choice"]
    overlay = Overlay(
        path=("_sela", "A"),
        tokens=Marking({"b1": 3, "c1": 700}),
        faults=frozenset({"b1"}),
        dead=frozenset({"C"}),
        enabled=frozenset({"B"}),
    )
    bare, dressed = nodes(draw(net).scene), nodes(draw(net, overlay=overlay).scene)
    assert {id: body(g) for id, g in bare.items()} == {id: body(g) for id, g in dressed.items()}


def test_a_path_of_the_expanded_net_lands_on_the_tasks_of_the_atomic_one() -> None:
    path = ("_split", "A.start", "B.start", "B.complete", "A.complete", "C.start")
    scene = draw(NETS["parallel"], overlay=Overlay(path=path)).scene
    assert steps(scene) == {"_split": "1", "A": "2–5", "B": "3–4", "C": "6"}


def test_the_firings_of_a_task_in_a_loop_are_told_apart() -> None:
    path = ("_enter", "Body.start", "Body.complete", "_again", "Body.start")
    scene = draw(LOOP, overlay=Overlay(path=path)).scene
    assert steps(scene) == {"_enter": "1", "Body": "2–3, 5", "_again": "4"}


def test_a_running_token_lies_in_the_box_of_its_task() -> None:
    scene = draw(LOOP, overlay=Overlay(tokens=Marking({"Body.running": 2}))).scene
    (badge,) = [g for g in scene.groups if any(s.style == "running" for s in g.shapes)]
    assert overlap(area(badge.shapes[0]), body(nodes(scene)["Body"]))
    dots = [s for s in badge.shapes if isinstance(s, Circle)]
    assert len(dots) == 2
    assert all(inside(area(dot), area(badge.shapes[0])) for dot in dots)
    assert "2 tokens" in nodes(scene)["Body"].title


def test_faults_and_states_of_the_expanded_net_land_on_the_task() -> None:
    overlay = Overlay(
        faults=frozenset({"A.running"}),
        dead=frozenset({"B.start", "B.complete"}),
        enabled=frozenset({"C.start"}),
    )
    drawn = nodes(draw(NETS["parallel"], overlay=overlay).scene)
    assert [drawn[t].marks for t in "ABC"] == [("fault",), ("dead",), ("enabled",)]


def test_on_the_expanded_net_itself_the_ids_are_taken_as_they_are() -> None:
    net = LOOP.expanded()
    overlay = Overlay(path=("_enter", "Body.start"), tokens=Marking("Body.running"))
    scene = draw(net, overlay=overlay).scene
    assert steps(scene) == {"_enter": "1", "Body.start": "2"}
    ring, *dots = nodes(scene)["Body.running"].shapes
    assert isinstance(ring, Circle)
    assert [d.style for d in dots] == ["token"]


def test_the_halves_of_a_task_say_which_is_which() -> None:
    scene = draw(LOOP.expanded()).scene
    assert [t.content for t in texts(scene, "label")] == ["Body", "Body"]
    assert [t.content for t in texts(scene, "note")] == ["start", "complete"]


def test_without_tokens_the_initial_marking_is_shown() -> None:
    net = Net.build().place("i", 1).place("pool", 3).place("o")
    net = net.transition("t", ["i", "pool"], ["o", "pool"]).done()
    for scene in (draw(net).scene, draw(net, overlay=Overlay(path=("t",))).scene):
        tokens = {
            id: sum(s.style == "token" for s in group.shapes)
            for id, group in nodes(scene).items()
            if group.kind == "place"
        }
        assert tokens == {"i": 1, "pool": 3, "o": 0}


def test_a_net_without_a_marking_starts_at_its_only_source() -> None:
    net = Net.build().places("i", "o").transition("t", "i", "o").done()
    assert [s.style for s in nodes(draw(net).scene)["i"].shapes] == ["place", "token"]


def test_the_end_has_a_double_ring_and_an_empty_start_a_mark() -> None:
    scene = draw(LOOP, overlay=Overlay(tokens=Marking("c"))).scene
    drawn = nodes(scene)
    assert [s.style for s in drawn["o"].shapes] == ["place", "ring"]
    assert [s.style for s in drawn["i"].shapes] == ["place", "start"]


@pytest.mark.parametrize("what", ["path", "tokens", "faults", "dead", "enabled"])
def test_an_id_that_is_no_node_is_named_in_the_error(what: str) -> None:
    value = {"path": ("ghost.start",), "tokens": Marking("ghost")}.get(what, frozenset({"ghost"}))
    with pytest.raises(DrawingError, match="ghost"):
        draw(LOOP, overlay=Overlay(**{what: value}))


# -- captions -----------------------------------------------------------------------------------


def test_guards_stand_beside_their_branches() -> None:
    captions = {"_selA": "total > 1000", "_selB": "method == 'card'", "_selC": "otherwise"}
    scene = draw(NETS["choice"], captions=captions).scene
    drawn = nodes(scene)
    found = {t.content: t for t in texts(scene, "guard")}
    assert set(found) == set(captions.values())
    for selector, guard in captions.items():
        text = found[guard]
        assert body(drawn[selector])[2] < text.x < body(drawn["o"])[0]
        middle = (body(drawn[selector])[1] + body(drawn[selector])[3]) / 2
        assert abs(text.y - middle) < 18
        assert not any(overlap(area(text), body(g)) for g in drawn.values())


def test_in_a_bank_a_guard_stands_at_the_branch_that_it_opens() -> None:
    captions = {"_sela": "a > 1", "_selb": "b > 1", "_selc": "c > 1"}
    scene = draw(NETS["multi-choice"], captions=captions).scene
    drawn = nodes(scene)
    for text in texts(scene, "guard"):
        near = min(
            ("a0", "b0", "c0"),
            key=lambda p: abs((body(drawn[p])[1] + body(drawn[p])[3]) / 2 - text.y),
        )
        assert text.content[0] == near[0]


def test_a_long_guard_is_cut_and_whole_in_its_title() -> None:
    guard = "country in ('DE', 'FR', 'IT', 'ES', 'PT') and total > 1000 and not priority"
    scene = draw(NETS["choice"], captions={"_selA": guard}).scene
    (group,) = [g for g in scene.groups if any(s.style == "guard" for s in g.shapes)]
    (text,) = texts(scene, "guard")
    assert text.content.endswith("…")
    assert group.title == guard


# -- arcs -----------------------------------------------------------------------------------------


def line_of(scene: Scene, arc: tuple[str, str, str]) -> list[str]:
    """The styles of the shapes of the line that stands for an arc."""
    (group,) = [g for g in scene.groups if arc in g.arcs]
    return [shape.style for shape in group.shapes]


def test_each_kind_of_arc_has_its_own_ends() -> None:
    scene = draw(NETS["drain"]).scene
    assert line_of(scene, ("consume", "q", "T")) == ["line-flow", "head-flow"]
    assert line_of(scene, ("inhibitor", "q", "_end")) == ["line-inhibitor", "ball-inhibitor"]
    assert line_of(scene, ("reset", "f", "_end")) == ["line-reset", "head-reset", "head-reset"]
    # there and back on one line, with a head at both ends
    assert line_of(scene, ("consume", "open", "Add")) == ["line-flow", "head-flow", "head-flow"]
    assert line_of(draw(NETS["milestone"]).scene, ("read", "m", "C")) == ["line-read"]


def test_weights_and_thresholds_are_written_on_their_arcs() -> None:
    assert [t.content for t in texts(draw(NETS["partial join"]).scene, "weight")] == ["2"]
    assert [t.content for t in texts(draw(NETS["drain"]).scene, "weight")] == ["< 2"]


def test_what_is_cancelled_together_is_one_area_with_one_arc() -> None:
    scene = draw(NETS["cancelling join"]).scene
    (region,) = [g for g in scene.groups if g.kind == "region"]
    (box,) = [s for s in region.shapes if isinstance(s, Rect)]
    inner = {id for id, g in nodes(scene).items() if inside(body(g), area(box))}
    assert inner == set("ABC") | {f"{b}{n}" for b in "abc" for n in "01"}
    resets = [g for g in scene.groups if any(kind == "reset" for kind, _, _ in g.arcs)]
    assert len(resets) == 1
    assert len(resets[0].arcs) == 3 * 6


def test_an_area_holds_nothing_that_is_not_cancelled() -> None:
    scene = draw(NETS["cancel case"]).scene
    cancelled = {"A", "B", "a0", "a1", "b0", "b1"}
    boxes = [s for g in scene.groups if g.kind == "region" for s in g.shapes if isinstance(s, Rect)]
    for id, group in nodes(scene).items():
        met = any(overlap(body(group), area(box)) for box in boxes)
        assert met == (id in cancelled), id
