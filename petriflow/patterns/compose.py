"""The glue: how fragments become one fragment.

A `Composer` collects the nodes of a new fragment, gives each child a path segment, and fuses
places. Sequence is place fusion, a merge is the fusion of exits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from petriflow.net import Marking, Origin, Place, Transition
from petriflow.net.errors import CompositionError
from petriflow.patterns.fragment import (
    Binding,
    Block,
    Choice,
    Count,
    Fragment,
    Instances,
    Link,
    Port,
    Region,
    Trigger,
    as_fragment,
    check_name,
    within,
)
from petriflow.patterns.parts import Parts, remedy, rerooting

Weights = str | Iterable[str] | dict[str, int]


@dataclass(frozen=True, slots=True)
class Placed:
    """A child inside its parent: its path, its last segment and its ports."""

    path: str
    segment: str
    ports: Mapping[str, Port]

    @property
    def entry(self) -> str:
        """The place where it begins."""
        return self.ports["entry"].place

    @property
    def exit(self) -> str:
        """The place where it ends."""
        return self.ports["exit"].place


class Composer:
    """Builds one fragment of a pattern from children and a few nodes of its own."""

    def __init__(self, pattern: str, name: str | None = None) -> None:
        self.pattern = pattern
        self.name = None if name is None else check_name(name)
        self.root = name or pattern
        self.choices: list[Choice] = []
        self.counts: list[Count] = []
        self.instances: list[Instances] = []
        self.blocks: list[Block] = []
        self.links: list[Link] = []
        self._parts = Parts()
        self._segments: dict[str, Fragment] = {}
        self._fused: dict[str, str] = {}

    def add(
        self, item: Fragment | Binding, segment: str | None = None, *, typed: bool = True
    ) -> Placed:
        """Put a child into the fragment, under a segment of its own.

        Args:
            item: the child.
            segment: the last part of its path; by default its own name.
            typed: whether its entry and exit must carry one token.

        Raises:
            CompositionError: another, different part has the same name, or the child's ports are
                of another type.
        """
        child = as_fragment(item)
        for port in child.ports.values() if typed else ():
            if port.type != "control":
                raise CompositionError(
                    f"{self.pattern} {self.root!r} cannot hold {child.root!r}, which "
                    f"{'begins' if port is child.ports['entry'] else 'ends'} with {port}; "
                    f"{remedy(port)}"
                )
        segment = self._free(child, segment or child.name)
        self._segments[segment] = child
        path = f"{self.root}/{segment}"
        rename = rerooting(child, path)
        self._parts.take(child, rename)
        return Placed(path, segment, {n: port.renamed(rename) for n, port in child.ports.items()})

    def add_all(
        self, items: Sequence[Fragment | Binding], at_least: int = 1, *, typed: bool = True
    ) -> list[Placed]:
        """Put several children into the fragment.

        Raises:
            CompositionError: there are too few.
        """
        if len(items) < at_least:
            raise CompositionError(
                f"{self.pattern} {self.root!r} needs at least {at_least} "
                f"part{'s' * (at_least != 1)}, got {len(items)}"
            )
        return [self.add(item, typed=typed) for item in items]

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
        self,
        role: str,
        consume: Weights,
        produce: Weights,
        *,
        read: Weights = (),
        inhibitor: Mapping[str, int] | None = None,
        cancels: Region | None = None,
        trigger: Trigger | None = None,
        join: Literal["and", "or"] = "and",
    ) -> str:
        """Add a silent transition of the pattern's own; the answer is its id.

        Args:
            role: what it does in the pattern, and the last part of its id.
            consume, produce, read: places, with weights where they are not one.
            inhibitor: the places that must hold fewer tokens than this.
            cancels: the region that it empties, given without a transition.
            trigger: what it waits for, besides its tokens.
            join: whether it waits for all that it consumes, or for all of it that can come.
        """
        id = f"{self.root}.{role}"
        self._parts.transitions.append(
            Transition(
                id,
                None,
                Marking(consume),
                Marking(produce),
                Marking(read),
                Marking(inhibitor or ()),
                origin=Origin(self.root, self.pattern, role),
                join=join,
            )
        )
        if cancels is not None:
            self._parts.regions.append(replace(cancels, transition=id))
        if trigger is not None:
            self._parts.triggers[id] = trigger
        return id

    def give(self, transition: str, place: str) -> None:
        """Have a transition of the pattern's own put one more token into a place."""
        self._parts.transitions = [
            replace(t, produce=t.produce + Marking(place)) if t.id == transition else t
            for t in self._parts.transitions
        ]

    def tie(
        self, child: Placed, *, take: tuple[str, ...] = (), give: tuple[str, ...] = ()
    ) -> Placed:
        """Have a child also take tokens where it begins, and give tokens where it ends.

        A task or an event does so itself; around anything else stand two silent transitions.
        """
        inside = [t for t in self._parts.transitions if within(child.path, t.id)]
        if len(inside) == 1:
            only = inside[0]
            tied = replace(
                only, consume=only.consume + Marking(take), produce=only.produce + Marking(give)
            )
            self._parts.transitions[self._parts.transitions.index(only)] = tied
            return child
        ports = dict(child.ports)
        if take:
            ports["entry"] = Port(self.place(f"before-{child.segment}"))
            begin = [ports["entry"].place, *take]
            self.silent(f"begin-{child.segment}", begin, child.entry)
        if give:
            ports["exit"] = Port(self.place(f"after-{child.segment}"))
            self.silent(f"end-{child.segment}", child.exit, [ports["exit"].place, *give])
        return replace(child, ports=ports)

    def look(self, child: Placed, place: str) -> Placed:
        """Have the first steps of a child look at a place; routing gets a step before it."""
        if self.begins_with_routing(child):
            entry = Port(self.place(f"before-{child.segment}"))
            self.silent(f"begin-{child.segment}", entry.place, child.entry, read=place)
            return replace(child, ports={**child.ports, "entry": entry})
        self._parts.transitions = [
            replace(t, read=t.read + Marking(place)) if child.entry in t.consume else t
            for t in self._parts.transitions
        ]
        return child

    def cancel_at(self, child: Placed, region: Region) -> None:
        """Have the first steps of a child empty a region; a task does so when it completes."""
        self._parts.regions += [
            replace(region, transition=t.id)
            for t in self._parts.transitions
            if child.entry in t.consume
        ]

    def empty_at(self, transition: str, keep: str) -> None:
        """Have a transition empty everything that is there by now, but for one place."""
        own = [p.id for p in self._parts.places if p.id.startswith(f"{self.root}.")]
        places = tuple(id for id in own if self._kept(id) != self._kept(keep))
        paths = tuple(f"{self.root}/{segment}" for segment in self._segments)
        self._parts.regions.append(Region(transition, paths, places))

    def close(self, split: Placed, join: str | None) -> None:
        """Say where the branches of an open split merge their variables, or that they have none."""
        self._parts.blocks = [
            replace(block, joins=frozenset([join])) if join and block.path == split.path else block
            for block in self._parts.blocks
            if join or block.path != split.path
        ]

    def is_task(self, child: Placed) -> bool:
        """Whether a child is a single task."""
        return child.path in self._parts.tasks

    def tasks_in(self, child: Placed) -> list[Placed]:
        """The tasks of a child, as if each were a child itself."""
        return [
            Placed(id, id.rpartition("/")[2], {})
            for id in self._parts.tasks
            if within(child.path, id)
        ]

    def begins_with_routing(self, child: Placed) -> bool:
        """Whether something that neither is a task nor waits for a trigger can come first."""
        return child.entry == child.exit or any(
            t.id not in self._parts.tasks and t.id not in self._parts.triggers
            for t in self._parts.transitions
            if self._kept(child.entry) in map(self._kept, t.consume)
        )

    def fuse(self, keep: str, other: str) -> None:
        """Make two places one; the kept id stays, the other becomes an alias."""
        keep, other = self._kept(keep), self._kept(other)
        if keep != other:
            self._fused[other] = keep

    def _kept(self, id: str) -> str:
        while id in self._fused:
            id = self._fused[id]
        return id

    def finish(
        self, entry: str | Port, exit: str | Port, *, steps: tuple[Fragment, ...] = ()
    ) -> Fragment:
        """The finished fragment, between these two places or ports."""
        self._parts.choices += self.choices
        self._parts.counts += self.counts
        self._parts.instances += self.instances
        self._parts.blocks += self.blocks
        self._parts.links += self.links
        ports = {
            "entry": Port(entry) if isinstance(entry, str) else entry,
            "exit": Port(exit) if isinstance(exit, str) else exit,
        }
        return self._parts.fragment(self.root, self._kept, ports, self.pattern, self.name, steps)


def check_count(composer: Composer, what: str, count: int, least: int = 1) -> None:
    """Refuse what is not a number of at least so many.

    Raises:
        CompositionError: the number is too small, or none.
    """
    if type(count) is not int or count < least:
        raise CompositionError(
            f"{composer.pattern} {composer.root!r}: {what}={count!r}; use a number from {least} on"
        )
