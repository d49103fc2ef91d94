"""Checking a certificate again: slow and plain, and nothing of it is shared with the ladder.

A certificate says that a net is sound, or not, from k tokens on its source, and proves it. Here,
in check_structure.py and in check_reading.py is only the firing rule, arithmetic and, with each
kind of proof, the reason why it suffices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import product
from typing import Literal

from petriflow.analysis.checking.reading import (
    MANY,
    OBJECT,
    Claim,
    Json,
    Wrong,
    lacks,
    marking,
    markings,
    names,
    need,
    part,
    told,
    trace,
    typed,
)
from petriflow.analysis.checking.structural import blocks, free_choice, free_choice_fails, reduced
from petriflow.net import Marking, Net, Transition, enabled, fire, is_enabled
from petriflow.net.errors import FormatError, NetError, NotEnabled, printable


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of a certificate: whether it holds, and a sentence that says what was shown,
    what is wrong, or why there is nothing to check (`unknown`).
    """

    holds: Literal["yes", "no", "unknown"]
    sentence: str

    def __str__(self) -> str:
        sign = {"yes": "✓", "no": "✗", "unknown": "?"}[self.holds]
        return f"{sign} {self.sentence}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>"

    @property
    def ok(self) -> bool:
        """Whether the verdict is proved."""
        return self.holds == "yes"


def check_certificate(certificate: Mapping[str, Json], net: Net) -> Checked:
    """Whether a certificate proves its verdict about this net, expanded if it says so.

    Raises:
        FormatError: this is no certificate: something is missing, or of another type.
        WorkflowNetError: the net has no single source or no single sink.

    >>> net = Net.build("door").places("i", "o").transition("open", "i", "o").done()
    >>> claim = {"petriflow_certificate": 1, "name": "door", "net": net.content_hash, "k": 1,
    ...     "form": "atomic", "verdict": "sound", "method": "blocks",
    ...     "proof": {"kind": "blocks", "tree": ["i", "open", "o"]}}
    >>> check_certificate(claim, net).sentence
    "'door' is sound (atomic form, k = 1), as was checked by blocks"
    """
    if part(certificate, "petriflow_certificate", int) != 1:
        raise FormatError("the certificate is of another version; 1 is the one that is checked")
    texts = ("name", "net", "form", "verdict", "method")
    name, hashed, form, verdict, _ = (part(certificate, key, str) for key in texts)
    k, proof = part(certificate, "k", int), part(certificate, "proof", object)
    if k < 1 or form not in ("atomic", "expanded") or verdict not in CHECKS:
        raise FormatError("the certificate has a k, a form or a verdict that there is not")
    net = net.expanded() if form == "expanded" else net
    source, sink = net.source.id, net.sink.id
    claim = Claim(net, source, sink, Marking({source: k}), Marking({sink: k}))
    about, kinds = f"{told(name)} is {verdict} ({form} form, k = {told(k)})", ""
    try:
        need(
            (hashed, form) == (net.content_hash, net.form),
            "it is about another net or form; if the model was changed, verify it anew",
        )
        if proof is None or verdict == "unknown":
            reason = part(certificate, "reason", str) if proof is None else "nothing is claimed"
            return Checked("unknown", printable(f"not checkable: {reason}"))
        while (kind := part(proof, "kind", str)) == "reduction":
            kinds, claim, proof = (
                "reduction and ",
                reduced(claim, proof),
                part(proof, "then", *OBJECT),
            )
        if kind not in [kind for checks in CHECKS.values() for kind in checks]:
            raise FormatError(f"there is no kind of proof {told(kind)}")
        need(kind in CHECKS[verdict], "{} proves the opposite", kind)
        CHECKS[verdict][kind](claim, proof)
    except (Wrong, NotEnabled) as wrong:
        return Checked("no", printable(f"it is not shown that {about}: {wrong}"))
    except NetError as error:  # it cannot be told whether an OR-join may fire
        return Checked("unknown", printable(f"not checkable: {error}"))
    return Checked("yes", printable(f"{about}, as was checked by {kinds}{kind}"))


# -- unsound --------------------------------------------------------------------------------------


def _fault(claim: Claim, proof: Json) -> None:
    """Nothing leads to the end from where nothing is enabled, or out of a closed set; and where
    more tokens disable nothing, M + X leads to the end + X if M leads to the end.
    """
    here = trace(claim, claim.initial, part(proof, "trace", *MANY))
    match proof["kind"]:
        case "deadlock":
            stuck = here != claim.final and not enabled(claim.net, here)
            need(stuck, "the trace leads to {}, which is the end or goes on", here)
        case "improper-completion":
            need(claim.final < here, "the trace leads to {}, not to more than the end", here)
        case "unbounded":
            lacks(claim.net, "inhibitor", "reset")
            after = trace(claim, here, part(proof, "pump", *MANY))
            need(here < after, "the pump leads from {} to {}, which is not more", here, after)
        case _:
            states = markings(claim, part(proof, "states", *MANY))
            need(here in states, "the trace leads to {}, which is not listed", here)
            need(claim.final not in states, "the end is listed")
            _closed(claim.net, states)


def weighing(claim: Claim, data: Json) -> Callable[[Marking], int]:
    """A weighted number of tokens, to which no transition may add."""
    weights = marking(claim, typed(data, *OBJECT))

    def weigh(tokens: Marking) -> int:
        return sum(weights[p] * n for p, n in tokens.items())

    for t in claim.net.transitions:
        need(weigh(t.produce) <= weigh(t.consume), "{} adds weight", t.id)
    return weigh


