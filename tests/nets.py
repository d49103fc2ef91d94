"""Random nets, and a judge of them that shares nothing with petriflow.analysis."""

from __future__ import annotations

from hypothesis import strategies as st

from petriflow.net import Marking, Net, enabled, fire

PLACES = ["i", "p", "q", "r", "o"]
weights = st.dictionaries(st.sampled_from(PLACES), st.integers(1, 3), max_size=3)


@st.composite
def nets(draw: st.DrawFn, *, plain: bool = False) -> Net:
    """A net of five places with weights and, unless plain, read, inhibitor and reset arcs."""
    builder = Net.build("random").places(*PLACES)
    for n in range(draw(st.integers(1, 6))):
        extra = {}
        if not plain:
            extra = {
                "read": draw(weights) if draw(st.booleans()) else {},
                "inhibitor": draw(weights) if draw(st.booleans()) else {},
                "reset": draw(st.sets(st.sampled_from(PLACES[:-1]), max_size=2)),
            }
        silent = draw(st.booleans())
        builder.transition(f"t{n}", draw(weights), draw(weights), silent=silent, **extra)
    net = builder.done()
    return Net(net.name, net.places, net.transitions, Marking("i"), Marking("o"))


def brute_force(net: Net, limit: int) -> dict[Marking, list[tuple[str, Marking]]] | None:
    """Every reachable marking with its firings, by the firing rule; None if they are too many."""
    graph: dict[Marking, list[tuple[str, Marking]]] = {}
    todo = [net.initial_marking]
    while todo:
        marking = todo.pop()
        if marking not in graph:
            graph[marking] = [(t.id, fire(t, marking)) for t in enabled(net, marking)]
            todo += [after for _, after in graph[marking]]
            if len(graph) > limit:
                return None
    return graph


def is_sound(net: Net, graph: dict[Marking, list[tuple[str, Marking]]]) -> bool:
    """The three parts of the definition, one after the other, by fixed points."""
    end = Marking(net.sink.id)
    good = {end} & graph.keys()
    while more := {m for m in graph if m not in good and any(a in good for _, a in graph[m])}:
        good |= more
    completes = good == graph.keys()
    proper = not any(end < m for m in graph)
    alive = {t for firings in graph.values() for t, _ in firings}
    return completes and proper and alive == {t.id for t in net.transitions}
