"""The nodes of a picture: how large they are, and the shapes that they are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

from petriflow.drawing.scene import Circle, Path, Point, Rect, Shape, Text
from petriflow.drawing.style import STYLES
from petriflow.drawing.subject import Sign
from petriflow.drawing.text import clean, shorten, width, wrap

RADIUS = 17.0  # of a place
LINE = 15.0  # from one line of a label to the next
NOTE = 12.0  # how much a small last line adds
BAR = 10.0  # how wide a silent transition is
TALL = 36.0  # how high a transition is at least
WRAP = 92.0  # how wide a line of text may be
SIGN = 11.0  # how much a task is higher for the sign below its label
PITCH = {False: 20.0, True: 12.0}  # from one bar of a bank to the next; closer if there are many
MANY = 16
BOLD = 1.12  # how much wider bold letters are than the plain ones that are measured
INSET = 5.0  # from the frame of a bank to its bars


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of a node before it has a place: its size and the lines of its label.

    `note` is a smaller last line, and `more` the room below all lines.
    """

    width: float
    height: float
    lines: tuple[str, ...] = ()
    note: str = ""
    more: float = 0.0


def task_look(label: str, note: str = "", more: float = 0.0) -> Look:
    """A task's box, as large as its label asks for, and `more` below it."""
    lines = wrap(label.replace("_", " "), STYLES["label"].size, WRAP, 3)
    widest = max(width(line, STYLES["label"].size) for line in lines)
    if note:
        widest = max(widest, width(note, STYLES["note"].size))
    high = len(lines) * LINE + (NOTE if note else 0) + more
    return Look(_even(max(widest + 22, 56)), _even(max(high + 14, TALL)), lines, note, more)


def bar_look(arcs: int) -> Look:
    """A silent transition's bar; one with many arcs on a side is higher."""
    return Look(BAR, max(TALL, 10.0 * arcs))


def bank_look(bars: int, rails: int) -> Look:
    """The frame of a bank with room for its bars and rails."""
    return Look(_pitch(bars) * bars + 12, max(TALL, 18.0 * rails + 26))


def _pitch(bars: int) -> float:
    return PITCH[bars > MANY]


def bank_columns(bars: int, centre: Point, look: Look) -> list[float]:
    """Where the bars of a bank stand."""
    left = centre[0] - look.width / 2 + 6 + _pitch(bars) / 2
    return [left + _pitch(bars) * n for n in range(bars)]


def _even(length: float) -> float:
    return math.ceil(length / 2) * 2.0


def text_line(
    x: float, y: float, content: str, style: str, most: float = math.inf, middle: bool = True
) -> Text:
    """One measured line of text around or right of a point; `y` is the middle of its letters."""
    size = STYLES[style].size
    content = shorten(clean(content), size, most)
    # Half of the height of capital letters, which is 0.72 em in the fonts we name.
    base = round(y + size * 0.36, 1)
    wide = width(content, size) * (BOLD if STYLES[style].weight >= 600 else 1.0)
    return Text(x, base, content, wide, style, "middle" if middle else "start")


def place_shapes(
    at: Point, tokens: int, state: str, *, final: bool, start: bool, store: bool
) -> list[Shape]:
    """A place with its tokens; the final one has a double ring, the first one a start mark."""
    x, y = at
    shapes: list[Shape] = [Circle(x, y, RADIUS, ("store" if store else "place") + state)]
    if final:
        shapes.append(Circle(x, y, RADIUS - 4, f"ring{state}"))
    if tokens:
        return shapes + token_shapes(at, tokens, state)
    if start:
        shapes.append(
            Path((("M", x - 4, y - 6), ("L", x + 6, y), ("L", x - 4, y + 6)), "start", closed=True)
        )
    return shapes


#: where up to five tokens lie, in radii of a token from the centre
_DOTS = {
    1: ((0.0, 0.0),),
    2: ((-1.3, 0.0), (1.3, 0.0)),
    3: ((0.0, -1.35), (-1.3, 0.95), (1.3, 0.95)),
    4: ((-1.25, -1.25), (1.25, -1.25), (-1.25, 1.25), (1.25, 1.25)),
    5: ((-1.65, -1.65), (1.65, -1.65), (0.0, 0.0), (-1.65, 1.65), (1.65, 1.65)),
}


def token_shapes(at: Point, tokens: int, state: str) -> list[Shape]:
    """Dots for up to five tokens, a number for more."""
    style = "-fault" if state == "-fault" else ""
    if tokens > 5:
        number = str(tokens) if tokens <= 999 else "999+"
        return [text_line(*at, number, ("count" if tokens <= 999 else "many") + style)]
    r = 5.0 if tokens == 1 else 3.6 if tokens < 5 else 3.0
    return [
        Circle(round(at[0] + dx * r, 2), round(at[1] + dy * r, 2), r, f"token{style}")
        for dx, dy in _DOTS[tokens]
    ]


