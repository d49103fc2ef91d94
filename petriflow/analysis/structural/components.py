"""S-components: the parts of a net that are sequential, and whether they cover it.

An S-component is a strongly connected part, made of places and of all transitions that touch them,
in which each transition has one input and one output: a state machine, whose tokens never become
more or fewer (Desel and Esparza: Free Choice Petri Nets, 1995, section 5.1). A sound free-choice
workflow net is covered by them once its end leads back to its begin (van der Aalst 1998), and a net
that is covered is bounded; where each of them holds one token, it is safe.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, overload

from petriflow.analysis.display import Listing, beginning
from petriflow.analysis.structural.invariants import MOST, place_invariants
from petriflow.net import Net, require_net


@dataclass(frozen=True, slots=True)
class Component:
    """The places and the transitions of one S-component."""

    places: frozenset[str]
    transitions: frozenset[str]


@dataclass(frozen=True, slots=True, repr=False)
class Components(Listing, Sequence[Component]):
    """The S-components of a net; `complete` unless there were too many to find all."""

    net: Net
    found: tuple[Component, ...]
    complete: bool

    @overload
    def __getitem__(self, n: int) -> Component: ...
    @overload
    def __getitem__(self, n: slice) -> tuple[Component, ...]: ...
    def __getitem__(self, n: int | slice) -> Component | tuple[Component, ...]:
        return self.found[n]

    def __len__(self) -> int:
        return len(self.found)

    @property
    def uncovered(self) -> tuple[str, ...]:
        """The places that are in no component that was found."""
        covered = {id for component in self.found for id in component.places}
        return tuple(p.id for p in self.net.places if p.id not in covered)

    @property
    def coverable(self) -> Literal["yes", "no", "unknown"]:
        """Whether each place is in some component."""
        if not self.uncovered:
            return "yes"
        return "no" if self.complete else "unknown"

    def pictures(self) -> Iterator[tuple[str, object]]:
        """Each component, on the net."""
        return ((f"component {n}", one) for n, one in enumerate(self.found, 1))

    @property
    def title(self) -> str:
        """What this is, in a line."""
        more = "" if self.complete else ", and there may be more"
        left = ", ".join(self.uncovered)
        return f"{self.net.name}: {len(self)} S-components{more}; " + (
            f"not covered: {left}" if left else "they cover the net"
        )

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("places", "tokens at the start")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The rows of the table."""
        begin = beginning(self.net)
        for component in self.found:
            places = [p.id for p in self.net.places if p.id in component.places]
            yield ", ".join(places), str(sum(begin[p] for p in places))


def s_components(net: Net, *, most: int = MOST) -> Components:
    """The S-components.

    Args:
        net: any net, looked at as it is; `short_circuit` leads a workflow net's end back to its
            begin. Read arcs change nothing and are not asked; places that a reset empties, or that
            an OR-join takes from, are in no component.
        most: look for all of them only while there are no more than so many on the way; of more,
            there is still one for each place where that is found.

    >>> from petriflow.analysis import short_circuit
    >>> net = (Net.build("two").places("i", "a", "b", "o").transition("split", "i", ["a", "b"])
    ...     .transition("join", ["a", "b"], "o").done())
    >>> print(s_components(short_circuit(net)))
    two: 2 S-components; they cover the net
      places   tokens at the start
      i, a, o  1
      i, b, o  1
    """
    # Each token of a component stays in it, so that its places with weight 1 are an invariant; and
    # because it is strongly connected, a minimal one.
    invariants = place_invariants(require_net(net, "s_components"), most=most)
    ones = (one.support for one in invariants if set(one.weights.values()) == {1})
    candidates = (_component(net, places) for places in ones)
    found = tuple(component for component in candidates if component is not None)
    return Components(net, found, invariants.complete)


def _component(net: Net, places: frozenset[str]) -> Component | None:
    """The part with these places, if it is a component."""
    import networkx as nx

    graph = nx.DiGraph()
    graph.add_nodes_from(places)
    transitions = []
    for t in net.transitions:
        inputs = [(p, n) for p, n in t.consume.items() if p in places]
        outputs = [(p, n) for p, n in t.produce.items() if p in places]
        match inputs, outputs:
            case [], []:
                pass
            case [(before, 1)], [(after, 1)]:
                graph.add_edge(before, after)
                transitions.append(t.id)
            case _:
                return None
    if not nx.is_strongly_connected(graph):
        return None
    return Component(places, frozenset(transitions))
