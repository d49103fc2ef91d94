"""What can be seen of a net without playing it: its class, and its conflict clusters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape

from petriflow.analysis.display import on_net
from petriflow.net import Net, Transition, require_net
from petriflow.net.errors import WorkflowNetError


@dataclass(frozen=True, slots=True)
class Cluster:
    """Places and transitions that compete: the smallest sets that hold with a place all that
    take from it, and with a transition all that it takes from.
    """

    places: tuple[str, ...]
    transitions: tuple[str, ...]


@dataclass(frozen=True)
class Structure:
    """The classes that a net belongs to (Murata 1989; Desel and Esparza 1995).

    The classes of choice are for ordinary nets: all weights are 1, and there are only flow arcs.
    """

    net: Net

    @cached_property
    def ordinary(self) -> bool:
        """All arcs are flow arcs of weight 1."""
        return all(
            kind in ("consume", "produce") and weight == 1
            for t in self.net.transitions
            for kind, _, weight in t.arcs()
        ) and not any(t.join == "or" for t in self.net.transitions)

    @cached_property
    def plain(self) -> bool:
        """No resets, inhibitors or OR-joins: more tokens never disable anything."""
        return not any(t.reset or t.inhibitor or t.join == "or" for t in self.net.transitions)

    @cached_property
    def state_machine(self) -> bool:
        """Each transition has one input and one output: choices, and nothing side by side."""
        return self.ordinary and all(
            len(t.consume) == len(t.produce) == 1 for t in self.net.transitions
        )

    @cached_property
    def marked_graph(self) -> bool:
        """Each place has at most one producer and one consumer: concurrency without choices."""
        net = self.net
        return self.ordinary and all(
            len(net.producers[p.id]) <= 1 and len(net.consumers[p.id]) <= 1 for p in net.places
        )

    @cached_property
    def free_choice(self) -> bool:
        """Transitions that share an input have no other: who may choose at all chooses freely."""
        return self.ordinary and all(
            len(ts) == 1 or all(len(t.consume) == 1 for t in ts) for ts in self._shared
        )

    @cached_property
    def extended_free_choice(self) -> bool:
        """Transitions that share an input share them all."""
        return self.ordinary and all(t.consume == ts[0].consume for ts in self._shared for t in ts)

    @cached_property
    def asymmetric_choice(self) -> bool:
        """Of two places with a common consumer, one has all the consumers of the other."""
        if not self.ordinary:
            return False
        takers = {p: {t.id for t in ts} for p, ts in self.net.consumers.items()}
        return all(
            takers[p] <= takers[q] or takers[q] <= takers[p]
            for t in self.net.transitions
            for p in t.consume
            for q in t.consume
        )

    @cached_property
    def workflow_net(self) -> bool:
        """One source, one sink, and every node on a path of flow arcs between them."""
        try:
            source, sink = self.net.source.id, self.net.sink.id
        except WorkflowNetError:
            return False
        if self.net.producers[source] or self.net.consumers[sink]:
            return False
        return not off_the_path(self.net, source, sink)

    @cached_property
    def well_handled(self) -> bool:
        """No split is joined by another kind of join: between a place and a transition of the net,
        closed from its end to its begin, there are no two paths that share only their ends (van
        der Aalst 1998). Such a workflow net is sound if it is safe in structure.
        """
        if not self.workflow_net:
            return False
        after = _flow(self.net)
        after[self.net.sink.id].add("")
        after[""] = {self.net.source.id}
        transitions = {t.id for t in self.net.transitions} | {""}
        return not any(
            (start in transitions) != (end in transitions)
            for start in after
            for end in _reached_twice(after, start)
        )

    @cached_property
    def clusters(self) -> tuple[Cluster, ...]:
        """The conflict clusters; a transition that takes from nowhere is one by itself."""
        ids = [p.id for p in self.net.places] + [t.id for t in self.net.transitions]
        leader = {id: id for id in ids}

        def find(id: str) -> str:
            while leader[id] != id:
                leader[id] = id = leader[leader[id]]
            return id

        for t in self.net.transitions:
            for p in t.consume:
                leader[find(p)] = find(t.id)
        members: dict[str, tuple[list[str], list[str]]] = {}
        for n, id in enumerate(ids):
            members.setdefault(find(id), ([], []))[n >= len(self.net.places)].append(id)
        return tuple(Cluster(tuple(ps), tuple(ts)) for ps, ts in members.values())

    @property
    def _shared(self) -> Iterable[tuple[Transition, ...]]:
        return (ts for ts in self.net.consumers.values() if ts)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes it belongs to, the narrowest first."""
        names = (
            "state_machine",
            "marked_graph",
            "free_choice",
            "extended_free_choice",
            "asymmetric_choice",
            "ordinary",
            "workflow_net",
            "well_handled",
        )
        return tuple(name.replace("_", " ") for name in names if getattr(self, name))

    def to_json(self) -> dict[str, object]:
        """The classes and the sizes as plain data."""
        return {
            "classes": list(self.classes),
            "places": len(self.net.places),
            "transitions": len(self.net.transitions),
            "arcs": sum(1 for t in self.net.transitions for _ in t.arcs()),
            "clusters": len(self.clusters),
        }

    def __str__(self) -> str:
        size = f"{len(self.net.places)} places, {len(self.net.transitions)} transitions"
        return f"{self.net.name}: {', '.join(self.classes) or 'no special class'} ({size})"

    def _repr_pretty_(self, printer: object, cycle: bool) -> None:
        printer.text(str(self))  # type: ignore[attr-defined]

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>" + on_net(self.net, [("clusters of conflict", self)])


