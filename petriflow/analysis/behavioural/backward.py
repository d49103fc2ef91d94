"""Whether a marking can be covered, told backwards: also for nets with resets.

The markings from which a goal can be covered are an upward closed set: with more tokens one can do
no less. It has finitely many least elements, and they are found backwards from the goal, since for
each element and transition there is a least marking before (Abdulla, Čerāns, Jonsson and Tsay,
General decidability theorems for infinite-state systems, 1996; for reset nets: Dufourd, Finkel and
Schnoebelen, Reset nets between decidability and undecidability, 1998). If the initial marking
covers one of them, following it forward covers the goal; if not, they prove that it cannot be.

There may be very many, most of which never come near the initial marking. Where a short search
decides nothing, weights of the places are looked for by which no firing ever adds to the weighted
number of tokens. Whatever weighs more than the initial marking cannot be reached, nor can what
covers it, and need not be followed (compare Blondin, Finkel, Haase and Haddad, Approaching the
coverability problem continuously, 2016).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import heappop, heappush
from math import lcm
from typing import TYPE_CHECKING, assert_never

from petriflow.analysis.behavioural.antichain import LARGEST, Antichain
from petriflow.analysis.behavioural.coverability import not_monotone, small_numbers
from petriflow.analysis.display import Listing
from petriflow.analysis.soundness.notions import Answer
from petriflow.net import CompiledNet, Marking, Net, Transition, compile_net, replay, require_net

if TYPE_CHECKING:
    from petriflow.analysis.behavioural.antichain import Vector


@dataclass(frozen=True, slots=True, repr=False)
class Covering(Listing):
    """Whether a reachable marking holds at least the tokens of the `goal`.

    With `yes`, `trace` replays from the initial marking to `marking`, which covers the goal. With
    `no`, `basis` are the least elements of all markings that can cover it; the initial marking
    covers none of them. By each of the `weights` no firing adds to the weighted number of tokens,
    and elements that weigh more than the initial marking are left out of the basis, unless it is
    the goal alone. With `unknown`, `reason` says why.
    """

    net: Net
    goal: Marking
    initial: Marking
    answer: Answer
    trace: tuple[str, ...] | None = None
    marking: Marking | None = None
    basis: tuple[Marking, ...] = ()
    weights: tuple[Mapping[str, int], ...] = ()
    reason: str | None = None

    @property
    def title(self) -> str:
        """What this is, in a line."""
        match self.answer:
            case "yes":
                return f"{self.net.name}: {self.goal} can be covered, as in {self.marking}"
            case "no":
                return f"{self.net.name}: {self.goal} cannot be covered from {self.initial}"
            case "unknown":
                return f"{self.net.name}: whether {self.goal} can be covered is unknown"
            case _:
                assert_never(self.answer)

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        match self.answer:
            case "yes":
                return ("a firing sequence",)
            case "no":
                return ("at least one of these would be needed",)
            case "unknown":
                return ("why",)
            case _:
                assert_never(self.answer)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The rows of the table."""
        if self.trace is not None:
            yield (" ".join(self.trace) or "(the initial marking covers it)",)
        for marking in self.basis:
            yield (str(marking),)
        for weights in self.weights:
            limit = sum(n * weights.get(p, 0) for p, n in self.initial.items())
            terms = (p if n == 1 else f"{n}*{p}" for p, n in weights.items())
            yield (f"{' + '.join(terms)} > {limit}",)
        if self.reason is not None:
            yield (self.reason,)


