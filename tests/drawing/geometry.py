"""What the tests of pictures measure with, and the nets that they draw."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from itertools import pairwise

from hypothesis import strategies as st

from petriflow.drawing.scene import Circle, Group, Path, Rect, Scene, Shape, Text
from petriflow.net import Marking, Net
from petriflow.net.net import Place, Transition

Area = tuple[float, float, float, float]  # left, top, right, bottom


def area(shape: Shape) -> Area:
    """The box around a shape; a text's letters are taken as 0.8 em up and 0.25 em down."""
    match shape:
        case Rect(x, y, w, h):
            return x, y, x + w, y + h
        case Circle(x, y, r):
            return x - r, y - r, x + r, y + r
        case Path(steps):
            points = [step[1:] for step in steps]
            xs = [v for numbers in points for v in numbers[::2]]
            ys = [v for numbers in points for v in numbers[1::2]]
            return min(xs), min(ys), max(xs), max(ys)
        case Text(x, y, _, w):
            assert shape.anchor in ("start", "middle")
            left = x if shape.anchor == "start" else x - w / 2
            size = FONT[shape.style.split("-")[0]]
            return left, y - 0.8 * size, left + w, y + 0.25 * size


#: the sizes that the brief gives: labels 12 px, names and guards 10.5 px
FONT = {
    "label": 12, "name": 10.5, "guard": 10.5, "weight": 10.5, "step": 10.5, "note": 9.5,
    "count": 12, "many": 10, "heading": 14,
}  # fmt: skip


def inside(inner: Area, outer: Area, slack: float = 0.0) -> bool:
    return (
        inner[0] >= outer[0] - slack
        and inner[1] >= outer[1] - slack
        and inner[2] <= outer[2] + slack
        and inner[3] <= outer[3] + slack
    )


def overlap(a: Area, b: Area) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def nodes(scene: Scene) -> dict[str, Group]:
    """The groups of places and transitions by id; a double one is a failure."""
    found: dict[str, Group] = {}
    for group in scene.groups:
        if group.kind in ("place", "transition"):
            assert group.id not in found, f"{group.id} is drawn twice"
            found[group.id] = group
    return found


def body(group: Group) -> Area:
    """The box of a node itself, without what is in it."""
    return area(group.shapes[0])


def drawn_arcs(scene: Scene) -> list[tuple[str, str, str]]:
    return [arc for group in scene.groups if group.kind == "arc" for arc in group.arcs]


def arcs_of(net: Net) -> list[tuple[str, str, str]]:
    return [(kind, place, t.id) for t in net.transitions for kind, place, _ in t.arcs()]


def texts(scene: Scene, style: str) -> list[Text]:
    return [
        shape
        for group in scene.groups
        for shape in group.shapes
        if isinstance(shape, Text) and shape.style == style
    ]


def ends(group: Group) -> Iterator[tuple[float, float]]:
    """Where a line begins and ends: its own ends, and the tips of what stands at them."""
    for shape in group.shapes:
        match shape:
            case Path(steps, _, True):  # an arrow head: its first corner is the tip
                yield float(steps[0][1]), float(steps[0][2])
            case Path(steps):
                yield float(steps[0][1]), float(steps[0][2])
                yield float(steps[-1][-2]), float(steps[-1][-1])
            case Circle(x, y, r):
                yield from ((x - r, y), (x + r, y), (x, y - r), (x, y + r))


def distance(point: tuple[float, float], group: Group) -> float:
    """From a point to the border of a node."""
    shape = group.shapes[0]
    x, y = point
    if isinstance(shape, Circle):
        return abs(math.dist(point, (shape.x, shape.y)) - shape.radius)
    left, top, right, bottom = area(shape)
    dx, dy = max(left - x, 0, x - right), max(top - y, 0, y - bottom)
    if dx or dy:
        return math.hypot(dx, dy)
    return min(x - left, right - x, y - top, bottom - y)


def segments(group: Group) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """The straight pieces of the lines of a group."""
    for shape in group.shapes:
        if isinstance(shape, Path) and not shape.closed:
            points = [(float(s[-2]), float(s[-1])) for s in shape.steps]
            corners = [s[0] == "Q" for s in shape.steps]
            for (a, b), bent in zip(pairwise(points), corners[1:], strict=True):
                if not bent:
                    yield a, b


# -- nets -------------------------------------------------------------------------------------


def written(name: str, text: str) -> Net:
    """A net in the notation of the pattern reference, such as `_split:i→a b; A:a→c [read b]`."""
    transitions: list[Transition] = []
    for part in re.split(r";\s*(?![^\[]*\])", text):
        match = re.fullmatch(r"\s*(\w+)\s*:(.*?)→(.*?)(?:\[(.*)\])?\s*", part)
        assert match, part
        id, before, after, notes = match.groups()
        extra: dict[str, list[str]] = {}
        for note in (notes or "").split(";"):
            kind, *places = note.split() or [""]
            extra[kind] = places
        inhibitor = dict(p.split("<") for p in extra.get("inhib", ()))
        transitions.append(
            Transition(
                id,
                None if id.startswith("_") else id,
                _weights(before),
                _weights(after),
                Marking(extra.get("read", ())),
                Marking({p: int(n) for p, n in inhibitor.items()}),
                frozenset(extra.get("reset", ())),
                frozenset(extra.get("kill", ())),
            )
        )
    places = dict.fromkeys(
        ["i", *(p for t in transitions for _, p, _ in sorted(t.arcs(), key=lambda a: a[0]))]
    )
    return Net(name, tuple(map(Place, places)), tuple(transitions), Marking("i"), Marking("o"))


