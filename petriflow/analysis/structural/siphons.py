"""Siphons and traps: sets of places that stay empty once empty, or marked once marked.

A siphon is a set of places such that whatever puts a token into it also needs one from it. A trap
is a set such that whatever takes from it also puts into it. In a dead marking of an ordinary net
the places without tokens hold a siphon (Commoner 1972): that is what went dry.

Both are the models of clauses "if this place is in it, one of those is": any union of models is a
model, so that among given places there is a largest one, found by throwing places out. All minimal
ones are found by dividing the problem (Cordone, Ferrarini, Piroddi: Enumeration Algorithms for
Minimal Siphons in Petri Nets Based on Place Constraints, 2005): any further one lacks a place of
one that was found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, overload

from petriflow.analysis.display import Listing, beginning
from petriflow.net import Marking, Net, Transition, require_net

Kind = Literal["siphon", "trap"]

#: So many sets are told.
MOST = 1_000
#: So many times as many problems are looked at: most of them hold no set of their own.
TRIES = 10


@dataclass(frozen=True, slots=True, repr=False)
class PlaceSets(Listing, Sequence[frozenset[str]]):
    """The minimal siphons or traps; `complete` unless there were too many to find all."""

    net: Net
    kind: Kind
    found: tuple[frozenset[str], ...]
    complete: bool

    @overload
    def __getitem__(self, n: int) -> frozenset[str]: ...
    @overload
    def __getitem__(self, n: slice) -> tuple[frozenset[str], ...]: ...
    def __getitem__(self, n: int | slice) -> frozenset[str] | tuple[frozenset[str], ...]:
        return self.found[n]

    def __len__(self) -> int:
        return len(self.found)

    def pictures(self) -> Iterator[tuple[str, object]]:
        """Each set, on the net."""
        return ((_listed(self.net, places), places) for places in self.found)

    @property
    def title(self) -> str:
        """What this is, in a line."""
        return f"{self.net.name}: {len(self)} minimal {self.kind}s" + (
            "" if self.complete else ", and there may be more"
        )

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("places", "tokens at the start")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The rows of the table."""
        begin = beginning(self.net)
        for places in self.found:
            yield _listed(self.net, places), str(sum(begin[p] for p in places))


def siphons(net: Net, *, most: int = MOST) -> PlaceSets:
    """The minimal siphons, none of them empty.

    Args:
        net: any net; a read arc is a need like others, and an OR-join needs only one of its
            inputs. Weights and inhibitors are not asked.
        most: look for no more than so many; the answer is then not `complete`.

    >>> net = (Net.build().places("i", "a", "b", "o").transition("x", "i", "a")
    ...     .transition("y", ["a", "b"], "o").done())
    >>> [sorted(s) for s in siphons(net)]
    [['i'], ['b']]
    """
    return _minimal_sets(require_net(net, "siphons"), "siphon", most)


def traps(net: Net, *, most: int = MOST) -> PlaceSets:
    """The minimal traps, none of them empty; a reset takes from its places.

    Args:
        net: any net.
        most: look for no more than so many; the answer is then not `complete`.

    >>> net = Net.build().places("i", "o").transition("t", "i", "o").done()
    >>> [sorted(s) for s in traps(net)]
    [['o']]
    """
    return _minimal_sets(require_net(net, "traps"), "trap", most)


def largest_siphon(net: Net, within: Iterable[str]) -> frozenset[str]:
    """The largest siphon among these places; empty if there is none."""
    return _largest(require_net(net, "largest_siphon"), "siphon", within)


def largest_trap(net: Net, within: Iterable[str]) -> frozenset[str]:
    """The largest trap among these places; empty if there is none."""
    return _largest(require_net(net, "largest_trap"), "trap", within)


def dry_siphon(net: Net, marking: Marking) -> frozenset[str]:
    """The siphon that went dry: the largest one without a token in this marking."""
    return largest_siphon(net, (p.id for p in net.places if p.id not in marking))


