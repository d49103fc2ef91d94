"""Ports that are joined by name, wherever their fragments lie: locks, stages and regions.

A block has its own lock, milestone or region where it can. These are for the case where the
parts lie in different branches: WCP-39 Critical Section, WCP-18 Milestone and WCP-25 Cancel Region
across a whole workflow. `linked` joins them; a `Workflow` does so by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from petriflow.net import Marking, Origin, Place, Transition
from petriflow.net.errors import CompositionError
from petriflow.patterns.compose import Composer
from petriflow.patterns.fragment import (
    Binding,
    Block,
    Fragment,
    Link,
    Port,
    Region,
    as_fragment,
    check_name,
    within,
)
from petriflow.patterns.parts import Parts

WORDS = {"resource": "lock", "state": "stage", "region": "region"}


def holding(lock: str, section: Fragment | Binding, *, name: str | None = None) -> Fragment:
    """A section that is entered only while no other one holds the same lock.

    A region that is cancelled around it gives the lock back exactly if this section holds it.

    Args:
        lock: what the lock is called.
        section: what happens while it is held.
        name: the segment that stands for the section in the ids of its nodes.
    """
    composer = Composer("holding", name)
    placed = composer.add(section)
    entry, exit = composer.place("in"), composer.place("out")
    begin = composer.silent("acquire", entry, placed.entry)
    end = composer.silent("release", placed.exit, exit)
    composer.links.append(Link("resource", check_name(lock), False, composer.root, (begin, end)))
    return composer.finish(entry, exit)


def stage(stage: str, inner: Fragment | Binding, *, name: str | None = None) -> Fragment:
    """A part of the case to which other branches can look, by `during`.

    Args:
        stage: what the stage is called.
        inner: what happens in it; it lasts from its begin to its end.
        name: the segment that stands for the stage in the ids of its nodes.
    """
    composer = Composer("stage", name)
    placed = composer.add(inner)
    entry, exit = composer.place("in"), composer.place("out")
    begin = composer.silent("enter", entry, placed.entry)
    end = composer.silent("leave", placed.exit, exit)
    composer.links.append(Link("state", check_name(stage), True, composer.root, (begin, end)))
    return composer.finish(entry, exit)


def during(
    stage: str,
    task: Fragment | Binding,
    *,
    expired: Fragment | Binding | None = None,
    unsafe_ok: bool = False,
    name: str | None = None,
) -> Fragment:
    """A task that can begin only while another branch is in a stage.

    Args:
        stage: the stage's name.
        task: what needs it; the case can leave the stage while it runs.
        expired: what happens instead if the stage was left before; `skip` does nothing.
        unsafe_ok: leave `expired` out, although a case that comes too late then waits for ever.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: `expired` is missing without `unsafe_ok=True`.
    """
    composer = Composer("during", name)
    if expired is None and not unsafe_ok:
        raise CompositionError(
            f"during {composer.root!r}: a case that comes when stage {stage!r} is over would wait "
            "for ever; say what happens then by expired= (expired=skip does nothing)"
        )
    placed = composer.add(task)
    entry, exit = composer.place("in"), composer.place("out")
    composer.fuse(exit, placed.exit)
    looks = [composer.silent("begin", entry, placed.entry)]
    if expired is not None:
        late = composer.add(expired)
        looks.append(composer.silent("expired", entry, late.entry))
        composer.fuse(exit, late.exit)
    composer.links.append(Link("state", check_name(stage), False, composer.root, tuple(looks)))
    return composer.finish(entry, exit)


def region(
    region: str,
    *branches: Fragment | Binding,
    then: Fragment | Binding | None = None,
    name: str | None = None,
) -> Fragment:
    """Work that another branch can call off, by `withdraw`.

    Args:
        region: what the region is called.
        branches: the work; side by side where there are several.
        then: what follows a withdrawal instead.
        name: the segment that stands for the region in the ids of its nodes.

    Raises:
        CompositionError: no branch, or two different branches of one name.
    """
    composer = Composer("region", name)
    placed = composer.add_all(branches)
    after = composer.add(then) if then is not None else None
    entry, exit, going = map(composer.place, ("in", "out", "going"))
    paths = tuple(b.path for b in placed)
    split = composer.silent("split", entry, [*(b.entry for b in placed), going])
    cancel = composer.silent(
        "cancel", going, after.entry if after else exit, cancels=Region("", paths)
    )
    # Last, so that where the last step of the work withdraws it, it is withdrawn and not done.
    done = composer.silent("done", [*(b.exit for b in placed), going], exit)
    if after:
        composer.fuse(exit, after.exit)
    composer.blocks.append(Block(composer.root, frozenset([split]), frozenset([done]), paths))
    composer.links.append(Link("region", check_name(region), True, composer.root, (cancel,)))
    return composer.finish(entry, exit)


def withdraw(region: str, *, name: str | None = None) -> Fragment:
    """Call off what happens in a region, now or, if it is not begun, as soon as it begins.

    Args:
        region: the region's name.
        name: the segment that stands for the step in the ids of its nodes.
    """
    composer = Composer("withdraw", name)
    entry, exit = composer.place("in"), composer.place("out")
    asks = composer.silent("ask", entry, exit)
    composer.links.append(Link("region", check_name(region), False, composer.root, (asks,)))
    return composer.finish(entry, exit)


def linked(body: Fragment) -> Fragment:
    """The body with its locks, stages and regions joined: those of one name belong together.

    A workflow joins what is still open; by itself this is for a body that is run several times,
    each time with locks of its own.

    Raises:
        CompositionError: there is nothing to join, a stage or region is missing or there twice, or
            a region that nobody withdraws.
    """
    fragment = as_fragment(body)
    if not fragment.links:
        raise CompositionError(f"{fragment.root!r} has no lock, stage or region to join")
    return _Linker(fragment).linked()


class _Linker:
    """Joins the links of one fragment, with a few nodes more at its root."""

    def __init__(self, fragment: Fragment) -> None:
        self.fragment = fragment
        self.links = fragment.links
        self.parts = Parts()
        self.parts.take(replace(fragment, links=()), str)
        self.begins: list[str] = []  # marked from the begin to the end
        self.forgotten: list[str] = []  # emptied at the end

    def linked(self) -> Fragment:
        self._check()
        for link in self.links:
            if link.offers and link.kind == "state":
                self._join_stage(link)
            elif link.offers:
                self._join_region(link)
        for lock in dict.fromkeys(link.name for link in self.links if link.kind == "resource"):
            self._join_lock(lock)
        entry, exit = self._place("linked-in"), self._place("linked-out")
        body = self.fragment
        self._silent("link", [entry], [body.entry, *self.begins])
        self._silent("unlink", [body.exit, *self.begins], [exit], reset=self.forgotten)
        ports = {"entry": Port(entry), "exit": Port(exit)}
        return self.parts.fragment(body.root, str, ports, body.pattern, body.name)

    def _check(self) -> None:
        for link in self.links:
            if link.kind == "resource":
                continue
            others = [x for x in self.links if x is not link and x.name == link.name]
            same = [x for x in others if x.kind == link.kind and x.offers != link.offers]
            word = WORDS[link.kind]
            if link.offers:
                twice = [x.path for x in others if x.offers and x.kind == link.kind]
                if twice:
                    raise CompositionError(
                        f"{link.path!r} and {twice[0]!r} are both the {word} {link.name!r}; give "
                        "one of them another name"
                    )
                if link.kind == "region" and not same:
                    raise CompositionError(
                        f"{link.path!r} is the region {link.name!r}, which nobody withdraws; add "
                        f"withdraw({link.name!r}), or leave the region out"
                    )
            elif not same:
                known = sorted(x.name for x in self.links if x.offers and x.kind == link.kind)
                wrong = [f"{x.path!r} is a {WORDS[x.kind]}" for x in others if x.kind != link.kind]
                raise CompositionError(
                    f"{link.path!r} needs the {word} {link.name!r}, which is not in "
                    f"{self.fragment.root!r}: "
                    + (wrong[0] if wrong else f"there is {', '.join(known) or 'none'}")
                )

    def _join_stage(self, link: Link) -> None:
        lookers = [x for x in self.links if x.kind == "state" and x.name == link.name]
        looks = [x.transitions for x in lookers if not x.offers]
        if not looks:
            return
        here = self._place(f"in-{link.name}")
        enter, leave = link.transitions
        self._change(enter, produce=[here])
        self._change(leave, consume=[here])
        for begin, *_ in looks:
            self._change(begin, read=[here])
        expiring = [late for _, *rest in looks for late in rest]
        if expiring:
            passed = self._place(f"after-{link.name}")
            self._change(enter, reset=[passed])
            self._change(leave, produce=[passed])
            self.forgotten.append(passed)
            for late in expiring:
                self._change(late, read=[passed])

    def _join_region(self, link: Link) -> None:
        asked = self._place(f"withdraw-{link.name}")
        self._change(link.transitions[0], consume=[asked])
        for other in self.links:
            if other.kind == "region" and other.name == link.name and not other.offers:
                self._change(other.transitions[0], produce=[asked], reset=[asked])
        self.forgotten.append(asked)

    def _join_lock(self, name: str) -> None:
        """One token that is taken and given back; what cancels a section looks who has it."""
        free = self._place(f"lock-{name}")
        self.begins.append(free)
        sections = [x for x in self.links if x.kind == "resource" and x.name == name]
        for section in sections:
            acquire, release = section.transitions
            self._change(acquire, consume=[free])
            self._change(release, produce=[free])
        pairs: dict[frozenset[str], tuple[str, str]] = {}
        for n, cancels in enumerate(list(self.parts.regions), 1):
            covered = [s for s in sections if any(within(p, s.path) for p in cancels.paths)]
            if not covered:
                continue
            group = frozenset(s.path for s in covered)
            if group not in pairs:
                number = f"-{len(pairs) + 1}" if pairs else ""
                pairs[group] = self._watch(f"{name}{number}", covered)
            held, not_held = pairs[group]
            # Nobody of the region can enter between the two steps: its tokens are gone. Both lie
            # where the canceller does, so that a region around it takes them along.
            at = self._transition(cancels.transition).origin
            between = self._place(f"cancelled-{name}-{n}", at)
            after = self._transition(cancels.transition).produce
            self._change(cancels.transition, produce=[between], instead=True)
            back = after + Marking([not_held, free])
            self._silent(f"give-back-{name}-{n}", [between, held], back, at=at)
            self._silent(f"keep-{name}-{n}", [between], after, read=[not_held], at=at)

    def _watch(self, role: str, sections: Iterable[Link]) -> tuple[str, str]:
        """A pair of places of which one is marked: does one of the sections hold the lock?"""
        held, not_held = self._place(f"held-{role}"), self._place(f"not-held-{role}")
        self.begins.append(not_held)
        for section in sections:
            acquire, release = section.transitions
            self._change(acquire, consume=[not_held], produce=[held])
            self._change(release, consume=[held], produce=[not_held])
        return held, not_held

    def _place(self, role: str, at: Origin | None = None) -> str:
        origin = self._origin(role, at)
        id = f"{origin.path}.{role}"
        self.parts.places.append(Place(id, origin))
        return id

    def _origin(self, role: str, at: Origin | None) -> Origin:
        """Where a node of this role belongs: with another one, or at the root."""
        if at:
            return replace(at, role=role)
        return Origin(self.fragment.root, self.fragment.pattern, role)

    def _silent(
        self,
        role: str,
        consume: list[str],
        produce: Marking | list[str],
        *,
        read: Iterable[str] = (),
        reset: Iterable[str] = (),
        at: Origin | None = None,
    ) -> None:
        origin = self._origin(role, at)
        self.parts.transitions.append(
            Transition(
                f"{origin.path}.{role}",
                None,
                Marking(consume),
                Marking(produce),
                Marking(read),
                reset=frozenset(reset),
                origin=origin,
            )
        )

    def _transition(self, id: str) -> Transition:
        return next(t for t in self.parts.transitions if t.id == id)

    def _change(
        self,
        id: str,
        *,
        consume: Iterable[str] = (),
        produce: Iterable[str] = (),
        read: Iterable[str] = (),
        reset: Iterable[str] = (),
        instead: bool = False,
    ) -> None:
        t = self._transition(id)
        made = Marking() if instead else t.produce
        self.parts.transitions[self.parts.transitions.index(t)] = replace(
            t,
            consume=t.consume + Marking(consume),
            produce=made + Marking(produce),
            read=t.read + Marking(read),
            reset=t.reset | frozenset(reset),
        )
