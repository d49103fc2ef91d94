"""A scene in letters, for terminals: lines and boxes in the signs of Unicode.

The scene's own places are kept, a column for 8 px and a row for 16, so that a net looks in a
terminal as it does on a page. What is enabled, on a path or at fault keeps its mark.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from petriflow.drawing.scene import Circle, Group, Path, Point, Rect, Scene, Text

COLUMN, ROW = 8.0, 16.0
#: sides of a cell through which a line goes -> how it looks
_UP, _DOWN, _LEFT, _RIGHT = 1, 2, 4, 8
_LINES = " │││─╯╮┤─╰╭├─┴┬┼"
_HEADS = {_UP: "▲", _DOWN: "▼", _LEFT: "◀", _RIGHT: "▶"}


@dataclass(slots=True)
class Cell:
    """A sign with its marks."""

    sign: str = " "
    marks: tuple[str, ...] = ()


@dataclass(slots=True)
class Canvas:
    """A grid of cells that grows as it is written to."""

    left: float
    top: float
    cells: dict[tuple[int, int], Cell] = field(default_factory=dict)
    lines: dict[tuple[int, int], int] = field(default_factory=dict)

    def at(self, x: float, y: float) -> tuple[int, int]:
        """The column and row of a point."""
        return round((x - self.left) / COLUMN), round((y - self.top) / ROW)

    def put(self, column: int, row: int, text: str, marks: tuple[str, ...] = ()) -> None:
        """Write a text; a sign that takes two columns takes two cells."""
        for sign in text:
            wide = unicodedata.east_asian_width(sign) in "WF"
            if unicodedata.category(sign) in ("Mn", "Me", "Cf"):
                continue
            self.cells[column, row] = Cell(sign, marks)
            if wide:
                self.cells[column + 1, row] = Cell("", marks)
            column += 1 + wide

    def middle(self, column: int, row: int, text: str, marks: tuple[str, ...] = ()) -> None:
        """Write a text around a cell."""
        self.put(column - columns(text) // 2, row, text, marks)

    def rows(self) -> Iterator[list[Cell]]:
        """The rows from the top, without what is empty around them."""
        for at, sides in self.lines.items():
            self.cells.setdefault(at, Cell(_LINES[sides]))
        if not self.cells:
            return
        first = min(column for column, _ in self.cells)
        used = [row for _, row in self.cells]
        for row in range(min(used), max(used) + 1):
            last = max((c for c, r in self.cells if r == row), default=first - 1)
            yield [self.cells.get((c, row), Cell()) for c in range(first, last + 1)]


def columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(
        1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
        if unicodedata.category(c) not in ("Mn", "Me", "Cf")
    )


def letters(scene: Scene) -> list[list[Cell]]:
    """The scene as rows of cells."""
    canvas = Canvas(scene.left, scene.top)
    for group in scene.groups:
        if group.kind == "arc":
            _arc(canvas, group)
    for group in scene.groups:
        match group.kind:
            case "place":
                _place(canvas, group)
            case "transition":
                _transition(canvas, group)
            case "mark":
                _mark(canvas, group)
    return list(canvas.rows())


def plain(scene: Scene) -> str:
    """The scene as lines of text without colours."""
    rows = ("".join(cell.sign for cell in row).rstrip() for row in letters(scene))
    return "\n".join(rows)


def _arc(canvas: Canvas, group: Group) -> None:
    for shape in group.shapes:
        if isinstance(shape, Path) and not shape.closed:
            _line(canvas, [canvas.at(x, y) for x, y in _corners(shape)])
    for shape in group.shapes:
        if isinstance(shape, Path) and shape.closed:
            _head(canvas, shape)
        elif isinstance(shape, Circle):
            canvas.put(*canvas.at(shape.x, shape.y), "o")


def _corners(path: Path) -> Iterator[Point]:
    """The corners of a line as they were before they were rounded."""
    for step in path.steps:
        yield float(step[1]), float(step[2])


def _line(canvas: Canvas, points: list[tuple[int, int]]) -> None:
    for (ax, ay), (bx, by) in pairwise(points):
        # Rounding may have put the ends a row off each other; the step is made at the start.
        corner = (ax, by) if abs(ay - by) < abs(ax - bx) else (bx, ay)
        for (x, y), (u, v) in pairwise([(ax, ay), corner, (bx, by)]):
            while (x, y) != (u, v):
                dx, dy = (u > x) - (u < x), (v > y) - (v < y)
                out = _RIGHT if dx > 0 else _LEFT if dx < 0 else _DOWN if dy > 0 else _UP
                back = {_RIGHT: _LEFT, _LEFT: _RIGHT, _DOWN: _UP, _UP: _DOWN}[out]
                canvas.lines[x, y] = canvas.lines.get((x, y), 0) | out
                x, y = x + dx, y + dy
                canvas.lines[x, y] = canvas.lines.get((x, y), 0) | back


def _head(canvas: Canvas, shape: Path) -> None:
    """An arrow head, in the cell before the node that it points to."""
    (tip_x, tip_y), *rest = [(float(s[1]), float(s[2])) for s in shape.steps]
    base_x = sum(x for x, _ in rest) / len(rest)
    base_y = sum(y for _, y in rest) / len(rest)
    if abs(tip_x - base_x) > abs(tip_y - base_y):
        side = _RIGHT if tip_x > base_x else _LEFT
    else:
        side = _DOWN if tip_y > base_y else _UP
    column, row = canvas.at((tip_x + base_x) / 2, (tip_y + base_y) / 2)
    canvas.put(column, row, _HEADS[side])


def _place(canvas: Canvas, group: Group) -> None:
    ring = group.shapes[0]
    assert isinstance(ring, Circle)
    tokens = [s for s in group.shapes if s.style.startswith(("token", "chip"))]
    counts = [s.content for s in group.shapes if isinstance(s, Text)]
    inside = counts[0] if counts else str(len(tokens)) if len(tokens) > 1 else "●" * len(tokens)
    opened, closed = ("((", "))") if _is_final(group) else ("(", ")")
    column, row = canvas.at(ring.x, ring.y)
    canvas.middle(column, row, f"{opened}{inside or ' '}{closed}", group.marks)


def _is_final(group: Group) -> bool:
    return any(shape.style.startswith("ring") for shape in group.shapes)


def _transition(canvas: Canvas, group: Group) -> None:
    box = group.shapes[0]
    assert isinstance(box, Rect)
    column, row = canvas.at(box.x + box.width / 2, box.y + box.height / 2)
    texts = [s.content for s in group.shapes if isinstance(s, Text)]
    if not texts:
        high = max(1, round(box.height / ROW / 2 - 0.2))
        for y in range(row - high, row + high + 1):
            canvas.put(column, y, "┃", group.marks)
        return
    wide = max(map(columns, texts)) + 2
    left, top = column - (wide + 2) // 2, row - (len(texts) + 1) // 2
    canvas.put(left, top, f"╭{'─' * wide}╮", group.marks)
    for n, text in enumerate(texts, 1):
        gap = wide - columns(text)
        inside = " " * (gap // 2) + text + " " * (gap - gap // 2)
        canvas.put(left, top + n, f"│{inside}│", group.marks)
    canvas.put(left, top + len(texts) + 1, f"╰{'─' * wide}╯", group.marks)


def _mark(canvas: Canvas, group: Group) -> None:
    for shape in group.shapes:
        if isinstance(shape, Text):
            x = shape.x + (shape.width / 2 if shape.anchor == "start" else 0.0)
            # A guard is written just above its line, and must not be rounded onto it.
            up = 10 if shape.style == "guard" else 4
            canvas.middle(*canvas.at(x, shape.y - up), shape.content, ("text",))
        elif isinstance(shape, Circle) and shape.style.startswith("dot"):
            canvas.put(*canvas.at(shape.x, shape.y), "•")
        elif isinstance(shape, Circle) and shape.style.startswith("token"):
            canvas.put(*canvas.at(shape.x, shape.y), "●")
