"""Lines, banks and their texts, once everything has a place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from operator import attrgetter

from petriflow.drawing import lines as draw
from petriflow.drawing.diagram import Bank, Line, Region
from petriflow.drawing.labels import Obstacles, beside, segments, settle, upon
from petriflow.drawing.scene import Circle, Group, Path, Point, Rect, Shape
from petriflow.drawing.shapes import (
    INSET,
    MANY,
    RADIUS,
    bar_shapes,
    name_lines,
    number,
    pill_shapes,
    sign_shapes,
    text_line,
)
from petriflow.drawing.stage import GUARD, Area, Stage, guard, pill_width
from petriflow.drawing.style import STYLES
from petriflow.drawing.text import clean, width
from petriflow.net import Place, Transition

#: what a line of each kind ends in
_ENDS: dict[str, draw.End] = {"read": "none", "inhibitor": "ball", "reset": "double"}
DOT = 3.4  # the radius of a dot where a bar and a rail cross
NAME = 13.0  # from one line of a place's name to the next
#: paler lines lie beneath, highlighted ones on top
_LAYER = {"skip": 0, "flow": 1, "path": 3}


def line_groups(stage: Stage) -> Iterator[Group]:
    """All lines, from the palest to the most important, with dots where plain ones part."""
    parts = Group("mark", tuple(Circle(x, y, 2.2, "junction") for x, y in stage.laid.junctions))
    drawn = [_line(stage, n, line) for n, line in enumerate(stage.diagram.lines)]
    drawn.append(("flow", parts))
    for _, group in sorted(drawn, key=lambda pair: _LAYER.get(pair[0], 2)):
        yield group


def _line(stage: Stage, n: int, line: Line) -> tuple[str, Group]:
    route = _route(stage, n, line)
    style = _style(stage, line)
    shapes: list[Shape] = []
    bank = _rail_of(stage, line)
    if bank:
        served = [stage.columns[id] for _, _, id in line.arcs]
        if bank.choice:
            route = [(min(served), route[0][1]), *route]
        else:
            shapes += draw.line([route[-1], (max(served), route[-1][1])], style)
    start: draw.End = "head" if line.kind == "loop" else "none"
    shapes += draw.line(route, style, start, _ENDS.get(line.kind, "head"))
    return style, Group("arc", tuple(shapes), title=_title(line), arcs=line.arcs)


def _route(stage: Stage, n: int, line: Line) -> list[Point]:
    """The route of a line, its ends exactly on the nodes or on the border of a region."""
    to_place = line.target in stage.places
    place, other = (line.target, line.source) if to_place else (line.source, line.target)
    # The route towards its place, then towards its other end.
    route: Sequence[Point] = stage.laid.routes[n][:: 1 if to_place else -1]
    if place in stage.places:
        route = draw.onto_circle(route, stage.at(place), RADIUS)
    else:  # a reset line from a task to a task of its region
        route = draw.onto_box(route, stage.area(place))
    if len(route) == 2:  # with a middle, one end can move without the other
        middle = (route[0][0] + route[1][0]) / 2, (route[0][1] + route[1][1]) / 2
        route = route[0], middle, middle, route[1]
    route = draw.tidy(draw.onto_box(route[::-1], stage.area(other)))
    route = route[::-1] if to_place else route
    if line.region is not None:
        for nodes, area in _areas(stage, stage.diagram.regions[line.region]).items():
            if line.target in {stage.home.get(id, id) for id in nodes}:
                route = draw.until(route, area)
    return route


def _style(stage: Stage, line: Line) -> str:
    ids = {id for _, _, id in line.arcs}
    if ids & set(stage.on.steps):
        return "path"
    if ids and ids <= stage.on.dead:
        return "dead"
    return "flow" if line.kind == "loop" else line.kind


def _title(line: Line) -> str:
    """What hovering over a line says, where that is more than the picture shows."""
    if not line.arcs:
        return ""
    kind, place, transition = line.arcs[0]
    match kind:
        case "reset":
            return f"{transition} empties " + ", ".join(dict.fromkeys(p for _, p, _ in line.arcs))
        case "read":
            return f"{transition} reads {place}"
        case "inhibitor":
            most = line.weight.lstrip("< ") or "1"
            return f"{transition} needs fewer than {most} on {place}"
        case _:
            return ""


# -- banks ----------------------------------------------------------------------------------


def _rail_of(stage: Stage, line: Line) -> Bank | None:
    """The bank whose transitions do not share this line, if there is one."""
    if line.kind not in ("flow", "skip"):
        return None
    bank = stage.banks.get(line.source)
    if bank and bank.choice:
        return bank
    bank = stage.banks.get(line.target)
    return bank if bank and not bank.choice else None


def frame(stage: Stage, bank: Bank) -> Group:
    """The frame of a bank, behind its bars."""
    left, top, right, bottom = stage.area(bank.id)
    box = Rect(left, top, right - left, bottom - top, 8, "frame")
    what = "one of these takes the token" if bank.choice else "one of these joins"
    return Group("bank", (box,), title=f"{len(bank.transitions)} silent transitions: {what}")


def bars(stage: Stage, bank: Bank) -> Iterator[tuple[str, tuple[Shape, ...]]]:
    """The bar of each transition of a bank."""
    _, top, _, bottom = stage.area(bank.id, -INSET)
    for t in bank.transitions:
        x, among = stage.columns[t.id], len(bank.transitions)
        yield t.id, tuple(bar_shapes(x, top, bottom, stage.state(t.id), among))


def dots(stage: Stage) -> Iterator[Group]:
    """The dots where bars and rails cross; each is an arc."""
    for n, line in enumerate(stage.diagram.lines):
        if bank := _rail_of(stage, line):
            route = stage.laid.routes[n]
            y = route[0][1] if bank.choice else route[-1][1]
            r = DOT if len(bank.transitions) <= MANY else DOT * 0.75
            circles = (
                Circle(stage.columns[i], y, r, f"dot{stage.state(i)}") for _, _, i in line.arcs
            )
            yield Group("mark", tuple(circles))


# -- regions --------------------------------------------------------------------------------


def region_group(stage: Stage, region: Region) -> Group:
    """The areas of a region, tied together where there are several."""
    areas = list(_areas(stage, region).values())
    ties: list[Shape] = []
    for n, area in enumerate(areas[1:], 1):
        middle = _middle(area)
        near = min(map(_middle, areas[:n]), key=lambda other: math.dist(other, middle))
        ties.append(Path((("M", *near), ("L", *middle)), "tie"))
    boxes = [Rect(a, b, c - a, d - b, 12, "region") for a, b, c, d in areas]
    title = f"emptied by {', '.join(region.transitions)}"
    return Group("region", (*ties, *boxes), title=title)


def _middle(area: Area) -> Point:
    return (area[0] + area[2]) / 2, (area[1] + area[3]) / 2


def _areas(stage: Stage, region: Region) -> dict[frozenset[str], Area]:
    """The boxes of a region, few and large, none of which holds anything but the region."""
    strangers = [stage.area(id) for id in stage.numbers if id not in region.nodes]
    whole = _around(stage, region.nodes)
    if not any(_meet(whole, other) for other in strangers):
        return {region.nodes: whole}
    todo = list(_connected(stage, region.nodes))
    alone: list[frozenset[str]] = []
    for part in todo:
        if any(_meet(_around(stage, part), other) for other in strangers):
            alone += [frozenset([id]) for id in part]
        else:
            alone.append(part)
    return {nodes: _around(stage, nodes) for nodes in _joined(stage, alone, strangers)}


def _joined(
    stage: Stage, parts: list[frozenset[str]], strangers: Sequence[Area]
) -> list[frozenset[str]]:
    """Neighbours put together, from left to right, as long as no stranger comes in between."""
    boxes = {part: _around(stage, part) for part in parts}
    todo = sorted(parts, key=lambda part: (boxes[part][0], boxes[part][1]))
    again = True
    while again:
        again, kept = False, list[frozenset[str]]()
        for part in todo:
            for n in range(len(kept) - 1, -1, -1):
                both = _hull(boxes[kept[n]], boxes[part])
                if not any(_meet(both, other) for other in strangers):
                    union = kept.pop(n) | part
                    boxes[union] = both
                    kept.append(union)
                    again = True
                    break
            else:
                kept.append(part)
        todo = kept
    return todo


def _hull(a: Area, b: Area) -> Area:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _around(stage: Stage, nodes: frozenset[str]) -> Area:
    areas = []
    for id in nodes:
        left, top, right, bottom = stage.area(id, 12)
        named = id in stage.places and stage.net.place(id).origin is None
        room = NAME + 2 if named else 0.0
        areas.append((left, top, right, bottom + room))
    return (
        min(a[0] for a in areas),
        min(a[1] for a in areas),
        max(a[2] for a in areas),
        max(a[3] for a in areas),
    )


def _meet(a: Area, b: Area) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _connected(stage: Stage, nodes: frozenset[str]) -> Iterator[frozenset[str]]:
    """The parts of a set of nodes that arcs within it hold together."""
    around: dict[str, set[str]] = {id: set() for id in nodes}
    for t in stage.net.transitions:
        for place in (*t.consume, *t.produce):
            if t.id in nodes and place in nodes:
                around[t.id].add(place)
                around[place].add(t.id)
    left = dict.fromkeys(sorted(nodes))
    while left:
        todo, part = [next(iter(left))], set[str]()
        while todo:
            node = todo.pop()
            if node not in part:
                part.add(node)
                left.pop(node)
                todo += sorted(around[node] - part)
        yield frozenset(part)


# -- texts ------------------------------------------------------------------------------------


def label_groups(stage: Stage) -> Iterator[Group]:
    """Names of places, guards, weights, and captions that belong to a bar."""
    obstacles = Obstacles()
    for id in stage.numbers:
        obstacles.add(stage.area(id, 1), 100.0)
    for route in stage.laid.routes:
        for piece in segments(route):
            obstacles.add(piece, 20.0)
    yield from _names(stage, obstacles)
    for n, line in enumerate(stage.diagram.lines):
        route = stage.laid.routes[n]
        if line.weight:
            half = pill_width(line.weight) / 2
            if at := settle(upon(route), 2 * half, 16.0, obstacles):
                x, y = at
                pill = Rect(x - half, y - 8, 2 * half, 16, 8, "pill")
                yield Group("mark", (pill, text_line(x, y, line.weight, "weight")))
        if text := guard(line):
            wide = width(text, STYLES["guard"].size)
            if at := settle(beside(route, wide, 13.0), wide, 13.0, obstacles):
                yield Group("mark", (text_line(*at, text, "guard"),), title=clean(line.caption))
    for id, caption in stage.diagram.captions.items():
        x, y = stage.top(id)[0], stage.area(id)[1]
        text_shape = text_line(x, y - 10, caption, "guard", GUARD)
        yield Group("mark", (text_shape,), title=clean(caption))
    yield from _pills(stage, obstacles)


def _pills(stage: Stage, obstacles: Obstacles) -> Iterator[Group]:
    """Signs under bars, and the numbers of heat and the notes at nodes."""
    for id, sign in stage.signs.items():
        if stage.net.transition(id).silent and id not in stage.home:
            x, bottom = stage.at(id)[0], stage.area(id)[3]
            shapes = sign_shapes(sign, x, bottom + 9)
            obstacles.add((x - 7, bottom + 2, x + 7, bottom + 16), 60.0)
            yield Group("mark", tuple(shapes))
    told = {id: number(n) for id, n in stage.on.heat.items()} | dict(stage.on.notes)
    for id, text in told.items():
        left, top, right, bottom = stage.area(id)
        if id in stage.home:
            left = right = stage.columns[id]
        wide = pill_width(text)
        corners = ((right - 4, top - 3), (left + 4, top - 3), (right - 4, bottom + 3))
        at = settle(corners, wide, 4.0, obstacles) or corners[0]
        yield Group("mark", tuple(pill_shapes(*at, text)))


def _names(stage: Stage, obstacles: Obstacles) -> Iterator[Group]:
    """Names below or beside nodes: of places that somebody named, and of what is at fault or dead
    and shows no label; what a pattern made shows its id on hovering only.
    """
    nodes: list[Place | Transition] = [*stage.net.places, *stage.net.transitions]
    for node in nodes:
        if (style := _name_style(stage, node)) is None:
            continue
        # Ids are paths only where a pattern made them; elsewhere a slash is part of a name.
        short = node.id.rpartition("/")[2] if node.origin else node.id
        lines = name_lines(short, style)
        wide, high = max(map(attrgetter("width"), lines)), NAME * len(lines)
        x, y = stage.at(node.id)
        near = stage.looks[node.id].height / 2 + high / 2 + 3
        aside = wide / 2 + 10
        spots = [(x, y + near), (x, y - near)]
        spots += [(x + dx, y + dy) for dy in (near, -near) for dx in (aside, -aside)]
        if at := settle(spots, wide, high, obstacles):
            first = at[1] - (len(lines) - 1) * NAME / 2
            texts = (
                text_line(at[0], first + n * NAME, line.content, style)
                for n, line in enumerate(lines)
            )
            yield Group("mark", tuple(texts), title=clean(node.id))


def _name_style(stage: Stage, node: Place | Transition) -> str | None:
    """The style of a node's name, or None where it shows none."""
    silent = isinstance(node, Transition) and node.silent and node.id not in stage.home
    named = isinstance(node, Place) and node.origin is None
    match stage.state(node.id):
        case "-fault" if silent or isinstance(node, Place):
            return "name-fault"
        case "-dead" if silent or named:
            return "name-dead"
        case _:
            return "name" if named else None
