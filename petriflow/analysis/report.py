"""A verdict, told in the words of the workflow's own tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from petriflow.analysis.certificate import Evidence, certificate
from petriflow.analysis.notions import Notions
from petriflow.net import Marking, Net, Place, Transition, obstacles

Form = Literal["atomic", "expanded"]
Verdict = Literal["sound", "unsound", "unknown"]
Kind = Literal[
    "unbounded",
    "improper-completion",
    "deadlock",
    "livelock",
    "no-option",
    "dead-transitions",
    "structure",
]
Bound = int | Literal["unbounded"] | None


@dataclass(frozen=True, slots=True)
class Witness:
    """A fault that can be seen by replaying a trace.

    `trace` leads from the initial marking to `marking`. `transitions` are the dead ones, those of
    a loop without a way out, or those whose repetition grows without end (the last of the trace).
    """

    kind: Kind
    trace: tuple[str, ...]
    marking: Marking
    transitions: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The witness as plain data."""
        return {
            "kind": self.kind,
            "trace": list(self.trace),
            "marking": dict(self.marking),
            "transitions": list(self.transitions),
        }


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """What was found out about a net.

    `verdict` is `sound`, `unsound` or `unknown`; `form` and `method` say which form of the net was
    judged, and how. `markings` and `edges` are `None` unless all were counted; `explored` says how
    many markings the method looked at. `bound` is the most tokens that any place can hold. `faults`
    are all the faults found, the gravest first. `net` is the form that was judged, and whose names the
    faults use; `given` the net as it was given, on which they are drawn.
    """

    name: str
    verdict: Verdict
    form: Form
    method: str
    markings: int | None
    edges: int | None
    bound: Bound
    notions: Notions
    faults: tuple[Witness, ...]
    warnings: tuple[str, ...]
    explored: int
    seconds: float
    net: Net
    given: Net
    k: int
    evidence: Evidence

    @property
    def initial(self) -> Marking:
        """Where the net began."""
        return Marking({self.net.source.id: self.k})

    @property
    def final(self) -> Marking:
        """Where it had to end."""
        return Marking({self.net.sink.id: self.k})

    @property
    def certificate(self) -> dict[str, Any]:
        """What it takes to check the verdict again without trusting the method, as data for JSON;
        `petriflow check` does so. See `certificate.py` for the kinds of proof.
        """
        return certificate(self)

    @property
    def witness(self) -> Witness | None:
        """The gravest fault; `None` where none was found."""
        return self.faults[0] if self.faults else None

    def to_json(self) -> dict[str, Any]:
        """The report as plain data, as `petriflow verify --json` prints it."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "form": self.form,
            "method": self.method,
            "markings": self.markings,
            "edges": self.edges,
            "bound": self.bound,
            "notions": self.notions.to_json(),
            "witness": None if self.witness is None else self.witness.to_json(),
            "faults": [fault.to_json() for fault in self.faults],
            "warnings": list(self.warnings),
            "explored": self.explored,
            "seconds": round(self.seconds, 6),
        }

    def __str__(self) -> str:
        return "\n".join([self.headline, *self._lines()])

    def __repr__(self) -> str:
        return f"<Report: {self.headline}>"

    @property
    def headline(self) -> str:
        """The verdict in one line."""
        if self.markings is not None:
            counted = f": {self.markings:,} markings, {self.edges:,} edges"
        else:
            counted = f": {self.explored:,} markings looked at" if self.explored else ""
        return f"{self.name} is {self.verdict} ({self.form} form, by {self.method}{counted})"

    def _lines(self) -> Iterator[str]:
        for fault in self.faults:
            yield ""
            yield from explain(self.net, fault)
        for warning in self.warnings:
            yield f"\nnote: {warning}"

    def _repr_html_(self) -> str:
        sign = {"sound": "✓", "unsound": "✗", "unknown": "?"}[self.verdict]
        body = "".join(f"<p>{escape(w)}</p>" for w in self.warnings)
        for fault in self.faults:
            first, *rest = explain(self.net, fault)
            lines = "\n".join(rest)
            body += f"<p><b>{escape(first)}</b></p><pre>{escape(lines)}</pre>"
        if self.witness is not None:
            body += self._picture(self.witness)
        opened = " open" if self.faults else ""
        return f"<details{opened}><summary>{sign} {escape(self.headline)}</summary>{body}</details>"

    def _picture(self, witness: Witness) -> str:
        from petriflow.drawing import Overlay, draw

        dead = frozenset(witness.transitions if witness.kind == "dead-transitions" else ())
        overlay = Overlay(
            path=witness.trace,
            tokens=witness.marking,
            faults=frozenset(culprits(self.net, witness)) - dead,
            dead=dead,
        )
        return draw(self.given, overlay=overlay).svg()


def culprits(net: Net, witness: Witness) -> tuple[str, ...]:
    """The nodes to look at: steps that wait in vain, left-over places, dead or circling steps."""
    marking = witness.marking
    match witness.kind:
        case "deadlock":
            return tuple(t.id for t in _waiting(net, marking))
        case "improper-completion":
            return tuple(marking - Marking(net.sink.id))
        case "unbounded":
            gained = [p for t in witness.transitions for p in net.transition(t).produce]
            return tuple(p for p in dict.fromkeys(gained) if marking[p] > 1) or tuple(gained)
        case _:
            return witness.transitions


def _waiting(net: Net, marking: Marking) -> list[Transition]:
    """The transitions that have some of what they need, but not all."""
    return [t for t in net.transitions if any(p in marking for p in (*t.consume, *t.read))]


def explain(net: Net, witness: Witness) -> Iterator[str]:
    """A fault in words, a line each: what is wrong, the way there, what is missing or left."""
    marking = witness.marking
    match witness.kind:
        case "deadlock":
            yield "A case can get stuck: nothing can happen any more, and the end is not reached."
        case "improper-completion":
            yield "A case can reach its end while something is still left over."
        case "unbounded":
            yield "Tokens can pile up without end."
        case "livelock":
            yield "A case can be caught in a loop from which the end cannot be reached."
        case "no-option":
            yield "A case can come to where the end cannot be reached any more."
        case "dead-transitions":
            names = ", ".join(dict.fromkeys(step(net, t) for t in witness.transitions))
            yield f"These steps can never happen: {names}."
            return
        case "structure":
            yield "The net is not built as a workflow net must be."
    if witness.trace:
        yield "The way there:"
        yield from (f"  {n}. {words}" for n, words in enumerate(_told(net, witness.trace), 1))
    else:
        yield "That is so from the very beginning."
    match witness.kind:
        case "deadlock":
            for t in _waiting(net, marking):
                lacks = "; ".join(_lack(net, t, marking))
                yield f"Then {step(net, t.id)} waits for ever: {lacks}."
        case "improper-completion":
            left = marking - Marking(net.sink.id)
            yield f"Left over: {', '.join(_tokens(net, left))}."
        case "unbounded":
            again = ", ".join(dict.fromkeys(step(net, t) for t in witness.transitions))
            yield f"It can be done again and again: {again}."
        case "livelock":
            loop = ", ".join(dict.fromkeys(step(net, t) for t in witness.transitions))
            yield f"From there on only this can happen, round and round: {loop}."
        case _:
            pass
    yield f"The marking: {marking}"


def _told(net: Net, trace: tuple[str, ...]) -> Iterator[str]:
    """The steps of a trace; a task that completes right after its start is told as one step."""
    n = 0
    while n < len(trace):
        here = net.transition(trace[n])
        after = net.transition(trace[n + 1]) if n + 1 < len(trace) else None
        if (
            here.origin
            and after
            and after.origin
            and here.origin.path == after.origin.path
            and (here.origin.role, after.origin.role) == ("start", "complete")
        ):
            yield f"{here.label!r} ({here.origin.path})"
            n += 2
        else:
            yield step(net, here.id)
            n += 1


def step(net: Net, transition: str) -> str:
    """A transition in words: its task's name, or what it does in its pattern."""
    t = net.transition(transition)
    if t.origin is None:
        return f"{t.id!r}" if t.label in (None, t.id) else f"{t.label!r} ({t.id})"
    if t.label is not None:
        verb = {"start": "the start of ", "complete": "the completion of "}.get(t.origin.role, "")
        return f"{verb}{t.label!r} ({t.origin.path})"
    return f"the {t.origin.role!r} of {t.origin.pattern} {t.origin.path!r}"


