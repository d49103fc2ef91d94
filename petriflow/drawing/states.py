"""State spaces and coverability graphs as pictures: markings in boxes, firings as arrows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from petriflow.analysis import CoverabilityGraph, StateSpace
from petriflow.drawing import lines as draw
from petriflow.drawing.align import align
from petriflow.drawing.compose import fit
from petriflow.drawing.drawing import Drawing
from petriflow.drawing.labels import Obstacles, beside, segments, settle
from petriflow.drawing.layout import Box, Graph, Layout, Wire, graphlay
from petriflow.drawing.scene import Circle, Group, Rect, Shape
from petriflow.drawing.shapes import text_line
from petriflow.drawing.style import STYLES
from petriflow.drawing.text import clean, shorten, width
from petriflow.net import Marking, Net
from petriflow.net.errors import DrawingError

#: A picture of more markings than this is a hedge that nobody can read.
MOST = 150
LINE = 14.0
SHOWN = 4  # so many places of a marking are written out
WIDE = 150.0  # how wide a line of a box or of an arrow's text may be
State = Literal["", "-enabled", "-fault"]


@dataclass(frozen=True, slots=True)
class States:
    """A graph of markings, before it has a place: what is in each box, and what each arrow says."""

    net: Net
    lines: tuple[tuple[str, ...], ...]
    titles: tuple[str, ...]
    looks: tuple[State, ...]
    arrows: Mapping[tuple[int, int], tuple[str, ...]]
    first: int
    title: str


def draw_states(
    found: StateSpace | CoverabilityGraph,
    *,
    theme: Literal["auto", "light", "dark"] = "auto",
    most: int = MOST,
) -> Drawing:
    """A picture of a state space or a coverability graph.

    The first marking has a token beside it, the end is green with a double border, and one from
    which nothing goes on is red. Places and transitions are called by the ends of their names;
    hovering says all of it.

    Raises:
        DrawingError: there are more than `most` markings, or the space was explored without edges.

    >>> from petriflow.analysis import explore
    >>> net = Net.build("ship").places("i", "o").transition("pack", "i", "o").done()
    >>> draw_states(explore(net))
    <Drawing of ship: 2 markings, 1 edge.>
    """
    count = found.markings if isinstance(found, StateSpace) else len(found.nodes)
    if count > most:
        raise DrawingError(
            f"{found.net.name!r} has {count:,} markings, and a picture of more than {most:,} "
            "cannot be read; ask about them instead (petriflow.ask), or raise most="
        )
    states = _space(found) if isinstance(found, StateSpace) else _coverability(found)
    return Drawing(fit(list(_groups(states)), states.title, states.title, states.title), theme)


def _space(space: StateSpace) -> States:
    net, graph = space.net, space.graph
    try:
        rows = [(graph.row(n), graph.row_via(n)) for n in range(graph.expanded)]
    except ValueError as error:
        raise DrawingError(f"{net.name!r} was explored without edges; {error}") from error
    arrows: dict[tuple[int, int], list[str]] = {}
    for n, (targets, via) in enumerate(rows):
        for target, t in zip(targets, via, strict=True):
            arrows.setdefault((n, target), []).append(graph.net.transition_ids[t])
    markings = [space.marking(n) for n in range(space.markings)]
    stuck = set(graph.stuck())
    looks = tuple(_look(net, m, n in stuck) for n, m in enumerate(markings))
    title = f"{net.name}: {_count(len(markings), 'marking')}, {_count(space.edges, 'edge')}"
    if not space.complete:
        title += ", and there are more"
    told = tuple(_written(dict(m)) for m in markings)
    return States(net, told, tuple(map(str, markings)), looks, _named(arrows), 0, title)


def _coverability(found: CoverabilityGraph) -> States:
    arrows: dict[tuple[int, int], list[str]] = {}
    for source, transition, target in found.edges:
        arrows.setdefault((source, target), []).append(transition)
    told = tuple(
        _written({p: str(n) for p, n in node.tokens.items()} | dict.fromkeys(node.unbounded, "ω"))
        for node in found.nodes
    )
    looks: tuple[State, ...] = tuple("-fault" if node.unbounded else "" for node in found.nodes)
    titles = tuple(map(str, found.nodes))
    return States(found.net, told, titles, looks, _named(arrows), found.root, found.title)


def _look(net: Net, marking: Marking, stuck: bool) -> State:
    ends = net.final or (Marking(net.sinks[0].id) if len(net.sinks) == 1 else None)
    if ends is not None and marking == ends:
        return "-enabled"
    return "-fault" if stuck else ""


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _written(tokens: Mapping[str, int | str]) -> tuple[str, ...]:
    """A marking as lines of text; places by the ends of their names."""
    size = STYLES["label"].size
    told = [
        shorten(clean(_end(place) if n in (1, "1") else f"{n} × {_end(place)}"), size, WIDE)
        for place, n in sorted(tokens.items())
    ]
    more = [f"and {len(told) - SHOWN + 1} more"] if len(told) > SHOWN else []
    return (*told[: SHOWN - 1 if more else SHOWN], *more) or ("no token",)


def _end(id: str) -> str:
    return id.rpartition("/")[2] or id


def _named(arrows: Mapping[tuple[int, int], list[str]]) -> dict[tuple[int, int], tuple[str, ...]]:
    return {ends: tuple(_end(id) for id in ids) for ends, ids in arrows.items()}


def _groups(states: States) -> Iterator[Group]:
    boxes = tuple(_box(lines) for lines in states.lines)
    ends = [pair for pair in states.arrows if pair[0] != pair[1]]
    texts = [_said(states.arrows[pair]) for pair in ends]
    size = STYLES["guard"].size
    wires = tuple(
        Wire(a, b, label=(width(text, size), 16.0))
        for (a, b), text in zip(ends, texts, strict=True)
    )
    graph = Graph(boxes, wires)
    laid = align(graph, graphlay(graph))
    obstacles = Obstacles()
    for (x, y), box in zip(laid.centres, boxes, strict=True):
        w, h = box.width / 2 + 1, box.height / 2 + 1
        obstacles.add((x - w, y - h, x + w, y + h), 100.0)
    for route in laid.routes:
        for piece in segments(route):
            obstacles.add(piece, 20.0)
    for route in laid.routes:
        yield Group("arc", tuple(draw.line(route, "flow", "none", "head")))
    dots = tuple(Circle(x, y, 2.2, "junction") for x, y in laid.junctions)
    yield Group("mark", dots)
    for n in range(len(boxes)):
        yield _state(states, n, laid, boxes[n])
    for n, text in enumerate(texts):
        wide = width(text, size)
        if at := settle(beside(laid.routes[n], wide, 13.0), wide, 13.0, obstacles):
            whole = ", ".join(states.arrows[ends[n]])
            yield Group("mark", (text_line(*at, text, "guard"),), title=clean(whole))


def _said(names: tuple[str, ...]) -> str:
    return shorten(clean(", ".join(names)), STYLES["guard"].size, WIDE)


def _box(lines: tuple[str, ...]) -> Box:
    widest = max(width(line, STYLES["label"].size) for line in lines)
    # Wide: arrows that met on the way could not be told apart.
    return Box(max(44.0, widest // 2 * 2 + 24), max(30.0, LINE * len(lines) + 14), wide=True)


def _state(states: States, n: int, laid: Layout, box: Box) -> Group:
    (x, y), look = laid.centres[n], states.looks[n]
    left, top = x - box.width / 2, y - box.height / 2
    shapes: list[Shape] = [Rect(left, top, box.width, box.height, 12, f"task{look}")]
    if look == "-enabled":
        shapes.append(Rect(left + 3, top + 3, box.width - 6, box.height - 6, 9, "inner"))
    first = y - LINE * (len(states.lines[n]) - 1) / 2
    shapes += (
        text_line(x, first + LINE * k, line, "label") for k, line in enumerate(states.lines[n])
    )
    if n == states.first:
        shapes.append(Circle(left - 12, y, 5, "token"))
    again = states.arrows.get((n, n))
    title = states.titles[n]
    if again:  # a step that leads back to the same marking is written at its corner
        text = text_line(x, top - 9, "↻ " + _said(again), "guard")
        shapes.append(text)
        title += f" · {', '.join(again)} leads back here"
    return Group("state", tuple(shapes), title=title)
