"""What can happen at all, what can happen again and again, and whence there is a way back.

The levels of liveness are those of Murata (Petri nets: properties, analysis and applications, 1989,
section IV-C). In a finite state space a transition can fire infinitely often in some run just if it
lies on a circle, and from every marking just if each component that is never left has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import assert_never, overload

from petriflow.analysis.behavioural.backward import cover
from petriflow.analysis.behavioural.properties import SHOWN, Finding, coverability_of, stopped
from petriflow.analysis.behavioural.recurrence import most_often
from petriflow.analysis.display import Listing
from petriflow.analysis.soundness.notions import Answer
from petriflow.analysis.space.state_space import StateSpace, explore
from petriflow.analysis.space.strong import StrongComponents, strong_components
from petriflow.net import Marking, Net, require_net
from petriflow.net.errors import DefinitionError

#: How many least markings may be looked at for one transition.
MOST_ELEMENTS = 2_000


@dataclass(frozen=True, slots=True)
class Firing:
    """Whether a transition can fire; `trace` is a sequence that ends with it, if one is known."""

    transition: str
    answer: Answer
    trace: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, repr=False)
class QuasiLiveness(Listing):
    """Whether each transition can fire at least once. `dead` are those that cannot."""

    net: Net
    firings: tuple[Firing, ...]

    @property
    def answer(self) -> Answer:
        """Whether all transitions can fire."""
        told = {firing.answer for firing in self.firings}
        return "no" if "no" in told else "unknown" if "unknown" in told else "yes"

    @property
    def dead(self) -> tuple[str, ...]:
        """The transitions that never can fire."""
        return tuple(firing.transition for firing in self.firings if firing.answer == "no")

    @property
    def title(self) -> str:
        """What this is, in a line."""
        return f"{self.net.name}: quasi-live? {self.answer}"

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("transition", "can fire", "as in")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The rows of the table."""
        for firing in self.firings:
            yield firing.transition, firing.answer, " ".join(firing.trace or ())


def quasi_live(
    net: Net, *, initial: Marking | None = None, max_markings: int = 1_000_000
) -> QuasiLiveness:
    """Whether each transition can fire at least once (L1), with a shortest trace that ends with it.

    Where the state space has no end, or is too large, coverability decides of what was not seen,
    forwards for plain nets and backwards for nets with resets; its traces need not be shortest.

    >>> net = (Net.build("n").place("i", 1).places("p", "o").transition("t", "i", "o")
    ...     .transition("u", "p", "o").done())
    >>> quasi_live(net).dead
    ('u',)
    """
    require_net(net, "quasi_live")
    space = explore(net, initial=initial, max_markings=max_markings)
    return QuasiLiveness(net, tuple(_firings(space, strong_components(space.graph))))


def _firings(space: StateSpace, parts: StrongComponents) -> Iterator[Firing]:
    seen = parts.first_edges()
    graph = None
    if len(seen) < len(space.net.transitions):
        graph = coverability_of(space)
    for n, t in enumerate(space.net.transitions):
        if n in seen:
            yield Firing(t.id, "yes", (*space.trace(seen[n]), t.id))
        elif space.complete:
            yield Firing(t.id, "no")
        elif graph is not None and (answer := graph.coverable(t.needs)) != "unknown":
            trace = None
            if answer == "yes":
                try:
                    trace = (*(graph.covering(t.needs) or ()), t.id)
                except DefinitionError:  # too long to be written
                    trace = None
            yield Firing(t.id, answer, trace)
        else:
            found = cover(space.net, t.needs, initial=space.marking(0), max_elements=MOST_ELEMENTS)
            trace = None if found.trace is None else (*found.trace, t.id)
            yield Firing(t.id, found.answer, trace)


# -- liveness -------------------------------------------------------------------------------------

LEVELS = ("dead", "can fire", "any number of times", "infinitely often", "live")


@dataclass(frozen=True, slots=True)
class TransitionLiveness:
    """How live a transition is: at least L`least`, and at most L`most`.

    `trace` is a firing sequence that ends with it, where one is known; `lost` one after which it
    can never fire again, so that it is not L4.
    """

    transition: str
    least: int
    most: int
    trace: tuple[str, ...] | None
    lost: tuple[str, ...] | None

    @property
    def level(self) -> int | None:
        """0 to 4, if it is known."""
        return self.least if self.least == self.most else None


