"""What is drawn for a net, before anything has a place: nodes, wires, banks and regions.

Two conventions keep big blocks readable; both lose nothing, every arc is still drawn once.

**Banks.** A multi-choice of n branches has a silent selector for each set of branches, and each of
them has an arc to every branch: n·2ⁿ arcs for 2n destinations. Drawn one by one they are a hedge
that nobody can follow. So silent transitions that take from the same places, and share where they
put to, stand side by side in a frame, as bars that cross one rail for each destination; a dot
where bar and rail cross is an arc, and what all of them share goes to the frame. The n·2ⁿ arcs
become 2n lines, and the pattern of dots *is* the table of the sets. Joins of any n out of m
branches are the same with the sides exchanged.

**Regions.** A transition that cancels would have a reset arc to every place of what it cancels,
all of them against the flow. What is cancelled is an area of the net, so it is drawn as one, tinted
and with a border, the cancelled tasks in it; a single reset arc leads from the transition to the
area. A transition that resets one place and cancels no task has its plain reset arc.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from petriflow.drawing.scene import ArcId
from petriflow.net import Net, Transition

WireKind = Literal["flow", "skip", "loop", "read", "inhibitor", "reset"]


@dataclass(frozen=True, slots=True)
class Bank:
    """Silent transitions side by side in a frame; `choice` ones share their preset, joins their
    postset. `rails` are the places that they do not share.
    """

    id: str
    transitions: tuple[Transition, ...]
    rails: tuple[str, ...]
    choice: bool


@dataclass(frozen=True, slots=True)
class Region:
    """What the transitions cancel when they fire: the places that they empty, and the tasks and
    silent transitions between these.
    """

    transitions: tuple[str, ...]
    nodes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Line:
    """A drawn connection between two nodes or banks, and the arcs that it stands for.

    A `loop` is a pair of arcs, there and back. `weight` is what a pill on the line says.
    """

    kind: WireKind
    source: str
    target: str
    arcs: tuple[ArcId, ...]
    weight: str = ""
    caption: str = ""
    region: int | None = None


@dataclass(frozen=True, slots=True)
class Diagram:
    """All that is to be drawn; `captions` are guards that belong to no single line."""

    net: Net
    banks: tuple[Bank, ...]
    regions: tuple[Region, ...]
    lines: tuple[Line, ...]
    captions: Mapping[str, str]

    def home(self) -> dict[str, str]:
        """The bank of each transition that stands in one."""
        return {t.id: bank.id for bank in self.banks for t in bank.transitions}


def diagram(net: Net, captions: Mapping[str, str]) -> Diagram:
    """What is to be drawn for a net, with these texts at its transitions."""
    banks = tuple(_banks(net))
    skips = _skips(net)
    regions = tuple(_regions(net))
    own: dict[tuple[str, str], str] = {}  # (transition, place) -> caption on that arc
    rest = {}
    for id, caption in captions.items():
        place = _captioned(net, net.transition(id), skips)
        if place is None:
            rest[id] = caption
        else:
            own[id, place] = caption
    lines = [
        *(line for bank in banks for line in _bank_lines(bank, skips, own)),
        *_plain_lines(net, {t.id for b in banks for t in b.transitions}, skips, own),
    ]
    home = {t.id: bank.id for bank in banks for t in bank.transitions}
    lines += _region_lines(net, regions, home)
    # Arcs come sorted by the names of places; a picture keeps the order of the model.
    rank = {place.id: n for n, place in enumerate(net.places)}
    lines.sort(key=lambda line: max(rank.get(line.source, -1), rank.get(line.target, -1)))
    return Diagram(net, banks, regions, tuple(lines), rest)


# -- banks ----------------------------------------------------------------------------------


def _banks(net: Net) -> Iterator[Bank]:
    """The groups of silent transitions that are better drawn as a bank."""
    taken: set[str] = set()
    for choice in (True, False):
        groups: dict[object, list[Transition]] = defaultdict(list)
        for t in net.transitions:
            if t.silent and t.id not in taken and not set(t.consume) & set(t.produce):
                other = (t.read, t.inhibitor, t.reset, t.cancels)
                groups[(t.consume if choice else t.produce, *other)].append(t)
        for group in groups.values():
            sides = [t.produce if choice else t.consume for t in group]
            shared = group[0].consume if choice else group[0].produce
            rails = tuple(dict.fromkeys(place for side in sides for place in side))
            arcs = sum(map(len, sides))
            plain = all(weight == 1 for side in sides for weight in side.values())
            # It pays from three bars and a third of the lines on; an exclusive choice saves none.
            if shared and plain and len(group) >= 3 and 2 * arcs >= 3 * len(rails):
                taken |= {t.id for t in group}
                yield Bank(f"bank {group[0].id}", tuple(group), rails, choice)


def _bank_lines(
    bank: Bank, skips: frozenset[tuple[str, str]], captions: Mapping[tuple[str, str], str]
) -> Iterator[Line]:
    """The rails of a bank, and the lines for what its transitions share."""
    first = bank.transitions[0]
    for place in bank.rails:
        if bank.choice:
            users = [t.id for t in bank.transitions if place in t.produce]
            said = [captions[u, place] for u in users if (u, place) in captions]
            kind: WireKind = "skip" if all((u, place) in skips for u in users) else "flow"
            arcs = tuple(("produce", place, u) for u in users)
            yield Line(kind, bank.id, place, arcs, caption=said[0] if said else "")
        else:
            users = [t.id for t in bank.transitions if place in t.consume]
            yield Line("flow", place, bank.id, tuple(("consume", place, u) for u in users))
    shared = "consume" if bank.choice else "produce"
    for arc, place, weight in first.arcs():
        if arc in (shared, "read", "inhibitor"):
            arcs = tuple((arc, place, t.id) for t in bank.transitions)
            source, target = (bank.id, place) if arc == "produce" else (place, bank.id)
            yield Line(_wire_kind(arc), source, target, arcs, _pill(arc, weight))
    if first.reset and not _has_region(first):
        place = next(iter(first.reset))
        arcs = tuple(("reset", place, t.id) for t in bank.transitions)
        yield Line("reset", bank.id, place, arcs)


# -- plain transitions ------------------------------------------------------------------------


def _plain_lines(
    net: Net,
    banked: set[str],
    skips: frozenset[tuple[str, str]],
    captions: Mapping[tuple[str, str], str],
) -> Iterator[Line]:
    """The arcs of the transitions that stand alone; a pair there and back is one line."""
    for t in net.transitions:
        if t.id in banked:
            continue
        both = {p for p, weight in t.consume.items() if t.produce[p] == weight}
        for kind, place, weight in t.arcs():
            caption = captions.get((t.id, place), "") if kind == "produce" else ""
            arc, pill = (kind, place, t.id), _pill(kind, weight)
            match kind:
                case "consume" if place in both:
                    back = ("produce", place, t.id)
                    said = captions.get((t.id, place), "")
                    yield Line("loop", place, t.id, (arc, back), pill, said)
                case "produce" if place in both:
                    pass
                case "produce":
                    wire: WireKind = "skip" if (t.id, place) in skips else "flow"
                    yield Line(wire, t.id, place, (arc,), pill, caption)
                case "reset":
                    if not _has_region(t):
                        yield Line("reset", t.id, place, (arc,))
                case _:
                    yield Line(_wire_kind(kind), place, t.id, (arc,), pill)


def _wire_kind(kind: str) -> WireKind:
    match kind:
        case "read":
            return "read"
        case "inhibitor":
            return "inhibitor"
        case _:
            return "flow"


def _pill(kind: str, weight: int) -> str:
    """What is written on an arc: its weight, or an inhibitor's threshold, unless it is one."""
    if weight == 1:
        return ""
    return f"< {weight}" if kind == "inhibitor" else str(weight)


