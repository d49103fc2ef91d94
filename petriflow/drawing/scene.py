"""A scene: a picture as plain data, with everything measured and placed.

Every renderer draws the same scene, group by group and in order, and decides nothing: where a
thing is, how its text is broken and what lies above what is settled here. Lengths are px, and y
grows downwards. A shape names a style of `style.py`, never a colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Point = tuple[float, float]
#: An arc of the net: kind, place, transition.
ArcId = tuple[str, str, str]
Kind = Literal["place", "transition", "arc", "region", "bank", "mark", "state"]


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle by its top left corner, with rounded corners."""

    x: float
    y: float
    width: float
    height: float
    radius: float
    style: str


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle by its centre."""

    x: float
    y: float
    radius: float
    style: str


@dataclass(frozen=True, slots=True)
class Path:
    """A line or an area: `M x y`, `L x y` and `Q cx cy x y` as tuples, closed or not."""

    steps: tuple[tuple[str | float, ...], ...]
    style: str
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text: `x` is its anchor, `y` its baseline, `width` an upper bound in px."""

    x: float
    y: float
    content: str
    width: float
    style: str
    anchor: Literal["start", "middle", "end"] = "middle"


Shape = Rect | Circle | Path | Text


@dataclass(frozen=True, slots=True)
class Group:
    """The shapes of one thing.

    `id` is the id of the place or transition in the model, as it is, and empty for anything else.
    `arcs` are the arcs of the net that the group stands for. `title` is what hovering says, and
    `marks` are the states that it is shown in, such as `path`, `fault` or `dead`.
    """

    kind: Kind
    shapes: tuple[Shape, ...]
    id: str = ""
    title: str = ""
    arcs: tuple[ArcId, ...] = ()
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture: its corner and size, its name, what it shows in a sentence, and its groups."""

    left: int
    top: int
    width: int
    height: int
    title: str
    summary: str
    groups: tuple[Group, ...]