@dataclass(frozen=True, slots=True, repr=False)
class Liveness(Listing):
    """How live each transition is.

    * L0: it can never fire;
    * L1: it can fire at least once;
    * L2: for any number there is a sequence in which it fires so many times;
    * L3: there is an infinite sequence in which it fires infinitely often;
    * L4, live: whatever has happened, it can still fire at some time.
    """

    net: Net
    transitions: tuple[TransitionLiveness, ...]

    def __getitem__(self, transition: str) -> TransitionLiveness:
        found = {t.transition: t for t in self.transitions}
        return found[self.net.transition(transition).id]

    @property
    def live(self) -> Answer:
        """Whether all transitions are L4."""
        if all(t.least == 4 for t in self.transitions):
            return "yes"
        return "no" if any(t.most < 4 for t in self.transitions) else "unknown"

    @property
    def title(self) -> str:
        """What this is, in a line."""
        return f"{self.net.name}: live? {self.live}"

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("transition", "level", "fires after", "lost after")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The rows of the table."""
        for t in self.transitions:
            level = f"L{t.least} to L{t.most}"
            if t.least == t.most:
                level = f"L{t.least}, {LEVELS[t.least]}"
            yield t.transition, level, _words(t.trace and t.trace[:-1]), _words(t.lost)


def _words(trace: tuple[str, ...] | None) -> str:
    return "" if trace is None else " ".join(trace) or "nothing"


def liveness(
    net: Net, *, initial: Marking | None = None, max_markings: int = 1_000_000
) -> Liveness:
    """How live each transition is, from L0 to L4.

    Where the state space has no end, or is too large, a level may be known only from below and
    above. In plain nets that grow without end, L0 to L3 are decided by the coverability graph.
    A workflow net's transitions are not L4; see `short_circuit`.

    >>> net = (Net.build("n").place("p", 1).places("q", "r").transition("t", "p", "q")
    ...     .transition("u", "q", "p").transition("v", "p", "r").done())
    >>> print(liveness(net))
    n: live? no
      transition  level                 fires after  lost after
      t           L3, infinitely often  nothing      v
      u           L3, infinitely often  t            v
      v           L1, can fire          nothing      v
    """
    require_net(net, "liveness")
    space = explore(net, initial=initial, max_markings=max_markings)
    parts = strong_components(space.graph)
    ids = space.graph.net.transition_ids
    again = {ids[t] for t in set(parts.by[parts.inside()].tolist())}
    if space.pump is not None:
        again.update(space.pump.segment)
    lost = _lost(space, parts)
    firings = tuple(_firings(space, parts))
    open_ones = [f.transition for f in firings if f.answer == "yes" and f.transition not in again]
    graph = None if space.complete or not open_ones else coverability_of(space)
    often = {} if graph is None else most_often(graph, open_ones)
    found = []
    for firing in firings:
        t = firing.transition
        if firing.answer == "no":
            found.append(TransitionLiveness(t, 0, 0, None, ()))
            continue
        least, most = (1 if firing.answer == "yes" else 0), 4
        if t in again:
            least = 3
        elif space.complete:
            most = 1
        elif t in often:
            least, most = often[t]
        if t in lost:
            most = min(most, 3)
        elif space.complete:
            least = 4
        found.append(TransitionLiveness(t, least, most, firing.trace, lost.get(t)))
    return Liveness(net, tuple(found))


def _lost(space: StateSpace, parts: StrongComponents) -> dict[str, tuple[str, ...]]:
    """For each transition that some component which is never left does not have, a way to it."""
    import numpy as np

    ids = space.graph.net.transition_ids
    there = parts.closed[parts.of[parts.source]]
    pairs = np.unique(parts.of[parts.source[there]] * np.int64(len(ids)) + parts.by[there])
    has: dict[int, set[int]] = {}
    for pair in pairs.tolist():
        has.setdefault(pair // len(ids), set()).add(pair % len(ids))
    found: dict[str, tuple[str, ...]] = {}
    missing = set(range(len(ids)))
    for entrance in parts.entrances():
        gone = missing - has.get(int(parts.of[entrance]), set())
        if gone:
            trace = space.trace(entrance)
            found |= {ids[t]: trace for t in gone}
            missing -= gone
        if not missing:
            break
    return found


# -- the way back ---------------------------------------------------------------------------------


def reversible(
    net: Net, *, initial: Marking | None = None, max_markings: int = 1_000_000
) -> Finding:
    """Whether the initial marking can be reached again from wherever the net has come to.

    A workflow net is not; see `short_circuit`.

    >>> net = (Net.build("n").place("p", 1).place("q").transition("t", "p", "q")
    ...     .transition("u", "q", "p").done())
    >>> reversible(net).answer
    'yes'
    """
    require_net(net, "reversible")
    space = explore(net, initial=initial, max_markings=max_markings)
    graph = space.graph
    if space.complete:
        back = graph.can_reach([0])
        lost = back.find(0)
        if lost < 0:
            return Finding(net, "reversible", "yes", f"all {space.markings:,} markings lead back")
    else:
        parts = strong_components(graph)
        lost = next((n for n in parts.entrances() if parts.of[n] != parts.of[0]), -1)
        if lost < 0:
            return Finding(net, "reversible", "unknown", stopped(space))
    why = f"{space.marking(lost)} never leads back to {space.marking(0)}"
    return Finding(net, "reversible", "no", why, space.trace(lost), space.marking(lost))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HomeMarkings(Listing, Sequence[Marking]):
    """The markings that can be reached from every reachable marking.

    `answer` says whether there are any. If not, `apart` are two firing sequences to markings from
    which nothing is reached that can be reached from both.
    """

    net: Net
    answer: Answer
    apart: tuple[tuple[str, ...], tuple[str, ...]] | None
    _space: StateSpace = field(repr=False)
    _states: tuple[int, ...] = field(repr=False)

    @overload
    def __getitem__(self, n: int) -> Marking: ...
    @overload
    def __getitem__(self, n: slice) -> tuple[Marking, ...]: ...
    def __getitem__(self, n: int | slice) -> Marking | tuple[Marking, ...]:
        if isinstance(n, slice):
            return tuple(map(self._space.marking, self._states[n]))
        return self._space.marking(self._states[n])

    def __len__(self) -> int:
        return len(self._states)

    @property
    def title(self) -> str:
        """What this is, in a line."""
        match self.answer:
            case "yes":
                return f"{self.net.name}: {len(self):,} home marking{'s' * (len(self) != 1)}"
            case "no":
                return f"{self.net.name}: no home markings"
            case "unknown":
                return f"{self.net.name}: whether there are home markings is unknown"
            case _:
                assert_never(self.answer)

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("why",) if self.answer == "unknown" else ("marking", "a shortest trace")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The rows of the table."""
        if self.answer == "unknown":
            yield (stopped(self._space),)
        for state in self._states[:SHOWN]:
            yield str(self._space.marking(state)), " ".join(self._space.trace(state))
        if len(self) > SHOWN:
            yield f"… and {len(self) - SHOWN:,} more", ""
        for trace in self.apart or ():
            yield "on one side", " ".join(trace)


def home_markings(
    net: Net, *, initial: Marking | None = None, max_markings: int = 1_000_000
) -> HomeMarkings:
    """The markings that can always be reached: of a sound workflow net, just its end.

    >>> net = (Net.build("n").place("i", 1).places("p", "q").transition("t", "i", "p")
    ...     .transition("u", "p", "q").transition("v", "q", "p").done())
    >>> list(home_markings(net))
    [Marking('[p]'), Marking('[q]')]
    """
    require_net(net, "home_markings")
    space = explore(net, initial=initial, max_markings=max_markings)
    parts = strong_components(space.graph)
    entrances = parts.entrances()
    if len(entrances) > 1:
        apart = (space.trace(entrances[0]), space.trace(entrances[1]))
        return HomeMarkings(net, "no", apart, space, ())
    if not space.complete:
        return HomeMarkings(net, "unknown", None, space, ())
    states = parts.members(int(parts.of[entrances[0]]))
    return HomeMarkings(net, "yes", None, space, tuple(states))
