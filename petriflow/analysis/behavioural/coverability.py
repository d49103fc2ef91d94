"""What can be covered: the Karp–Miller construction, for nets that may grow without end.

An ω-marking says of some places that they can hold as many tokens as one likes, all at once, and
of the others how many they then hold. Finitely many of them tell exactly which markings can be
covered (Karp and Miller, Parallel program schemata, 1969).

Only the greatest ω-markings are kept. One that a known one covers is dropped; a known one that a
new one covers is replaced, but, other than in the minimal coverability tree of Finkel 1993, which
is known to miss some, its descendants stay, and so does it as an ancestor in accelerations
(Valmari and Hansen, Old and new algorithms for minimal coverability sets, 2012). Hence:

* complete: at the end each successor of each kept one is covered by a kept one, and so is the
  initial marking; covering being transitive, every reachable marking is covered;
* sound: each ω stands for a round on a way in the tree, which can be repeated, as in Karp and
  Miller; `CoverabilityGraph.trace` does repeat it;
* it ends: on an infinite way in the tree the places with ω would at last be the same, some
  marking would cover an earlier one (Dickson) and differ from it, as the earlier ones are covered
  by kept ones; then it would have got a further ω.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Literal

from petriflow.analysis.behavioural.antichain import LARGEST, OMEGA, Antichain
from petriflow.analysis.display import Listing, states
from petriflow.analysis.soundness.notions import Answer
from petriflow.analysis.space.state_space import Pump
from petriflow.net import Marking, Net, compile_net, require_net
from petriflow.net.errors import DefinitionError

if TYPE_CHECKING:
    import networkx as nx
    import numpy as np
    from numpy.typing import NDArray

    from petriflow.analysis.behavioural.antichain import Vector

#: The most tokens that a place can hold.
Bound = int | Literal["unbounded", "unknown"]
#: A firing sequence longer than this is not written out.
LONGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class OmegaMarking:
    """Tokens on some places, and on the `unbounded` ones as many as one likes."""

    tokens: Marking
    unbounded: frozenset[str] = frozenset()

    def covers(self, marking: Marking) -> bool:
        """Whether a marking holds nowhere more than this."""
        return marking.without(self.unbounded) <= self.tokens

    def __str__(self) -> str:
        words = {p: p if n == 1 else f"{n}*{p}" for p, n in self.tokens.items()}
        words |= {p: f"ω*{p}" for p in self.unbounded}
        return f"[{' + '.join(words[p] for p in sorted(words))}]"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CoverabilityGraph(Listing):
    """The greatest ω-markings, as `nodes`, and what leads from one to another.

    An edge (source, transition, target) says that firing leads from the source to what the target
    covers; nodes are named by number, and `root` covers the initial marking. Without `complete`,
    the limit was reached, and these are only some of the nodes.
    """

    net: Net
    initial: Marking
    nodes: tuple[OmegaMarking, ...]
    edges: tuple[tuple[int, str, int], ...]
    root: int
    complete: bool
    _tree: _Tree = field(repr=False)
    #: the nodes by number in the tree
    _in_tree: tuple[int, ...] = field(repr=False)

    @property
    def bounded(self) -> Answer:
        """Whether no place can grow without end; see `pump` for how one does."""
        if any(node.unbounded for node in self.nodes):
            return "no"
        return "yes" if self.complete else "unknown"

    @property
    def pump(self) -> Pump | None:
        """A way to grow without end, if there is one: both parts replay one after the other."""
        return self._tree.pump()

    def bounds(self) -> dict[str, Bound]:
        """The most tokens that each place can hold in a reachable marking."""
        found: dict[str, Bound] = {}
        for place in (p.id for p in self.net.places):
            if any(place in node.unbounded for node in self.nodes):
                found[place] = "unbounded"
            elif self.complete:
                found[place] = max(node.tokens[place] for node in self.nodes)
            else:
                found[place] = "unknown"
        return found

    def coverable(self, marking: Marking) -> Answer:
        """Whether a reachable marking holds at least these tokens; see `covering` for how."""
        if any(node.covers(marking) for node in self.nodes):
            return "yes"
        return "no" if self.complete else "unknown"

    def covering(self, marking: Marking) -> tuple[str, ...] | None:
        """A firing sequence from the initial marking to one with at least these tokens, if known.

        Raises:
            DefinitionError: it would have more than a million firings.
        """
        for number, node in enumerate(self.nodes):
            if node.covers(marking):
                return self.trace(number, max(marking.values(), default=0))
        return None

    def trace(self, node: int, tokens: int = 1) -> tuple[str, ...]:
        """A firing sequence from the initial marking that explains a node.

        It replays to a marking with just the node's tokens on its bounded places, and at least
        `tokens` on each unbounded one.

        Raises:
            DefinitionError: it would have more than a million firings.
        """
        ids = self._tree.ids
        return tuple(ids[t] for t in self._tree.explain(self._in_tree[node], tokens))

    @property
    def dead_transitions(self) -> tuple[str, ...]:
        """The transitions that certainly can never fire; without `complete`, none is certain."""
        return tuple(t.id for t in self.net.transitions if self.coverable(t.needs) == "no")

    def to_networkx(self) -> nx.MultiDiGraph:
        """The graph with the nodes' numbers, their `marking` as attribute, and edges whose key and
        `transition` is the transition's id.
        """
        import networkx as nx

        graph = nx.MultiDiGraph(name=self.net.name, root=self.root, complete=self.complete)
        for number, node in enumerate(self.nodes):
            graph.add_node(number, marking=node)
        for source, transition, target in self.edges:
            graph.add_edge(source, target, key=transition, transition=transition)
        return graph

    def _repr_html_(self) -> str:
        return Listing._repr_html_(self) + states(self, len(self.nodes))

    @property
    def title(self) -> str:
        """What this is, in a line."""
        told = {"yes": "bounded", "no": "unbounded", "unknown": "not known to be bounded"}
        end = "" if self.complete else "; stopped at the limit"
        count = f"{len(self.nodes)} greatest marking{'s' if len(self.nodes) != 1 else ''}"
        return f"{self.net.name}: {told[self.bounded]}, {count}{end}"

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("node", "marking", "leads to")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The rows of the table."""
        after: list[list[str]] = [[] for _ in self.nodes]
        for source, transition, target in self.edges:
            after[source].append(f"{transition} → {target}")
        for number, node in enumerate(self.nodes):
            yield str(number), str(node), ", ".join(after[number])


