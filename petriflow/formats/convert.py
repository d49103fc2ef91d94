"""Nets from and to the objects of other libraries, which are not needed to have them."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from petriflow.formats.textual import Arcs, net_of, require_plain
from petriflow.net import Marking, Net, require_net
from petriflow.net.errors import FormatError

if TYPE_CHECKING:
    import networkx as nx


def to_networkx(net: Net) -> nx.MultiDiGraph:
    """The net as a graph: nodes with `kind` and `label`, arcs with `kind` and `weight`.

    An arc that only tests leads from the place to the transition. The graph has the net's name and
    its initial and final marking.
    """
    import networkx as nx

    require_net(net, "to_networkx")
    graph = nx.MultiDiGraph(
        name=net.name,
        initial=dict(net.initial),
        final=None if net.final is None else dict(net.final),
    )
    for p in net.places:
        graph.add_node(p.id, kind="place", label=p.label)
    for t in net.transitions:
        graph.add_node(t.id, kind="transition", label=t.label, join=t.join)
        for kind, place, weight in t.arcs():
            ends = (t.id, place) if kind == "produce" else (place, t.id)
            graph.add_edge(*ends, kind=kind, weight=weight)
    return graph


def from_networkx(graph: nx.DiGraph) -> Net:
    """The net of a graph in which every node has a `kind`, `place` or `transition`.

    Arcs may have a `weight` and a `kind` (by default what their direction says).

    Raises:
        FormatError: a node has no kind, or an arc joins two of one kind.
    """
    kinds = {str(node): data.get("kind") for node, data in graph.nodes(data=True)}
    for node, kind in kinds.items():
        if kind not in ("place", "transition"):
            raise FormatError(f"node {node!r} is of kind {kind!r}; say place or transition")
    initial = graph.graph.get("initial") or {}
    places = {n: initial.get(n, 0) for n, kind in kinds.items() if kind == "place"}
    transitions = {
        str(n): Arcs(d.get("label", str(n)))
        for n, d in graph.nodes(data=True)
        if kinds[str(n)] == "transition"
    }
    resets: dict[str, set[str]] = {}
    for source, target, data in graph.edges(data=True):
        ends, weight = (str(source), str(target)), data.get("weight", 1)
        if kinds[ends[0]] == kinds[ends[1]]:
            raise FormatError(f"arc {ends[0]!r} → {ends[1]!r} joins two of kind {kinds[ends[0]]}")
        into = kinds[ends[0]] == "transition"
        transition, place = ends if into else ends[::-1]
        kind = data.get("kind", "produce" if into else "consume")
        if kind == "reset":
            resets.setdefault(transition, set()).add(place)
        elif kind in ("consume", "produce", "read", "inhibitor"):
            transitions[transition].add(kind, place, weight)
        else:
            raise FormatError(f"arc {ends[0]!r} → {ends[1]!r} is of the unknown kind {kind!r}")
    net = net_of(graph.graph.get("name") or "net", "graph", places, transitions)
    final = graph.graph.get("final")
    joins = {str(n): d.get("join", "and") for n, d in graph.nodes(data=True)}
    return replace(
        net,
        transitions=tuple(
            replace(t, reset=frozenset(resets.get(t.id, ())), join=joins[t.id])
            for t in net.transitions
        ),
        initial=Marking(initial),
        final=None if final is None else Marking(final),
    )


def from_pm4py(net: Any, initial: Any = (), final: Any = ()) -> Net:
    """The net of pm4py's objects: a Petri net, its initial and its final marking.

    Raises:
        FormatError: it is no such object, or two nodes have one name.
    """
    try:
        names = [node.name for node in (*net.places, *net.transitions)]
        for name in names:
            if names.count(name) > 1:
                raise FormatError(f"two nodes of the net are named {name!r}; rename one")
        tokens = dict(initial)
        places = {p.name: tokens.get(p, 0) for p in sorted(net.places, key=lambda p: str(p.name))}
        ordered = sorted(net.transitions, key=lambda t: str(t.name))
        transitions = {t.name: Arcs(t.label) for t in ordered}
        for arc in net.arcs:
            into = arc.source.name in transitions
            transition, place = (
                (arc.source.name, arc.target.name) if into else (arc.target.name, arc.source.name)
            )
            kind = getattr(arc, "properties", {}).get("arctype", "normal")
            what = {"normal": "produce" if into else "consume", "inhibitor": "inhibitor"}
            if kind not in what:
                raise FormatError(f"an arc at {transition!r} is of the unknown kind {kind!r}")
            transitions[transition].add(what[kind], place, arc.weight)
        ends = {p.name: n for p, n in dict(final).items()}
    except AttributeError as error:
        raise FormatError(f"{net!r} is no Petri net of pm4py's: {error}") from None
    found = net_of(str(net.name or "net"), "pm4py", places, transitions)
    return replace(found, final=Marking(ends) if ends else None)


def to_pm4py(net: Net) -> tuple[Any, Any, Any]:
    """The net as pm4py's objects: a Petri net, its initial and its final marking.

    Raises:
        FormatError: pm4py is not installed, or the net has arcs that pm4py does not have.
    """
    require_net(net, "to_pm4py")
    require_plain(net, "pm4py's Petri net")
    try:  # by its name only: it is no dependency of petriflow's, and under another licence
        objects: Any = import_module("pm4py.objects.petri_net.obj")
        utils: Any = import_module("pm4py.objects.petri_net.utils.petri_utils")
    except ImportError:
        raise FormatError("pm4py is not installed; pip install pm4py") from None
    theirs = objects.PetriNet(net.name)
    nodes: dict[str, Any] = {p.id: objects.PetriNet.Place(p.id) for p in net.places}
    theirs.places.update(nodes.values())
    for t in net.transitions:
        node = objects.PetriNet.Transition(t.id, t.label)
        theirs.transitions.add(node)
        for p, n in t.consume.items():
            utils.add_arc_from_to(nodes[p], node, theirs, n)
        for p, n in t.produce.items():
            utils.add_arc_from_to(node, nodes[p], theirs, n)

    def marking(tokens: Any) -> Any:
        return objects.Marking({nodes[p]: n for p, n in tokens.items()})

    final = net.final if net.final is not None else Marking(net.sink.id)
    return theirs, marking(net.initial_marking), marking(final)
