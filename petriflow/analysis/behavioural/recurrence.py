"""How often a transition can fire in a plain net that grows without end.

Infinitely often, in some run: an infinite run can be followed through the coverability graph, where
it stays at last within one component; and of its markings some later one covers an earlier one
(Dickson). So there is a closed walk with the transition that nowhere takes away more than it adds.
Conversely such a walk can be repeated for ever, once its places with ω hold enough. That it is a
walk, and not several apart, is found by leaving out the edges that lie on no circulation, until
nothing changes (as in Kosaraju and Sullivan, Detecting cycles in dynamic graphs in polynomial time,
1988). Linear programs tell which edges do, and both answers are checked exactly.

Any number of times: a place that counts its firings is unbounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from petriflow.analysis.behavioural.coverability import CoverabilityGraph, coverability_graph
from petriflow.analysis.structural.linear import CONSTANT, Row, program
from petriflow.net import Marking, Net, Place

#: Components with more edges are not looked at.
MOST_EDGES = 500
#: So many ω-markings may be looked at to count the firings of one transition.
MOST_NODES = 5_000

#: (source, transition, target) in a coverability graph.
Edge = tuple[int, str, int]


def most_often(graph: CoverabilityGraph, transitions: Iterable[str]) -> dict[str, tuple[int, int]]:
    """For transitions that can fire, the least and the greatest level of liveness they may have."""
    asked = list(transitions)
    if not graph.complete:
        return {}
    recurring, open_ones = set[str](), set[str]()
    for edges in _components(graph.edges):
        found = _walks(graph.net, edges)
        if found is None:
            open_ones |= {t for _, t, _ in edges}
        else:
            recurring |= found
    levels = {}
    for t in asked:
        if t in recurring:
            levels[t] = (3, 4)
            continue
        most = 4 if t in open_ones else 2
        match _counted(graph.net, graph.initial, t):
            case "unbounded":
                levels[t] = (2, most)
            case "unknown":
                levels[t] = (1, most)
            case _:
                levels[t] = (1, 1)
    return levels


def _counted(net: Net, initial: Marking, transition: str) -> int | str:
    """How many times a transition can fire at most."""
    counter = "firings"
    while counter in net:
        counter += "'"
    counting = replace(
        net,
        places=(*net.places, Place(counter)),
        transitions=tuple(
            replace(t, produce=t.produce + Marking(counter)) if t.id == transition else t
            for t in net.transitions
        ),
    )
    graph = coverability_graph(counting, initial=initial, max_nodes=MOST_NODES)
    return graph.bounds()[counter]


def _components(edges: Iterable[Edge]) -> Iterator[list[Edge]]:
    """The edges within each strongly connected component."""
    import networkx as nx

    all = list(edges)
    drawn = nx.DiGraph((source, target) for source, _, target in all)
    of = {n: k for k, part in enumerate(nx.strongly_connected_components(drawn)) for n in part}
    inside = defaultdict(list)
    for edge in all:
        if of[edge[0]] == of[edge[2]]:
            inside[of[edge[0]]].append(edge)
    yield from inside.values()


def _walks(net: Net, edges: Sequence[Edge]) -> set[str] | None:
    """The transitions on closed walks that take nothing away in all; `None` if that is open."""
    if len(edges) > MOST_EDGES:
        return None
    good: set[int] = set()
    for n in range(len(edges)):
        if n not in good:
            around = _circulation(net, edges, n)
            if around is None:
                return None
            good |= around
    left = [edges[n] for n in sorted(good)]
    parts = list(_components(left))
    if parts == [list(edges)]:
        return {t for _, t, _ in edges}
    found: set[str] = set()
    for part in parts:
        more = _walks(net, part)
        if more is None:
            return None
        found |= more
    return found


def _circulation(net: Net, edges: Sequence[Edge], through: int) -> set[int] | None:
    """The edges of a circulation through this one that takes nothing away in all; none if there is
    no such circulation, and `None` if neither was found.
    """
    nodes = {n: k for k, n in enumerate(dict.fromkeys(n for s, _, t in edges for n in (s, t)))}
    places = {p.id: n for n, p in enumerate(net.places)}
    flow: list[Row] = [{} for _ in nodes]
    effect: list[Row] = [{} for _ in places]
    for n, (source, id, target) in enumerate(edges):
        if source != target:
            flow[nodes[source]][n], flow[nodes[target]][n] = -1, 1
        t = net.transition(id)
        for p in {*t.consume, *t.produce}:
            if t.produce[p] != t.consume[p]:
                effect[places[p]][n] = t.produce[p] - t.consume[p]
    times = program([*flow, {through: 1, CONSTANT: -1}], effect, len(edges), signed=False)
    if times is not None:
        return {n for n, count in enumerate(times) if count}
    # Farkas' lemma: there is none just if nodes have heights and places have weights, 0 or more,
    # such that every edge leads down by what it adds, and this one by more.
    size = len(nodes) + len(places)
    falls: list[Row] = [{} for _ in edges]
    for k, row in enumerate([*flow, *effect]):
        for n, value in row.items():
            falls[n][k] = -value
    falls[through][CONSTANT] = -1
    positive: list[Row] = [{k: 1} for k in range(len(nodes), size)]
    heights = program([], [*falls, *positive], size, signed=True)
    return None if heights is None else set()
