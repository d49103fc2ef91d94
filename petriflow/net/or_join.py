"""The OR-join: when nothing more can come (WCP-38 General Synchronizing Merge).

An OR-join is enabled if at least one of its inputs is marked, and no marking can be reached,
without its own firing, in which those are still marked and a further one is. It takes one token
from each input that is marked. That is no matter of its own places alone, and adding a token may
disable it, so that whatever relies on monotonicity (coverability, growth) says nothing about it.

Other OR-joins are taken to be generous meanwhile: each passes on any single token (Wynn, Edmond,
van der Aalst, ter Hofstede: Achieving a General, Formal and Decidable Approach to the OR-Join in
Workflow Using Reset Nets, 2005). Two that wait for each other therefore wait for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from petriflow.net.errors import NetError
from petriflow.net.marking import Marking

if TYPE_CHECKING:
    from petriflow.net.net import Net, Transition

#: An OR-join that cannot be decided by so many markings is given up.
MOST_MARKINGS = 100_000


def taken(transition: Transition, marking: Marking) -> Marking:
    """What a firing takes: of an OR-join, a token from each input that is marked."""
    if transition.join == "and":
        return transition.consume
    return Marking([p for p in transition.consume if p in marking])


@lru_cache(maxsize=100_000)
def nothing_more_can_come(net: Net, transition: Transition, marking: Marking) -> bool:
    """Whether an OR-join with these tokens has all that it will ever get.

    Raises:
        NetError: too many markings would have to be looked at.
    """
    marked = {p for p in transition.consume if p in marking}
    empty = set(transition.consume) - marked
    if not marked or not empty:
        return bool(marked)
    seen, todo = {marking}, [marking]
    while todo:
        for after in _after(net, transition, todo.pop()):
            if after in seen:
                continue
            if all(p in after for p in marked) and any(p in after for p in empty):
                return False
            if len(seen) >= MOST_MARKINGS:
                raise NetError(
                    f"net {net.name!r}: whether OR-join {transition.id!r} may go on in {marking} "
                    f"cannot be told within {MOST_MARKINGS:,} markings; bound what comes before it"
                )
            seen.add(after)
            todo.append(after)
    return True


def _after(net: Net, joining: Transition, marking: Marking) -> Iterator[Marking]:
    """What can come next without the join itself."""
    for t in net.transitions:
        if t is joining:
            continue
        if not (t.read <= marking and all(marking[p] < n for p, n in t.inhibitor.items())):
            continue
        if t.join == "or":
            takes = [Marking(p) for p in t.consume if p in marking]
        else:
            takes = [t.consume] if t.consume <= marking else []
        for consumed in takes:
            yield (marking - consumed).without(t.reset) + t.produce


def circles(net: Net) -> list[tuple[str, ...]]:
    """OR-joins that lie on one circle, so that they may wait for each other for ever."""
    import networkx as nx

    joins = {t.id for t in net.transitions if t.join == "or"}
    if len(joins) < 2:
        return []
    graph = nx.DiGraph()
    for t in net.transitions:
        graph.add_edges_from((("p", p), t.id) for p in (*t.consume, *t.read))
        graph.add_edges_from((t.id, ("p", p)) for p in t.produce)
    together = (sorted(joins & part) for part in nx.strongly_connected_components(graph))
    return sorted(tuple(part) for part in together if len(part) > 1)
