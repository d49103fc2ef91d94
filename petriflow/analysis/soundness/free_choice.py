"""Soundness of free-choice workflow nets in polynomial time, by the rank theorem.

A workflow net is sound just if its short-circuited net, in which one more transition leads from the
sink back to the source, is live and bounded (van der Aalst 1997). An extended free-choice net is
live and bounded just if (Desel and Esparza 1995, theorem 6.17 and chapter 10)

* some weights ≥ 1 of all places are a place invariant, and some of all transitions a transition
  invariant;
* the rank of its incidence matrix is the number of its clusters less one;
* every siphon holds a token at the start.

Such a net is safe, and sound with any number of tokens on the source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from petriflow.analysis.structural.linear import (
    Row,
    growing_solution,
    incidence,
    positive_solution,
    rank,
    transposed,
)
from petriflow.analysis.structural.structure import Structure
from petriflow.net import Net
from petriflow.net.errors import DefinitionError

#: Which of the conditions fails.
Failure = Literal["grows", "falls", "siphon", "rank"]


@dataclass(frozen=True, slots=True)
class FreeChoice:
    """What the theorem says of a net, with the numbers to check it by.

    Where it is sound, `places` and `transitions` are the weights of the two invariants; the
    transition that closes the circle is called "". Where it is not, `fails` names a condition:

    * `grows`: firing `transitions` together adds tokens and takes none away;
    * `falls`: the weighted number of tokens, by `places`, can only rise;
    * `siphon`: these `places` are empty at the start, and so for ever;
    * `rank`: the rank is not as it must be.
    """

    sound: bool
    fails: Failure | None
    places: Mapping[str, int]
    transitions: Mapping[str, int]


def free_choice(structure: Structure) -> FreeChoice | None:
    """Judge a net by the theorem; `None` where the theorem does not apply.

    >>> from petriflow.analysis import structure
    >>> net = (Net.build().places("i", "p", "q", "o").transition("choose", "i", "p")
    ...     .transition("or", "i", "q").transition("join", ["p", "q"], "o").done())
    >>> judged = free_choice(structure(net))
    >>> judged.sound, judged.fails
    (False, 'rank')
    """
    if not isinstance(structure, Structure):
        raise DefinitionError(f"free_choice takes a Structure, not {structure!r}; see structure()")
    net = structure.net
    # Where source and sink are one place there is no circle to close.
    if not (structure.extended_free_choice and structure.workflow_net and net.transitions):
        return None
    places = [p.id for p in net.places]
    transitions = [*(t.id for t in net.transitions), ""]
    index = {p: n for n, p in enumerate(places)}
    rows = [*incidence(net), {index[net.sink.id]: -1, index[net.source.id]: 1}]
    columns = transposed(rows, len(places))

    dry = _siphon_without(net, net.source.id)
    if dry:
        return FreeChoice(False, "siphon", dict.fromkeys(sorted(dry), 1), {})
    if rank(rows) != len(structure.clusters) - 1:
        return FreeChoice(False, "rank", {}, {})
    weights = positive_solution(rows, len(places))
    if weights is None:
        return _failed("grows", columns, transitions)
    firings = positive_solution(columns, len(transitions))
    if firings is None:
        return _failed("falls", rows, places)
    return FreeChoice(
        True,
        None,
        dict(zip(places, weights, strict=True)),
        dict(zip(transitions, firings, strict=True)),
    )


def _failed(fails: Failure, rows: Sequence[Row], ids: Sequence[str]) -> FreeChoice | None:
    """The reason why there is no positive invariant (Stiemke's lemma)."""
    found = growing_solution(rows, len(ids), signed=True)
    if found is None:  # the numbers were too difficult for the solver: nothing is claimed
        return None
    named = {id: n for id, n in zip(ids, found, strict=True) if n}
    if fails == "grows":
        return FreeChoice(False, fails, {}, named)
    return FreeChoice(False, fails, named, {})


def _siphon_without(net: Net, source: str) -> set[str]:
    """The largest siphon of the short-circuited net that leaves the source out.

    Whatever puts a token into the set must take one from it; places with a maker that does not are
    left out, until all is well.
    """
    inside = {p.id for p in net.places} - {source}
    needs = {t.id: sum(p in inside for p in t.consume) for t in net.transitions}
    out = [source]
    while out:
        place = out.pop()
        for t in net.consumers[place]:
            if place != source:
                needs[t.id] -= 1
            if not needs[t.id]:
                gone = [p for p in t.produce if p in inside]
                inside.difference_update(gone)
                out += gone
    return inside
