"""Straightening: what the eye takes for one line is made one line, and what it should tell apart
is set apart.

Engines place columns one by one, and leave neighbours on a line some pixels off each other where
their columns hold boxes of different heights. Boxes that a level wire joins are brought to one
height, if there is room for it. The wires at a wide box are spread over its side.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence

from petriflow.drawing.layout import Graph, Layout
from petriflow.drawing.scene import Point

NEAR = 24.0  # farther apart is meant to be apart
GAP = 12.0  # to the next box
CLEAR = 6.0  # to the next wire
APART = 16.0  # from one wire to the next at a wide box


def align(graph: Graph, laid: Layout) -> Layout:
    """The layout with boxes on one line where they are nearly so."""
    centres, routes = list(laid.centres), [list(route) for route in laid.routes]
    moved: dict[Point, Point] = {}
    attached: dict[int, list[int]] = defaultdict(list)
    for n, wire in enumerate(graph.wires):
        attached[wire.source].append(n)
        attached[wire.target].append(n)
    for boxes, wires in _rows(graph, laid):
        heights = [centres[box][1] for box in boxes]
        if {*heights} == {y for n in wires for _, y in routes[n]} and len({*heights}) == 1:
            continue  # in line already
        goal = min(heights, key=lambda y: _cost(y, boxes, heights, attached))
        shifts = {box: goal - y for box, y in zip(boxes, heights, strict=True) if y != goal}
        ports = {end: (end[0], goal) for n in wires for end in (routes[n][0], routes[n][-1])}
        if (
            _level_elsewhere(boxes, shifts, set(wires), graph, routes, attached)
            or _taken(boxes, goal, ports, graph, routes, attached)
            or not _room(shifts, graph, centres, routes)
            or _blocked(wires, goal, graph, centres, routes)
        ):
            continue
        _shift(shifts, set(boxes), ports, graph, routes, attached, moved)
        for n in wires:  # without the step that some had
            routes[n] = [routes[n][0], routes[n][-1]]
        for box, by in shifts.items():
            centres[box] = centres[box][0], centres[box][1] + by
    for box, size in enumerate(graph.boxes):
        if size.wide:
            top, bottom = centres[box][1] - size.height / 2, centres[box][1] + size.height / 2
            for end, corner, wires in (
                (0, 1, [n for n in attached[box] if graph.wires[n].source == box]),
                (-1, -2, [n for n in attached[box] if graph.wires[n].target == box]),
            ):
                _spread([routes[n] for n in wires], end, corner, top + 10, bottom - 10)
    return Layout(
        tuple(centres),
        tuple(map(tuple, routes)),
        tuple(moved.get(point, point) for point in laid.junctions),
    )


def _rows(graph: Graph, laid: Layout) -> Iterable[tuple[list[int], list[int]]]:
    """Boxes that level wires join, each group with its wires."""
    leader = list(range(len(graph.boxes)))

    def find(box: int) -> int:
        while leader[box] != box:
            leader[box] = leader[leader[box]]
            box = leader[box]
        return box

    level = [n for n in range(len(graph.wires)) if _is_level(graph, laid, n)]
    for n in level:
        leader[find(graph.wires[n].source)] = find(graph.wires[n].target)
    boxes: dict[int, list[int]] = defaultdict(list)
    wires: dict[int, list[int]] = defaultdict(list)
    for box in range(len(graph.boxes)):
        boxes[find(box)].append(box)
    for n in level:
        wires[find(graph.wires[n].source)].append(n)
    return [(boxes[root], wires[root]) for root in boxes if root in wires]


def _is_level(graph: Graph, laid: Layout, n: int) -> bool:
    wire, route = graph.wires[n], laid.routes[n]
    ends = wire.source, wire.target
    return (
        wire.flow
        and len(route) in (2, 4)
        and route[0][1] == route[1][1]
        and route[-2][1] == route[-1][1]
        and not any(graph.boxes[box].wide for box in ends)
        and abs(laid.centres[wire.source][1] - laid.centres[wire.target][1]) <= NEAR
    )


def _cost(
    goal: float, boxes: Sequence[int], heights: Sequence[float], attached: dict[int, list[int]]
) -> tuple[float, float]:
    """How much has to move for a common height; a box with many wires moves last."""
    moves = zip(boxes, heights, strict=True)
    return sum(abs(goal - y) * len(attached[box]) for box, y in moves), goal


def _level_elsewhere(
    boxes: Sequence[int],
    shifts: dict[int, float],
    own: set[int],
    graph: Graph,
    routes: Sequence[Sequence[Point]],
    attached: dict[int, list[int]],
) -> bool:
    """Whether a level wire that is not of the row would end up slanted."""
    for n in {n for box in boxes for n in attached[box]} - own:
        wire, route = graph.wires[n], routes[n]
        together = shifts.get(wire.source, 0.0) == shifts.get(wire.target, 0.0)
        if len(route) == 2 and route[0][1] == route[1][1] and not together:
            return True
    return False


def _taken(
    boxes: Sequence[int],
    goal: float,
    ports: dict[Point, Point],
    graph: Graph,
    routes: Sequence[Sequence[Point]],
    attached: dict[int, list[int]],
) -> bool:
    """Whether another wire ends where those of the row would."""
    sides = {x for x, _ in ports}
    for box in boxes:
        for n in attached[box]:
            wire, route = graph.wires[n], routes[n]
            for owner, point in ((wire.source, route[0]), (wire.target, route[-1])):
                near = point[0] in sides and abs(point[1] - goal) < CLEAR
                if owner == box and near and point not in ports:
                    return True
    return False


def _room(
    shifts: dict[int, float],
    graph: Graph,
    centres: Sequence[Point],
    routes: Sequence[Sequence[Point]],
) -> bool:
    """Whether the moved boxes keep clear of the other boxes and of wires that are not theirs."""
    for box, by in shifts.items():
        x, y = centres[box][0], centres[box][1] + by
        half, tall = graph.boxes[box].width / 2, graph.boxes[box].height / 2
        for other, (ox, oy) in enumerate(centres):
            size = graph.boxes[other]
            if (
                other not in shifts
                and other != box
                and abs(ox - x) < half + size.width / 2 + GAP
                and abs(oy - y) < tall + size.height / 2 + GAP
            ):
                return False
        for wire, route in zip(graph.wires, routes, strict=True):
            if box in (wire.source, wire.target):
                continue
            for (ax, ay), (bx, by_) in itertools.pairwise(route):
                if (
                    min(ax, bx) < x + half + CLEAR
                    and max(ax, bx) > x - half - CLEAR
                    and min(ay, by_) < y + tall + CLEAR
                    and max(ay, by_) > y - tall - CLEAR
                ):
                    return False
    return True


def _blocked(
    wires: Sequence[int],
    goal: float,
    graph: Graph,
    centres: Sequence[Point],
    routes: Sequence[Sequence[Point]],
) -> bool:
    """Whether a box stands where a wire would now run."""
    for n in wires:
        left, right = sorted((routes[n][0][0], routes[n][-1][0]))
        for box, (x, y) in enumerate(centres):
            size = graph.boxes[box]
            if (
                box not in (graph.wires[n].source, graph.wires[n].target)
                and x + size.width / 2 > left
                and x - size.width / 2 < right
                and abs(y - goal) < size.height / 2 + CLEAR
            ):
                return True
    return False


def _shift(
    shifts: dict[int, float],
    row: set[int],
    ports: dict[Point, Point],
    graph: Graph,
    routes: list[list[Point]],
    attached: dict[int, list[int]],
    moved: dict[Point, Point],
) -> None:
    """Move the ends of all wires at the boxes of a row; wires that shared a port still do."""
    for n in {n for box in row for n in attached[box]}:
        wire, route = graph.wires[n], routes[n]
        before = list(route)
        for box, end, corner in ((wire.source, 0, 1), (wire.target, -1, -2)):
            if box not in row:
                continue
            x, y = before[end]
            goal = ports[x, y][1] if (x, y) in ports else y + shifts.get(box, 0.0)
            if len(route) > 2 and before[corner][1] == y:
                route[corner] = before[corner][0], goal
            route[end] = x, goal
        moved |= {a: b for a, b in zip(before, route, strict=True) if a != b}


def _spread(
    routes: Sequence[list[Point]], end: int, corner: int, top: float, bottom: float
) -> None:
    """Set the ends of routes at one side of a box apart, in their order; level wires stay."""
    routes = sorted(routes, key=lambda route: route[end][1])
    fixed = [n for n, route in enumerate(routes) if len(route) == 2] or [len(routes) // 2]
    heights = [route[end][1] for route in routes]
    for n in range(fixed[0] - 1, -1, -1):
        step = min(APART, (heights[n + 1] - top) / (n + 1))
        heights[n] = max(min(heights[n], heights[n + 1] - step), top + n * step)
    for n in range(fixed[0] + 1, len(routes)):
        after = len(routes) - 1 - n
        step = min(APART, (bottom - heights[n - 1]) / (after + 1))
        if n not in fixed:
            heights[n] = min(max(heights[n], heights[n - 1] + step), bottom - after * step)
    for route, y in zip(routes, heights, strict=True):
        if len(route) > 2:
            route[end] = route[end][0], y
            route[corner] = route[corner][0], y
