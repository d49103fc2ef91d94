"""A judge of our own: the state space by plain search over the firing rule, and soundness by its
definition. Nothing here is shared with petriflow.analysis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from petriflow.net import Marking, Net, enabled, fire
from petriflow.patterns import Fragment
from petriflow.patterns.fragment import within

Edge = tuple[Marking, str, Marking]


class TooMany(Exception):
    """The net has more markings than the test wants to look at."""


@dataclass(frozen=True)
class Space:
    """All reachable markings of a net, and the distinct edges between them."""

    net: Net
    start: Marking
    markings: frozenset[Marking]
    edges: frozenset[Edge]

    @property
    def size(self) -> tuple[int, int]:
        return len(self.markings), len(self.edges)

    @property
    def bound(self) -> int:
        return max(max(m.values(), default=0) for m in self.markings)


def explore(net: Net, limit: int = 20_000) -> Space:
    start = Marking(net.source.id)
    seen, todo, edges = {start}, [start], set()
    while todo:
        marking = todo.pop()
        for t in enabled(net, marking):
            after = fire(t, marking, net)
            edges.add((marking, t.id, after))
            if after not in seen:
                seen.add(after)
                todo.append(after)
        if len(seen) > limit:
            raise TooMany(net.name)
    return Space(net, start, frozenset(seen), frozenset(edges))


def faults(space: Space) -> list[str]:
    """What keeps the net from being sound, by the three parts of the definition."""
    end = Marking(space.net.sink.id)
    before: dict[Marking, set[Marking]] = {}
    for source, _, target in space.edges:
        before.setdefault(target, set()).add(source)
    good, todo = {end}, [end]
    while todo:
        for marking in before.get(todo.pop(), set()) - good:
            good.add(marking)
            todo.append(marking)
    dead = {t.id for t in space.net.transitions} - {t for _, t, _ in space.edges}
    return [
        *(f"no way from {m} to the end" for m in space.markings - good),
        *(f"improper end {m}" for m in space.markings if end < m),
        *(f"{t} is dead" for t in sorted(dead)),
    ]


def is_sound(net: Net, limit: int = 20_000) -> bool:
    return faults(explore(net, limit)) == []


def both(fragment: Fragment) -> tuple[Net, Net]:
    return fragment.net, fragment.net.expanded()


def runs(net: Net, steps: int) -> set[tuple[str, ...]]:
    """The tasks' labels along every complete run of an atomic net, in order, up to so many."""
    end, found = Marking(net.sink.id), set()
    todo: list[tuple[Marking, tuple[str, ...]]] = [(Marking(net.source.id), ())]
    seen = set(todo)
    while todo:
        marking, word = todo.pop()
        if marking == end:
            found.add(word)
        for t in enabled(net, marking):
            after = fire(t, marking), word + ((t.label,) if t.label else ())
            if len(after[1]) <= steps and after not in seen:
                seen.add(after)
                todo.append(after)
    return found


def decisions(fragment: Fragment) -> Iterator[tuple[tuple[str, ...], Marking]]:
    """Every way to decide a choice at the start: its silent steps, and the marking they lead to."""
    net = fragment.net
    only = {s.transition for c in fragment.choices for s in c.selectors}

    def walk(marking: Marking, steps: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Marking]]:
        going = [t for t in enabled(net, marking) if t.id in only]
        if not going:
            yield steps, marking
        for t in going:
            yield from walk(fire(t, marking), (*steps, t.id))

    yield from walk(Marking(fragment.entry), ())


def tokens_within(path: str, marking: Marking) -> dict[str, int]:
    """The tokens on the nodes of the part at this path."""
    return {p: n for p, n in marking.items() if within(path, p)}


def step(name: str) -> Callable[..., None]:
    """A task of this name; two calls make two different tasks."""

    def body(case: object) -> None: ...

    body.__name__ = body.__qualname__ = name
    return body


a, b, c, d, e, f, g, h, late = map(step, [*"abcdefgh", "late"])
LETTERS = (a, b, c, d, e, f, g, h)
