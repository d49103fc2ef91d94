"""Soundness with more tokens than one: up to k, for every number, for some number.

A net is k-sound if it is sound from k tokens on the source to k tokens on the sink (van Hee,
Sidorova and Voorhoeve 2003); `verify(net, k=…)` judges that. Here the number is not given. What
holds for every k is what composes: it stays sound wherever it stands in for a step.

Exact methods for any net exist, and are out of reach of all but the smallest (Blondin, Mazowiecki
and Offtermatt 2022). So proofs are by block structure, the rank theorem or reduction, refutations
by the first few numbers or by relaxation, in which firings may be fractions (their paper of CAV
2022; Fraca and Haddad 2015), and the rest is `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from petriflow.analysis.display import Listing
from petriflow.analysis.soundness.blocks import blocks
from petriflow.analysis.soundness.free_choice import free_choice
from petriflow.analysis.soundness.ladder import verify
from petriflow.analysis.soundness.notions import Answer
from petriflow.analysis.soundness.reduction import reduce_net
from petriflow.analysis.soundness.report import Report, Verdict
from petriflow.analysis.structural.linear import growing_solution, incidence, transposed
from petriflow.analysis.structural.structure import structure
from petriflow.net import Net, require_net
from petriflow.net.errors import DefinitionError

#: So many numbers of tokens are tried where the number is not given.
TRIED = 3


@dataclass(frozen=True, slots=True, repr=False)
class Decision(Listing):
    """Whether a net is sound in one of these ways, and why.

    `k` is the number of tokens that decides it, if one does, and `report` what was found with it:
    its witness is the reason for a `no`.
    """

    net: Net
    notion: Literal["up to k", "generalised", "structural"]
    answer: Answer
    why: str
    k: int | None = None
    report: Report | None = None

    @property
    def title(self) -> str:
        """What this is, in a line."""
        return f"{self.net.name}: soundness, {self.notion}: {self.answer}"

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("why",)

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The rows of the table."""
        yield (self.why,)
        if self.report is not None:
            yield (self.report.headline,)


def up_to_k_sound(net: Net, k: int, *, max_markings: int = 100_000) -> Decision:
    """Whether a net is sound with 1, 2, … and with k tokens on the source.

    Args:
        net: a workflow net; `net.expanded()` for the one that runs.
        k: the largest number of tokens.
        max_markings: for each number, look at no more markings than this.

    Raises:
        WorkflowNetError: the net has no source or sink, or several.

    >>> net = Net.build().places("i", "o").transition("t", "i", "o").done()
    >>> up_to_k_sound(net, 5).answer
    'yes'
    """
    require_net(net, "up_to_k_sound")
    if not isinstance(k, int) or k < 1:
        raise DefinitionError(f"k={k!r}; with how many tokens a net begins is 1 or more")
    method = _for_every_number(net)
    if method is not None:
        return Decision(net, "up to k", "yes", f"with any number of tokens, by {method}")
    return _tried(net, "up to k", k, max_markings) or Decision(
        net, "up to k", "yes", f"each number of tokens up to {k} was looked at"
    )


def generalised_sound(net: Net, *, max_markings: int = 100_000) -> Decision:
    """Whether a net is sound with any number of tokens on the source.

    The arguments and errors are those of `up_to_k_sound`.

    >>> net = (Net.build().places("i", "p", "q", "o").transition("split", "i", {"p": 1, "q": 1})
    ...     .transition("join", ["p", "q"], "o").done())
    >>> print(generalised_sound(net))
    net: soundness, generalised: yes
      why
      with any number of tokens, by block structure
    """
    require_net(net, "generalised_sound")
    method = _for_every_number(net)
    if method is not None:
        return Decision(net, "generalised", "yes", f"with any number of tokens, by {method}")
    found = _tried(net, "generalised", TRIED, max_markings)
    if found is not None and found.answer == "no":
        return found
    refuted = _on_no_run(net) or _grows(net)
    if refuted:
        return Decision(net, "generalised", "no", refuted)
    return found or Decision(
        net, "generalised", "unknown", f"sound with up to {TRIED} tokens; more were not looked at"
    )


def structurally_sound(net: Net, *, max_markings: int = 100_000) -> Decision:
    """Whether there is a number of tokens with which a net is sound.

    The arguments and errors are those of `up_to_k_sound`.

    >>> pairs = (Net.build().places("i", "p", "o").transition("t", "i", "p")
    ...     .transition("u", {"p": 2}, {"o": 2}).done())
    >>> found = structurally_sound(pairs)
    >>> found.answer, found.k
    ('yes', 2)
    """
    require_net(net, "structurally_sound")
    # Failing the theorem is failing it with every number (Teruel and Silva 1996: the closing
    # transition may as well take and give k tokens; ranks, clusters and siphons stay the same).
    theorem = free_choice(structure(net))
    if theorem is not None and not theorem.sound:
        return Decision(net, "structural", "no", "with no number of tokens, by the rank theorem")
    refuted = _on_no_run(net)
    if refuted:
        return Decision(net, "structural", "no", refuted)
    for k in range(1, TRIED + 1):
        report = verify(net, k=k, max_markings=max_markings)
        if report.verdict == "sound":
            return Decision(net, "structural", "yes", f"with k={k}", k, report)
    why = f"not proven sound with up to {TRIED} tokens; more were not looked at"
    return Decision(net, "structural", "unknown", why)


