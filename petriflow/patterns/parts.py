"""The loose parts of fragments, how they are renamed and fused, and refinement.

Resets of regions are resolved last, when every path is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from petriflow.net import Marking, Net, Origin, Place, Transition
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
    within,
)

Rename = Callable[[str], str]


@dataclass(slots=True)
class Parts:
    """The loose parts of a fragment, while it is being put together."""

    places: list[Place] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)
    tasks: dict[str, Binding] = field(default_factory=dict)
    triggers: dict[str, Trigger] = field(default_factory=dict)
    choices: list[Choice] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)
    instances: list[Instances] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)

    def take(self, fragment: Fragment, rename: Rename, drop: str | None = None) -> None:
        """Add a fragment's parts under new ids, but for the transition to be dropped."""
        self.places += [_place(p, rename) for p in fragment.net.places]
        self.transitions += [
            # What cancelled it will cancel all that takes its place: the region knows.
            moved(replace(t, cancels=t.cancels - {drop}), rename)
            for t in fragment.net.transitions
            if t.id != drop
        ]
        self.tasks |= {rename(id): b for id, b in fragment.tasks.items() if id != drop}
        self.triggers |= {rename(id): trigger for id, trigger in fragment.triggers.items()}
        self.choices += [_choice(c, rename) for c in fragment.choices]
        self.counts += [_count(c, rename) for c in fragment.counts]
        self.instances += [_instances(i, rename) for i in fragment.instances if i.task != drop]
        self.blocks += [_block(b, rename) for b in fragment.blocks]
        self.regions += [_region(r, rename) for r in fragment.regions]
        self.links += [_link(x, rename) for x in fragment.links]

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
            t = moved(t, rename)
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
        ports: Mapping[str, Port],
        pattern: str,
        name: str | None,
        steps: tuple[Fragment, ...] = (),
    ) -> Fragment:
        """The fragment of these parts."""
        return Fragment(
            self.net(root, rename),
            {name: port.renamed(rename) for name, port in ports.items()},
            pattern,
            name,
            self.tasks,
            self.triggers,
            tuple(_choice(c, rename) for c in self.choices),
            tuple(_count(c, rename) for c in self.counts),
            tuple(self.instances),
            tuple(self.blocks),
            tuple(_region(r, rename) for r in self.regions),
            tuple(self.links),
            steps,
        )


def remedy(port: Port) -> str:
    """How a port is brought back to one token."""
    match port.type:
        case "threads":
            return f"follow it by thread_merge({port.width})"
        case "and":
            return "close it by synchronization(…), or take parallel(…)"
        case "xor":
            return "close it by simple_merge(…), or take exclusive_choice(…)"
        case _:
            return "close it by synchronizing_merge(…), or take multi_choice(…)"


def rerooting(fragment: Fragment, path: str) -> Rename:
    """The renaming that moves a fragment's ids below a new path."""
    cut = len(fragment.root)
    return lambda id: path + id[cut:]


def reroot(fragment: Fragment, path: str) -> Fragment:
    """The fragment with its ids moved below a new path, which becomes its name."""
    rename = rerooting(fragment, path)
    parts = Parts()
    parts.take(fragment, rename)
    ports = {name: port.renamed(rename) for name, port in fragment.ports.items()}
    return parts.fragment(path, _same, ports, fragment.pattern, path)


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
    child = as_fragment(inner)
    for port in child.ports.values():
        if port.type != "control":
            raise CompositionError(
                f"task {outer.id!r} cannot be replaced by {child.root!r}, which has a port with "
                f"{port}; {remedy(port)}"
            )
    if not _is_plain(outer):
        return _refine_tied(fragment, outer, child)
    (before,), (after,) = outer.consume, outer.produce
    rename = rerooting(child, outer.id)
    fused = {rename(child.exit): after, rename(child.entry): before}
    if child.entry == child.exit:
        fused[after] = before
    parts = Parts()
    parts.take(fragment, _same, drop=outer.id)
    parts.take(child, rename)

    def fixed(id: str) -> str:
        return fused.get(id, id)

    return parts.fragment(fragment.root, fixed, fragment.ports, fragment.pattern, fragment.name)


def _is_plain(t: Transition) -> bool:
    """Whether a task takes one token and gives one, and nothing else."""
    return t.consume.total == t.produce.total == 1 and not (t.read or t.inhibitor or t.reset)


def _refine_tied(fragment: Fragment, outer: Transition, child: Fragment) -> Fragment:
    """Replace a task that also does something else by two routing steps around the child.

    The child goes one level down: its own entry and exit are not those of the task.
    """
    rename = rerooting(child, f"{outer.id}/{child.root}")
    parts = Parts()
    parts.take(fragment, _same, drop=outer.id)
    parts.take(child, rename)
    begin = Transition(
        f"{outer.id}.begin",
        None,
        outer.consume,
        Marking(rename(child.entry)),
        outer.read,
        outer.inhibitor,
        origin=Origin(outer.id, "task", "begin"),
    )
    end = Transition(
        f"{outer.id}.end",
        None,
        Marking(rename(child.exit)),
        outer.produce,
        reset=outer.reset,
        cancels=outer.cancels - {outer.id},
        origin=Origin(outer.id, "task", "end"),
    )
    parts.transitions += [begin, end]
    parts.regions = [
        replace(r, transition=end.id) if r.transition == outer.id else r for r in parts.regions
    ]
    return parts.fragment(fragment.root, _same, fragment.ports, fragment.pattern, fragment.name)


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


def moved(t: Transition, rename: Rename) -> Transition:
    """The transition under new ids; places that become one add their weights."""
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
        t.join,
    )


def _choice(c: Choice, rename: Rename) -> Choice:
    selectors = tuple(replace(s, transition=rename(s.transition)) for s in c.selectors)
    return replace(c, path=rename(c.path), place=rename(c.place), selectors=selectors)


def _count(c: Count, rename: Rename) -> Count:
    return replace(
        c,
        path=rename(c.path),
        place=rename(c.place),
        more=rename(c.more),
        stop=rename(c.stop),
    )


def _instances(i: Instances, rename: Rename) -> Instances:
    return Instances(rename(i.task), frozenset(map(rename, i.opens)))


def _block(b: Block, rename: Rename) -> Block:
    return Block(
        rename(b.path),
        frozenset(map(rename, b.splits)),
        frozenset(map(rename, b.joins)),
        tuple(map(rename, b.branches)),
    )


def _region(r: Region, rename: Rename) -> Region:
    return Region(rename(r.transition), tuple(map(rename, r.paths)), tuple(map(rename, r.places)))


def _link(x: Link, rename: Rename) -> Link:
    return replace(x, path=rename(x.path), transitions=tuple(map(rename, x.transitions)))