def structure(net: Net) -> Structure:
    """The structure of a net: its classes and its conflict clusters.

    >>> net = Net.build().places("i", "o").transition("t", "i", "o").done()
    >>> structure(net).classes[:2]
    ('state machine', 'marked graph')
    """
    return Structure(require_net(net, "structure"))


def off_the_path(net: Net, source: str, sink: str, *, resets: bool = False) -> set[str]:
    """The nodes that are not between source and sink. With `resets`, reading a place counts as a
    way out of it, and so does emptying it.
    """
    after = _flow(net)
    if resets:
        for t in net.transitions:
            for id in (*t.read, *t.reset):
                after[id].add(t.id)
    before: dict[str, set[str]] = {id: set() for id in after}
    for id, following in after.items():
        for other in following:
            before[other].add(id)
    return set(after) - (_closure(source, after) & _closure(sink, before))


def _flow(net: Net) -> dict[str, set[str]]:
    """Each node's followers along the flow arcs."""
    after: dict[str, set[str]] = {p.id: set() for p in net.places}
    for t in net.transitions:
        after[t.id] = set(t.produce)
        for p in t.consume:
            after[p].add(t.id)
    return after


def _closure(start: str, following: Mapping[str, set[str]]) -> set[str]:
    found, waiting = {start}, [start]
    while waiting:
        for id in following[waiting.pop()] - found:
            found.add(id)
            waiting.append(id)
    return found


def _reached_twice(after: Mapping[str, set[str]], start: str) -> Iterable[str]:
    """The nodes to which there are two paths that share only their ends.

    By Menger's theorem these are the nodes, not next to the start, of which it is the immediate
    dominator, and those next to it that can be reached in another way as well.
    """
    import networkx as nx

    graph = nx.DiGraph((a, b) for a, following in after.items() for b in following)
    for end, dominator in nx.immediate_dominators(graph, start).items():
        if dominator != start or end == start:
            continue
        others = (b for b in after[start] if b not in (end, start))
        if end not in after[start] or any(_leads(after, b, end, start) for b in others):
            yield end


def _leads(after: Mapping[str, set[str]], start: str, end: str, avoid: str) -> bool:
    found, waiting = {start, avoid}, [start]
    while waiting:
        here = waiting.pop()
        if here == end:
            return True
        fresh = after[here] - found
        found |= fresh
        waiting += fresh
    return False
