"""The stage: a diagram that has been measured and laid out, with the overlay's states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from petriflow.drawing.align import align
from petriflow.drawing.diagram import Bank, Diagram, Line
from petriflow.drawing.layout import Box, Engine, Graph, Layout, Wire
from petriflow.drawing.overlay import Landed
from petriflow.drawing.scene import Point
from petriflow.drawing.shapes import (
    INSET,
    RADIUS,
    SIGN,
    TALL,
    Look,
    bank_columns,
    bank_look,
    bar_look,
    task_look,
)
from petriflow.drawing.style import STYLES
from petriflow.drawing.subject import Sign, Subject
from petriflow.drawing.text import clean, shorten, width
from petriflow.net import Net

GUARD = 124.0  # how wide a guard may be
LANE = 8.0  # how far the engine keeps turning wires apart
Area = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Stage:
    """Where everything is, and in which state it is shown."""

    diagram: Diagram
    looks: Mapping[str, Look]
    numbers: Mapping[str, int]
    laid: Layout
    signs: Mapping[str, Sign]
    on: Landed = field(default_factory=Landed)

    @property
    def net(self) -> Net:
        """The net that is drawn."""
        return self.diagram.net

    @cached_property
    def places(self) -> frozenset[str]:
        """The ids of the places."""
        return frozenset(place.id for place in self.net.places)

    @cached_property
    def banks(self) -> Mapping[str, Bank]:
        """The banks by id."""
        return {bank.id: bank for bank in self.diagram.banks}

    @cached_property
    def columns(self) -> Mapping[str, float]:
        """Where the bar of each transition in a bank stands."""
        found: dict[str, float] = {}
        for bank in self.diagram.banks:
            xs = bank_columns(len(bank.transitions), self.at(bank.id), self.looks[bank.id])
            found |= {t.id: x for t, x in zip(bank.transitions, xs, strict=True)}
        return found

    @cached_property
    def home(self) -> Mapping[str, str]:
        """The bank of each transition that stands in one."""
        return self.diagram.home()

    def at(self, id: str) -> Point:
        """The centre of a node or bank."""
        return self.laid.centres[self.numbers[id]]

    def area(self, id: str, pad: float = 0.0) -> Area:
        """The box around a node or bank; for a transition in a bank, the bank's."""
        id = self.home.get(id, id)
        (x, y), look = self.at(id), self.looks[id]
        w, h = look.width / 2 + pad, look.height / 2 + pad
        return x - w, y - h, x + w, y + h

    def top(self, transition: str) -> Point:
        """The middle of a transition's upper edge."""
        x = self.columns.get(transition)
        if x is None:
            return self.at(transition)[0], self.area(transition)[1]
        return x, self.area(transition, -INSET)[1]

    def state(self, id: str) -> str:
        """The ending of the styles that show a node's state; the gravest state wins."""
        if id in self.on.faults:
            return "-fault"
        if id in self.on.steps:
            return "-path"
        if id in self.on.enabled:
            return "-enabled"
        if id in self.on.chosen:
            return "-chosen"
        if warmth := self.on.warmth(id):
            return f"-heat{warmth}"
        return "-dead" if id in self.on.dead else ""

    def marks(self, id: str) -> tuple[str, ...]:
        """All states of a node by name."""
        states = (
            ("path", self.on.steps),
            ("fault", self.on.faults),
            ("enabled", self.on.enabled),
            ("dead", self.on.dead),
            ("chosen", self.on.chosen),
            ("hot", self.on.heat),
        )
        return tuple(name for name, ids in states if id in ids)


def set_up(diagram: Diagram, about: Subject, engine: Engine) -> Stage:
    """Measure a diagram and have it laid out."""
    looks = _looks(diagram, about)
    home = diagram.home()
    order = [p.id for p in diagram.net.places]
    order += [home.get(t.id, t.id) for t in diagram.net.transitions]
    numbers = {id: n for n, id in enumerate(dict.fromkeys(order))}
    home_rails = {bank.id: len(bank.rails) for bank in diagram.banks if bank.choice}
    graph = Graph(
        tuple(_box(diagram, looks, id) for id in numbers),
        tuple(
            Wire(
                numbers[line.source],
                numbers[line.target],
                line.kind in ("flow", "loop"),
                _room(line, home_rails.get(line.source, 0)),
            )
            for line in diagram.lines
        ),
    )
    return Stage(diagram, looks, numbers, align(graph, engine(graph)), about.signs)


def _looks(diagram: Diagram, about: Subject) -> dict[str, Look]:
    """The size of everything, from what it has to hold."""
    wires: dict[str, list[int]] = {}
    for line in diagram.lines:
        for side, node in enumerate((line.source, line.target)):
            wires.setdefault(node, [0, 0])[side] += 1
    looks = {place.id: Look(2 * RADIUS, 2 * RADIUS) for place in diagram.net.places}
    home = diagram.home()
    for t in diagram.net.transitions:
        if t.label is not None:
            # The two halves of a task have one label; what tells them apart is written below it.
            half = t.origin.role if t.origin and t.origin.pattern == "task" else "task"
            note = about.notes.get(t.id, "" if half == "task" else half)
            looks[t.id] = task_look(t.label, note, SIGN if t.id in about.signs else 0.0)
        elif t.id not in home:
            looks[t.id] = bar_look(max(wires.get(t.id, (0,))))
    for bank in diagram.banks:
        looks[bank.id] = bank_look(len(bank.transitions), max(wires[bank.id]))
    return looks


def _box(diagram: Diagram, looks: Mapping[str, Look], id: str) -> Box:
    look = looks[id]
    if id not in diagram.net:
        return Box(look.width, look.height, wide=True)
    if id in diagram.net.producers:  # a place, which stands as high as a bar: in line with it
        return Box(look.width, TALL, round=True)
    return Box(look.width, look.height)


def guard(line: Line) -> str:
    """What is written beside a line."""
    return shorten(clean(line.caption), STYLES["guard"].size, GUARD)


def pill_width(text: str) -> float:
    """How wide the pill of a weight is."""
    return max(16.0, width(text, STYLES["weight"].size) + 10)


def _room(line: Line, rails: int) -> Point | None:
    """The room that a line's text asks for; the rails of a bank turn off before it."""
    if text := guard(line):
        return width(text, STYLES["guard"].size) + LANE * rails, 18.0
    return (pill_width(line.weight), 16.0) if line.weight else None
