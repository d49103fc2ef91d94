"""`CompiledNet`: a net as integers, for the loops that must be fast.

Places and transitions are numbered in the order of the net. A marking is a list of token counts.
`rows` holds the arcs as tuples for loops in plain Python; `csr` holds them as compressed sparse
rows for numerical code. Both say what `net/firing.py` says; property tests hold them to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from petriflow.net.marking import Marking
from petriflow.net.net import Net
from petriflow.net.or_join import nothing_more_can_come

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: (place, weight) pairs of one transition and one kind of arc.
Weights = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One transition's arcs, by place number. `needs` joins what consume and read arcs ask for."""

    needs: Weights
    consume: Weights
    produce: Weights
    inhibitor: Weights
    reset: tuple[int, ...]
    #: the places whose tokens a firing may change
    touches: tuple[int, ...]
    #: the transitions whose enabledness a firing of this one may change, itself included
    affects: tuple[int, ...]
    #: whether it is an OR-join: its inputs are then those of `consume`, and `needs` has no say
    or_join: bool


@dataclass(frozen=True, slots=True)
class Csr:
    """Arcs of one kind: those of transition `t` lie at `start[t]:start[t + 1]`."""

    start: NDArray[np.int32]
    place: NDArray[np.int32]
    weight: NDArray[np.int32]


class CompiledNet:
    """The integer form of one net.

    >>> from petriflow.net import Net
    >>> net = Net.build().places("i", "o").transition("t", "i", "o").done()
    >>> compiled = CompiledNet(net)
    >>> tokens = compiled.vector(Marking("i"))
    >>> compiled.enabled(tokens), compiled.marking(compiled.fire(0, tokens))
    ([0], Marking('[o]'))
    """

    def __init__(self, net: Net) -> None:
        self.net = net
        self.place_ids = tuple(p.id for p in net.places)
        self.transition_ids = tuple(t.id for t in net.transitions)
        self.place_index = {id: i for i, id in enumerate(self.place_ids)}
        self.transition_index = {id: i for i, id in enumerate(self.transition_ids)}

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The arcs of each transition."""
        index = self.place_index

        def weights(marking: Mapping[str, int]) -> Weights:
            return tuple([(index[p], w) for p, w in marking.items()])

        watching: list[set[int]] = [set() for _ in self.place_ids]
        for t, transition in enumerate(self.net.transitions):
            for place in (*transition.consume, *transition.read, *transition.inhibitor):
                watching[index[place]].add(t)

        # An OR-join looks at the whole net: any firing may enable or disable it.
        or_joins = {n for n, t in enumerate(self.net.transitions) if t.join == "or"}
        rows = []
        for transition in self.net.transitions:
            or_join = transition.join == "or"
            consume, read = weights(transition.consume), weights(transition.read)
            needs = consume
            if or_join:
                needs = read
            elif read:
                most = dict(consume)
                for p, n in read:
                    most[p] = max(n, most.get(p, 0))
                needs = tuple(most.items())
            produce = weights(transition.produce)
            reset = tuple(sorted([index[p] for p in transition.reset]))
            touched = {p for p, _ in consume} | {p for p, _ in produce} | set(reset)
            affects = or_joins.union(*[watching[p] for p in touched])
            rows.append(
                Row(
                    needs,
                    consume,
                    produce,
                    weights(transition.inhibitor),
                    reset,
                    tuple(sorted(touched)),
                    tuple(sorted(affects)),
                    or_join,
                )
            )
        return tuple(rows)

    @cached_property
    def csr(self) -> dict[str, Csr]:
        """The arcs as CSR arrays by kind: consume, produce, read, inhibitor, reset."""
        import numpy as np

        kinds: dict[str, list[list[tuple[int, int]]]] = {
            kind: [[] for _ in self.net.transitions]
            for kind in ("consume", "produce", "read", "inhibitor", "reset")
        }
        for t, transition in enumerate(self.net.transitions):
            for kind, place, weight in transition.arcs():
                kinds[kind][t].append((self.place_index[place], weight))
        return {
            kind: Csr(
                np.cumsum([0, *map(len, arcs)], dtype=np.int32),
                np.array([p for row in arcs for p, _ in row], dtype=np.int32),
                np.array([w for row in arcs for _, w in row], dtype=np.int32),
            )
            for kind, arcs in kinds.items()
        }

    def vector(self, marking: Marking) -> list[int]:
        """The marking as a list of token counts."""
        tokens = [0] * len(self.place_ids)
        for place, count in marking.items():
            tokens[self.place_index[place]] = count
        return tokens

    def marking(self, tokens: Sequence[int]) -> Marking:
        """The list of token counts as a marking."""
        return Marking({self.place_ids[p]: n for p, n in enumerate(tokens) if n})

    def is_enabled(self, t: int, tokens: Sequence[int]) -> bool:
        """Whether the tokens enable transition number `t`."""
        row = self.rows[t]
        for p, n in row.needs:
            if tokens[p] < n:
                return False
        for p, n in row.inhibitor:
            if tokens[p] >= n:
                return False
        if row.or_join:
            return nothing_more_can_come(self.net, self.net.transitions[t], self.marking(tokens))
        return True

    def taken(self, t: int, tokens: Sequence[int]) -> Weights:
        """What transition `t` takes: of an OR-join, a token from each marked input."""
        row = self.rows[t]
        if row.or_join:
            return tuple((p, n) for p, n in row.consume if tokens[p])
        return row.consume

    def enabled(self, tokens: Sequence[int], among: Iterable[int] | None = None) -> list[int]:
        """The enabled transitions, of all or of those named."""
        candidates = range(len(self.transition_ids)) if among is None else among
        return [t for t in candidates if self.is_enabled(t, tokens)]

    def fire(self, t: int, tokens: Sequence[int]) -> list[int]:
        """The tokens after transition `t`, which must be enabled."""
        after = list(tokens)
        self.fire_in_place(t, after)
        return after

    def fire_in_place(self, t: int, tokens: list[int]) -> None:
        """Fire transition `t`, which must be enabled, changing the list itself."""
        row = self.rows[t]
        for p, n in self.taken(t, tokens) if row.or_join else row.consume:
            tokens[p] -= n
        for p in row.reset:
            tokens[p] = 0
        for p, n in row.produce:
            tokens[p] += n


def compile_net(net: Net) -> CompiledNet:
    """The compiled form of a net, made once and kept with it."""
    kept: CompiledNet | None = vars(net).get("_compiled")
    if kept is None:
        kept = CompiledNet(net)
        object.__setattr__(net, "_compiled", kept)
    return kept
