"""Layout: from boxes and wires to places on a plane.

The engine stands behind `Engine`, a function from a `Graph` to a `Layout`, so that another one can
take graphlay's place. What is asked of an engine: layers from left to right, orthogonal wires that
end at the borders of their boxes and pass through no other, and the same answer every time.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from petriflow.drawing.lines import tidy
from petriflow.drawing.scene import Point


@dataclass(frozen=True, slots=True)
class Box:
    """A node's size in px; `round` ones are circles.

    At a `wide` box every wire has a point of its own: those from it on its right side, those to
    it on its left.
    """

    width: float
    height: float
    round: bool = False
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Wire:
    """A connection between two boxes, by number.

    A wire with `flow=False` says where something belongs, not where the process goes: it never
    makes the layout run backwards, it is the first to give way, and it shares no piece with
    another. `label` is the size of a text
    that is to be written on the wire.
    """

    source: int
    target: int
    flow: bool = True
    label: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Graph:
    """What is to be laid out; earlier is further up wherever nothing speaks against it."""

    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Centres of the boxes, routes of the wires from border to border, and where wires part."""

    centres: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]
    junctions: tuple[Point, ...] = ()


Engine = Callable[[Graph], Layout]

#: A picture wider than this is folded into rows of about this width: on a screen, scrolling down
#: is easier than reading small.
WIDE = 1400.0

#: Of more nodes than this, a picture is not laid out once more to get a little lower.
MANY = 250

#: No wire comes closer to a box that is not its own.
CLEARANCE = 3.0
#: How much heavier a wire is that is the only one on both its ends: chains stay straight.
CHAIN = 4.0

OPTIONS: dict[str, Any] = {
    "direction": "leftright",
    "routing": {"style": "orthogonal", "merge_edges": "both"},
    # Brandes and Köpf's placement is a little straighter, but its branches drift apart along a
    # long net: 200 nodes in a row were 465 px high with it, and 168 px with this one.
    "coords": {"placement": "network_simplex", "branch_style": "free"},
    "spacing": {
        "layer_gap": 40.0,
        "node_gap": 30.0,
        "dummy_gap": 24.0,
        "port_gap": 18.0,
        "edge_label_margin": 10.0,
    },
    "labels": {"reservation": "always", "placement": "gap_centre"},
    "tuning": {
        "coords": {"main_path_room": 100},
        # A wire that nearly fits in line is bent to it by no more than this: more, and it would
        # be laid along the border of the box that it passes.
        "routing": {"step_flatten": 8.0},
        # Folded only where the net is narrow: a fold that cuts many wires tangles them.
        "wrap": {"max_rows": 40, "max_cut_edges": 2},
    },
}


def graphlay(graph: Graph) -> Layout:
    """Lay a graph out by the graphlay package."""
    if not graph.boxes:
        return Layout((), ())
    weights, backward = _spine(graph)
    request = {
        "nodes": [
            {
                "size": {"width": box.width, "height": box.height},
                "shape": "ellipse" if box.round else "box",
                "port_sides": "facing_preferred" if box.round else "facing_only",
            }
            for box in graph.boxes
        ],
        "edges": [
            {
                "source": wire.source,
                "target": wire.target,
                "weight": weight,
                "reverse_for_ranking": back,
                "label_size": wire.label and {"width": wire.label[0], "height": wire.label[1]},
                "source_port": _own(graph, wire.source, wire, "left" if back else "right"),
                "target_port": _own(graph, wire.target, wire, "right" if back else "left"),
            }
            for wire, weight, back in zip(graph.wires, weights, backward, strict=True)
        ],
    }
    found = _read(_fold(request, OPTIONS))
    if not _clear(graph, found):
        # Wires that are drawn to the middles of their boxes can be drawn along another one.
        loose = OPTIONS | {"routing": OPTIONS["routing"] | {"centre_ports": "off"}}
        found = _read(_fold(request, loose))
    return found


def _read(laid: Any) -> Layout:
    """The engine's answer in our own words."""
    raw = laid.raw
    return Layout(
        tuple(_point(node["center"]) for node in raw["nodes"]),
        tuple(_squared(map(_point, edge["points"])) for edge in raw["edges"]),
        tuple(map(_point, raw.get("junctions", ()))),
    )


def _clear(graph: Graph, laid: Layout) -> bool:
    """Whether no wire comes too close to a box that is not its own.

    The engine could tell, but takes as long for it as for the layout.
    """
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    areas = []
    for n, ((x, y), box) in enumerate(zip(laid.centres, graph.boxes, strict=True)):
        w, h = box.width / 2 + CLEARANCE, box.height / 2 + CLEARANCE
        areas.append((x - w, y - h, x + w, y + h))
        for cell in _cells(x - w, y - h, x + w, y + h):
            cells[cell].append(n)
    for wire, route in zip(graph.wires, laid.routes, strict=True):
        for (ax, ay), (bx, by) in pairwise(route):
            left, right = (ax, bx) if ax < bx else (bx, ax)
            top, bottom = (ay, by) if ay < by else (by, ay)
            for cell in _cells(left, top, right, bottom):
                for n in cells.get(cell, ()):
                    a, b, c, d = areas[n]
                    meets = a < right and c > left and b < bottom and d > top
                    if meets and n not in (wire.source, wire.target):
                        return False
    return True


CELL = 128.0


