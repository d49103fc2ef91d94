"""The glue: how fragments become one fragment.

A `Composer` collects the nodes of a new fragment, gives each child a path segment, and fuses
places. Sequence is place fusion, a merge is the fusion of exits, a task is refined by putting a
fragment between its two places. Resets of regions are resolved last, when every path is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from petriflow.net import Marking, Net, Origin, Place, Transition
from petriflow.net.errors import CompositionError
from petriflow.patterns.fragment import (
    Binding,
    Block,
    Choice,
    Fragment,
    Port,
    Region,
    as_fragment,
    check_name,
    within,
)

Rename = Callable[[str], str]
Weights = str | Iterable[str] | dict[str, int]


@dataclass(slots=True)
class Parts:
    """The loose parts of a fragment, while it is being put together."""

    places: list[Place] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    tasks: dict[str, Binding] = field(default_factory=dict)
    choices: list[Choice] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)

    def take(self, fragment: Fragment, rename: Rename, drop: str | None = None) -> None:
        """Add a fragment's parts under new ids, but for the transition to be dropped."""
        self.places += [_place(p, rename) for p in fragment.net.places]
        self.transitions += [
            # What cancelled it will cancel all that takes its place: the region knows.
            _transition(replace(t, cancels=t.cancels - {drop}), rename)
            for t in fragment.net.transitions
            if t.id != drop
        ]
        self.tasks |= {rename(id): b for id, b in fragment.tasks.items() if id != drop}
        self.choices += [_choice(c, rename) for c in fragment.choices]
        self.blocks += [_block(b, rename) for b in fragment.blocks]
        self.regions += [_region(r, rename) for r in fragment.regions]

    def net(self, name: str, rename: Rename) -> Net:
        """The net of these parts, places fused by `rename` and regions turned into resets."""
        aliases: dict[str, list[str]] = {}
        for p in self.places:
            if (kept := rename(p.id)) != p.id:
                aliases.setdefault(kept, []).extend((p.id, *p.aliases))
        places = {
            p.id: replace(p, aliases=tuple(dict.fromkeys((*p.aliases, *aliases.get(p.id, ())))))
            for p in self.places
            if rename(p.id) == p.id
        }
        regions = {region.transition: region for region in self.regions}
        transitions = []
        for t in self.transitions:
            t = _transition(t, rename)
            if region := regions.get(t.id):
                inside = [p for p in places if any(within(path, p) for path in region.paths)]
                killed = [id for id in self.tasks if any(within(path, id) for path in region.paths)]
                t = replace(
                    t,
                    reset=t.reset | {*inside, *map(rename, region.places)},
                    cancels=t.cancels | set(killed),
                )
            transitions.append(t)
        return Net(name, tuple(places.values()), tuple(transitions))

    def fragment(
        self,
        root: str,
        rename: Rename,
        entry: str,
        exit: str,
        pattern: str,
        name: str | None,
        steps: tuple[Fragment, ...] = (),
    ) -> Fragment:
        """The fragment of these parts."""
        return Fragment(
            self.net(root, rename),
            {"entry": Port(rename(entry)), "exit": Port(rename(exit))},
            pattern,
            name,
            self.tasks,
            tuple(_choice(c, rename) for c in self.choices),
            tuple(self.blocks),
            tuple(_region(r, rename) for r in self.regions),
            steps,
        )


@dataclass(frozen=True, slots=True)
class Placed:
    """A child inside its parent: its path, its last segment and its ports' places."""

    path: str
    segment: str
    entry: str
    exit: str