def coverability_graph(
    net: Net, *, initial: Marking | None = None, max_nodes: int = 100_000
) -> CoverabilityGraph:
    """The greatest ω-markings of a net with flow and read arcs.

    Args:
        net: a net without reset or inhibitor arcs and OR-joins: with those, growth that was seen
            once says nothing about what comes after.
        initial: where to begin; by default the net's initial marking.
        max_nodes: stop after so many ω-markings were looked at; the answer is then not `complete`.

    Raises:
        DefinitionError: the net has other arcs, or numbers above 16 million.

    >>> net = (Net.build("shop").place("open", 1).place("orders")
    ...     .transition("order", "open", ["open", "orders"])
    ...     .transition("ship", "orders").done())
    >>> graph = coverability_graph(net)
    >>> print(*graph.nodes, graph.bounded, graph.bounds()["open"])
    [open + ω*orders] no 1
    >>> graph.covering(Marking({"orders": 2}))
    ('order', 'order')
    """
    obstacle = not_plain(require_net(net, "coverability_graph"))
    if obstacle:
        raise DefinitionError(f"net {net.name!r}: {obstacle}")
    begin = net.initial_marking if initial is None else initial
    if not small_numbers(net, begin):
        raise DefinitionError(f"net {net.name!r}: coverability is told of numbers up to {LARGEST}")
    tree = _Tree(net, begin)
    complete = tree.grow(max_nodes)
    kept = tree.vectors.present()
    number = {n: k for k, n in enumerate(kept)}
    return CoverabilityGraph(
        net,
        begin,
        tuple(tree.omega_marking(n) for n in kept),
        tuple(
            (number[source], tree.ids[t], number[tree.kept(target)])
            for source, t, target in tree.edges
            if source in number
        ),
        number[tree.kept(0)],
        complete,
        tree,
        tuple(kept),
    )


