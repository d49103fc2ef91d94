"""Lines of a picture: from a route of corners to a path with round corners, heads and balls."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from petriflow.drawing.scene import Circle, Path, Point, Shape

CORNER = 7.0
HEAD = 8.0  # how long an arrow head is
BREADTH = 3.8  # half of how wide it is
STUB = 18.0  # how long the piece with a double head is
SIDE = 2.0  # how far from a corner of a box a line may end
BALL = 4.0  # the radius of an inhibitor's circle

End = Literal["none", "head", "double", "ball"]


def line(
    points: Sequence[Point], style: str, start: End = "none", end: End = "none"
) -> list[Shape]:
    """A line through these corners, with what it ends in; `style` is a kind such as `flow`."""
    points = tidy(points)
    if len(points) < 2:
        return []
    first, tail = _finish(points[1], points[0], start, style)
    last, tip = _finish(points[-2], points[-1], end, style)
    inner = [first, *points[1:-1], last]
    return [Path(rounded(inner), f"line-{style}"), *tail, *tip]


def rounded(points: Sequence[Point], radius: float = CORNER) -> tuple[tuple[str | float, ...], ...]:
    """The steps of a path through the points whose corners are round."""
    steps: list[tuple[str | float, ...]] = [("M", *points[0])]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        r = min(radius, math.dist(before, corner) / 2, math.dist(corner, after) / 2)
        steps.append(("L", *_towards(corner, before, r)))
        steps.append(("Q", *corner, *_towards(corner, after, r)))
    steps.append(("L", *points[-1]))
    return tuple(steps)


def _finish(before: Point, at: Point, end: End, style: str) -> tuple[Point, list[Shape]]:
    """Where the line itself stops, and what stands between there and its end."""
    match end:
        case "none":
            return at, []
        case "ball":
            centre = _towards(at, before, BALL)
            return _towards(at, before, 2 * BALL), [Circle(*centre, BALL, f"ball-{style}")]
        case "head":
            return _towards(at, before, HEAD - 1), [_head(before, at, style)]
        case "double":
            second = _towards(at, before, HEAD - 1)
            heads: list[Shape] = [_head(before, at, style)]
            if second != before:
                heads.append(_head(before, second, style))
            return _towards(second, before, HEAD - 1), heads


def _head(before: Point, tip: Point, style: str) -> Path:
    length = math.dist(before, tip) or 1.0
    dx, dy = (tip[0] - before[0]) / length, (tip[1] - before[1]) / length
    x, y = tip[0] - dx * HEAD, tip[1] - dy * HEAD
    across = dy * BREADTH, -dx * BREADTH
    corners = (tip, (x + across[0], y + across[1]), (x - across[0], y - across[1]))
    return Path(
        tuple(("M" if i == 0 else "L", *map(_short, c)) for i, c in enumerate(corners)),
        f"head-{style}",
        closed=True,
    )


def _towards(start: Point, goal: Point, by: float) -> Point:
    """The point this far from `start` on the way to `goal`, at most there."""
    length = math.dist(start, goal)
    if length <= by:
        return goal
    share = by / length
    return (
        _short(start[0] + (goal[0] - start[0]) * share),
        _short(start[1] + (goal[1] - start[1]) * share),
    )


def _short(number: float) -> float:
    return round(number, 2)


def tidy(points: Sequence[Point]) -> list[Point]:
    """The corners without repetitions and without those on a straight line."""
    kept: list[Point] = []
    for point in points:
        if kept and point == kept[-1]:
            continue
        if len(kept) > 1 and _straight(kept[-2], kept[-1], point):
            kept.pop()
        kept.append(point)
    return kept


def _straight(a: Point, b: Point, c: Point) -> bool:
    along = (b[0] - a[0]) * (c[1] - b[1]) == (b[1] - a[1]) * (c[0] - b[0])
    return along and (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1]) > 0


def onto_circle(points: Sequence[Point], centre: Point, radius: float) -> tuple[Point, ...]:
    """The route with its last point exactly on the circle.

    The last piece keeps its direction. If it passes the circle by, or only grazes it, it is moved
    nearer to the middle, with the corner before it.
    """
    (px, py), (x, y) = points[-2], points[-1]
    level = py == y
    most = radius * 0.85
    across = y - centre[1] if level else x - centre[0]
    kept = max(-most, min(most, across))
    reach = math.sqrt(radius**2 - kept**2)
    if level:
        py = y = _short(centre[1] + kept)
        x = centre[0] - math.copysign(reach, x - px)
    else:
        px = x = _short(centre[0] + kept)
        y = centre[1] - math.copysign(reach, y - py)
    return (*points[:-2], (px, py), (_short(x), _short(y)))


def onto_box(points: Sequence[Point], area: tuple[float, float, float, float]) -> tuple[Point, ...]:
    """The same for a box (left, top, right, bottom): the end comes to a side, not to a corner."""
    (px, py), (x, y) = points[-2], points[-1]
    left, top, right, bottom = area
    if py == y:
        py = y = max(top + SIDE, min(bottom - SIDE, y))
        x = left if x > px else right
    else:
        px = x = max(left + SIDE, min(right - SIDE, x))
        y = top if y > py else bottom
    return (*points[:-2], (px, py), (x, y))


def until(points: Sequence[Point], area: tuple[float, float, float, float]) -> list[Point]:
    """The route up to where it first enters an area (left, top, right, bottom).

    A route that begins inside, or never enters, is left as it is. One that enters by a corner, or
    right after a bend, is given room for its heads.
    """
    left, top, right, bottom = area
    kept = [points[0]]
    if left <= points[0][0] <= right and top <= points[0][1] <= bottom:
        return list(points)
    for (ax, ay), (bx, by) in pairwise(points):
        # The start of the piece, brought to the nearest point of the area.
        x, y = min(max(ax, left), right), min(max(ay, top), bottom)
        if ax == bx and x == ax and (ay - y) * (by - y) <= 0:
            return _roomy([*kept, (x, y)], 0, left, right)
        if ay == by and y == ay and (ax - x) * (bx - x) <= 0:
            return _roomy([*kept, (x, y)], 1, top, bottom)
        kept.append((bx, by))
    return kept


def _roomy(points: list[Point], axis: int, low: float, high: float) -> list[Point]:
    """The route with its last piece, which runs across `axis`, away from corners and long enough
    for two heads, as far as the pieces before it can follow.
    """
    route = [list(point) for point in points]
    if len(route) > 2:
        spot = min(max(route[-1][axis], low + STUB), high - STUB)
        route[-1][axis] = route[-2][axis] = spot
    if len(route) > 3:
        along = 1 - axis
        before, bend, end = route[-4][along], route[-2][along], route[-1][along]
        away = end + math.copysign(STUB, bend - end)
        if abs(bend - end) < STUB and (away - before) * (bend - before) > 0:
            route[-2][along] = route[-3][along] = away
    return [(x, y) for x, y in route]
