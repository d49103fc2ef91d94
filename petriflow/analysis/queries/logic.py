"""Asking a net: reachability and CTL, answered with a firing sequence that shows it.

`formula` has the language and `fixpoints` the sets of states; here more and more of the state space
is explored, breadth first, until the question is decided. What a part of the space decides is
decided: that something can be reached by the first state where it is, that something always holds
by the first state where it does not; only the opposite needs every marking.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from petriflow.analysis.diagnosis.words import told
from petriflow.analysis.queries.formula import Formula, Not, Path, of_one_marking, read_query
from petriflow.analysis.soundness.report import Form
from petriflow.analysis.space.graph import Graph, IntGraph, marking_of, trace_to
from petriflow.analysis.space.state_space import Progress, explore
from petriflow.net import CompiledNet, Marking, Net, compile_net, require_net
from petriflow.net.errors import DefinitionError

if TYPE_CHECKING:
    from petriflow.drawing.widget import Game

Truth = Literal["yes", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Trail:
    """A way that shows why an answer is yes (a `witness`) or no (a `counterexample`).

    `trace` leads from the initial marking to `marking`. From there `loop` can be repeated for ever,
    where it is not empty; where `stuck`, nothing at all can happen any more.
    """

    kind: Literal["witness", "counterexample"]
    trace: tuple[str, ...]
    marking: Marking
    loop: tuple[str, ...] = ()
    stuck: bool = False

    def to_json(self) -> dict[str, Any]:
        """The trail as plain data."""
        return {
            "kind": self.kind,
            "trace": list(self.trace),
            "marking": dict(self.marking),
            "loop": list(self.loop),
            "stuck": self.stuck,
        }


@dataclass(frozen=True, slots=True, repr=False)
class Answer:
    """What a net answers to a query.

    `verdict` is `yes`, `no` or `unknown`. `witness` is a way that shows it: of a formula about some
    way a witness, of one about every way a counterexample; `None` where no single way can show it
    (that something can never happen, say). Of several parts, it shows one. `explored`
    says how many markings were looked at, `note` what kept an `unknown` from being decided. `net`
    is the form that was asked, whose names the witness uses; `given` the net as it was given.
    """

    query: str
    name: str
    verdict: Truth
    form: Form
    witness: Trail | None
    note: str
    explored: int
    seconds: float
    net: Net
    given: Net

    def to_json(self) -> dict[str, Any]:
        """The answer as plain data, as `petriflow ask --json` prints it."""
        return {
            "name": self.name,
            "query": self.query,
            "verdict": self.verdict,
            "form": self.form,
            "witness": None if self.witness is None else self.witness.to_json(),
            "note": self.note,
            "explored": self.explored,
            "seconds": round(self.seconds, 6),
        }

    @property
    def headline(self) -> str:
        """The verdict in one line."""
        query = " ".join(self.query.split())
        looked = f"{self.explored:,} marking{'s' * (self.explored != 1)} looked at"
        return f"{self.verdict}: {query} ({self.name}, {self.form} form, {looked})"

    def __str__(self) -> str:
        return "\n".join([self.headline, *self._lines()])

    def __repr__(self) -> str:
        return f"<Answer: {self.headline}>"

    def _lines(self) -> Iterator[str]:
        if self.note:
            yield f"note: {self.note}"
        if self.witness is None:
            return
        shown = "It can happen like this" if self.verdict == "yes" else "It fails like this"
        trail = self.witness
        if trail.trace:
            yield f"{shown}:"
            yield from (f"  {n}. {words}" for n, words in enumerate(told(self.net, trail.trace), 1))
        else:
            yield f"{shown}, from the very beginning."
        yield f"Then the marking is {trail.marking}."
        if trail.loop:
            yield "From there on this can go round for ever:"
            yield from (f"  {n}. {words}" for n, words in enumerate(told(self.net, trail.loop), 1))
        if trail.stuck:
            yield "Nothing can happen any more."

    def _repr_html_(self) -> str:
        sign = {"yes": "✓", "no": "✗", "unknown": "?"}[self.verdict]
        body = f"<pre>{escape(chr(10).join(self._lines()))}</pre>"
        if self.witness is not None:
            body += self._picture(self.witness)
        opened = " open" if self.witness is not None else ""
        return f"<details{opened}><summary>{sign} {escape(self.headline)}</summary>{body}</details>"

    def play(self) -> Game:
        """The way that shows the answer, to be played in a notebook; without one, the net.

        Raises:
            DrawingError: the widget's libraries are not installed.
        """
        from petriflow.drawing import play

        trail = self.witness
        return play(self.given, () if trail is None else trail.trace + trail.loop)

    def _picture(self, trail: Trail) -> str:
        from petriflow.drawing import Overlay, draw

        overlay = Overlay(path=trail.trace + trail.loop, tokens=trail.marking)
        return draw(self.given, overlay=overlay).svg()


def ask(
    net: Net,
    query: str,
    *,
    form: Form | None = None,
    name: str | None = None,
    max_markings: int = 1_000_000,
    progress: Progress | None = None,
) -> Answer:
    """Answer a question about what a net can do, from its initial marking on.

    Args:
        net: any net with an initial marking.
        query: a formula, such as `"EF (paid and not shipped)"`; the head of `formula.py` has the
            language.
        form: `expanded` asks the net in which each task starts, runs and completes; by default the
            net is asked as it is given.
        name: what the answer calls the net.
        max_markings: look at no more markings than this; an answer that needs more is `unknown`.
        progress: told now and then how many markings were found.

    Raises:
        QueryError: the query cannot be read, or names something that the net does not have.
        WorkflowNetError: the net has no initial marking, or `completed` is asked for without an
            end.
        DefinitionError: the form is none that this net can be asked in.

    >>> net = (Net.build("door").places("i", "p", "o")
    ...     .transition("open", "i", "p").transition("close", "p", "o").done())
    >>> ask(net, "EF p").witness.trace
    ('open',)
    >>> ask(net, "AG (p -> AF completed)").verdict
    'yes'
    """
    began = time.perf_counter()
    require_net(net, "ask")
    if form not in (None, "atomic", "expanded"):
        raise DefinitionError(f"form={form!r}; use 'atomic' or 'expanded'")
    if form == "atomic" and net.form == "expanded":
        raise DefinitionError(
            f"net {net.name!r} is in its expanded form; to ask about the atomic one, pass the net "
            "that it was expanded from"
        )
    asked = net.expanded() if form == "expanded" else net
    formula = read_query(query, asked)
    sought = _sought(formula)
    for look in _looks(asked, max_markings, sought is None, progress):
        verdict, witness = _check(look, formula) if sought is None else _search(look, sought)
        if verdict != "unknown":
            break
    return Answer(
        query=query,
        name=name or net.name,
        verdict=verdict,
        form=asked.form,
        witness=witness,
        note=look.note if verdict == "unknown" else "",
        explored=look.graph.count,
        seconds=time.perf_counter() - began,
        net=asked,
        given=net,
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """A part of the state space, and what kept it from being all."""

    graph: Graph
    complete: bool
    note: str


#: How many markings the first look takes, and how many times as many each further one; and how many
#: of a net that grows without end, where no look is the last.
FIRST, TIMES, ENDLESS = 2_000, 10, 100_000


def _looks(net: Net, most: int, edges: bool, progress: Progress | None) -> Iterator[_Look]:
    """Larger and larger parts of the state space, up to all of it or the limit."""
    limit = 0
    while True:
        limit = min(most, TIMES * limit or FIRST)
        space = explore(net, max_markings=limit, edges=edges, progress=progress)
        note = f"stopped after {space.markings:,} markings; raise max_markings to look further"
        if space.pump is not None:
            grows = ", ".join(map(repr, space.pump.grows))
            note = f"{grows} can grow without end, so not every marking can be looked at"
        yield _Look(space.graph, space.complete, note)
        if space.pump is not None:
            # Exploration has stopped early, since soundness is decided; a question may not be.
            yield _Look(_further(compile_net(net), min(most, ENDLESS)), False, note)
        if space.complete or space.pump is not None or limit >= most:
            return


def _further(net: CompiledNet, limit: int) -> IntGraph:
    """The first so many markings of a net that grows without end."""
    first = tuple(net.vector(net.net.initial_marking))
    index, states = {first: 0}, [first]
    parent, via, start = array("q", [-1]), array("q", [-1]), array("q", [0])
    target, by = array("q"), array("q")
    able: list[list[int] | None] = [net.enabled(first)]
    for state, tokens in enumerate(states):
        here = able[state]
        if here is None or len(states) > limit:
            break
        able[state] = None
        for t in here:
            after = tuple(net.fire(t, tokens))
            known = index.setdefault(after, len(states))
            if known == len(states):
                states.append(after)
                parent.append(state)
                via.append(t)
                affects = net.rows[t].affects
                kept = [u for u in here if u not in affects]
                able.append(kept + net.enabled(after, affects))
            target.append(known)
            by.append(t)
        start.append(len(target))
    width = 8
    while max(map(max, states)) >= 1 << width - 1:
        width *= 2
    packed = [sum(n << p * width for p, n in enumerate(tokens) if n) for tokens in states]
    return IntGraph(net, width, packed, parent, via, start, target, by)


@dataclass(frozen=True, slots=True)
class _Sought:
    """A reachability question: the answer is `found` if there is a state in which the formula has
    this value.
    """

    formula: Formula
    value: bool
    found: Truth


OTHER: dict[Truth, Truth] = {"yes": "no", "no": "yes", "unknown": "unknown"}


def _sought(formula: Formula) -> _Sought | None:
    """The reachability question that a formula is, if it is one."""
    match formula:
        case Path("E", "F", part) if of_one_marking(part):
            return _Sought(part, True, "yes")
        case Path("A", "G", part) if of_one_marking(part):
            return _Sought(part, False, "no")
        case Not(part) if (inner := _sought(part)) is not None:
            return _Sought(inner.formula, inner.value, OTHER[inner.found])
        case _:
            return None


def _search(look: _Look, sought: _Sought) -> tuple[Truth, Trail | None]:
    """The first state that decides; being found breadth first, it has a shortest trace."""
    from petriflow.analysis.queries.fixpoints import first_with

    state = first_with(look.graph, sought.formula, sought.value)
    if state is None:
        return OTHER[sought.found] if look.complete else "unknown", None
    trace = trace_to(look.graph, state)
    return sought.found, Trail(KIND[sought.found], trace, marking_of(look.graph, state))


KIND: dict[Truth, Literal["witness", "counterexample"]] = {"yes": "witness", "no": "counterexample"}


def _check(look: _Look, formula: Formula) -> tuple[Truth, Trail | None]:
    """The fixed points on what was explored, and a way that shows the answer."""
    from petriflow.analysis.queries.fixpoints import Checker
    from petriflow.analysis.queries.ways import show

    checker = Checker(look.graph)
    where = checker.holds(formula)
    if where.perhaps[0] and not where.surely[0]:
        return "unknown", None
    verdict: Truth = "yes" if where.surely[0] else "no"
    way = show(checker, formula, 0, verdict == "yes")
    if way is None:
        return verdict, None
    ids = look.graph.net.transition_ids
    return verdict, Trail(
        KIND[verdict],
        tuple(ids[t] for t, _ in way.steps),
        marking_of(look.graph, way.end(0)),
        tuple(ids[t] for t, _ in way.loop),
        way.stuck,
    )
