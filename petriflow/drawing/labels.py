"""Where the texts of lines go: beside a line that is theirs alone, and over nothing else."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from petriflow.drawing.scene import Point

Area = tuple[float, float, float, float]  # left, top, right, bottom
CELL = 96.0


class Obstacles:
    """Areas that a text should not cover, found by where they are."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, int], list[tuple[Area, float]]] = defaultdict(list)

    def add(self, area: Area, weight: float) -> None:
        """Add an area; covering it costs this much."""
        for cell in _cells(area):
            self._cells[cell].append((area, weight))

    def cost(self, area: Area) -> float:
        """What it costs to cover this area."""
        met = {entry for cell in _cells(area) for entry in self._cells.get(cell, ())}
        left, top, right, bottom = area
        return sum(
            weight
            for (a, b, c, d), weight in met
            if a < right and c > left and b < bottom and d > top
        )


def _cells(area: Area) -> Iterator[tuple[int, int]]:
    left, top, right, bottom = (int(v // CELL) for v in area)
    for x in range(left, right + 1):
        for y in range(top, bottom + 1):
            yield x, y


def segments(route: Sequence[Point]) -> Iterator[Area]:
    """The straight pieces of a route as thin areas."""
    for (ax, ay), (bx, by) in itertools.pairwise(route):
        yield min(ax, bx) - 1, min(ay, by) - 1, max(ax, bx) + 1, max(ay, by) + 1


def beside(route: Sequence[Point], width: float, height: float) -> Iterator[Point]:
    """Middles for a text next to a line, the best first: above a level piece, the last one first,
    for there a line is surely alone.
    """
    off = height / 2 + 3
    pieces = [*itertools.pairwise(route)][::-1]
    for dy in (-off, off):
        for (ax, ay), (bx, by) in pieces:
            if ay == by and abs(ax - bx) >= width:
                left, right = sorted((ax, bx))
                near, far = left + width / 2, right - width / 2
                spare = max(0.0, min(8.0, (right - left - width) / 2))
                yield (near + spare if ax < bx else far - spare), ay + dy
                yield (ax + bx) / 2, ay + dy
    for (ax, ay), (bx, by) in pieces:
        if ay == by:
            for dy in (-off, off):
                yield (ax + bx) / 2, ay + dy
        else:
            for dx in (width / 2 + 6, -width / 2 - 6):
                yield ax + dx, (ay + by) / 2


def upon(route: Sequence[Point]) -> Iterator[Point]:
    """Middles for a mark on a line: in the middles of its pieces, then at their thirds."""
    pieces = list(itertools.pairwise(route))
    if all(abs(ax - bx) + abs(ay - by) <= 24 for (ax, ay), (bx, by) in pieces):
        (ax, ay), (bx, by) = pieces[len(pieces) // 2]
        yield (ax + bx) / 2, (ay + by) / 2
    for share in (0.5, 0.35, 0.65):
        for (ax, ay), (bx, by) in pieces:
            if abs(ax - bx) + abs(ay - by) > 24:
                yield ax + (bx - ax) * share, ay + (by - ay) * share


def settle(
    candidates: Iterable[Point], width: float, height: float, obstacles: Obstacles
) -> Point | None:
    """The first candidate that covers least, from then on an obstacle itself."""
    best, least = None, float("inf")
    for x, y in candidates:
        area = x - width / 2, y - height / 2, x + width / 2, y + height / 2
        cost = obstacles.cost(area)
        if cost < least:
            best, least = (x, y), cost
        if cost == 0:
            break
    if best is not None:
        x, y = best
        obstacles.add((x - width / 2, y - height / 2, x + width / 2, y + height / 2), 60.0)
    return best
