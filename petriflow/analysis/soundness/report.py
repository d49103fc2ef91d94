"""A verdict, told in the words of the workflow's own tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from petriflow.analysis.diagnosis.diagnose import Diagnosis, diagnose
from petriflow.analysis.diagnosis.words import lack, step, steps, tokens, waiting
from petriflow.analysis.soundness.certificate import Evidence, certificate
from petriflow.analysis.soundness.notions import Notions
from petriflow.analysis.structural.structure import structure
from petriflow.net import Marking, Net

if TYPE_CHECKING:
    from petriflow.drawing import Overlay
    from petriflow.drawing.widget import Game

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
    are all the faults found, the gravest first. `net` is the form that was judged, and whose names
    the faults use; `given` the net as it was given, on which they are drawn.
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

    @property
    def diagnosis(self) -> tuple[Diagnosis, ...]:
        """Why each of the faults happens, in their order, and what to do about it."""
        return tuple(diagnose(self.net, fault) for fault in self.faults)

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
            "k": self.k,
            "notions": self.notions.to_json(),
            "structure": structure(self.net).to_json(),
            "witness": None if self.witness is None else self.witness.to_json(),
            "faults": [fault.to_json() for fault in self.faults],
            "diagnosis": [found.to_json() for found in self.diagnosis],
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
            body += self._picture()
        opened = " open" if self.faults else ""
        return f"<details{opened}><summary>{sign} {escape(self.headline)}</summary>{body}</details>"

    def play(self) -> Game:
        """The way to the gravest fault, to be played in a notebook; without a fault, the net.

        Raises:
            DrawingError: the widget's libraries are not installed.
        """
        from petriflow.drawing import play

        witness = self.witness
        if witness is None:
            return play(self.given)
        end = self.shown
        return play(self.given, witness.trace, initial=self.initial, at_end=end)

    def _picture(self) -> str:
        from petriflow.drawing import draw

        return draw(self.given, overlay=self.shown).svg()

    @property
    def shown(self) -> Overlay:
        """The gravest fault as an overlay of a picture: the way there, and what is at fault."""
        from petriflow.drawing import Overlay

        witness = self.witness
        if witness is None:
            return Overlay()
        dead = frozenset(witness.transitions if witness.kind == "dead-transitions" else ())
        return Overlay(
            path=witness.trace,
            tokens=witness.marking,
            faults=frozenset(diagnose(self.net, witness).marks),
            dead=dead,
        )


#: Of a longer way, only this much of its beginning and its end is told.
BEGINNING, END = 4, 10


def _shortened(way: list[str]) -> Iterator[str]:
    """A way that is too long to be read, without its middle; `diagnosis[…].way` has all of it."""
    if len(way) <= BEGINNING + END + 2:
        yield from way
        return
    yield from way[:BEGINNING]
    yield f"     … {len(way) - BEGINNING - END} more steps …"
    yield from way[-END:]


def explain(net: Net, witness: Witness) -> Iterator[str]:
    """A fault in words, a line each: what is wrong and why, what to do about it, the way there,
    what is missing or left.
    """
    marking, found = witness.marking, diagnose(net, witness)
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
        case "structure":
            yield "The net is not built as a workflow net must be."
    yield f"Why: {' '.join(found.sentences)}"
    yield f"Remedy: {found.remedy}"
    if witness.kind == "dead-transitions":
        return
    if witness.trace:
        yield "The way there:"
        yield from _shortened([f"  {n}. {words}" for n, words in enumerate(found.way, 1)])
    else:
        yield "That is so from the very beginning."
    match witness.kind:
        case "deadlock":
            for t in waiting(net, marking):
                yield f"Then {step(net, t.id)} waits for ever: {'; '.join(lack(net, t, marking))}."
        case "improper-completion":
            yield f"Left over: {', '.join(tokens(net, found.left_over))}."
        case "unbounded":
            yield f"It can be done again and again: {steps(net, witness.transitions)}."
        case "livelock":
            loop = steps(net, witness.transitions)
            yield f"From there on only this can happen, round and round: {loop}."
        case _:
            pass
    yield f"The marking: {marking}"
