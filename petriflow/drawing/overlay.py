"""`Overlay`: what a picture shows on top of the net, and where it lands."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from petriflow.net import Marking, Net
from petriflow.net.errors import DrawingError

if TYPE_CHECKING:
    from petriflow.analysis import Cluster, Component, Invariant, Structure, Trail, Witness

    #: what can be shown on a net: an overlay, or what makes one
    Shown = Marking | Set[str] | Invariant | Cluster | Component | Structure | Trail | Witness

NOTHING: frozenset[str] = frozenset()
_PHASES = (".start", ".complete")


@dataclass(frozen=True, slots=True)
class Overlay:
    """States to be shown on a net; it knows no engine and no analysis.

    Args:
        path: transitions in firing order: their steps are numbered.
        tokens: a marking; by default the initial one.
        before: another marking to compare with: each place that differs shows by how much.
        faults: places and transitions at fault, such as left-over places or stuck joins.
        dead: transitions that can never fire.
        enabled: transitions that can fire now.
        chosen: nodes to point out, such as the places of an invariant or a siphon.
        notes: short texts at nodes, by id.
        heat: a number for some nodes, by id, shown as a colour and in digits, with a legend.
        heat_label: what the numbers are, with their unit, such as `minutes of waiting`.
        cases: how many live cases are at a node, by id, shown as chips.

    All may speak of the expanded net while the atomic one is drawn: `A.start` and `A.complete`
    are then steps of the task `A`, and a token on `A.running` lies in its box. Where several
    nodes land on one, tokens and cases add up, and the greatest heat is shown.
    """

    path: tuple[str, ...] = ()
    tokens: Marking | None = None
    faults: frozenset[str] = NOTHING
    dead: frozenset[str] = NOTHING
    enabled: frozenset[str] = NOTHING
    chosen: frozenset[str] = NOTHING
    before: Marking | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    heat: Mapping[str, float] = field(default_factory=dict)
    heat_label: str = ""
    cases: Mapping[str, int] = field(default_factory=dict)

    @staticmethod
    def of(thing: Overlay | Shown) -> Overlay:
        """The overlay that shows a result of the analysis, a marking or a set of nodes.

        >>> Overlay.of({"paid", "shipped"}).chosen == {"paid", "shipped"}
        True

        Raises:
            DrawingError: it is nothing that can be shown on a net.
        """
        if isinstance(thing, Overlay):
            return thing
        if isinstance(thing, Marking):
            return Overlay(tokens=thing)
        if isinstance(thing, Set):
            return Overlay(chosen=frozenset(thing))
        return _of_result(thing)


def _of_result(thing: object) -> Overlay:
    from petriflow.analysis import Cluster, Component, Invariant, Structure, Trail, Witness

    match thing:
        case Invariant(weights):
            notes = {id: f"×{n}" for id, n in weights.items() if n != 1}
            return Overlay(chosen=thing.support, notes=notes)
        case Cluster(places, transitions):
            return Overlay(chosen=frozenset((*places, *transitions)))
        case Component(places, transitions):
            return Overlay(chosen=places | transitions)
        case Structure():
            # A cluster of one transition is no conflict, and nothing to look at.
            shared = [c for c in thing.clusters if len(c.transitions) > 1]
            numbered = {
                id: f"cluster {n}"
                for n, c in enumerate(shared, 1)
                for id in (*c.places, *c.transitions)
            }
            return Overlay(chosen=frozenset(numbered), notes=numbered)
        case Trail(_, trace, marking) | Witness(_, trace, marking):
            return Overlay(path=trace, tokens=marking)
    raise DrawingError(
        f"{thing!r} cannot be shown on a net; give an Overlay, a marking, a set of nodes, or one "
        "invariant, siphon, cluster or witness"
    )


@dataclass(frozen=True, slots=True)
class Landed:
    """An overlay in terms of one net's own nodes; `steps` are texts such as `2–5`."""

    steps: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    faults: frozenset[str] = NOTHING
    dead: frozenset[str] = NOTHING
    enabled: frozenset[str] = NOTHING
    chosen: frozenset[str] = NOTHING
    changes: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    heat: Mapping[str, float] = field(default_factory=dict)
    heat_label: str = ""
    cases: Mapping[str, int] = field(default_factory=dict)

    def warmth(self, id: str) -> int:
        """How hot a node is, in steps from 1 to 5; 0 where it has no heat."""
        if id not in self.heat:
            return 0
        low, high = min(self.heat.values()), max(self.heat.values())
        share = (self.heat[id] - low) / (high - low) if high > low else 1.0
        return 1 + min(4, int(share * 5))


