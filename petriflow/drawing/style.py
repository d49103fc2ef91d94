"""What a style looks like: colours by theme, widths, dashes and fonts.

Colour is state, never decoration, and never alone: what is at fault is also thicker, what is dead
is also dashed, what is on a witness path also has a number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Theme = Literal["light", "dark"]

#: colour -> (light, dark)
COLOURS: dict[str, tuple[str, str]] = {
    "canvas": ("#FFFFFF", "#14181F"),
    "ink": ("#1B2430", "#E8ECF2"),
    "caption": ("#5B6675", "#9AA6B5"),
    "arc": ("#8A94A3", "#66717F"),
    "skip": ("#C3CAD4", "#3D4653"),
    "frame": ("#F7F9FB", "#191E26"),
    "frame-edge": ("#DCE2EA", "#2C3541"),
    "node": ("#EEF2F7", "#262E39"),
    "node-edge": ("#3B4757", "#B6C0CD"),
    "enabled": ("#DDF3EA", "#12382C"),
    "enabled-edge": ("#0B6E4F", "#4FD1A1"),
    "path": ("#FCE7DB", "#41230F"),
    "path-edge": ("#B4410E", "#FF9B63"),
    "fault": ("#FBE0E7", "#451523"),
    "fault-edge": ("#B3123C", "#FF7C97"),
    "reset": ("#6D3FC0", "#B79BFF"),
    "region": ("#F6F2FC", "#1E1A2B"),
    "region-edge": ("#C9B6EC", "#5A4A86"),
    "inhibitor": ("#B3123C", "#FF7C97"),
    "dead": ("#F3F4F6", "#1A1F27"),
    "dead-edge": ("#9AA3AF", "#5E6875"),
    "dead-ink": ("#646D7A", "#8C96A5"),
    "chosen": ("#E2ECFB", "#14305A"),
    "chosen-edge": ("#1F5FBF", "#7DB1FF"),
    # the node's own colour mixed with red, and no more than 60 % of it: labels stay readable
    "heat-1": ("#ECDDDB", "#373034"),
    "heat-2": ("#EBC9C0", "#50363A"),
    "heat-3": ("#EAB5A5", "#693B3B"),
    "heat-4": ("#E8A08A", "#82413D"),
    "heat-5": ("#E78C6F", "#9B473E"),
}

FONTS = (
    "Inter", "ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto",
    "Helvetica Neue", "Arial", "Noto Sans", "sans-serif",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Style:
    """How a shape is painted; `size` is given for texts only, in px."""

    fill: str | None = None
    stroke: str | None = None
    width: float = 0.0
    dash: tuple[float, ...] = ()
    size: float = 0.0
    weight: int = 400
    italic: bool = False
    #: the colour of a wider text beneath the text, where lines may run behind it
    halo: str | None = None


#: state -> fill, edge, width and dash of a node in this state
_STATES: dict[str, tuple[str, str, float, tuple[float, ...]]] = {
    "": ("node", "node-edge", 1.4, ()),
    "-enabled": ("enabled", "enabled-edge", 2.2, ()),
    "-path": ("path", "path-edge", 2.0, ()),
    "-fault": ("fault", "fault-edge", 2.6, ()),
    "-dead": ("dead", "dead-edge", 1.4, (4.0, 3.0)),
    "-chosen": ("chosen", "chosen-edge", 2.4, ()),
    **{f"-heat{n}": (f"heat-{n}", "node-edge", 1.4, ()) for n in range(1, 6)},
}


def _styles() -> Iterator[tuple[str, Style]]:
    for state, (fill, edge, width, dash) in _STATES.items():
        yield f"task{state}", Style(fill, edge, width, dash)
        yield f"bar{state}", Style(fill, edge, width, dash)
        place = "canvas" if state in ("", "-path") else fill
        yield f"place{state}", Style(place, edge, width, dash)
        yield f"store{state}", Style(fill, edge, width, dash)
        yield f"ring{state}", Style(None, edge, 1.4, dash)
        yield f"token{state}", Style(edge if state == "-fault" else "ink")
        ink = {"-dead": "dead-ink"}.get(state, "ink")
        yield f"label{state}", Style(ink, size=12, weight=500)
        yield f"dot{state}", Style(edge, "canvas", 1.0)
    for kind, colour, width, dash in (
        ("flow", "arc", 1.4, ()),
        ("skip", "skip", 1.2, ()),
        ("read", "arc", 1.4, (1.5, 3.5)),
        ("inhibitor", "inhibitor", 1.4, ()),
        ("reset", "reset", 1.4, (5.0, 3.5)),
        ("path", "path-edge", 2.2, ()),
        ("dead", "dead-edge", 1.2, (4.0, 3.0)),
    ):
        yield f"line-{kind}", Style(None, colour, width, dash)
        yield f"head-{kind}", Style(colour)
        yield f"ball-{kind}", Style("canvas", colour, 1.4)


STYLES: dict[str, Style] = {
    **dict(_styles()),
    "canvas": Style("canvas"),
    "frame": Style("frame", "frame-edge", 1.0),
    "region": Style("region", "region-edge", 1.2, (6.0, 4.0)),
    "tie": Style(None, "region-edge", 1.2, (6.0, 4.0)),
    "junction": Style("arc"),
    "start": Style("caption"),
    "pill": Style("canvas", "arc", 1.0),
    "badge": Style("path-edge", "canvas", 1.5),
    "running": Style("canvas", "node-edge", 1.4),
    "chip": Style("chosen-edge", "canvas", 1.0),
    "gain": Style("enabled", "enabled-edge", 1.4),
    "loss": Style("path", "path-edge", 1.4),
    "sign": Style("canvas", "caption", 1.2),
    "inner": Style(None, "node-edge", 0.8),
    "heading": Style("ink", size=14, weight=600),
    "weight": Style("ink", size=10.5, weight=600),
    "count": Style("ink", size=11, weight=700),
    "count-fault": Style("fault-edge", size=11, weight=700),
    "many": Style("ink", size=9, weight=700),
    "many-fault": Style("fault-edge", size=9, weight=700),
    "step": Style("canvas", size=10.5, weight=700),
    "on-chip": Style("canvas", size=10.5, weight=700),
    "name": Style("caption", size=10.5, halo="canvas"),
    "name-fault": Style("fault-edge", size=10.5, weight=600, halo="canvas"),
    "name-dead": Style("dead-ink", size=10.5, halo="canvas"),
    "note": Style("caption", size=9.5),
    "legend": Style("caption", size=10.5),
    "guard": Style("caption", size=10.5, italic=True, halo="canvas"),
}


def colour(name: str, theme: Theme) -> str:
    """A colour of the palette as `#RRGGBB`."""
    light, dark = COLOURS[name]
    return light if theme == "light" else dark