def _weights(text: str) -> Marking:
    pairs = [item.rpartition("*") for item in text.split()]
    return Marking({place: int(n or 1) for n, _, place in pairs})


#: nets of the reference's appendix, with every kind of arc and block
NETS = {
    name: written(name, text)
    for name, text in {
        "sequence": "A:i→p; B:p→o",
        "parallel": "_split:i→a0 b0 c0; A:a0→a1; B:b0→b1; C:c0→c1; _join:a1 b1 c1→o",
        "choice": "_selA:i→a0; _selB:i→b0; _selC:i→c0; A:a0→o; B:b0→o; C:c0→o",
        "multi-choice": (
            "_sela:i→a0 b1 c1; _selb:i→a1 b0 c1; _selc:i→a1 b1 c0; _selab:i→a0 b0 c1; "
            "_selac:i→a0 b1 c0; _selbc:i→a1 b0 c0; _selabc:i→a0 b0 c0; A:a0→a1; B:b0→b1; "
            "C:c0→c1; _join:a1 b1 c1→o"
        ),
        "partial join": (
            "_split:i→a0 b0 c0 ready; A:a0→d; B:b0→d; C:c0→d; _fire:2*d ready→out fired; "
            "_drain:d fired→drained; D:out→x; _end:x drained→o"
        ),
        "cancelling join": (
            "_split:i→a0 b0 c0; A:a0→a1; B:b0→b1; C:c0→c1; "
            "_fire_ab:a1 b1→p [reset a0 a1 b0 b1 c0 c1; kill A B C]; "
            "_fire_ac:a1 c1→p [reset a0 a1 b0 b1 c0 c1; kill A B C]; "
            "_fire_bc:b1 c1→p [reset a0 a1 b0 b1 c0 c1; kill A B C]; D:p→o"
        ),
        "loop": "_enter:i→b; Body:b→c; _again:c→b; _done:c→o",
        "mutex": (
            "_split:i→b0 d0 mx; B:b0 mx→b1 mx; C:b1 mx→b2 mx; D:d0 mx→d1 mx; _join:b2 d1 mx→o"
        ),
        "milestone": (
            "_split:i→a0 c0; A:a0→m; B:m→b1; C:c0→c1 [read m]; _expired:c0→c1 [read b1]; "
            "_join:b1 c1→o"
        ),
        "trigger": (
            "_split:i→a0 e0; A:a0→w; _hit:e0 w→b l; _miss:e0→lost [inhib w<1]; B:b→b1; "
            "_fallback:w lost→b1 l; _join:b1 l→o"
        ),
        "drain": "_start:i→open q; Add:open→open q; T:q→f; _close:open→closed; "
        "_end:closed→o [inhib q<2; reset f]",
        "cancel case": (
            "_sA:i→a0 w; _sB:i→b0 w; A:a0→a1; B:b0→b1; _join:a1 b1 w→o; "
            "_cancel:w→x [reset a0 a1 b0 b1; kill A B]; _xo:x→o"
        ),
    }.items()
}


@st.composite
def nets(draw: st.DrawFn) -> Net:
    """Any net at all: disconnected, with every kind of arc, with odd names."""
    letters = st.characters(exclude_categories=["Cs"])
    names = draw(
        st.lists(
            st.text(letters, min_size=1, max_size=12).filter(str.strip),
            min_size=1,
            max_size=16,
            unique=True,
        )
    )
    cut = draw(st.integers(0, len(names)))
    places, transitions = names[:cut], names[cut:]
    chosen = st.sampled_from(places) if places else st.nothing()
    some = st.lists(chosen, max_size=3) if places else st.just([])
    weights = st.dictionaries(chosen, st.integers(1, 3), max_size=3) if places else st.just({})
    labels = {t: draw(st.none() | st.text(letters, max_size=60)) for t in transitions}
    tasks = [t for t, label in labels.items() if label is not None]
    cancels = st.lists(st.sampled_from(tasks), max_size=2) if tasks else st.just([])
    return Net(
        draw(st.text(letters, max_size=20)),
        tuple(map(Place, places)),
        tuple(
            Transition(
                t,
                labels[t],
                Marking(draw(weights)),
                Marking(draw(weights)),
                Marking(draw(weights)) if draw(st.booleans()) else Marking(),
                Marking(draw(weights)) if draw(st.booleans()) else Marking(),
                frozenset(draw(some)) if draw(st.booleans()) else frozenset(),
                frozenset(draw(cancels)),
            )
            for t in transitions
        ),
        Marking(draw(some)),
    )
