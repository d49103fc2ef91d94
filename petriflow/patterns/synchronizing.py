"""Graphs whose joins wait for just what is on its way: the Local Synchronizing Merge (WCP-37)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from petriflow.net.errors import CompositionError
from petriflow.patterns.branching import admitted
from petriflow.patterns.compose import Composer, Placed
from petriflow.patterns.fragment import (
    Binding,
    Branch,
    Choice,
    Fragment,
    Guard,
    Selector,
    check_guard,
)


@dataclass(frozen=True, slots=True)
class Way:
    """One arc of a graph: `to` whom it leads, and `when`; `None` is for otherwise."""

    to: str
    when: Guard | None = None


@dataclass(frozen=True, slots=True)
class Split:
    """Where a graph goes on: by `one` of its ways, by `some`, or by all of them."""

    kind: str
    ways: tuple[Way, ...]


def all_of(*to: str) -> Split:
    """Go on to each of these nodes."""
    return Split("all", tuple(Way(node) for node in to))


def one_of(*ways: tuple[str, Guard] | str) -> Split:
    """Go on to the first node whose guard is true; a bare name comes last, for otherwise."""
    return Split("one", _ways(ways))


def some_of(*ways: tuple[str, Guard] | str) -> Split:
    """Go on to every node whose guard is true; a bare name comes last, for otherwise."""
    return Split("some", _ways(ways))


def _ways(ways: Sequence[tuple[str, Guard] | str]) -> tuple[Way, ...]:
    return tuple(Way(way) if isinstance(way, str) else Way(*way) for way in ways)


def synchronizing_graph(
    begin: Split,
    tasks: Mapping[str, Binding],
    flow: Mapping[str, Split | str],
    *,
    name: str | None = None,
) -> Fragment:
    """Tasks in a graph without circles, where whatever several arcs lead to waits for just those
    that are still to come (WCP-37 Local Synchronizing Merge).

    Along an arc that is not taken goes the news that nothing will come, so that each join can
    decide by itself. A task runs if at least one of its arcs was taken.

    Args:
        begin: where the graph begins: `all_of(…)`, `one_of(…)` or `some_of(…)` its nodes.
        tasks: what each node runs.
        flow: for each node where it goes on: a split, the name of one node, or `"end"`.
        name: the segment that stands for the graph in the ids of its nodes.

    Raises:
        CompositionError: an unknown or unreached node, a circle, or a choice without a guard.
    """
    composer = Composer("synchronizing_graph", name)
    splits = {
        node: Split("all", (Way(on),)) if isinstance(on, str) else on for node, on in flow.items()
    }
    order = _order(composer, begin, tasks, splits)
    return _Builder(composer, begin, splits, order, tasks).fragment()


def _order(
    composer: Composer, begin: Split, tasks: Mapping[str, Binding], splits: Mapping[str, Split]
) -> list[str]:
    """The nodes, each after all that lead to it."""
    where = f"synchronizing_graph {composer.root!r}"
    if set(splits) != set(tasks):
        odd = sorted(set(splits) ^ set(tasks))
        raise CompositionError(f"{where}: {odd[0]!r} must stand both in tasks= and in flow=")
    leads = {node: [way.to for way in split.ways] for node, split in splits.items()}
    known = {*tasks, "end"}
    for to in [*(w.to for w in begin.ways), *(to for ways in leads.values() for to in ways)]:
        if to not in known:
            raise CompositionError(f"{where}: no node {to!r}; it has {sorted(tasks)} and 'end'")
    waiting = dict.fromkeys(known, 0)
    for to in [*(w.to for w in begin.ways), *(to for ways in leads.values() for to in ways)]:
        waiting[to] += 1
    order: list[str] = []
    todo = [w.to for w in begin.ways]
    while todo:
        node = todo.pop(0)
        waiting[node] -= 1
        if waiting[node] == 0 and node != "end":
            order.append(node)
            todo += leads[node]
    missing = sorted(set(tasks) - set(order))
    if missing or waiting["end"]:
        raise CompositionError(
            f"{where}: {missing[0] if missing else 'end'!r} is not reached, or lies on a circle; "
            "put a loop around a part of its own: structured_loop(…)"
        )
    return order


class _Builder:
    """The net of the graph: each arc is a pair of places, one for work and one for its absence."""

    def __init__(
        self,
        composer: Composer,
        begin: Split,
        splits: Mapping[str, Split],
        order: list[str],
        tasks: Mapping[str, Binding],
    ) -> None:
        self.composer, self.begin, self.splits, self.order = composer, begin, splits, order
        self.placed: dict[str, Placed] = {n: composer.add(tasks[n], n) for n in order}
        self.arcs: dict[str, list[tuple[str, str]]] = {node: [] for node in [*order, "end"]}

    def fragment(self) -> Fragment:
        composer = self.composer
        entry, exit = composer.place("in"), composer.place("out")
        self._split("begin", entry, None, self.begin)
        for node in self.order:
            placed = self.placed[node]
            work, none = placed.entry, self._none(node)
            self._join(node, work, none)
            done = composer.place(f"no-{node}-done")
            composer.silent(f"skip-{node}", none, done)
            self._split(node, placed.exit, done, self.splits[node])
        self._join("end", exit, None)
        return composer.finish(entry, exit)

    def _none(self, node: str) -> str:
        return self.composer.place(f"no-{node}")

    def _join(self, node: str, work: str, none: str | None) -> None:
        """Wait for all arcs; there is work if any of them brings some."""
        arcs = self.arcs[node]
        if len(arcs) == 1:
            self.composer.fuse(work, arcs[0][0])
            if none:
                self.composer.fuse(none, arcs[0][1])
            return
        for taken in product((True, False), repeat=len(arcs)):
            goes = work if any(taken) else none
            if goes is None:  # something always reaches the end
                continue
            role = "".join("+" if t else "-" for t in taken)
            comes = [arc[0] if t else arc[1] for arc, t in zip(arcs, taken, strict=True)]
            self.composer.silent(f"join-{node}{role}", comes, goes)

    def _split(self, node: str, work: str, none: str | None, split: Split) -> None:
        composer = self.composer
        arcs = []
        for way in split.ways:
            tag = f"{node}-{way.to}"
            arcs.append((composer.place(f"go-{tag}"), composer.place(f"no-go-{tag}")))
            self.arcs[way.to].append(arcs[-1])
        if len(arcs) == 1 and none:
            composer.fuse(work, arcs[0][0])
            composer.fuse(none, arcs[0][1])
            return
        everything = frozenset(range(len(arcs)))
        sets = {
            "all": [everything],
            "one": [frozenset([n]) for n in sorted(everything)],
            "some": admitted(sum(w.when is not None for w in split.ways), len(arcs)),
        }[split.kind]
        selectors = []
        for taken in sets:
            names = "+".join(split.ways[n].to for n in sorted(taken))
            goes = [arc[0] if n in taken else arc[1] for n, arc in enumerate(arcs)]
            id = composer.silent(f"{node}-to-{names}", work, goes)
            selectors.append(Selector(id, taken, everything - taken))
        if none:
            composer.silent(f"{node}-to-none", none, [arc[1] for arc in arcs])
        if split.kind != "all":
            where = f"{composer.pattern} {composer.root!r}, after {node!r}"
            if [w.when is None for w in split.ways[:-1]].count(True):
                raise CompositionError(f"{where}: only the last way can go without a guard")
            branches = tuple(
                Branch(w.to, None if w.when is None else check_guard(w.when, where))
                for w in split.ways
            )
            path = f"{composer.root}.after-{node}"
            many = split.kind == "some"
            composer.choices.append(Choice(path, work, many, branches, tuple(selectors)))