@dataclass(frozen=True, slots=True, repr=False)
class Standstill(Listing):
    """Why transitions can never be enabled again, told by the siphon that went dry.

    `siphon` has no token in `marking`, and will never get one, so that whoever needs one waits for
    ever. `waiting` are those who have some of their tokens already, each with the places that it
    waits for in vain; the siphon is a smallest one with these. `drains` are the transitions that
    take from the siphon and put nothing back: one of them took the last token. `trap` is the
    largest trap in the siphon; a trap that was `marked` at the start keeps a token in every marking
    that can be reached (Commoner), so that this one cannot be.
    """

    net: Net
    marking: Marking
    siphon: frozenset[str]
    trap: frozenset[str]
    drains: tuple[str, ...]
    waiting: tuple[tuple[str, frozenset[str]], ...]

    @property
    def marked(self) -> bool:
        """Whether the trap has a token at the start."""
        begin = beginning(self.net)
        return any(p in begin for p in self.trap)

    @property
    def title(self) -> str:
        """What this is, in a line."""
        head = f"{self.net.name} in {self.marking}: "
        if not self.siphon:
            return head + "every place has tokens or can get some, as far as siphons tell"
        dry = f"{_listed(self.net, self.siphon)} have no token and never get one"
        if self.marked:
            kept = _listed(self.net, self.trap)
            return f"{head}{dry}, though {kept} can never lose all: this cannot be reached"
        begin = beginning(self.net)
        if any(p in begin for p in self.siphon):
            return f"{head}{dry}, for {' or '.join(self.drains)} took the last"
        return head + dry

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("waits", "has", "waits for")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The rows of the table."""
        for id, missing in self.waiting:
            has = [p for p in _needs(self.net.transition(id)) if p in self.marking]
            yield id, ", ".join(has), _listed(self.net, missing)


def standstill(net: Net, marking: Marking) -> Standstill:
    """What went dry in a marking, such as a deadlock, and who emptied it.

    If both branches of a choice are waited for, `drains` tells who took the other one:

    >>> net = (Net.build("xor-and").places("i", "a", "b", "o").transition("left", "i", "a")
    ...     .transition("right", "i", "b").transition("join", ["a", "b"], "o").done())
    >>> print(standstill(net, Marking("a")))
    xor-and in [a]: i, b have no token and never get one, for left or join took the last
      waits  has  waits for
      join   a    b
    """
    dry = dry_siphon(require_net(net, "standstill"), marking)
    waiting = []
    for t in net.transitions:
        needs = _needs(t)
        lost = all(dry & places for places in _demands(t, "siphon"))
        if lost and any(p in marking for p in needs):
            waiting.append((t.id, dry & needs))
    siphon = dry
    if waiting:
        clauses = _Clauses(net, "siphon")
        missing = clauses.pack(p for _, places in waiting for p in places)
        siphon = clauses.unpack(clauses.minimal(clauses.pack(dry), missing))
    drains = (
        t.id
        for t in net.transitions
        if _users(t, "trap") & siphon and not siphon & t.produce.keys()
    )
    trap = largest_trap(net, siphon)
    return Standstill(net, marking, siphon, trap, tuple(drains), tuple(waiting))


def _listed(net: Net, places: frozenset[str]) -> str:
    return ", ".join(p.id for p in net.places if p.id in places)


# -- clauses --------------------------------------------------------------------------------------


def _needs(t: Transition) -> frozenset[str]:
    return frozenset((*t.consume, *t.read))


def _users(t: Transition, kind: Kind) -> frozenset[str]:
    """The places that may be in the set only if the demands of the transition are met."""
    return frozenset(t.produce if kind == "siphon" else (*t.consume, *t.reset))


def _demands(t: Transition, kind: Kind) -> list[frozenset[str]]:
    """Of each of these the set must hold a place."""
    if kind == "trap":
        return [frozenset(t.produce)]
    if t.join == "or":  # it can do with any of its inputs, so that all of them must be empty
        return [frozenset((p, *t.read)) for p in t.consume]
    return [_needs(t)]


class _Clauses:
    """What makes a set of places, here an integer with a bit for each, a siphon or a trap."""

    def __init__(self, net: Net, kind: Kind) -> None:
        self.ids = [p.id for p in net.places]
        index = {id: n for n, id in enumerate(self.ids)}
        #: by place: if it is in the set, then some place of each of these
        self.asks: list[list[int]] = [[] for _ in self.ids]
        #: by place: the places that ask for it
        self.asking: list[int] = [0] * len(self.ids)
        for t in net.transitions:
            demands = [sum(1 << index[p] for p in places) for places in _demands(t, kind)]
            for n in map(index.__getitem__, _users(t, kind)):
                self.asks[n] += [places for places in demands if not places >> n & 1]
        for n, demands in enumerate(self.asks):
            for places in demands:
                for k in _bits(places):
                    self.asking[k] |= 1 << n

    def pack(self, places: Iterable[str]) -> int:
        """The set of these places."""
        chosen = frozenset(places)
        return sum(1 << n for n, id in enumerate(self.ids) if id in chosen)

    def unpack(self, chosen: int) -> frozenset[str]:
        """The places of this set."""
        return frozenset(self.ids[n] for n in _bits(chosen))

    def largest(self, within: int, doubtful: int = -1) -> int:
        """The largest model within; only the doubtful ones are known to be no part of one yet."""
        doubtful &= within
        while doubtful:
            n = doubtful.bit_length() - 1
            doubtful ^= 1 << n
            for places in self.asks[n]:
                if not places & within:
                    within ^= 1 << n
                    doubtful |= self.asking[n] & within
                    break
        return within

    def without(self, model: int, n: int) -> int:
        """The largest model within a model that lacks this place."""
        left = model & ~(1 << n)
        return self.largest(left, self.asking[n])

    def forced(self, required: int, model: int) -> int:
        """What every model within this one that holds the required places holds besides."""
        todo = required
        while todo:
            n = todo.bit_length() - 1
            todo ^= 1 << n
            for places in self.asks[n]:
                left = places & model
                if not left & required and left & (left - 1) == 0:
                    required |= left
                    todo |= left
        return required

    def minimal(self, model: int, keep: int) -> int:
        """A model within this one, not empty, that is minimal among those that hold `keep`."""
        essential = self.forced(keep, model)
        for n in _bits(model & ~essential):
            if (model & ~essential) >> n & 1:
                smaller = self.without(model, n)
                if smaller and not keep & ~smaller:
                    model = smaller
                else:
                    essential = self.forced(essential | 1 << n, model)
        return model


def _bits(chosen: int) -> Iterator[int]:
    while chosen:
        low = chosen & -chosen
        yield low.bit_length() - 1
        chosen ^= low


def _largest(net: Net, kind: Kind, within: Iterable[str]) -> frozenset[str]:
    clauses = _Clauses(net, kind)
    return clauses.unpack(clauses.largest(clauses.pack(within)))


def _minimal_sets(net: Net, kind: Kind, most: int) -> PlaceSets:
    clauses = _Clauses(net, kind)
    found: dict[int, None] = {}
    # Each problem: a model, a place to leave out of it, and the places that must be in it.
    problems = [(clauses.largest((1 << len(net.places)) - 1), -1, 0)]
    tries = 0
    while problems and len(found) < most and tries < TRIES * most:
        tries += 1
        model, lacking, required = problems.pop()
        if lacking >= 0:
            model = clauses.without(model, lacking)
        if not model or required & ~model:
            continue
        required = clauses.forced(required, model)
        if any(one & required == one for one in found):
            continue  # whatever holds it is not minimal, or is it
        one = clauses.minimal(clauses.minimal(model, required), 0)
        found[one] = None
        for n in _bits(one & ~required):
            problems.append((model, n, required))
            required |= 1 << n
    sets = sorted(found, key=lambda one: (one.bit_count(), list(_bits(one))))
    return PlaceSets(net, kind, tuple(map(clauses.unpack, sets)), not problems)