# -- choices ----------------------------------------------------------------------------------


def _skips(net: Net) -> frozenset[tuple[str, str]]:
    """The arcs (transition, place) of a choice that jump over what a sibling goes through.

    They are the skip tokens of a multi-choice, drawn paler than the way of the work.
    """
    found: set[tuple[str, str]] = set()
    choices: dict[object, list[Transition]] = defaultdict(list)
    for t in net.transitions:
        if t.silent and t.consume:
            choices[t.consume].append(t)
    for siblings in choices.values():
        if len(siblings) < 2 or all(len(t.produce) < 2 for t in siblings):
            continue
        entries = {place for t in siblings for place in t.produce}
        beyond = {p: _downstream(net, p, siblings[0].consume) & entries for p in entries}
        for t in siblings:
            if len(t.produce) > 1:
                passed = {p for s in siblings for p in s.produce if p not in t.produce}
                over = set[str]().union(*(beyond[p] for p in passed))
                found |= {(t.id, place) for place in t.produce if place in over}
    return frozenset(found)


def _downstream(net: Net, start: str, stop: Iterable[str]) -> set[str]:
    """The places that lie behind a place, up to the choice itself where there is a loop."""
    seen = {start, *stop}
    found: set[str] = set()
    todo = deque([start])
    while todo:
        for t in net.consumers[todo.popleft()]:
            for place in t.produce:
                if place not in seen:
                    seen.add(place)
                    found.add(place)
                    todo.append(place)
    return found