class Composer:
    """Builds one fragment of a pattern from children and a few nodes of its own."""

    def __init__(self, pattern: str, name: str | None = None) -> None:
        self.pattern = pattern
        self.name = None if name is None else check_name(name)
        self.root = name or pattern
        self.choices: list[Choice] = []
        self.blocks: list[Block] = []
        self._parts = Parts()
        self._segments: dict[str, Fragment] = {}
        self._fused: dict[str, str] = {}

    def add(self, item: Fragment | Binding, segment: str | None = None) -> Placed:
        """Put a child into the fragment, under a segment of its own.

        Raises:
            CompositionError: another, different part has the same name.
        """
        child = as_fragment(item)
        segment = self._free(child, segment or child.name)
        self._segments[segment] = child
        path = f"{self.root}/{segment}"
        rename = rerooting(child, path)
        self._parts.take(child, rename)
        return Placed(path, segment, rename(child.entry), rename(child.exit))

    def add_all(self, items: Sequence[Fragment | Binding], at_least: int = 1) -> list[Placed]:
        """Put several children into the fragment.

        Raises:
            CompositionError: there are too few.
        """
        if len(items) < at_least:
            raise CompositionError(
                f"{self.pattern} {self.root!r} needs at least {at_least} parts, got {len(items)}"
            )
        return [self.add(item) for item in items]

    def _free(self, child: Fragment, wanted: str | None) -> str:
        segment = wanted or f"{child.pattern}-{len(self._segments) + 1}"
        twin = self._segments.get(segment)
        if twin is None:
            return segment
        if child != twin:
            raise CompositionError(
                f"{self.pattern} {self.root!r} holds two different parts named {segment!r}; "
                "give one of them another name="
            )
        n = 2
        while f"{segment}~{n}" in self._segments:
            n += 1
        return f"{segment}~{n}"

    def place(self, role: str) -> str:
        """Add a place of the pattern's own; the answer is its id."""
        id = f"{self.root}.{role}"
        self._parts.places.append(Place(id, Origin(self.root, self.pattern, role)))
        return id

    def silent(
        self, role: str, consume: Weights, produce: Weights, *, cancels: Region | None = None
    ) -> str:
        """Add a silent transition of the pattern's own; the answer is its id.

        Args:
            role: what it does in the pattern, and the last part of its id.
            consume, produce: places, with weights where they are not one.
            cancels: the region that it empties, given without a transition.
        """
        id = f"{self.root}.{role}"
        origin = Origin(self.root, self.pattern, role)
        self._parts.transitions.append(
            Transition(id, None, Marking(consume), Marking(produce), origin=origin)
        )
        if cancels is not None:
            self._parts.regions.append(replace(cancels, transition=id))
        return id

    def fuse(self, keep: str, other: str) -> None:
        """Make two places one; the kept id stays, the other becomes an alias."""
        keep, other = self._kept(keep), self._kept(other)
        if keep != other:
            self._fused[other] = keep

    def _kept(self, id: str) -> str:
        while id in self._fused:
            id = self._fused[id]
        return id

    def finish(self, entry: str, exit: str, *, steps: tuple[Fragment, ...] = ()) -> Fragment:
        """The finished fragment, between these two places."""
        self._parts.choices += self.choices
        self._parts.blocks += self.blocks
        return self._parts.fragment(
            self.root, self._kept, entry, exit, self.pattern, self.name, steps
        )


def rerooting(fragment: Fragment, path: str) -> Rename:
    """The renaming that moves a fragment's ids below a new path."""
    cut = len(fragment.root)
    return lambda id: path + id[cut:]


def reroot(fragment: Fragment, path: str) -> Fragment:
    """The fragment with its ids moved below a new path, which becomes its name."""
    rename = rerooting(fragment, path)
    parts = Parts()
    parts.take(fragment, rename)
    return parts.fragment(
        path, _same, rename(fragment.entry), rename(fragment.exit), fragment.pattern, path
    )


def refine(fragment: Fragment, task: str, inner: Fragment | Binding) -> Fragment:
    """Replace a task of the fragment by another fragment; see `Fragment.refine`."""
    found = [id for id in fragment.tasks if id.endswith(f"/{task}")]
    if task in fragment.tasks:
        found = [task]
    if len(found) != 1:
        raise CompositionError(
            f"fragment {fragment.root!r} has {len(found) or 'no'} tasks {task!r}; "
            f"it has {', '.join(map(repr, fragment.tasks))}"
        )
    outer = fragment.net.transition(found[0])
    (before,), (after,) = outer.consume, outer.produce
    child = as_fragment(inner)
    rename = rerooting(child, outer.id)
    fused = {rename(child.exit): after, rename(child.entry): before}
    if child.entry == child.exit:
        fused[after] = before
    parts = Parts()
    parts.take(fragment, _same, drop=outer.id)
    parts.take(child, rename)

    def fixed(id: str) -> str:
        return fused.get(id, id)

    return parts.fragment(
        fragment.root, fixed, fragment.entry, fragment.exit, fragment.pattern, fragment.name
    )


def _same(id: str) -> str:
    return id


def _origin(origin: Origin | None, rename: Rename) -> Origin | None:
    return origin and replace(origin, path=rename(origin.path))


def _place(p: Place, rename: Rename) -> Place:
    return Place(rename(p.id), _origin(p.origin, rename), tuple(map(rename, p.aliases)))


def _arcs(arcs: Marking, rename: Rename) -> Marking:
    weights: dict[str, int] = {}
    for place, weight in arcs.items():  # two places that were fused add their weights
        weights[rename(place)] = weights.get(rename(place), 0) + weight
    return Marking(weights)


def _transition(t: Transition, rename: Rename) -> Transition:
    return Transition(
        rename(t.id),
        t.label,
        _arcs(t.consume, rename),
        _arcs(t.produce, rename),
        _arcs(t.read, rename),
        _arcs(t.inhibitor, rename),
        frozenset(map(rename, t.reset)),
        frozenset(map(rename, t.cancels)),
        _origin(t.origin, rename),
    )


def _choice(c: Choice, rename: Rename) -> Choice:
    selectors = tuple(replace(s, transition=rename(s.transition)) for s in c.selectors)
    return replace(c, path=rename(c.path), place=rename(c.place), selectors=selectors)


def _block(b: Block, rename: Rename) -> Block:
    return Block(
        rename(b.path),
        frozenset(map(rename, b.splits)),
        frozenset(map(rename, b.joins)),
        tuple(map(rename, b.branches)),
    )


def _region(r: Region, rename: Rename) -> Region:
    return Region(rename(r.transition), tuple(map(rename, r.paths)), tuple(map(rename, r.places)))
