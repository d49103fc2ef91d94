"""What a diagnosis says, and the ways through a net that its words speak of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

from petriflow.analysis.diagnosis.words import named
from petriflow.net import Marking, Net, Transition

Cause = Literal[
    "exclusive-split-parallel-join",
    "parallel-split-simple-merge",
    "branch-left",
    "branch-entered",
    "independent-choices",
    "loop-in-branch",
    "endless-growth",
    "circular-wait",
    "not-given-back",
    "withdrawn-too-much",
    "withdrawn-too-little",
    "too-few",
    "too-late",
    "too-many",
    "blocked",
    "never-emptied",
    "vanished",
    "no-exit",
    "never-brought",
    "never-together",
    "off-the-path",
]
EMPTY = Marking()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a fault happens.

    `split` is the node where the ways part: a place where one of several steps is taken, or a step
    that starts several branches. `join` is the node where they do not fit together again: a step
    that waits, or a place that several run into. `missing` is what the join waits for in vain,
    `left_over` what lies there and can never be used up. `way` tells the witness's trace. `also`
    are further nodes to look at.
    """

    kind: Cause
    sentences: tuple[str, ...]
    remedy: str
    split: str | None = None
    join: str | None = None
    missing: Marking = EMPTY
    left_over: Marking = EMPTY
    way: tuple[str, ...] = ()
    also: tuple[str, ...] = field(default=(), repr=False)

    def _repr_html_(self) -> str:
        why, remedy = escape(" ".join(self.sentences)), escape(self.remedy)
        way = "".join(f"<li>{escape(step)}</li>" for step in self.way)
        shown = f"<details><summary>the way there</summary><ol>{way}</ol></details>" if way else ""
        return f"<p><b>Why:</b> {why}</p><p><b>Remedy:</b> {remedy}</p>{shown}"

    @property
    def culprits(self) -> tuple[str, ...]:
        """The nodes to look at, split and join first."""
        found = (self.split, self.join, *self.also, *self.left_over)
        return tuple(dict.fromkeys(id for id in found if id is not None))

    @property
    def marks(self) -> tuple[str, ...]:
        """The nodes to mark in a picture: split and join, what is missing and what is left over."""
        found = (self.split, self.join, *self.missing, *self.left_over)
        return tuple(dict.fromkeys(id for id in found if id is not None))

    def to_json(self) -> dict[str, Any]:
        """The diagnosis as plain data."""
        return {
            "kind": self.kind,
            "split": self.split,
            "join": self.join,
            "culprits": list(self.culprits),
            "sentences": list(self.sentences),
            "remedy": self.remedy,
            "missing": dict(self.missing),
            "left_over": dict(self.left_over),
            "way": list(self.way),
        }

    def __str__(self) -> str:
        return "\n".join([*self.sentences, f"Remedy: {self.remedy}"])


def feeders(net: Net, place: str, without: Sequence[Transition] = ()) -> dict[str, int]:
    """The places from which something can come to a place without these steps, and how far away
    they are.
    """
    far = {place: 0}
    queue = [place]
    for here in queue:
        for t in net.producers[here]:
            if t not in without:
                for p in t.consume:
                    if p not in far:
                        far[p] = far[here] + 1
                        queue.append(p)
    return far


def reaches(
    net: Net, starts: Iterable[str], goals: Iterable[str], avoiding: str | None = None
) -> bool:
    """Whether a way leads from one of these places to one of those, around a place."""
    queue, wanted = list(starts), set(goals)
    seen = {*queue, avoiding}
    for here in queue:
        if here in wanted:
            return True
        for t in net.consumers[here]:
            fresh = [p for p in t.produce if p not in seen]
            seen.update(fresh)
            queue += fresh
    return False


def names(net: Net, places: Iterable[str]) -> str:
    """Several places in words, each once, and no more than five."""
    said = list(dict.fromkeys(named(net, p) for p in places))
    shown = said[:5] + [f"{len(said) - 5} more"] * (len(said) > 5)
    return ", ".join(shown)


def upper(words: str) -> str:
    """The words as the begin of a sentence."""
    return words[:1].upper() + words[1:]