def all_notions(report: Report, *, max_markings: int = 20_000) -> dict[str, Answer]:
    """What is known of a net by each notion of soundness, by name.

    Args:
        report: what `verify` found; `weak` to `k_sound` are about its number of tokens.
        max_markings: for what the report does not tell, look at no more markings than this for
            each number of tokens.

    >>> net = Net.build().places("i", "o").transition("t", "i", "o").done()
    >>> set(all_notions(verify(net)).values())
    {'yes'}
    """
    if not isinstance(report, Report):
        raise DefinitionError(f"all_notions takes a Report, not {report!r}; see verify()")
    net, k, found = report.net, report.k, ANSWERS[report.verdict]
    classical = found if k == 1 else ANSWERS[verify(net, max_markings=max_markings).verdict]
    return {
        "classical": classical,
        **report.notions.to_json(),
        "k_sound": found,
        "up_to_k": found
        if k == 1 or found == "no"
        else up_to_k_sound(net, k, max_markings=max_markings).answer,
        "generalised": "no"
        if found == "no"
        else generalised_sound(net, max_markings=max_markings).answer,
        "structural": "yes"
        if found == "yes"
        else structurally_sound(net, max_markings=max_markings).answer,
    }


ANSWERS: dict[Verdict, Answer] = {"sound": "yes", "unsound": "no", "unknown": "unknown"}


def _for_every_number(net: Net) -> str | None:
    """A method that shows soundness whatever the number of tokens, if one does."""
    if blocks(net) is not None:
        return "block structure"
    theorem = free_choice(structure(net))
    if theorem is not None and theorem.sound:
        return "the rank theorem"
    if not any(t.join == "or" for t in net.transitions) and reduce_net(net).trivial:
        return "reduction"
    return None


def _tried(
    net: Net, notion: Literal["up to k", "generalised"], most: int, max_markings: int
) -> Decision | None:
    """The first number with which the net is not sound, or is not known to be."""
    unknown = None
    for k in range(1, most + 1):
        report = verify(net, k=k, max_markings=max_markings)
        if report.verdict == "unsound":
            return Decision(net, notion, "no", f"not with k={k}", k, report)
        if report.verdict == "unknown" and unknown is None:
            unknown = Decision(net, notion, "unknown", f"unknown with k={k}", k, report)
    return unknown


# -- relaxations ----------------------------------------------------------------------------------


def _grows(net: Net) -> str | None:
    """Firings that together add tokens and take none: with enough tokens to begin with they can
    happen, and what they added stays.
    """
    if not structure(net).plain:
        return None
    columns = transposed(incidence(net), len(net.places))
    times = growing_solution(columns, len(net.transitions), signed=False)
    if times is None:
        return None
    firings = _counted({t.id: n for t, n in zip(net.transitions, times, strict=True) if n})
    return f"with enough tokens these firings only add some: {firings}"


def _counted(firings: Mapping[str, int]) -> str:
    return ", ".join(repr(id) if n == 1 else f"{n} × {id!r}" for id, n in firings.items())


def _on_no_run(net: Net) -> str | None:
    """Steps that are on no way from the source to the sink, for any number of tokens, even if they
    could fire in fractions: the net is sound with none.

    What is left out never comes back: firings whose sum cannot be made up for by others (Stiemke's
    lemma, exactly), steps that cannot come first, and steps that cannot come last.
    """
    if any(t.reset or t.join == "or" for t in net.transitions):
        return None
    source, sink = net.source.id, net.sink.id
    index = {p.id: n for n, p in enumerate(net.places)}
    changes = dict(zip((t.id for t in net.transitions), incidence(net), strict=True))
    changes[""] = {index[sink]: -1, index[source]: 1} if source != sink else {}
    needs = {t.id: {*t.consume, *t.read} for t in net.transitions}
    gives = {t.id: {*t.produce, *t.read} for t in net.transitions}
    left = set(changes)
    while True:
        before = len(left)
        ids = sorted(left)
        weights = growing_solution([changes[id] for id in ids], len(index), signed=True)
        if weights is not None:
            left -= {id for id in ids if sum(n * weights[p] for p, n in changes[id].items()) > 0}
        if "" not in left:
            return f"{sink!r} cannot get as many tokens as {source!r} had, whatever is fired"
        left &= _in_turn(source, left, needs, gives) & _in_turn(sink, left, gives, needs)
        if len(left) == before:
            break
    never = [t.id for t in net.transitions if t.id not in left]
    if not never:
        return None
    names = ", ".join(map(repr, never[:5])) + (" …" if len(never) > 5 else "")
    return f"on no way from {source!r} to {sink!r} with any number of tokens: {names}"


def _in_turn(
    start: str,
    among: set[str],
    needs: Mapping[str, set[str]],
    gives: Mapping[str, set[str]],
) -> set[str]:
    """The steps that can come one after the other, each marking what it gives; and "" itself."""
    marked, fired = {start}, {""}
    while more := {id for id in among - fired if needs[id] <= marked}:
        fired |= more
        for id in more:
            marked |= gives[id]
    return fired
