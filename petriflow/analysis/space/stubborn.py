"""Looking at a part of the state space that says of soundness what all of it would say.

In each marking only the enabled transitions of a *stubborn set* are fired: what is outside the set
can neither disable what is inside nor be needed to enable it, so that its firings can be put off.
Each execution that ends occurs in the smaller space, up to the order of its steps. And if from each
marking there an end can be reached, then this holds of all reachable markings (Valmari: Stop It,
and Be Stubborn!, ACM TECS 16, 2017). For a net without resets and inhibitors, in which each
transition produces something and none takes from the sink, that decides soundness:

* if an end can always be reached, and all ends are [o], then this is so in the whole space;
* what happens at all happens on a way to [o], and so in the smaller space too;
* a token left over beside [o] could not vanish without another one coming to o, so that [o] could
  not be reached from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from petriflow.net import CompiledNet, Marking, Net, compile_net
from petriflow.net.compiled import Row


@dataclass(frozen=True, slots=True)
class Reduced:
    """The smaller space: markings as token counts, in the order of discovery, breadth first."""

    net: CompiledNet
    states: Sequence[tuple[int, ...]]
    parent: Sequence[int]
    via: Sequence[int]
    #: of each expanded state the stubborn set that was chosen, as bits
    chosen: Sequence[int]
    #: of each state what is enabled, as bits
    able: Sequence[int]
    #: of each expanded state its successors, by the enabled transitions of the set in their order
    successors: Sequence[tuple[int, ...]]
    fired: frozenset[int]
    complete: bool

    def trace(self, state: int) -> tuple[str, ...]:
        """The way to a state."""
        steps = []
        while state:
            steps.append(self.net.transition_ids[self.via[state]])
            state = self.parent[state]
        return tuple(reversed(steps))

    def marking(self, state: int) -> Marking:
        """The marking of a state."""
        return self.net.marking(self.states[state])

    def state(self, marking: Marking) -> int | None:
        """The state with this marking, if there is one."""
        wanted = tuple(self.net.vector(marking))
        return next((n for n, state in enumerate(self.states) if state == wanted), None)

    def stuck(self) -> Iterator[int]:
        """The states that enable nothing."""
        return (n for n, after in enumerate(self.successors) if not after)

    def fired_into(self, far: Sequence[int]) -> set[int]:
        """The transitions that lead to states which are not too far (-1) from a goal."""
        return {
            t
            for n, (steps, after) in enumerate(zip(self.chosen, self.successors, strict=True))
            for t, m in zip(members(steps & self.able[n]), after, strict=True)
            if far[m] >= 0
        }

    def distances(self, goal: int) -> list[int]:
        """How far each state is from a goal; -1 where it cannot be reached."""
        before: list[list[int]] = [[] for _ in self.states]
        for n, successors in enumerate(self.successors):
            for m in successors:
                before[m].append(n)
        far = [-1] * len(self.states)
        far[goal] = 0
        waiting = [goal]
        for n in waiting:
            for m in before[n]:
                if far[m] < 0:
                    far[m] = far[n] + 1
                    waiting.append(m)
        return far


def applies(net: Net) -> bool:
    """Whether the smaller space decides the soundness of this net."""
    return not net.consumers[net.sink.id] and all(
        t.produce and not (t.reset or t.inhibitor or t.join == "or") for t in net.transitions
    )


def explore_stubborn(net: Net, initial: Marking, max_markings: int) -> Reduced:
    """The smaller space of a net to which this `applies`.

    >>> from petriflow.patterns import parallel
    >>> def a(case): ...
    >>> def b(case): ...
    >>> net = parallel(a, b).net
    >>> len(explore_stubborn(net, net.initial_marking, 100).states)  # of 6 markings
    5
    """
    compiled = compile_net(net)
    rows, count = compiled.rows, len(compiled.rows)
    conflicts = _conflicts(compiled)
    adders = [0] * len(compiled.place_ids)
    for t, row in enumerate(rows):
        taken = dict(row.consume)
        for p, n in row.produce:
            if n > taken.get(p, 0):
                adders[p] |= 1 << t

    first = tuple(compiled.vector(initial))
    states, parent, via = [first], [-1], [-1]
    able = [sum(1 << t for t in compiled.enabled(first))]
    index = {first: 0}
    chosen: list[int] = []
    successors: list[tuple[int, ...]] = []
    fired = 0
    current = 0
    while current < len(states) <= max_markings:
        state, enabled = states[current], able[current]
        stubborn = _smallest_set(state, enabled, rows, conflicts, adders)
        chosen.append(stubborn)
        after = []
        for t in members(stubborn & enabled):
            row = rows[t]
            tokens = compiled.fire(t, state)
            known = tuple(tokens)
            found = index.setdefault(known, len(states))
            if found == len(states):
                states.append(known)
                parent.append(current)
                via.append(t)
                still = enabled
                for u in row.affects:
                    if compiled.is_enabled(u, tokens):
                        still |= 1 << u
                    else:
                        still &= ~(1 << u)
                able.append(still)
            after.append(found)
        fired |= stubborn & enabled
        successors.append(tuple(after))
        current += 1
    return Reduced(
        compiled,
        states,
        parent,
        via,
        chosen,
        able,
        successors,
        frozenset(t for t in range(count) if fired >> t & 1),
        current == len(states),
    )


def _conflicts(net: CompiledNet) -> list[int]:
    """For each transition those that share a place with it from which one of the two takes."""
    takers = [0] * len(net.place_ids)
    needers = [0] * len(net.place_ids)
    for t, row in enumerate(net.rows):
        for p, _ in row.consume:
            takers[p] |= 1 << t
        for p, _ in row.needs:
            needers[p] |= 1 << t
    found = []
    for row in net.rows:
        bits = 0
        for p, _ in row.consume:
            bits |= needers[p]
        for p, _ in row.needs:
            bits |= takers[p]
        found.append(bits)
    return found


def _smallest_set(
    state: Sequence[int],
    enabled: int,
    rows: Sequence[Row],
    conflicts: Sequence[int],
    adders: Sequence[int],
) -> int:
    """A stubborn set with few enabled transitions, grown from each enabled one in turn."""
    best, fewest = 0, len(rows) + 1
    for seed in members(enabled):
        stubborn = todo = 1 << seed
        while todo and (stubborn & enabled).bit_count() < fewest:
            t = todo.bit_length() - 1
            todo ^= 1 << t
            if enabled >> t & 1:
                more = conflicts[t] & ~stubborn
            else:  # it lacks tokens somewhere: those that could bring them belong to the set
                lacking = (adders[p] & ~stubborn for p, n in rows[t].needs if state[p] < n)
                more = min(lacking, key=int.bit_count)
            stubborn |= more
            todo |= more
        if not todo and (count := (stubborn & enabled).bit_count()) < fewest:
            best, fewest = stubborn, count
            if count == 1:
                break
    return best


def members(bits: int) -> Iterator[int]:
    """The numbers of the bits that are set, the lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
