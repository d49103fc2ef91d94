"""Folding: parts of a net drawn as one block each, so that a big net is a picture to read.

A folded net is for looking at only: it has a transition for each block, and the places between
blocks. Where patterns made the net, a block is a pattern; elsewhere blocks are found by series,
alternatives and parallel branches, as in the reduction of series-parallel graphs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from petriflow.net import Marking, Net, Transition
from petriflow.net.net import Origin

#: A net of more nodes than this is folded unless its detail is asked for.
LARGE = 600


@dataclass(frozen=True, slots=True)
class Folded:
    """A net to look at, where the nodes that it does not show have gone, and what is in blocks."""

    net: Net
    home: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


def fold_patterns(net: Net, depth: int = 1) -> Folded:
    """The net with each pattern at this depth as one block; the outermost is at depth 0."""
    parts: dict[str, list[Transition]] = defaultdict(list)
    for t in net.transitions:
        path = t.origin.path.split("/") if t.origin else []
        parts["/".join(path[: depth + 1]) if len(path) > depth else t.id].append(t)
    return _fold(net, list(parts.items()))


def fold_large(net: Net, most: int = LARGE) -> Folded:
    """The net folded as little as it takes to have at most so many nodes, or as far as it goes."""
    deepest = max((t.origin.path.count("/") for t in net.transitions if t.origin), default=0)
    for depth in range(deepest, 0, -1):
        folded = fold_patterns(net, depth)
        if _size(folded.net) <= most:
            return folded
    return _fold_blocks(net, most)


def _size(net: Net) -> int:
    return len(net.places) + len(net.transitions)


def _fold(net: Net, parts: Iterable[tuple[str, Sequence[Transition]]]) -> Folded:
    """The net with each of these parts of its transitions as one block."""
    home: dict[str, str] = {}
    notes: dict[str, str] = {}
    owner: dict[str, str] = {}
    blocks: list[tuple[str, Sequence[Transition]]] = []
    for path, members in parts:
        id = members[0].id if len(members) == 1 else f"{path} (folded)"
        blocks.append((id, members))
        owner |= {t.id: id for t in members}
    users: dict[str, set[str]] = defaultdict(set)
    for t in net.transitions:
        for _, place, _ in t.arcs():
            users[place].add(owner[t.id])
    kept = {*net.initial, *(net.final or ()), *(p.id for p in (*net.sources, *net.sinks))}
    inner = {p: next(iter(u)) for p, u in users.items() if len(u) == 1 and p not in kept}
    folded_ids = {id for id, members in blocks if len(members) > 1}
    home |= {p: id for p, id in inner.items() if id in folded_ids}
    home |= {t: id for t, id in owner.items() if id in folded_ids}
    transitions = []
    for id, members in blocks:
        if len(members) == 1:
            transitions.append(_outside(members[0], home, id))
            continue
        transitions.append(_block(net, id, members, home))
        tasks = sum(not t.silent for t in members)
        notes[id] = f"{_pattern(net, id, members)} · {tasks} task{'s' * (tasks != 1)}"
    places = tuple(p for p in net.places if p.id not in home)
    return Folded(replace(net, places=places, transitions=tuple(transitions)), home, notes)


def _outside(t: Transition, home: Mapping[str, str], id: str) -> Transition:
    """A transition as it is, but that what it empties may have been folded."""
    gone = {home[p] for p in t.reset if p in home} | {home.get(task, task) for task in t.cancels}
    if not t.reset and not t.cancels:
        return t
    return replace(
        t,
        reset=frozenset(p for p in t.reset if p not in home),
        cancels=frozenset(gone - {id}),
    )


def _block(net: Net, id: str, members: Sequence[Transition], home: Mapping[str, str]) -> Transition:
    """One transition for the whole block, with arcs to the places that it shares with others."""
    sides: dict[str, dict[str, int]] = {kind: {} for kind in ("consume", "produce", "read")}
    for t in members:
        for kind, place, weight in t.arcs():
            if place not in home and kind in sides:
                sides[kind][place] = max(weight, sides[kind].get(place, 0))
    consume, produce = sides["consume"], sides["produce"]
    read = {p: n for p, n in sides["read"].items() if p not in consume}
    reset = {p for t in members for p in t.reset if p not in home}
    cancels = {
        block
        for t in members
        for node in (*t.reset, *t.cancels)
        if (block := home.get(node)) is not None and block != id
    }
    path = id.removesuffix(" (folded)")
    return Transition(
        id,
        _label(path, members),
        Marking(consume),
        Marking(produce),
        Marking(read),
        reset=frozenset(reset),
        cancels=frozenset(cancels),
        origin=Origin(path, _pattern(net, id, members), "block"),
    )


def _label(path: str, members: Sequence[Transition]) -> str:
    if members[0].origin:
        return path.rpartition("/")[2]
    labels = [t.label for t in members if t.label is not None]
    if not labels:
        return "routing"
    return labels[0] if len(labels) == 1 else f"{labels[0]} … {labels[-1]}"


def _pattern(net: Net, id: str, members: Sequence[Transition]) -> str:
    """The name of the pattern that a block is."""
    path = id.removesuffix(" (folded)")
    origins = [t.origin for t in members] + [p.origin for p in net.places]
    named = Counter(o.pattern for o in origins if o and o.path == path)
    if named:
        return named.most_common(1)[0][0].replace("_", " ")
    return "sequence" if members[0].origin else "block"


# -- blocks of any net -------------------------------------------------------------------------


@dataclass(slots=True)
class _Part:
    """A block while it grows: its transitions, and the places before and after it."""

    members: list[Transition]
    before: frozenset[str]
    after: frozenset[str]


def _fold_blocks(net: Net, most: int) -> Folded:
    """Series, alternatives and parallel branches become blocks, round after round."""
    fixed = {*net.initial, *(net.final or ())}
    for t in net.transitions:
        fixed |= {*t.read, *t.inhibitor, *t.reset}
    parts = [_Part([t], frozenset(t.consume), frozenset(t.produce)) for t in net.transitions]
    stiff = [p for p in parts if not _plain(p.members[0])]
    parts = [p for p in parts if _plain(p.members[0])]
    while True:
        folded = _fold(net, [(p.members[0].id, p.members) for p in (*parts, *stiff)])
        if _size(folded.net) <= most:
            return folded
        fewer = _alternatives(_series(parts, stiff, fixed))
        if len(fewer) == len(parts):
            fewer = _branches(parts, stiff, fixed)
        if len(fewer) == len(parts):
            return folded
        parts = fewer


def _plain(t: Transition) -> bool:
    ones = all(n == 1 for side in (t.consume, t.produce) for n in side.values())
    return ones and not (t.read or t.inhibitor or t.reset or t.cancels or t.join == "or")


def _around(parts: Iterable[_Part]) -> tuple[dict[str, list[_Part]], dict[str, list[_Part]]]:
    """The parts before and after each place."""
    into: dict[str, list[_Part]] = defaultdict(list)
    out_of: dict[str, list[_Part]] = defaultdict(list)
    for part in parts:
        for place in part.after:
            into[place].append(part)
        for place in part.before:
            out_of[place].append(part)
    return into, out_of


def _series(parts: list[_Part], stiff: list[_Part], fixed: set[str]) -> list[_Part]:
    """Parts of which one leads only to the next, joined; each takes part in one join a round."""
    into, out_of = _around([*parts, *stiff])
    loose = {id(p) for p in parts}
    used: set[int] = set()
    joined = []
    for first in parts:
        if id(first) in used or len(first.after) != 1:
            continue
        (place,) = first.after
        if place in fixed or len(into[place]) != 1 or len(out_of[place]) != 1:
            continue
        second = out_of[place][0]
        if second is first or id(second) in used or id(second) not in loose:
            continue
        if len(second.before) == 1:
            used |= {id(first), id(second)}
            joined.append(_Part(first.members + second.members, first.before, second.after))
    return [p for p in parts if id(p) not in used] + joined


def _alternatives(parts: list[_Part]) -> list[_Part]:
    """Parts between the same places, as one."""
    same: dict[tuple[frozenset[str], frozenset[str]], list[_Part]] = defaultdict(list)
    for part in parts:
        same[part.before, part.after].append(part)
    return [
        _Part([t for p in group for t in p.members], before, after)
        for (before, after), group in same.items()
    ]


def _branches(parts: list[_Part], stiff: list[_Part], fixed: set[str]) -> list[_Part]:
    """Branches with their split and join, where each branch is one part already, as one."""
    into, out_of = _around([*parts, *stiff])
    loose = {id(p) for p in parts}
    used: set[int] = set()
    joined = []
    for split in parts:
        if len(split.after) < 2 or split.after & fixed or id(split) in used:
            continue
        branches = [out_of[p][0] for p in split.after if len(out_of[p]) == 1 == len(into[p])]
        ends = [next(iter(b.after)) for b in branches if len(b.before) == 1 == len(b.after)]
        if len(ends) != len(split.after) or fixed & set(ends):
            continue
        joins = {id(j): j for e in ends for j in out_of[e] if len(out_of[e]) == 1 == len(into[e])}
        if len(joins) != 1:
            continue
        (join,) = joins.values()
        group = [split, *branches, join]
        if join.before != frozenset(ends) or not all(
            id(p) in loose and id(p) not in used for p in group
        ):
            continue
        used |= {id(p) for p in group}
        members = [t for p in group for t in p.members]
        joined.append(_Part(members, split.before, join.after))
    return [p for p in parts if id(p) not in used] + joined
