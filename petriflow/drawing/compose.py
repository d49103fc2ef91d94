"""From a diagram to a scene: every shape at its place, from back to front."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from petriflow.drawing import shapes as draw
from petriflow.drawing.overlay import Landed
from petriflow.drawing.scene import Circle, Group, Path, Rect, Scene, Shape, Text
from petriflow.drawing.shapes import number
from petriflow.drawing.stage import Area, Stage
from petriflow.drawing.style import STYLES
from petriflow.drawing.text import clean
from petriflow.drawing.wiring import (
    bars,
    dots,
    frame,
    label_groups,
    line_groups,
    region_group,
)
from petriflow.net import Net, Place, Transition

MARGIN = 20.0
HEADING = 30.0


def compose(stage: Stage, title: str | None) -> Scene:
    """The scene of a stage, under a heading if there is a title."""
    groups = [group for group in _groups(stage) if group.shapes]
    return fit(groups, title, title or stage.net.name, summary(stage), legend(stage.on))


def _groups(stage: Stage) -> Iterator[Group]:
    """The layers of the picture, from back to front."""
    for region in stage.diagram.regions:
        yield region_group(stage, region)
    for bank in stage.diagram.banks:
        yield frame(stage, bank)
    yield from line_groups(stage)
    for place in stage.net.places:
        yield _place(stage, place)
    in_banks = dict(pair for bank in stage.diagram.banks for pair in bars(stage, bank))
    for t in stage.net.transitions:
        yield _transition(stage, t, in_banks.get(t.id))
    yield from dots(stage)
    yield from label_groups(stage)
    yield from _badges(stage)


def _place(stage: Stage, place: Place) -> Group:
    first = _starts(stage.net)
    shapes = draw.place_shapes(
        stage.at(place.id),
        stage.on.tokens.get(place.id, 0),
        stage.state(place.id),
        final=place.id in _ends(stage.net),
        start=place.id in first,
        store=place.id in stage.net.initial and place.id not in first,
    )
    if cases := stage.on.cases.get(place.id):
        shapes += draw.chip_shapes(stage.at(place.id), cases)
    return Group("place", tuple(shapes), place.id, _told(stage, place), (), stage.marks(place.id))


def _transition(stage: Stage, t: Transition, in_bank: tuple[Shape, ...] | None) -> Group:
    shapes: Sequence[Shape]
    if in_bank is not None:
        shapes = in_bank
    elif t.label is not None:
        block = t.origin is not None and t.origin.role == "block"
        boxed = draw.block_shapes if block else draw.task_shapes
        shapes = boxed(stage.at(t.id), stage.looks[t.id], stage.state(t.id))
        if sign := stage.signs.get(t.id):
            x, bottom = stage.at(t.id)[0], stage.area(t.id)[3]
            shapes = [*shapes, *draw.sign_shapes(sign, x, bottom - 10)]
    else:
        _, top, _, bottom = stage.area(t.id)
        shapes = draw.bar_shapes(stage.at(t.id)[0], top, bottom, stage.state(t.id))
    return Group("transition", tuple(shapes), t.id, _told(stage, t), (), stage.marks(t.id))


def _told(stage: Stage, node: Place | Transition) -> str:
    """What hovering over a node says."""
    on, tokens = stage.on, stage.on.tokens.get(node.id, 0)
    if isinstance(node, Place):
        text = f"place {node.id}"
    elif node.label is None:
        text = f"silent {node.id}"
    else:
        text = node.label if node.label == node.id else f"{node.label} ({node.id})"
    if tokens:
        text += f" · {tokens} token{'s' if tokens > 1 else ''}"
    if steps := on.steps.get(node.id):
        text += f" · step {steps}"
    for said, ids in (("at fault", on.faults), ("enabled", on.enabled), ("never fires", on.dead)):
        if node.id in ids:
            text += f" · {said}"
    if cases := on.cases.get(node.id):
        text += f" · {cases} case{'s' if cases > 1 else ''}"
    if node.id in on.heat:
        text += f" · {number(on.heat[node.id])} {on.heat_label}".rstrip()
    if note := on.notes.get(node.id):
        text += f" · {note}"
    return text


def _badges(stage: Stage) -> Iterator[Group]:
    """Step numbers at transitions, and the tokens that a running task holds."""
    for t in stage.net.transitions:
        x, y = stage.top(t.id)
        if steps := stage.on.steps.get(t.id):
            # At a task's corner, and on top of a bar, which is too narrow to have corners.
            at = (x, y - 7) if t.silent else (stage.area(t.id)[0] + 2, y - 1)
            yield Group("mark", tuple(draw.badge_shapes(*at, steps)))
        if t.id in stage.on.tokens:
            right = stage.area(t.id)[2]
            tokens = stage.on.tokens[t.id]
            yield Group("mark", tuple(draw.running_shapes(right - 8, y, tokens)))
        if cases := stage.on.cases.get(t.id):
            corner = stage.area(t.id)[2] - 8, stage.area(t.id)[3]
            yield Group("mark", tuple(draw.chip_shapes(corner, cases)))
    for place in stage.net.places:
        if change := stage.on.changes.get(place.id):
            x, y = stage.at(place.id)
            style = "gain" if change > 0 else "loss"
            said = f"{change:+d}".replace("-", "−")
            yield Group("mark", tuple(draw.pill_shapes(x + 13, y - 15, said, style)))


def _starts(net: Net) -> frozenset[str]:
    sources = {p.id for p in net.sources}
    return frozenset(sources & set(net.initial) if net.initial else sources)


def _ends(net: Net) -> frozenset[str]:
    return frozenset(net.final or {p.id for p in net.sinks})


def summary(stage: Stage) -> str:
    """What the picture shows, for those who do not see it."""
    net, on = stage.net, stage.on
    labels = [t.label for t in net.tasks if t.label]
    silent = len(net.transitions) - len(labels)
    parts = [
        f"Petri net {net.name} with {_count(len(net.places), 'place')}, "
        f"{_count(len(labels), 'task')} and {_count(silent, 'silent transition')}."
    ]
    for what, names in (
        ("Tasks", [label.replace("_", " ") for label in labels]),
        ("Tokens", [f"{n} on {id}" for id, n in on.tokens.items()]),
        ("Path", [f"{steps} {id}" for id, steps in on.steps.items()]),
        ("At fault", sorted(on.faults)),
        ("Enabled", sorted(on.enabled)),
        ("Can never fire", sorted(on.dead)),
        ("Pointed out", sorted(on.chosen)),
        ("Changed", [f"{id} by {n:+d}" for id, n in on.changes.items()]),
        (on.heat_label or "Heat", [f"{id} {number(n)}" for id, n in on.heat.items()]),
        ("Live cases", [f"{n} at {id}" for id, n in on.cases.items()]),
    ):
        if names:
            more = f" and {len(names) - 30} more" if len(names) > 30 else ""
            parts.append(f"{what}: {', '.join(names[:30])}{more}.")
    return " ".join(parts)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def legend(on: Landed) -> tuple[Shape, ...]:
    """What the colours of heat mean, around the origin, or nothing."""
    if not on.heat:
        return ()
    low, high = min(on.heat.values()), max(on.heat.values())
    begin = f"{on.heat_label}: {number(low)}" if on.heat_label else number(low)
    first = draw.text_line(0, 0, begin, "legend", middle=False)
    x = first.width + 8
    swatches = [Rect(x + 22 * n, -6, 22, 12, 2, f"task-heat{n + 1}") for n in range(5)]
    return (first, *swatches, draw.text_line(x + 118, 0, number(high), "legend", middle=False))


def fit(
    groups: Sequence[Group],
    heading: str | None,
    title: str,
    summary: str,
    legend: Sequence[Shape] = (),
) -> Scene:
    """The scene around the groups, with a margin, and with room for a heading and a legend."""
    boxes = [bounds(shape) for group in groups for shape in group.shapes]
    left = min((b[0] for b in boxes), default=0.0) - MARGIN
    top = min((b[1] for b in boxes), default=0.0) - MARGIN - (HEADING if heading else 0.0)
    right = max((b[2] for b in boxes), default=0.0) + MARGIN
    bottom = max((b[3] for b in boxes), default=0.0) + MARGIN
    if heading:
        most = max(right - left - 2 * MARGIN, 360.0)
        x, y = left + MARGIN, top + MARGIN + 5
        text = draw.text_line(x, y, heading, "heading", most, middle=False)
        right = max(right, text.x + text.width + MARGIN)
        groups = [Group("mark", (text,)), *groups]
    if legend:
        placed = tuple(moved(shape, left + MARGIN, bottom + 4) for shape in legend)
        right = max(right, *(bounds(shape)[2] + MARGIN for shape in placed))
        bottom += HEADING
        groups = [*groups, Group("mark", placed)]
    x, y = math.floor(left), math.floor(top)
    return Scene(
        x,
        y,
        math.ceil(right) - x,
        math.ceil(bottom) - y,
        clean(title),
        clean(summary),
        tuple(groups),
    )


def moved(shape: Shape, dx: float, dy: float) -> Shape:
    """The text or rectangle at another place."""
    assert isinstance(shape, Rect | Text)
    return replace(shape, x=round(shape.x + dx, 2), y=round(shape.y + dy, 2))


def bounds(shape: Shape) -> Area:
    """The box around a shape."""
    match shape:
        case Rect(x, y, w, h):
            return x, y, x + w, y + h
        case Circle(x, y, r):
            return x - r, y - r, x + r, y + r
        case Text(x, y, _, w):
            left = x if shape.anchor == "start" else x - w / 2
            size = STYLES[shape.style].size
            return left, y - size, left + w, y + size * 0.3
        case Path(steps):
            xs = [float(v) for step in steps for v in step[1::2]]
            ys = [float(v) for step in steps for v in step[2::2]]
            return min(xs), min(ys), max(xs), max(ys)