def task_shapes(at: Point, look: Look, state: str) -> list[Shape]:
    """A task's box and its label."""
    x, y = at
    last = len(look.lines) * LINE
    first = y - (last - LINE + (NOTE if look.note else 0) + look.more) / 2
    label = "label-dead" if state == "-dead" else "label"
    box = Rect(x - look.width / 2, y - look.height / 2, look.width, look.height, 5, f"task{state}")
    shapes: list[Shape] = [box]
    shapes += (text_line(x, first + n * LINE, line, label) for n, line in enumerate(look.lines))
    if look.note:
        shapes.append(text_line(x, first + last - 1, look.note, "note"))
    return shapes


def bar_shapes(x: float, top: float, bottom: float, state: str, siblings: int = 1) -> list[Shape]:
    """A silent transition's bar, narrower among many siblings."""
    wide = BAR if siblings <= MANY else BAR * 0.6
    return [Rect(x - wide / 2, top, wide, bottom - top, 2, f"bar{state}")]


def badge_shapes(x: float, y: float, steps: str) -> list[Shape]:
    """The numbers of the steps of a path, around a point."""
    text = text_line(x, y, steps, "step", 84)
    half = max(9.0, text.width / 2 + 5)
    return [Rect(x - half, y - 9, half * 2, 18, 9, "badge"), text]


def running_shapes(x: float, y: float, tokens: int) -> list[Shape]:
    """A badge for the tokens inside a task, around a point on its border."""
    if tokens > 3:
        text = text_line(x, y, str(tokens) if tokens <= 999 else "999+", "count")
        half = max(9.0, text.width / 2 + 6)
        return [Rect(x - half, y - 9, half * 2, 18, 9, "running"), text]
    half = 9.0 + (tokens - 1) * 5
    dots = [Circle(x + (2 * n + 1 - tokens) * 5.0, y, 4.0, "token") for n in range(tokens)]
    return [Rect(x - half, y - 9, half * 2, 18, 9, "running"), *dots]


def block_shapes(at: Point, look: Look, state: str) -> list[Shape]:
    """A folded block: a box with a second line inside, its name, and what is in it."""
    box, *texts = task_shapes(at, look, state)
    assert isinstance(box, Rect)
    inner = Rect(box.x + 3, box.y + 3, box.width - 6, box.height - 6, 3, "inner")
    return [box, inner, *texts]


def sign_shapes(sign: Sign, x: float, y: float) -> list[Shape]:
    """What a transition is, as a small sign around a point: it waits for a message or for a
    clock, it is a workflow of its own, a person does it, or there are several at once.
    """
    match sign:
        case "event":
            flap = (("M", x - 6, y - 4), ("L", x, y + 1), ("L", x + 6, y - 4))
            return [Rect(x - 6, y - 4.5, 12, 9, 1.5, "sign"), Path(flap, "sign")]
        case "timer":
            hands = (("M", x, y - 3.5), ("L", x, y), ("L", x + 2.8, y + 1.2))
            return [Circle(x, y, 6, "sign"), Path(hands, "sign")]
        case "call":
            plus = (("M", x - 3, y), ("L", x + 3, y), ("M", x, y - 3), ("L", x, y + 3))
            return [Rect(x - 5, y - 5, 10, 10, 1.5, "sign"), Path(plus, "sign")]
        case "human":
            body = (("M", x - 5, y + 5), ("Q", x - 5, y, x, y), ("Q", x + 5, y, x + 5, y + 5))
            return [Path(body, "sign", closed=True), Circle(x, y - 2.5, 2.8, "sign")]
        case "many":
            bars = ((x + dx, y + dy) for dx in (-4, 0, 4) for dy in (-4, 4))
            return [Path(tuple(("ML"[n % 2], *at) for n, at in enumerate(bars)), "sign")]


def pill_shapes(x: float, y: float, content: str, style: str = "pill") -> list[Shape]:
    """A short text in a pill around a point."""
    text = text_line(x, y, content, "weight", 84)
    half = max(8.0, text.width / 2 + 5)
    return [Rect(x - half, y - 8, half * 2, 16, 8, style), text]


def chip_shapes(at: Point, cases: int) -> list[Shape]:
    """Live cases: a chip for each up to five, else their number on one."""
    x, y = at
    if cases > 5:
        text = text_line(x, y, str(cases) if cases <= 999 else "999+", "on-chip")
        half = max(9.0, text.width / 2 + 4)
        return [Rect(x - half, y - 8, half * 2, 16, 4, "chip"), text]
    r = 4.5 if cases < 5 else 4.0
    return [
        Rect(round(x + dx * r - r, 2), round(y + dy * r - r, 2), 2 * r, 2 * r, 2, "chip")
        for dx, dy in _DOTS[cases]
    ]


def number(value: float) -> str:
    """A number in about three digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def name_lines(name: str, style: str) -> list[Text]:
    """A place's name in up to two measured lines, yet without a place."""
    if width(clean(name), STYLES[style].size) > WRAP:
        name = name.replace("_", " ")  # where it may break
    lines = wrap(name, STYLES[style].size, WRAP, 2)
    return [text_line(0, 0, line, style) for line in lines]