def _captioned(net: Net, t: Transition, skips: frozenset[tuple[str, str]]) -> str | None:
    """The place on whose arc a transition's caption is read: where the branch begins.

    None if there is no such arc, because every alternative leads there.
    """
    siblings = [
        s
        for place in t.consume
        for s in net.consumers[place]
        if s.id != t.id and s.consume == t.consume
    ]
    for place in t.produce:
        common = siblings and all(place in s.produce for s in siblings)
        if (t.id, place) not in skips and not common:
            return place
    return None


# -- regions ----------------------------------------------------------------------------------


def _has_region(t: Transition) -> bool:
    return len(t.reset) > 1 or bool(t.cancels)


def _regions(net: Net) -> Iterator[Region]:
    """What is cancelled together, once for all transitions that cancel just that."""
    groups: dict[tuple[frozenset[str], frozenset[str]], list[str]] = defaultdict(list)
    for t in net.transitions:
        if _has_region(t):
            groups[t.reset, t.cancels].append(t.id)
    for (reset, cancels), transitions in groups.items():
        between = {
            t.id
            for t in net.transitions
            if t.consume and t.produce and {*t.consume, *t.produce} <= reset
        }
        yield Region(tuple(transitions), reset | cancels | between)


def _region_lines(net: Net, regions: Sequence[Region], home: Mapping[str, str]) -> Iterator[Line]:
    """One reset line from each canceller, or bank of them, to the nearest node of its region."""
    for number, region in enumerate(regions):
        sources: dict[str, list[str]] = defaultdict(list)
        for id in region.transitions:
            sources[home.get(id, id)].append(id)
        for source, ids in sources.items():
            goals = region.nodes & {*net.producers, *net.transition(ids[0]).cancels} - {ids[0]}
            if not goals:  # a task that cancels but itself
                continue
            target = _nearest(net, ids[0], goals)
            arcs = tuple(
                ("reset", place, id) for id in ids for place in sorted(net.transition(id).reset)
            )
            yield Line("reset", source, home.get(target, target), arcs, region=number)


def _nearest(net: Net, transition: str, nodes: frozenset[str]) -> str:
    """The node of the set that is the fewest arcs away from a transition, in any direction."""
    around: dict[str, list[str]] = defaultdict(list)
    for t in net.transitions:
        for place in (*t.consume, *t.produce):
            around[place].append(t.id)
            around[t.id].append(place)
    seen, todo = {transition}, deque([transition])
    while todo:
        node = todo.popleft()
        if node in nodes:
            return node
        for other in around[node]:
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return min(nodes)