def _cells(left: float, top: float, right: float, bottom: float) -> Iterator[tuple[int, int]]:
    for x in range(int(left // CELL), int(right // CELL) + 1):
        for y in range(int(top // CELL), int(bottom // CELL) + 1):
            yield x, y


def _fold(request: dict[str, Any], options: dict[str, Any]) -> Any:
    """The engine's layout, in rows if it would be too wide otherwise."""
    import graphlay as engine

    laid = engine.layout(request, options=options)
    width, height = _size(laid)
    if width > WIDE:
        # Rows are never full, hence the room for more than the area asks for. A net that the
        # first attempt leaves as wide as it was is nowhere narrow enough to be folded.
        aspect = min(2.0, 1.7 * WIDE**2 / (width * (height + 60.0)))
        for attempt in range(3):
            folded = options | {"wrap": {"viewport_aspect": aspect / 1.6**attempt}}
            laid = engine.layout(request, options=folded)
            if not WIDE < _size(laid)[0] < width:
                break
        if len(request["nodes"]) > MANY:
            return laid
        # Over a long net the branches drift apart, and this pulls them together, mostly.
        dense = engine.layout(request, options=folded | {"compaction": {"mode": "priority"}})
        laid = min(laid, dense, key=lambda laid: _size(laid)[1])
    return laid


def _own(graph: Graph, box: int, wire: Wire, side: str) -> dict[str, str] | None:
    """A point of its own for an end of a wire; without it, wires share their first piece."""
    return {"side": side} if graph.boxes[box].wide or not wire.flow else None


def _size(laid: Any) -> tuple[float, float]:
    low, high = laid.bounds["min"], laid.bounds["max"]
    return high["x"] - low["x"], high["y"] - low["y"]


def _point(raw: dict[str, float]) -> Point:
    """The nearest pixel; halves go up and dust is wiped off, so that lines stay level."""
    return math.floor(round(raw["x"], 3) + 0.5), math.floor(round(raw["y"], 3) + 0.5)


def _squared(points: Iterable[Point]) -> tuple[Point, ...]:
    """The route with level and upright pieces only: the engine puts ends on circles, and now and
    then a middle, a pixel or two off.
    """
    route = [list(point) for point in points]
    for n, ((ax, ay), (bx, by)) in enumerate(pairwise(route), 1):
        if ax != bx and ay != by:
            axis = 1 if abs(ax - bx) >= abs(ay - by) else 0
            off, right = route[n][axis], route[n - 1][axis]
            for point in route[n:]:  # all that is in line with the piece's end moves with it
                if point[axis] != off:
                    break
                point[axis] = right
    return tuple(tidy([(x, y) for x, y in route]))


def _spine(graph: Graph) -> tuple[list[float], list[bool]]:
    """A weight for each wire, and whether it runs against the flow.

    The engine draws the heaviest path as one straight line. Of several branches the middle one is
    it: so a block is symmetric about the line, and its branches stay in their order.
    """
    out: list[list[int]] = [[] for _ in graph.boxes]
    for number, wire in enumerate(graph.wires):
        if wire.flow:
            out[wire.source].append(number)
    order, back = _depth_first(graph, out)
    weights = [0.5] * len(graph.wires)
    inflow = [0.0] * len(graph.boxes)
    depth = [0] * len(graph.boxes)
    onward = [[number for number in wires if not back[number]] for wires in out]
    # A branch whose every way leads back is a loop's return; the line goes on to the end.
    ends = [not wires for wires in out]
    for box in reversed(order):
        ends[box] |= any(ends[graph.wires[number].target] for number in onward[box])
    for box in order:
        flow = inflow[box] or 8.0
        branches = [n for n in onward[box] if ends[graph.wires[n].target]] or onward[box]
        for number in out[box]:
            weights[number] = max(1.0, flow / 2)
            if not back[number]:
                target = graph.wires[number].target
                if number == branches[(len(branches) - 1) // 2]:
                    weights[number] = flow
                inflow[target] = max(inflow[target], weights[number])
                depth[target] = max(depth[target], depth[box] + 1)
    entering = Counter(wire.target for wire in graph.wires if wire.flow)
    for number, wire in enumerate(graph.wires):
        if wire.flow and len(out[wire.source]) == 1 == entering[wire.target]:
            weights[number] *= CHAIN
        if not wire.flow:
            back[number] = depth[wire.source] > depth[wire.target]
    return weights, back


def _depth_first(graph: Graph, out: list[list[int]]) -> tuple[list[int], list[bool]]:
    """The boxes in an order in which wires go forwards, and which wires close a circle."""
    new, open_, done = 0, 1, 2
    state = [new] * len(graph.boxes)
    back = [False] * len(graph.wires)
    finished: list[int] = []
    entered = {wire.target for wire in graph.wires if wire.flow}
    # The sources first, so that a circle is entered where the process enters it.
    for root in sorted(range(len(graph.boxes)), key=lambda box: (box in entered, box)):
        if state[root] != new:
            continue
        state[root] = open_
        stack = [(root, iter(out[root]))]
        while stack:
            box, rest = stack[-1]
            for number in rest:
                target = graph.wires[number].target
                if state[target] == new:
                    state[target] = open_
                    stack.append((target, iter(out[target])))
                    break
                back[number] = state[target] == open_
            else:
                state[box] = done
                finished.append(box)
                stack.pop()
    return finished[::-1], back