def cover(
    net: Net, goal: Marking, *, initial: Marking | None = None, max_elements: int = 20_000
) -> Covering:
    """Whether a marking with at least these tokens can be reached.

    Args:
        net: a net with flow, read and reset arcs; with inhibitor arcs or OR-joins the answer is
            `unknown`, unless the initial marking covers the goal.
        goal: the tokens to be covered.
        initial: where to begin; by default the net's initial marking.
        max_elements: give up after so many least markings; the answer is then `unknown`.

    Raises:
        NetError: the goal is on a place that the net does not have.

    >>> net = (Net.build("trip").places("i", "paid", "o")
    ...     .transition("pay", "i", "paid")
    ...     .transition("cancel", "i", "o", reset="paid").done())
    >>> cover(net, Marking("paid")).trace
    ('pay',)
    >>> cover(net, Marking({"paid": 1, "o": 1})).answer
    'no'
    """
    require_net(net, "cover")
    for place in goal:
        net.place(place)
    begin = net.initial_marking if initial is None else initial
    if goal <= begin:
        return Covering(net, goal, begin, "yes", (), begin)
    if reason := not_monotone(net):
        return Covering(net, goal, begin, "unknown", reason=reason)
    if not small_numbers(net, begin, goal):
        return Covering(net, goal, begin, "unknown", reason=f"numbers above {LARGEST}")
    compiled = compile_net(net)
    search = _Search(compiled, goal, begin, ())
    found = search.run(min(max_elements, SHORT_LOOK))
    if found is None and max_elements > SHORT_LOOK:
        search = _Search(compiled, goal, begin, bounding_weights(net, begin))
        found = search.run(max_elements)
    if found is None:
        reason = f"{max_elements:,} least markings were looked at; raise max_elements to go on"
        return Covering(net, goal, begin, "unknown", reason=reason)
    if found < 0:
        kept = [search.elements[n].tolist() for n in search.elements.present()]
        basis = sorted(map(compiled.marking, kept), key=lambda m: (m.total, str(m)))
        weights = tuple(search.weights_used())
        return Covering(net, goal, begin, "no", basis=tuple(basis) or (goal,), weights=weights)
    trace = tuple(compiled.transition_ids[t] for t in search.way(found))
    *_, last = replay(net, trace, begin)
    return Covering(net, goal, begin, "yes", trace, last)


#: Weighted numbers of tokens fit into the tables as well.
LARGEST_WEIGHT = 1 << 10
#: So many least markings are looked at before weights are looked for.
SHORT_LOOK = 300


class _Search:
    """The least markings found so far, each with the firing that leads from it towards the goal."""

    def __init__(
        self,
        net: CompiledNet,
        goal: Marking,
        initial: Marking,
        weights: Sequence[Mapping[str, int]],
    ) -> None:
        import numpy as np

        self.net = net
        places, rows = len(net.place_ids), net.rows
        self.needs = np.zeros((len(rows), places), np.int64)
        self.produces = np.zeros_like(self.needs)
        self.changes = np.zeros_like(self.needs)
        self.resets = np.zeros(self.needs.shape, np.bool_)
        self.makers: list[list[int]] = [[] for _ in net.place_ids]
        for t, row in enumerate(rows):
            for p, n in row.needs:
                self.needs[t, p] = n
            for p, n in row.consume:
                self.changes[t, p] -= n
            for p, n in row.produce:
                self.changes[t, p] += n
                self.produces[t, p] = n
                self.makers[p].append(t)
            self.resets[t, list(row.reset)] = True
        self.elements = Antichain(places)
        self.towards, self.via = [-1], [-1]
        self.begin = np.array(net.vector(initial), np.int64)
        self.weights = weights
        vectors = [net.vector(Marking(one)) for one in weights]
        self.weighing = np.array(vectors, np.int64).reshape(-1, places)
        self.used: set[int] = set()
        first = np.array(net.vector(goal), np.int64)
        if not self.too_heavy(first):
            self.elements.add(first)

    def run(self, limit: int) -> int | None:
        """The number of an element that the initial marking covers; -1 if there is none in the end,
        `None` at the limit.

        Elements with few tokens come first, as they do without many others; among those, the
        latest one, which is likely to be the nearest to the beginning.
        """
        import numpy as np

        waiting = [(0, -n) for n in self.elements.present()]
        while waiting:
            element = -heappop(waiting)[1]
            marking = self.elements[element]
            for t in sorted({t for p in np.flatnonzero(marking).tolist() for t in self.makers[p]}):
                if element not in self.elements:
                    break
                before = self.before(marking, t)
                if before is None or self.elements.below(before) or self.too_heavy(before):
                    continue
                if len(self.elements) >= limit:
                    return None
                self.elements.remove(self.elements.above(before))
                new = self.elements.add(before)
                self.towards.append(element)
                self.via.append(t)
                if (before <= self.begin).all():
                    return new
                heappush(waiting, (int(before.sum()), -new))
        return -1

    def before(self, marking: Vector, t: int) -> Vector | None:
        """The least marking in which firing `t` leads to one that covers the given one.

        A transition that produces nothing that is wanted need not be asked: without resets that
        count, what is before it covers what is after it.
        """
        import numpy as np

        resets = self.resets[t]
        if (marking > self.produces[t])[resets].any():
            return None
        before: Vector = np.maximum(self.needs[t], np.where(resets, 0, marking - self.changes[t]))
        return before

    def too_heavy(self, marking: Vector) -> bool:
        """Whether a marking weighs more than the initial one, and so cannot be reached."""
        import numpy as np

        heavy = np.flatnonzero(self.weighing @ marking > self.weighing @ self.begin)
        if len(heavy):
            self.used.add(int(heavy[0]))
        return len(heavy) > 0

    def weights_used(self) -> Iterator[Mapping[str, int]]:
        """The weights that were of use."""
        return (self.weights[n] for n in sorted(self.used))

    def way(self, element: int) -> Sequence[int]:
        """The firings from an element to the goal."""
        found = []
        while self.via[element] >= 0:
            found.append(self.via[element])
            element = self.towards[element]
        return found