def land(overlay: Overlay | None, net: Net, home: Mapping[str, str] | None = None) -> Landed:
    """The overlay on this net.

    Args:
        overlay: what to show.
        net: the net that is drawn.
        home: where nodes that the net does not show have gone.

    Raises:
        DrawingError: the overlay names something that is no node of the net, or a heat is no
            number.
    """
    overlay = overlay or Overlay()
    for id, heat in overlay.heat.items():
        if not math.isfinite(heat):
            raise DrawingError(f"the heat of {id!r} is {heat!r}; leave out what has none")

    def node(id: str) -> str:
        return _node(net, home or {}, id)

    heats: dict[str, float] = {}
    for id, heat in overlay.heat.items():
        heats[node(id)] = max(heat, heats.get(node(id), -math.inf))
    tokens = _initial(net) if overlay.tokens is None else overlay.tokens
    changes = Counter[str]()
    for id in (*tokens, *overlay.before) if overlay.before is not None else ():
        changes[node(id)] = 0
    for id, n in (overlay.before or {}).items():
        changes[node(id)] -= n
    for id, n in tokens.items() if overlay.before is not None else ():
        changes[node(id)] += n
    return Landed(
        _steps(overlay.path, node),
        _added(tokens, node),
        frozenset(map(node, overlay.faults)),
        frozenset(map(node, overlay.dead)),
        frozenset(map(node, overlay.enabled)),
        frozenset(map(node, overlay.chosen)),
        {id: n for id, n in changes.items() if n},
        {node(id): note for id, note in overlay.notes.items()},
        heats,
        overlay.heat_label,
        _added(overlay.cases, node),
    )


def _added(counts: Mapping[str, int], node: Callable[[str], str]) -> dict[str, int]:
    added = Counter[str]()
    for id, n in counts.items():
        added[node(id)] += n
    return dict(added)


def _initial(net: Net) -> Marking:
    """Where the net begins; a net without a declared start has it at its only source."""
    if net.initial or len(net.sources) != 1:
        return net.initial
    return Marking(net.sources[0].id)


def _node(net: Net, home: Mapping[str, str], id: str) -> str:
    """The node of the net that an id speaks of."""
    if id in net:
        return id
    if id in home:
        return home[id]
    task, dot, _ = id.rpartition(".")
    if dot and id.removeprefix(task) in (*_PHASES, ".running"):
        if task in net:
            return task
        if task in home:
            return home[task]
    raise DrawingError(
        f"net {net.name!r} has no node {id!r} to show the overlay on; draw the net that the "
        "overlay speaks of, or its atomic form"
    )


def _steps(path: Iterable[str], node: Callable[[str], str]) -> dict[str, str]:
    """The numbers at each transition: `3`, `1, 4`, and `2–5` for a task that starts and ends, or
    for a block through which so many steps in a row lead.
    """
    spans: dict[str, list[list[int]]] = {}
    for number, id in enumerate(path, 1):
        home = node(id)
        own = spans.setdefault(home, [])
        half = home != id and id == f"{home}.complete"
        if half and (begun := _open(own)):
            begun.append(number)
        else:
            own.append([number] if id == f"{home}.start" else [number, number])
    return {home: _numbers(own) for home, own in spans.items()}


def _open(spans: list[list[int]]) -> list[int] | None:
    """The oldest firing that has started and not ended."""
    return next((span for span in spans if len(span) == 1), None)


def _numbers(spans: list[list[int]]) -> str:
    """The spans as text; three single steps in a row, or more, are told as one span."""
    told: list[str] = []
    row: list[int] = []
    for span in [*spans, []]:
        if row and not (len(set(span)) == 1 and span[0] == row[-1] + 1):
            told += [f"{row[0]}–{row[-1]}"] if len(row) > 2 else map(str, row)
            row = []
        if len(set(span)) == 1:
            row.append(span[0])
        elif span:
            told.append(f"{span[0]}–{span[-1]}")
    return ", ".join(told)