def _spot(net: Net, place: Place) -> str:
    """A place in words."""
    if place.origin is None:
        return (
            f"{place.id!r}" if place.label in (None, place.id) else f"{place.label!r} ({place.id})"
        )
    if place.origin.role == "running":
        return f"{place.origin.path!r} still running"
    into = net.consumers[place.id]
    if into:
        return f"{place.id!r} (before {step(net, into[0].id)})"
    return f"{place.id!r}"


def _tokens(net: Net, marking: Marking) -> list[str]:
    return [
        (f"{n} tokens on " if n > 1 else "a token on ") + _spot(net, net.place(p))
        for p, n in marking.items()
    ]


def _lack(net: Net, t: Transition, marking: Marking) -> list[str]:
    """What a step still needs, and who would bring it."""
    missing = [p for p in (*t.consume, *t.read) if marking[p] < max(t.consume[p], t.read[p])]
    told = []
    for place in dict.fromkeys(missing):
        makers = ", ".join(step(net, m.id) for m in net.producers[place])
        need = max(t.consume[place], t.read[place])
        lack = f"needs {need} tokens, and has {marking[place]}," if need > 1 else "lacks a token"
        told.append(f"it {lack} on {place!r}" + (f", brought by {makers}" if makers else ""))
    return told or obstacles(t, marking)