def _dead(claim: Claim, proof: Json) -> None:
    """The transitions are disabled all over a set that holds what can be reached: a listed one;
    what weighs no more than the initial marking; or what covers none of some markings (backward
    coverability: Abdulla et al. 1996, with resets Dufourd et al. 1998).
    """
    net = claim.net
    ids = {t.id: t for t in net.transitions}
    dead = [ids[name] for name in names(part(proof, "transitions", *MANY), ids)]
    match [key for key in ("states", "weights", "upward") if key in proof and dead]:
        case ["states"]:
            states = markings(claim, part(proof, "states", *MANY))
            need(claim.initial in states, "the initial marking is not listed")
            _closed(net, states)
            for t, state in product(dead, states):
                need(not is_enabled(t, state, net), "{} is enabled in {}", t.id, state)
        case ["weights"]:
            lacks(net)
            weigh = weighing(claim, part(proof, "weights", *OBJECT))
            for t in dead:
                need(weigh(t.needs) > weigh(claim.initial), "there is enough for {}", t.id)
        case ["upward"]:
            lacks(net, "inhibitor")
            upward = markings(claim, part(proof, "upward", *MANY))
            heavier = [weighing(claim, w) for w in typed(proof.get("heavier", []), *MANY)]
            need(not any(b <= claim.initial for b in upward), "the initial marking covers one")
            for t in dead:
                need(any(b <= t.needs for b in upward), "what {} needs covers none", t.id)
            for t, b in product(net.transitions, upward):
                if all(b[p] <= t.produce[p] for p in t.reset):
                    rest = b.without(t.reset)
                    more = {p: n - t.produce[p] + t.consume[p] for p, n in rest.items()}
                    places = {*t.needs, *more}
                    before = Marking({p: max(t.needs[p], more.get(p, 0)) for p in places})
                    inside = any(a <= before for a in upward) or any(
                        weigh(before) > weigh(claim.initial) for weigh in heavier
                    )
                    need(inside, "{} leads from {}, which covers none, to {}", t.id, before, b)
        case _:
            raise FormatError("dead-transitions takes transitions, and states, weights or upward")


def _closed(net: Net, states: set[Marking]) -> None:
    for here in states:
        for t in enabled(net, here):
            need(fire(t, here, net) in states, "{} leads from {} to none listed", t.id, here)


# -- sound ----------------------------------------------------------------------------------------


def _states(claim: Claim, proof: Json) -> None:
    """The definition of soundness, state by state."""
    _walk(claim, proof, 2, lambda here, _: enabled(claim.net, here))


def _stubborn(claim: Claim, proof: Json) -> None:
    """If every state of the reduced space leads to the end, so does every state of the full one
    (Valmari: Stop it, and be stubborn!, 2017). More than the end does not: the last firing on the
    way puts something on the sink for ever, or elsewhere, where the end has nothing.
    """
    net = claim.net
    lacks(net, "inhibitor", "reset")
    last = not net.consumers[claim.sink] and not enabled(net, claim.final)
    need(last and all(t.produce for t in net.transitions), "leftovers may vanish from the end")
    ids = {t.id: t for t in net.transitions}
    makers, takers = net.producers, net.consumers
    adds = {p: {t.id for t in makers[p] if t.produce[p] > t.consume[p]} for p in makers}
    takes = {p: {t.id for t in takers[p]} for p in takers}
    uses = {p: takes[p] | {t.id for t in net.transitions if p in t.read} for p in takers}

    def firing(here: Marking, item: Json) -> Iterable[Transition]:
        inside = {*names(typed(item[2], *MANY), ids)}
        for t in (ids[name] for name in inside):
            if is_enabled(t, here):
                rivals = set().union(*(uses[p] for p in t.consume), *(takes[p] for p in t.read))
                need(rivals <= inside, "the set of {} leaves out a rival of {}", here, t.id)
                yield t
            else:
                lacking = [p for p, n in t.needs.items() if here[p] < n]
                kept = any(adds[p] <= inside for p in lacking)
                need(kept, "the set of {} leaves out what could enable {}", here, t.id)

    _walk(claim, proof, 3, firing)


def _walk(
    claim: Claim, proof: Json, width: int, firing: Callable[[Marking, Json], Iterable[Transition]]
) -> None:
    """The listed states are those that are reached, none more than the end. From each but the end
    a firing leads to a smaller distance. Every transition is fired somewhere.
    """
    listed: dict[Marking, Json] = {}
    for item in part(proof, "states", *MANY):
        if len(typed(item, *MANY)) != width or typed(item[1], int) < 0:
            raise FormatError(f"a state has {width} parts, the second a distance of 0 or more")
        listed[marking(claim, item[0])] = item
    todo, seen, fired = [claim.initial], {claim.initial}, set()
    for here in todo:
        need(here in listed, "{} is reached and not listed", here)
        need(not claim.final < here, "{}, more than the end, is reached", here)
        distance = listed[here][1]
        nearer = here == claim.final and distance == 0
        for t in firing(here, listed[here]):
            after = fire(t, here, claim.net)
            nearer |= after in listed and listed[after][1] < distance
            fired.add(t.id)
            if after not in seen:
                seen.add(after)
                todo.append(after)
        need(nearer, "{} leads to no state of a smaller distance to the end", here)
    need(len(seen) == len(listed), "a state is listed that is not reached")
    for t in claim.net.transitions:
        need(t.id in fired, "{} is fired nowhere", t.id)


CHECKS: dict[str, dict[str, Callable[[Claim, Json], None]]] = {
    "unsound": {
        **dict.fromkeys(("deadlock", "improper-completion", "unbounded"), _fault),
        **dict.fromkeys(("livelock", "no-option"), _fault),
        "dead-transitions": _dead,
        "free-choice-fails": free_choice_fails,
    },
    "sound": {
        "states": _states,
        "stubborn": _stubborn,
        "free-choice": free_choice,
        "blocks": blocks,
    },
    "unknown": {},
}