def bounding_weights(net: Net, initial: Marking) -> list[dict[str, int]]:
    """Weights of places, 0 or more, by which no firing adds to the weighted number of tokens.

    For each place, as far as there are any, those by which the initial marking weighs as little as
    can be, and of these the ones that tell of as many other places as can be: tokens on those, and
    on the place itself, exclude each other. Places that earlier weights allow only one token are
    passed over. Linear programs find them; whole numbers check them.
    """
    import numpy as np
    from scipy.optimize import Bounds, milp  # type: ignore[import-untyped]
    from scipy.sparse import csr_array  # type: ignore[import-untyped]

    places = [p.id for p in net.places]
    size = len(places)
    index = {p: n for n, p in enumerate(places)}
    effect = np.zeros((len(net.transitions), size))
    for row, transition in zip(effect, net.transitions, strict=True):
        for p, weight in transition.produce.items():
            row[index[p]] += weight
        for p, weight in transition.consume.items():
            row[index[p]] -= weight
    # y are the weights, and z = min(y, 1) is how far a place is told of
    one = np.eye(size)
    rows = csr_array(np.block([[effect, np.zeros_like(effect)], [-one, one]]))
    cost = np.concatenate([(size + 1.0) * np.array([initial[p] for p in places]), -np.ones(size)])
    found: list[dict[str, int]] = []
    for n, place in enumerate(places):
        if any(sum(w * initial[p] for p, w in y.items()) < 2 * y.get(place, 0) for y in found):
            continue
        low, high = np.zeros(2 * size), np.concatenate([np.full(size, np.inf), np.ones(size)])
        low[n] = 1
        answer = milp(cost, bounds=Bounds(low, high), constraints=(rows, -np.inf, 0))
        if answer.x is None:
            continue
        y = _whole(dict(zip(places, answer.x[:size].tolist(), strict=True)))
        small = max(y.values(), default=0) <= LARGEST_WEIGHT
        if small and y not in found and not any(_adds(t, y) for t in net.transitions):
            found.append(y)
    return found


def _whole(numbers: Mapping[str, float]) -> dict[str, int]:
    fractions = {p: Fraction(x).limit_denominator(1_000) for p, x in numbers.items()}
    common = lcm(*(x.denominator for x in fractions.values()))
    return {p: int(x * common) for p, x in fractions.items() if x > 0}


def _adds(transition: Transition, weights: Mapping[str, int]) -> bool:
    produced = sum(n * weights.get(p, 0) for p, n in transition.produce.items())
    return produced > sum(n * weights.get(p, 0) for p, n in transition.consume.items())
