"""Block structure: a net that is built of steps by sequence, choice, parallel branches and loops.

Such a net is sound and safe by construction, for each block refines a step (van der Aalst 1998).
Whether a net is one is found from the inside out: a block is replaced by what it refines, a step
or a place, until one place is left that stands for all (van Zelst and Leemans, "Translating
Workflow Nets to Process Trees", 2020; the tree is that of Polyvyanyy, Vanhatalo and Völzer,
"Simplified Computation and Generalization of the Refined Process Structure Tree", 2010). A work
list holds the places where something may have become possible, so the time is about linear.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from operator import itemgetter
from typing import Any, TypeAlias, assert_never

from petriflow.net import Net, require_net
from petriflow.net.errors import WorkflowNetError


@dataclass(frozen=True, slots=True)
class Spot:
    """A place between two blocks, or at an end."""

    id: str


@dataclass(frozen=True, slots=True)
class Step:
    """A transition with one input and one output."""

    id: str


@dataclass(frozen=True, slots=True)
class Either:
    """A choice: one of the alternatives, each from the spot before it to the spot after it."""

    alternatives: tuple[Parts, ...]


@dataclass(frozen=True, slots=True)
class Together:
    """Parallel branches between the transitions `split` and `join`, from a spot to a spot each."""

    split: str
    branches: tuple[Parts, ...]
    join: str


@dataclass(frozen=True, slots=True)
class Loop:
    """In the place of a spot: the body, from a spot to a spot, as often as the redo, from the last
    of these spots to the first one, brings it back, and once more.
    """

    body: Parts
    redo: Parts


Part: TypeAlias = Spot | Step | Either | Together | Loop
#: A sequence, in which a spot or loop and a step, choice or parallel block take turns.
Parts: TypeAlias = tuple[Part, ...]
#: A sequence in the making, in pieces, so that none is copied when it grows.
_Chain: TypeAlias = "Part | tuple[_Chain, ...]"


@dataclass(frozen=True, slots=True, repr=False)
class BlockTree:
    """How a net is built of blocks: a sequence from the source to the sink.

    Sequences and choices are as long as they can be, alternatives and branches stand in the order
    of the net. Iteration goes through all parts, the outer ones and the earlier ones first.
    """

    net: Net
    path: Parts

    def __iter__(self) -> Iterator[Part]:
        waiting = list(reversed(self.path))
        while waiting:
            part = waiting.pop()
            yield part
            for parts in reversed(_inside(part)):
                waiting += reversed(parts)

    def to_json(self) -> list[Any]:
        """The tree as plain data: the sequence of the ids of spots and steps, with
        `{"choice": [sequence, …]}`, `{"parallel": [sequence, …], "split": id, "join": id}` and
        `{"loop": sequence, "redo": sequence}`.
        """
        data: list[Any] = []
        waiting = [(self.path, data)]
        while waiting:
            parts, into = waiting.pop()
            for part in parts:
                inner: list[list[Any]] = [[] for _ in _inside(part)]
                waiting += zip(_inside(part), inner, strict=True)
                match part:
                    case Spot(id) | Step(id):
                        into.append(id)
                    case Either():
                        into.append({"choice": inner})
                    case Together(split, _, join):
                        into.append({"parallel": inner, "split": split, "join": join})
                    case Loop():
                        into.append({"loop": inner[0], "redo": inner[1]})
                    case _:
                        assert_never(part)
        return data

    def __str__(self) -> str:
        return "\n".join([f"{self.net.name}: block-structured", *self._lines()])

    def __repr__(self) -> str:
        return f"<BlockTree of {self.net!r}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"

    def _name(self, id: str) -> str | None:
        """What people call a transition; nothing if it is routing, or but the end of a task."""
        t = self.net.transition(id)
        if t.origin is not None and t.origin.role == "happens":
            return t.origin.path.rpartition("/")[2]
        ends = self.net.form == "expanded" and t.origin is not None and t.origin.role == "complete"
        return None if ends else t.label

    def _shown(self, parts: Parts) -> list[Part]:
        """The parts that say something: no places, and no routing."""
        return [
            part
            for part in parts
            if not isinstance(part, Spot | Step)
            or (isinstance(part, Step) and self._name(part.id) is not None)
        ]

    def _lines(self) -> Iterator[str]:
        """The lines of the text; a dash begins each of several sequences."""
        waiting: list[tuple[int, bool, str | Part | Parts | None]] = [(1, False, self.path)]
        while waiting:
            depth, dash, thing = waiting.pop()
            below: list[tuple[int, bool, str | Part | Parts | None]] = []
            match thing:
                case None | Spot():
                    continue
                case str(text):
                    yield "  " * (depth - 1) + ("- " if dash else "  ") + text
                case Step(id):
                    below = [(depth, dash, self._name(id))]
                case Either(alternatives):
                    below = [(depth, dash, "one of"), *((depth + 2, True, a) for a in alternatives)]
                case Together(split, branches, join):
                    name = self._name(split)
                    below = [(depth, dash, name), (depth, dash and name is None, "all of")]
                    below += ((depth + 2, True, branch) for branch in branches)
                    below.append((depth, False, self._name(join)))
                case Loop(body, redo):
                    works, between = self._shown(body), self._shown(redo)
                    if between and not works:
                        below = [(depth, dash, "any number of times"), (depth + 1, False, redo)]
                    else:
                        below = [(depth, dash, "once or more"), (depth + 1, False, body)]
                        if between:
                            below += [(depth, False, "in between"), (depth + 1, False, redo)]
                case tuple():
                    shown = self._shown(thing)
                    below = [(depth, dash and n == 0, part) for n, part in enumerate(shown)]
                    below = below or [(depth, dash, "nothing")]
                case _:
                    assert_never(thing)
            waiting += reversed(below)


def blocks(net: Net) -> BlockTree | None:
    """How the net is built of blocks, or `None` if it is not: then it may be sound or not.

    A net with blocks only is a workflow net, has only flow arcs of weight 1, and is sound and safe.

    >>> from petriflow.patterns import parallel, sequence
    >>> def pick(case): ...
    >>> def bill(case): ...
    >>> def ship(case): ...
    >>> print(blocks(sequence(parallel(pick, bill), ship, name="order").net))
    order: block-structured
      all of
        - pick
        - bill
      ship
    """
    require_net(net, "blocks")
    try:
        source, sink = net.source.id, net.sink.id
    except WorkflowNetError:
        return None
    if net.producers[source] or net.consumers[sink]:
        return None
    path = _Builder(net).run()
    return None if path is None else BlockTree(net, path)


def _inside(part: Part) -> tuple[Parts, ...]:
    """The sequences that a part is made of."""
    match part:
        case Spot() | Step():
            return ()
        case Either(alternatives):
            return alternatives
        case Together(_, branches, _):
            return branches
        case Loop(body, redo):
            return body, redo
        case _:
            assert_never(part)


class _Builder:
    """The net while blocks in it are replaced by what they refine; its nodes are numbers.

    A place may stand for a whole sequence. It keeps the two places at the ends, since arcs lead to
    the first and come from the last: `last` and `first` lead from one to the other, and the first
    one's number stands for the whole. A transition is an edge if it has one input and one output,
    and so is a block that stands for one. In the place of the target of a split or the origin of a
    join stands how many it has, as a negative number.

    Of the transitions around a place only how many they are and the sum of their numbers are kept:
    the sum of one is that one.
    """

    def __init__(self, net: Net) -> None:
        size = len(net.places)
        self.net = net
        self.last, self.first = list(range(size)), list(range(size))
        self.path: list[_Chain] = [Spot(p.id) for p in net.places]
        self.makers, self.makers_sum = [0] * size, [0] * size
        self.takers, self.takers_sum = [0] * size, [0] * size
        self.origin, self.target = list[int](), list[int]()
        self.does: list[_Chain] = [Step(t.id) for t in net.transitions]
        #: the first transition in an edge
        self.order = list(range(len(net.transitions)))
        #: an edge that is a choice: its alternatives, each with its first transition
        self.options: dict[int, list[tuple[int, Parts]]] = {}
        #: the edge from one place to another; where it leads from the end of a sequence back to
        #: its begin, it is the redo of a loop, and is not counted among the transitions around it
        self.between: dict[tuple[int, int], int] = {}
        #: the places that are whole branches, by split and join
        self.branches: dict[tuple[int, int], list[int]] = {}
        #: where to look
        self.waiting = dict.fromkeys(range(size))

    def run(self) -> Parts | None:
        """The sequence that the whole net is, if it is one."""
        if not self._read():
            return None
        left = len(self.path)
        for e in range(len(self.does)):
            if self._is_edge(e):
                self._settle(e)
        while self.waiting:
            p, _ = self.waiting.popitem()
            if self.last[p] >= 0:
                left -= self._look(p)
        if left > 1:
            return None
        # What is left begins with the source, to which no redo leads.
        return _flat(next(self.path[p] for p, end in enumerate(self.last) if end >= 0))

    def _read(self) -> bool:
        """Take the arcs of the net, if none is special."""
        number = {p.id: n for n, p in enumerate(self.net.places)}
        taken, made = (self.takers, self.takers_sum), (self.makers, self.makers_sum)
        p = 0
        for n, t in enumerate(self.net.transitions):
            ends = []
            for arcs, (count, total) in ((t.consume, taken), (t.produce, made)):
                for id, weight in arcs.items():
                    if weight != 1:
                        return False
                    p = number[id]
                    count[p] += 1
                    total[p] += n
                size = len(arcs)
                if size == 0:
                    return False
                ends.append(p if size == 1 else -size)
            if max(ends) < 0 or t.read or t.inhibitor or t.reset or t.join == "or":
                return False
            self.origin.append(ends[0])
            self.target.append(ends[1])
        return True

    def _is_edge(self, e: int) -> bool:
        return self.origin[e] >= 0 and self.target[e] >= 0

    def _look(self, p: int) -> int:
        """Replace a block that this place is part of, if there is one; how many places went."""
        end = self.last[p]
        one_maker, one_taker = self.makers[p] == 1, self.takers[end] == 1
        maker, taker = self.makers_sum[p], self.takers_sum[end]
        if one_taker and self._is_edge(taker) and self.makers[self.target[taker]] == 1:
            self._follow(p, taker, self.target[taker])
        elif one_maker and self._is_edge(maker) and self.takers[self.origin[maker]] == 1:
            self._follow(self.first[self.origin[maker]], maker, p)
        elif not (one_maker and one_taker):
            return 0
        elif self._is_edge(maker) and self._is_edge(taker):
            self._pass(maker, p, taker)
        elif self.target[maker] < 0 and self.origin[taker] < 0:
            return self._branch(maker, p, taker)
        else:
            return 0
        return 1

    def _follow(self, p: int, e: int, q: int) -> None:
        """Two places and the only edge between them are one sequence."""
        del self.between[self.origin[e], q]
        self.path[p] = (self._spot(p), self._block(e), self._spot(q))
        end = self.last[q]
        self.last[q] = -1
        self.last[p], self.first[end] = end, p
        if (redo := self.between.get((end, p))) is not None:
            self._leave_out(redo)
        self.waiting[p] = None

    def _pass(self, e: int, p: int, then: int) -> None:
        """An edge, a place that has nothing else around it, and an edge are one edge."""
        to = self.target[then]
        del self.between[self.origin[e], p], self.between[self.last[p], to]
        self.does[e] = (self._block(e), self._spot(p), self._block(then))
        self.last[p] = -1
        self.target[e] = to
        self.makers_sum[to] += e - then
        self._settle(e)

    def _branch(self, split: int, p: int, join: int) -> int:
        """If all branches between a split and a join are a place each, they are one edge."""
        found = self.branches.setdefault((split, join), [])
        found.append(p)
        if not len(found) == -self.target[split] == -self.origin[join]:
            return 0
        branches = tuple(_flat(self._spot(p)) for p in sorted(found))
        ids = (self.net.transitions[n].id for n in (split, join))
        for p in found:
            self.last[p] = -1
        to = self.target[join]
        self.does[split] = Together(next(ids), branches, next(ids))
        self.target[split] = to
        self.makers_sum[to] += split - join
        self._settle(split)
        return len(found)

    def _settle(self, e: int) -> None:
        """Put an edge in: two from the same place to the same place are a choice."""
        ends = origin, target = self.origin[e], self.target[e]
        known = self.between.setdefault(ends, e)
        if known != e:
            some, more = self._alternatives(known), self._alternatives(e)
            if len(some) < len(more):
                some, more = more, some
            self.options[known] = some
            some += more
            self.order[known] = min(self.order[known], self.order[e])
        p = self.first[origin]
        if known != e or p == target:
            self._leave_out(e)
        self.waiting[p] = self.waiting[target] = None

    def _leave_out(self, e: int) -> None:
        """Count an edge no longer."""
        self.takers[self.origin[e]] -= 1
        self.takers_sum[self.origin[e]] -= e
        self.makers[self.target[e]] -= 1
        self.makers_sum[self.target[e]] -= e

    def _alternatives(self, e: int) -> list[tuple[int, Parts]]:
        return self.options.pop(e, None) or [(self.order[e], _flat(self.does[e]))]

    def _block(self, e: int) -> _Chain:
        """What an edge does, now that no alternative can come to it."""
        if e not in self.options:
            return self.does[e]
        return Either(tuple(parts for _, parts in sorted(self.options.pop(e), key=itemgetter(0))))

    def _spot(self, p: int) -> _Chain:
        """What a place stands for, now that no redo can come to it."""
        redo = self.between.pop((self.last[p], p), None)
        if redo is None:
            return self.path[p]
        return Loop(_flat(self.path[p]), _flat(self._block(redo)))


def _flat(chain: _Chain) -> Parts:
    found: list[Part] = []
    waiting = [chain]
    while waiting:
        here = waiting.pop()
        if isinstance(here, tuple):
            waiting += reversed(here)
        else:
            found.append(here)
    return tuple(found)
