"""Pictures by their geometry: what a reader relies on without thinking about it."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given

from petriflow.drawing import Overlay, draw
from petriflow.drawing.scene import Circle, Group, Rect, Scene
from petriflow.net import Marking, Net

from .geometry import (
    NETS,
    arcs_of,
    area,
    body,
    distance,
    drawn_arcs,
    ends,
    inside,
    nets,
    nodes,
    overlap,
    segments,
    texts,
)

FORMS = {f"{name}, {net.form}": net for name, n in NETS.items() for net in (n, n.expanded())}


@pytest.fixture(params=FORMS, scope="module")
def net(request: pytest.FixtureRequest) -> Net:
    return FORMS[request.param]


@pytest.fixture(scope="module")
def scene(net: Net) -> Scene:
    return draw(net, title=net.name).scene


def check(net: Net, scene: Scene) -> None:
    """What must hold for every net whatsoever."""
    drawn = nodes(scene)
    assert set(drawn) == {n.id for n in (*net.places, *net.transitions)}
    assert Counter(drawn_arcs(scene)) == Counter(arcs_of(net))
    for (a, one), (b, other) in combinations(drawn.items(), 2):
        assert not overlap(body(one), body(other)), f"{a} and {b} overlap"
    frame = scene.left, scene.top, scene.left + scene.width, scene.top + scene.height
    for group in scene.groups:
        for shape in group.shapes:
            assert inside(area(shape), frame), f"{group.id or group.kind} leaves the picture"


@pytest.mark.promise("DRAW-3")
def test_every_element_is_drawn_once_and_nothing_overlaps(net: Net, scene: Scene) -> None:
    check(net, scene)


@pytest.mark.promise("DRAW-3")
@given(nets())
def test_any_net_is_drawn_whole_and_without_overlaps(net: Net) -> None:
    check(net, draw(net, title="a title").scene)


def test_lines_end_at_their_nodes(scene: Scene) -> None:
    check_ends(scene)


@given(nets())
def test_lines_end_at_their_nodes_in_any_net(net: Net) -> None:
    check_ends(draw(net).scene)


def check_ends(scene: Scene) -> None:
    """Each line ends at its nodes, or at the frame of a bank or the border of a region that
    stands for them.
    """
    drawn = nodes(scene)
    frames = [(g.kind, s) for g in scene.groups for s in g.shapes if g.kind in ("bank", "region")]
    borders = [(kind, Group(kind, (s,))) for kind, s in frames if isinstance(s, Rect)]
    regions = [body(border) for kind, border in borders if kind == "region"]
    dots = [s for g in scene.groups for s in g.shapes if s.style.startswith("dot")]
    for group in scene.groups:
        if group.kind != "arc":
            continue
        tips = list(ends(group))

        def reached(node: Group, tips: list[tuple[float, float]] = tips) -> bool:
            return min(distance(tip, node) for tip in tips) < 1

        at_border = {kind for kind, border in borders if reached(border)}
        for kind, place, t in group.arcs:
            place_reached, t_reached = reached(drawn[place]), reached(drawn[t])
            if kind == "reset" and any(inside(body(drawn[place]), r) for r in regions):
                # A region has one line for all its places: to its border, or to a node in it.
                place_reached = "region" in at_border or any(
                    reached(node)
                    for id, node in drawn.items()
                    if id != t and any(inside(body(node), r) for r in regions)
                )
            if t in banked(scene):
                t_reached = "bank" in at_border or any(
                    inside(area(dot), body(drawn[t])) and crosses(group, dot) for dot in dots
                )
            assert place_reached, f"the {kind} arc of {place} and {t} does not reach {place}"
            assert t_reached, f"the {kind} arc of {place} and {t} does not reach {t}"


def banked(scene: Scene) -> set[str]:
    """The transitions that stand in a frame."""
    frames = [area(g.shapes[0]) for g in scene.groups if g.kind == "bank"]
    return {id for id, g in nodes(scene).items() if any(inside(body(g), f) for f in frames)}


def crosses(group: Group, dot: Circle) -> bool:
    """Whether a line of the group runs through the middle of a dot."""
    return any(
        ay == by == dot.y and min(ax, bx) <= dot.x <= max(ax, bx)
        for (ax, ay), (bx, by) in segments(group)
    )


def test_a_bank_has_a_dot_for_each_arc_that_is_not_shared() -> None:
    net = NETS["multi-choice"]
    scene = draw(net).scene
    assert banked(scene) == {t.id for t in net.transitions if t.id.startswith("_sel")}
    dots = [s for g in scene.groups for s in g.shapes if s.style.startswith("dot")]
    for t in net.transitions:
        mine = [d for d in dots if inside(area(d), body(nodes(scene)[t.id]))]
        assert len(mine) == (3 if t.id.startswith("_sel") else 0)


def test_lines_are_level_or_upright(scene: Scene) -> None:
    check_right_angles(scene)


@given(nets())
def test_lines_are_level_or_upright_in_any_net(net: Net) -> None:
    check_right_angles(draw(net).scene)


def check_right_angles(scene: Scene) -> None:
    for group in scene.groups:
        if group.kind == "arc":
            for (ax, ay), (bx, by) in segments(group):
                assert ax == bx or ay == by, group.arcs


def test_no_line_runs_through_a_node(scene: Scene) -> None:
    drawn = nodes(scene)
    for group in scene.groups:
        if group.kind != "arc":
            continue
        mine = {node for _, place, t in group.arcs for node in (place, t)}
        for node, other in drawn.items():
            if node in mine or node in banked(scene):  # rails run behind the bars of their bank
                continue
            left, top, right, bottom = body(other)
            for (ax, ay), (bx, by) in segments(group):
                line = min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)
                assert not overlap(line, (left, top, right, bottom)), f"{group.arcs} hits {node}"


def test_labels_are_inside_their_boxes(scene: Scene) -> None:
    boxes = [s for g in scene.groups for s in g.shapes if isinstance(s, Rect)]
    for style in ("label", "note", "weight"):
        for text in texts(scene, style):
            assert any(inside(area(text), area(box)) for box in boxes), text.content


def test_texts_do_not_overlap(scene: Scene) -> None:
    found = [
        t for style in ("label", "note", "name", "guard", "weight") for t in texts(scene, style)
    ]
    for one, other in combinations(found, 2):
        a, b = area(one), area(other)
        # The lines of one label are set solid.
        if not (one.x == other.x and abs(one.y - other.y) <= 15):
            assert not overlap(a, b), f"{one.content!r} and {other.content!r}"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_up_to_five_tokens_are_dots_inside_their_circle(count: int) -> None:
    scene = draw(NETS["loop"], overlay=Overlay(tokens=Marking({"b": count, "o": count}))).scene
    for place in ("b", "o"):
        ring, *dots = nodes(scene)[place].shapes
        dots = [d for d in dots if isinstance(d, Circle) and d.style.startswith("token")]
        assert isinstance(ring, Circle)
        assert len(dots) == count
        for dot in dots:
            reach = ((dot.x - ring.x) ** 2 + (dot.y - ring.y) ** 2) ** 0.5 + dot.radius
            assert reach < ring.radius - 4  # also inside the inner ring of the final place
        for one, other in combinations(dots, 2):
            apart = ((one.x - other.x) ** 2 + (one.y - other.y) ** 2) ** 0.5
            assert apart >= one.radius + other.radius


@pytest.mark.parametrize(("count", "shown"), [(6, "6"), (999, "999"), (1000, "999+")])
def test_many_tokens_are_a_number_inside_the_circle(count: int, shown: str) -> None:
    scene = draw(NETS["loop"], overlay=Overlay(tokens=Marking({"b": count}))).scene
    ring, number = nodes(scene)["b"].shapes
    assert number.content == shown
    assert inside(area(number), area(ring))


def test_the_main_path_is_one_straight_line() -> None:
    for name, path in {
        "sequence": "i A p B o",
        "parallel": "i _split b0 B b1 _join o",
        "choice": "i _selB b0 B o",
        "loop": "i _enter b Body c _done o",
    }.items():
        drawn = nodes(draw(NETS[name]).scene)
        middles = {(body(drawn[n])[1] + body(drawn[n])[3]) / 2 for n in path.split()}
        assert len(middles) == 1, f"{name}: {middles}"


def test_branches_keep_the_order_of_the_model() -> None:
    for name in ("parallel", "choice"):
        drawn = nodes(draw(NETS[name]).scene)
        tops = [body(drawn[task])[1] for task in "ABC"]
        assert tops == sorted(tops)


def test_the_flow_runs_from_left_to_right() -> None:
    drawn = nodes(draw(NETS["parallel"]).scene)
    for left, right in map(
        str.split, ("i _split", "_split a0", "a0 A", "A a1", "a1 _join", "_join o")
    ):
        assert body(drawn[left])[2] < body(drawn[right])[0]