def not_plain(net: Net) -> str | None:
    """What keeps the net from being judged by covering in both directions, and the remedy."""
    for t in net.transitions:
        for place in sorted(t.reset):
            return (
                f"the reset arc between {t.id!r} and {place!r} is not for the coverability graph; "
                "ask `cover` whether a marking can be covered, or `explore` the net"
            )
    return not_monotone(net)


def not_monotone(net: Net) -> str | None:
    """Where more tokens may disable a transition, and the remedy."""
    for t in net.transitions:
        for place in t.inhibitor:
            return (
                f"the inhibitor arc between {place!r} and {t.id!r} makes coverability undecidable; "
                "`explore` the net up to a limit"
            )
        if t.join == "or":
            return f"OR-join {t.id!r} is not for coverability; `explore` the net up to a limit"
    return None


def small_numbers(net: Net, *markings: Marking) -> bool:
    """Whether all weights and markings fit into the tables."""
    weights = (n for t in net.transitions for _, _, n in t.arcs())
    tokens = (n for marking in markings for n in marking.values())
    return max([*weights, *tokens, 0]) <= LARGEST


class _Tree:
    """Every ω-marking that was looked at, with its parent and the transition between."""

    def __init__(self, net: Net, initial: Marking) -> None:
        import numpy as np

        compiled = compile_net(net)
        self.ids = compiled.transition_ids
        self.places = compiled.place_ids
        size = (len(self.ids), len(self.places))
        self.needs, self.change = np.zeros(size, np.int64), np.zeros(size, np.int64)
        for t, row in enumerate(compiled.rows):
            for p, n in row.needs:
                self.needs[t, p] = n
            for p, n in row.consume:
                self.change[t, p] -= n
            for p, n in row.produce:
                self.change[t, p] += n
        self.vectors = Antichain(len(self.places))
        self.parent, self.via = [-1], [-1]
        self.edges: list[tuple[int, int, int]] = []
        self._replaced: dict[int, int] = {}
        self.vectors.add(np.array(compiled.vector(initial), np.int64))

    def grow(self, limit: int) -> bool:
        """Look at the ω-markings, those with the most tokens first, as they cover the most others;
        tell whether the limit was not reached.
        """
        waiting = [(0, 0)]
        while waiting:
            _, node = heappop(waiting)
            for t in self._enabled(self.vectors[node]):
                if node not in self.vectors:
                    break
                after = self.after(self.vectors[node], t)
                known = self.vectors.above(after)
                if known:
                    self.edges.append((node, t, known[0]))
                    continue
                if len(self.parent) >= limit:
                    return False
                after[self._smaller(after, self.way(node))[1].any(axis=0)] = OMEGA
                superfluous = self.vectors.below(after)
                self.vectors.remove(superfluous)
                new = self.vectors.add(after)
                self._replaced.update(dict.fromkeys(superfluous, new))
                self.parent.append(node)
                self.via.append(t)
                self.edges.append((node, t, new))
                heappush(waiting, (-int(after.sum(dtype=float)), new))
        return True

    def _enabled(self, marking: Vector) -> list[int]:
        import numpy as np

        found: list[int] = np.flatnonzero((self.needs <= marking).all(axis=1)).tolist()
        return found

    def after(self, marking: Vector, t: int) -> Vector:
        """The ω-marking after a firing, not yet accelerated."""
        import numpy as np

        after: Vector = np.where(marking == OMEGA, OMEGA, marking + self.change[t])
        return after

    def _smaller(self, after: Vector, way: Sequence[int]) -> tuple[list[int], NDArray[np.bool_]]:
        """Which places on the way `after` covers, by their position, and where each holds less."""
        import numpy as np

        rows = self.vectors.at(way)
        covered = (rows <= after).all(axis=1)
        return np.flatnonzero(covered).tolist(), rows[covered] < after

    def way(self, node: int) -> list[int]:
        """The nodes from the root to this one."""
        found = [node]
        while (node := self.parent[node]) >= 0:
            found.append(node)
        return found[::-1]

    def kept(self, node: int) -> int:
        """The kept node that covers this one."""
        while node in self._replaced:
            node = self._replaced[node]
        return node

    def omega_marking(self, node: int) -> OmegaMarking:
        """What a node says, by name."""
        tokens = dict(zip(self.places, self.vectors[node].tolist(), strict=True))
        return OmegaMarking(
            Marking({p: n for p, n in tokens.items() if n != OMEGA}),
            frozenset(p for p, n in tokens.items() if n == OMEGA),
        )

    def pump(self) -> Pump | None:
        """The growth with the shortest way to it, among those that rest on no other."""
        import numpy as np

        grown = (self.vectors.at(range(len(self.parent))) == OMEGA).any(axis=1)
        ways = (self.way(n) for n in np.flatnonzero(grown).tolist() if not grown[self.parent[n]])
        way = min(ways, key=len, default=None)
        if way is None:
            return None
        after = self.after(self.vectors[way[-2]], self.via[way[-1]])
        starts, less = self._smaller(after, way[:-1])
        trace = tuple(self.ids[self.via[n]] for n in way[1:])
        at = starts[-1]
        grows = tuple(self.places[p] for p in np.flatnonzero(less[-1]))
        return Pump(trace[:at], trace[at:], grows)

    def explain(self, node: int, tokens: int) -> list[int]:
        """Firings to a marking with at least so many tokens where the node has ω.

        It goes backwards, with what each place with ω must hold for the rest. Where a place got its
        ω, the round that it stands for is repeated as often as that needs. A round may take from
        places that had their ω before; these must then hold more. What is finite is so all along
        the way, and no round changes it.
        """
        import numpy as np

        way = self.way(node)
        need = np.where(self.vectors[node] == OMEGA, tokens, 0).astype(object)
        pieces: list[tuple[list[int], int]] = []
        for k in range(len(way) - 1, 0, -1):
            after = self.after(self.vectors[way[k - 1]], self.via[way[k]])
            fresh = (self.vectors[way[k]] == OMEGA) & (after != OMEGA)
            starts, less = self._smaller(after, way[:k])
            rounds: dict[int, int] = {}
            for p in np.flatnonzero(fresh).tolist():
                nearest = max(n for n in range(len(starts)) if less[n, p])
                gain = int(after[p] - self.vectors[way[starts[nearest]]][p])
                times = -((int(after[p]) - int(need[p])) // gain)
                rounds[starts[nearest]] = max(times, rounds.get(starts[nearest], 0))
            for start, times in rounds.items():
                pieces.append(([self.via[n] for n in way[start + 1 : k + 1]], times))
                need = self._before(*pieces[-1], need)
            pieces.append(([self.via[way[k]]], 1))
            need = self._before(*pieces[-1], need)
        length = sum(len(segment) * times for segment, times in pieces)
        if length > LONGEST:
            raise DefinitionError(
                f"a firing sequence to {self.omega_marking(node)} with {tokens} tokens on the "
                f"unbounded places has {length:,} firings; ask for fewer tokens"
            )
        return [t for segment, times in reversed(pieces) for _ in range(times) for t in segment]

    def _before(self, segment: list[int], times: int, need: Any) -> Any:
        """What places must hold before a segment is fired several times, so that it can be, and
        they then hold what they need.
        """
        import numpy as np

        if not times:
            return need
        hurdle = change = np.zeros(len(self.places), object)
        for t in reversed(segment):
            hurdle = np.maximum(self.needs[t], hurdle - self.change[t])
            change = change + self.change[t]
        return np.maximum(hurdle - (times - 1) * np.minimum(change, 0), need - times * change)
