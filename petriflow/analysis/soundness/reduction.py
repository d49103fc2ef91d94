"""Making a net smaller without changing whether it is sound.

The rules are those of Murata (1989) and Berthelot (1987) that keep soundness, for any number of
tokens on the source, and each keeps the way back: a firing sequence of the small net becomes one
of the net it came from, and what is dead in one is dead in the other.

* A place whose takers need nothing else is passed at once: each of its makers is fused with each
  of its takers (post-agglomeration; series of places and of transitions are special cases).
* Of two places with the same makers and takers, emptied by the same transitions, one is enough, and
  of two transitions with the same arcs.
* A transition that gives back just what it takes can go, if another takes the same.

A place that an inhibitor or a read arc looks at stays, and nothing comes earlier to a place that an
inhibitor looks at. What a reset empties is fused only with what the same resets empty, so that a
token is lost or not wherever between them it lies (for resets: Wynn et al. 2009).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from petriflow.net import Marking, Net, Place, Transition

#: A sequence of transitions of the given net, as a tree so that fusing two is cheap.
Sequence_ = str | tuple["Sequence_", ...]
#: A transition on the way: one of the given net by its id, one that came from fusing by a number.
Name = str | int


@dataclass
class _Step:
    """A transition of the small net, and the firing sequence that it stands for."""

    consume: dict[str, int]
    produce: dict[str, int]
    special: Transition | None
    sequence: Sequence_
    #: what is dead just if this is: transitions that were dropped in its favour
    shadows: Sequence_ = ()

    def arcs(self) -> tuple[object, ...]:
        consume, produce = frozenset(self.consume.items()), frozenset(self.produce.items())
        if self.special is None:
            return consume, produce
        s = self.special
        return consume, produce, s.read, s.inhibitor, s.reset


@dataclass(frozen=True)
class Reduction:
    """A smaller net that is sound just if `given` is, and how to come back from it."""

    given: Net
    net: Net
    #: what was done, rule by rule, as a certificate tells it (certificate.py)
    log: tuple[dict[str, Any], ...]
    _steps: dict[str, _Step]
    _names: dict[str, Name]

    def name(self, transition: str) -> Name:
        """What the log calls a transition of the small net."""
        return self._names[transition]

    @property
    def trivial(self) -> bool:
        """Whether one step from source to sink is all that is left, so that it is sound."""
        if len(self.net.places) != 2 or len(self.net.transitions) != 1:
            return False
        (t,) = self.net.transitions
        source, sink = self.net.source.id, self.net.sink.id
        special = t.read or t.inhibitor or t.reset
        return t.consume == Marking(source) and t.produce == Marking(sink) and not special

    def trace(self, trace: Iterable[str]) -> tuple[str, ...]:
        """The firing sequence of the given net that a sequence of the small one stands for."""
        return tuple(id for step in trace for id in _flat(self._steps[step].sequence))

    def members(self, steps: Iterable[str]) -> set[str]:
        """The transitions of the given net that these steps stand for."""
        found: set[str] = set()
        waiting: list[Sequence_] = []
        for step in steps:
            known = self._steps[step]
            waiting += (known.sequence, known.shadows)
        # Parts are shared, and there may be exponentially many ways to each.
        seen: set[int] = set()
        while waiting:
            here = waiting.pop()
            if isinstance(here, str):
                found.add(here)
            elif id(here) not in seen:
                seen.add(id(here))
                waiting += here
        return found


def reduce_net(net: Net) -> Reduction:
    """The smallest net that the rules lead to.

    >>> from petriflow.patterns import parallel, sequence
    >>> def a(case): ...
    >>> def b(case): ...
    >>> reduce_net(parallel(sequence(a, b), b).net).trivial
    True
    """
    reducer = _Reducer(net)
    reducer.run()
    names = {str(name): name for name in reducer.steps}
    left = reducer.makers.keys()
    places = [p for p in net.places if p.id in left]
    steps = {id: reducer.steps[name] for id, name in names.items()}
    transitions = tuple(
        Transition(
            id,
            None,
            Marking(step.consume),
            Marking(step.produce),
            *((s.read, s.inhibitor, s.reset & left) if (s := step.special) else ()),
        )
        for id, step in steps.items()
    )
    small = Net(
        net.name,
        tuple(Place(p.id) for p in places),
        transitions,
        Marking(net.source.id),
        Marking(net.sink.id),
        net.form,
    )
    return Reduction(net, small, tuple(reducer.log), steps, names)


class _Reducer:
    """The rules at work, until none applies any more."""

    def __init__(self, net: Net) -> None:
        self.kept = {net.source.id, net.sink.id}
        self.steps: dict[Name, _Step] = {}
        self.makers: dict[str, dict[Name, None]] = {p.id: {} for p in net.places}
        self.takers: dict[str, dict[Name, None]] = {p.id: {} for p in net.places}
        #: where to look: first where it is cheap, then at places beside transitions of many arcs
        self.waiting = dict.fromkeys(self.makers)
        self.later: dict[str, None] = {}
        self.log: list[dict[str, Any]] = []
        self.numbers = (n for n in count(1) if str(n) not in net)
        #: transitions by their arcs, to find equal ones
        self.same: dict[tuple[object, ...], Name] = {}
        self.read = {p for t in net.transitions for p in t.read}
        self.inhibiting = {p for t in net.transitions for p in t.inhibitor}
        #: the transitions of the given net that empty a place
        self.emptied: dict[str, frozenset[str]] = dict.fromkeys(self.makers, frozenset())
        for t in net.transitions:
            for p in t.reset:
                self.emptied[p] |= {t.id}
        for t in net.transitions:
            odd = t.read or t.inhibitor or t.reset
            self._add(t.id, _Step(dict(t.consume), dict(t.produce), t if odd else None, t.id))

    def run(self) -> None:
        while self.waiting or self.later:
            cheap = bool(self.waiting)
            place, _ = (self.waiting or self.later).popitem()
            if place not in self.makers:
                continue
            if cheap and self._is_wide(place):
                self.later[place] = None
            elif not self._pass_at_once(place):
                self._drop_equal_places(place)

    def _is_wide(self, place: str) -> bool:
        """Whether fusing there copies many arcs; what is done elsewhere first makes them few."""
        around = (*self.makers[place], *self.takers[place])
        return len(around) > 4 or any(
            len(s.consume) + len(s.produce) > 4 for s in map(self.steps.__getitem__, around)
        )

    def _add(self, id: Name, step: _Step) -> None:
        """Put a step in, unless it does nothing new."""
        equal = self.same.get(step.arcs())
        if equal is not None:
            self.log.append({"drop": id, "like": equal})
            self._shadow(equal, step)
            return
        if step.special is None and step.consume == step.produce and len(step.consume) == 1:
            for other in self.takers[next(iter(step.consume))]:
                known = self.steps[other]
                if known.consume == step.consume and known.special is None:
                    self.log.append({"drop": id, "beside": other})
                    self._shadow(other, step)
                    return
        self.steps[id] = step
        self.same[step.arcs()] = id
        for p in step.consume:
            self.takers[p][id] = None
        for p in step.produce:
            self.makers[p][id] = None
        self._look_again(step)
        self._drop_circles(id)

    def _shadow(self, favoured: Name, step: _Step) -> None:
        known = self.steps[favoured]
        known.shadows = (known.shadows, step.sequence, step.shadows)
        self._look_again(step)

    def _drop_circles(self, id: Name) -> None:
        """A step that takes from one place lets the steps go that only give back to it."""
        step = self.steps[id]
        if step.special is not None or len(step.consume) != 1 or step.consume == step.produce:
            return
        (place,) = step.consume
        for other in list(self.takers[place]):
            circle = self.steps[other]
            if circle.special is None and circle.consume == circle.produce == step.consume:
                self.log.append({"drop": other, "beside": id})
                self._shadow(id, self._remove(other))

    def _remove(self, id: Name) -> _Step:
        step = self.steps.pop(id)
        if self.same.get(step.arcs()) == id:
            del self.same[step.arcs()]
        for p in step.consume:
            del self.takers[p][id]
        for p in step.produce:
            del self.makers[p][id]
        self._look_again(step)
        return step

    def _look_again(self, step: _Step) -> None:
        self.waiting |= dict.fromkeys((*step.consume, *step.produce))

    def _is_looked_at(self, place: str) -> bool:
        """Whether a transition asks what lies there without taking it."""
        return place in self.read or place in self.inhibiting

    def _pass_at_once(self, place: str) -> bool:
        """Fuse the makers of a place with its takers, if these need nothing else."""
        makers, takers = list(self.makers[place]), list(self.takers[place])
        if place in self.kept or self._is_looked_at(place) or not makers or not takers:
            return False
        if len(makers) * len(takers) > len(makers) + len(takers):
            return False
        if any(self.steps[m].produce[place] != 1 for m in makers):
            return False
        for taker in takers:
            step = self.steps[taker]
            if (
                step.special is not None
                or step.consume != {place: 1}
                or not step.produce
                or place in step.produce
                or not self.inhibiting.isdisjoint(step.produce)
                or any(self.emptied[p] != self.emptied[place] for p in step.produce)
            ):
                return False
        firsts = [self._remove(m) for m in makers]
        thens = [self._remove(t) for t in takers]
        del self.makers[place], self.takers[place]
        into = []
        for maker, first in zip(makers, firsts, strict=True):
            for taker, then in zip(takers, thens, strict=True):
                into.append((maker, taker, next(self.numbers), _fused(first, then, place)))
        self.log.append({"fuse": place, "into": [list(names) for *names, _ in into]})
        for *_, number, step in into:
            self._add(number, step)
        return True

    def _drop_equal_places(self, place: str) -> None:
        """Of places with the same makers and takers, keep this one."""
        if place in self.kept or self._is_looked_at(place):
            return
        around = [self.steps[m].produce for m in self.makers[place]][:1]
        around += [self.steps[t].consume for t in self.takers[place]][:1]
        near = dict.fromkeys(p for arcs in around for p in arcs if p != place)
        equal = [other for other in near if self._equal(place, other)]
        if not equal:
            return
        touching = dict.fromkeys((*self.makers[place], *self.takers[place]))
        again = [(id, self._remove(id)) for id in touching]
        for other in equal:
            self.log.append({"drop_place": other, "like": place})
            del self.makers[other], self.takers[other]
            for _, step in again:
                step.produce.pop(other, None)
                step.consume.pop(other, None)
        for id, step in again:
            self._add(id, step)

    def _equal(self, place: str, other: str) -> bool:
        makers, takers = self.makers[place], self.takers[place]
        return (
            other not in self.kept
            and not self._is_looked_at(other)
            and self.emptied[other] == self.emptied[place]
            and len(self.makers[other]) == len(makers)
            and len(self.takers[other]) == len(takers)
            and all((arcs := self.steps[m].produce).get(other) == arcs[place] for m in makers)
            and all((arcs := self.steps[t].consume).get(other) == arcs[place] for t in takers)
        )


def _fused(first: _Step, then: _Step, place: str) -> _Step:
    produce = {p: n for p, n in first.produce.items() if p != place}
    for p, n in then.produce.items():
        produce[p] = produce.get(p, 0) + n
    return _Step(
        dict(first.consume),
        produce,
        first.special,
        (first.sequence, then.sequence),
        (first.shadows, then.shadows),
    )


def _flat(sequence: Sequence_) -> Iterator[str]:
    waiting = [sequence]
    while waiting:
        here = waiting.pop()
        if isinstance(here, str):
            yield here
        else:
            waiting += reversed(here)
