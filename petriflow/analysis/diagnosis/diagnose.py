"""What is wrong with a workflow, and what to do about it, in the words of its own tasks.

A witness shows *that* a net is unsound. A diagnosis says *why*: where the ways part, where they
should meet, and how the two do not fit. The tokens of the witness's trace are followed back: of a
token that is left over and the one that went ahead, the last common firing is the split; of a
token that is missing, the firing after which it could not come any more is the choice. That the
splits and joins of a workflow should be of one kind is as old as workflow nets (van der Aalst
1998, "well-structured"); which pairs are faults, PATTERNS.md §3 tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, assert_never

from petriflow.analysis.diagnosis.cause import Cause, Diagnosis, feeders, names, upper
from petriflow.analysis.diagnosis.history import History, history
from petriflow.analysis.diagnosis.stuck import deadlock, why_waiting
from petriflow.analysis.diagnosis.surplus import growth, left_over
from petriflow.analysis.diagnosis.words import (
    choice,
    coming,
    named,
    spot,
    step,
    steps,
    told,
    waiting,
)
from petriflow.analysis.structural.structure import off_the_path
from petriflow.net import Marking, Net, Transition, enabled, fire

if TYPE_CHECKING:
    from petriflow.analysis.soundness.report import Witness

__all__ = ["Cause", "Diagnosis", "diagnose"]

#: So many tokens are followed one by one.
MOST_TOKENS = 10_000
#: A loop without a way out is looked at for so many markings.
MOST_MARKINGS = 200


def diagnose(net: Net, witness: Witness) -> Diagnosis:
    """Why the fault that a witness shows happens, and the usual remedy.

    Args:
        net: the net that was judged, whose names the witness uses (`report.net`).
        witness: one of a report's `faults`.

    >>> from petriflow.analysis import verify
    >>> net = (Net.build("trip").places("i", "a", "b", "o")
    ...     .transition("train", "i", "a").transition("plane", "i", "b")
    ...     .transition("arrive", ["a", "b"], "o").done())
    >>> report = verify(net)
    >>> print(diagnose(net, report.witness))
    The choice at 'i' takes one way only, and 'arrive' waits for more than one: after 'train' \
nothing can come to 'b' any more, where only 'plane' leads.
    Remedy: let the ways meet in a simple merge instead of 'arrive' (exclusive_choice), or make \
the choice at 'i' a parallel split, so that all of them are taken (parallel).
    """
    made = sum(net.transition(id).produce.total for id in witness.trace)
    if made + witness.marking.total > MOST_TOKENS and witness.kind in COARSE:
        return replace(_of_many(net, witness), way=tuple(told(net, witness.trace)))
    past = history(net, witness.trace, witness.marking)
    return replace(_cause(net, witness, past), way=tuple(told(net, witness.trace)))


#: What is said of tokens that are too many to follow.
COARSE: dict[str, Cause] = {
    "deadlock": "too-few",
    "improper-completion": "never-emptied",
    "unbounded": "endless-growth",
    "livelock": "no-exit",
    "no-option": "no-exit",
}


def _of_many(net: Net, witness: Witness) -> Diagnosis:
    marking = witness.marking
    most = max(marking, key=lambda p: marking[p], default=net.sink.id)
    where = spot(net, net.place(most))
    left = Marking(net.sink.id) if net.sink.id in marking else Marking()
    return Diagnosis(
        COARSE[witness.kind],
        (f"The tokens are too many to follow one by one; most lie on {where}.",),
        f"look at the weights of the arcs at {where}: as many as are put there must be taken.",
        join=most,
        left_over=marking - left,
    )


def _cause(net: Net, witness: Witness, past: History) -> Diagnosis:
    marking = witness.marking
    match witness.kind:
        case "deadlock":
            return deadlock(net, past, marking)
        case "improper-completion":
            return left_over(net, past, marking)
        case "unbounded":
            return growth(net, past, len(witness.transitions))
        case "livelock":
            return _no_exit(net, past, marking, witness.transitions)
        case "no-option":
            return _no_option(net, past, witness)
        case "dead-transitions":
            return _dead(net, frozenset(witness.transitions))
        case "structure":
            return _off_the_path(net)
        case _ as never:
            assert_never(never)


def _no_exit(net: Net, past: History, marking: Marking, loop: Sequence[str]) -> Diagnosis:
    """Going round for ever; the steps of the loop are all that can still happen."""
    inside = [net.transition(id) for id in loop]
    places = {p: 1 for t in inside for p in (*t.consume, *t.produce)} | dict(marking)
    held = Marking(places)
    round_ = steps(net, inside)
    before = feeders(net, net.sink.id)
    lost = None if any(p in before for p in held) else past.last(before)
    if lost is not None:
        firing = past.firings[lost]
        at = next((x.place for x in firing.taken if x.place in before), None)
        by = step(net, firing.transition.id)
        return Diagnosis(
            "no-exit",
            (
                f"{upper(choice(net, at)) if at else 'The case'} took {by}, and after it only "
                f"{round_} can happen, round and round: no way leads to the end.",
            ),
            f"give the loop of {round_} a way out, to where the case goes on (structured_loop).",
            split=at or firing.transition.id,
            left_over=marking,
            also=(firing.transition.id, *loop),
        )
    found = why_waiting(net, past, held, past.tokens)
    if found is not None:
        return replace(found, left_over=marking, also=(*found.also, *loop))
    exits = [t for t in waiting(net, held) if t.id not in set(loop)]
    ways = (
        f"the way out by {steps(net, exits, ' or ')} never opens" if exits else "there is no exit"
    )
    return Diagnosis(
        "no-exit",
        (f"Only {round_} can happen any more, round and round: {ways}.",),
        f"give the loop of {round_} a way out that can be taken (structured_loop).",
        join=exits[0].id if exits else None,
        left_over=marking,
        also=(*loop, *(t.id for t in exits)),
    )


def _no_option(net: Net, past: History, witness: Witness) -> Diagnosis:
    """The end cannot be reached any more: play on, until nothing happens or it goes round."""
    if witness.transitions or any(t.join == "or" for t in net.transitions):
        return _no_exit(net, past, witness.marking, witness.transitions)
    marking, more, seen = witness.marking, list[str](), dict[Marking, int]()
    while marking not in seen and len(seen) < MOST_MARKINGS:
        seen[marking] = len(more)
        able = enabled(net, marking)
        if not able:
            trace = (*witness.trace, *more)
            return deadlock(net, history(net, trace, marking), marking)
        marking = fire(able[0], marking)
        more.append(able[0].id)
    loop = more[seen.get(marking, 0) :]
    return _no_exit(net, past, witness.marking, tuple(dict.fromkeys(loop)))


def _dead(net: Net, dead: frozenset[str]) -> Diagnosis:
    """Why steps can never happen: the first of them, and what hangs on it."""
    begun = net.initial or Marking([p.id for p in net.sources])
    ever = {p for t in net.transitions if t.id not in dead for p in t.produce} | set(begun)
    mine = [t for t in net.transitions if t.id in dead]
    # An OR-join needs only one of its inputs.
    ready = [t for t in mine if (any if t.join == "or" else all)(p in ever for p in t.needs)]
    joins = (t for t in ready if t.join == "and")
    found = next((d for t in joins if (d := _exclude(net, t)) is not None), None)
    if found is None and ready:
        found = _never_ready(net, ready[0])
    if found is None:
        found = _unbrought(net, mine, ever)
    rest = [t for t in mine if t.id != found.join]
    more = f"So {steps(net, rest)} can never happen either."
    sentences = (*found.sentences, more) if rest else found.sentences
    return replace(found, sentences=sentences, also=(*found.also, *(t.id for t in rest)))


def _exclude(net: Net, t: Transition) -> Diagnosis | None:
    """A choice of which one way leads to one input of a step, and another way to another."""
    ways = {p: feeders(net, p, (t,)) for p in t.needs}
    best: tuple[int, str, str, str, list[Transition], list[Transition]] | None = None
    for one, other in combinations(ways, 2):
        for at in ways[one].keys() & ways[other].keys():
            takers = net.consumers[at]
            left = [u for u in takers if any(p in ways[one] for p in u.produce)]
            right = [u for u in takers if any(p in ways[other] for p in u.produce)]
            if left and right and not {u.id for u in left} & {u.id for u in right}:
                far = ways[one][at] + ways[other][at]
                if best is None or (far, at) < best[:2]:
                    best = (far, at, one, other, left, right)
    if best is None:
        return None
    _, at, one, other, left, right = best
    who, chosen = step(net, t.id), choice(net, at)
    return Diagnosis(
        "exclusive-split-parallel-join",
        (
            f"{upper(who)} can never happen: it waits for {coming(net, one)} and "
            f"{coming(net, other)}, but {chosen} takes one way only; {steps(net, left, ' or ')} "
            f"leads to the one, {steps(net, right, ' or ')} to the other.",
        ),
        f"let the ways meet in a simple merge instead of {who} (exclusive_choice), or make "
        f"{chosen} a parallel split, so that all of them are taken (parallel).",
        split=at,
        join=t.id,
        also=tuple(u.id for u in (*left, *right)),
    )


def _never_ready(net: Net, t: Transition) -> Diagnosis:
    who, need = step(net, t.id), t.needs
    if t.join == "or":
        return Diagnosis(
            "circular-wait",
            (
                f"{upper(who)} can never happen: it waits as long as more can come to one of "
                f"{names(net, need)}, and that never ends.",
            ),
            f"take {who} out of the circle, or let it wait for fewer branches.",
            join=t.id,
        )
    if t.inhibitor and len(need) < 2:
        return Diagnosis(
            "blocked",
            (
                f"{upper(who)} can never happen: it may do so only while there is less on "
                f"{names(net, t.inhibitor)}, and that is never so when it is its turn.",
            ),
            f"let {names(net, t.inhibitor)} be emptied before {who} is due.",
            join=t.id,
        )
    if len(need) == 1:
        place, count = next(iter(need.items()))
        return Diagnosis(
            "too-few",
            (
                f"{upper(who)} can never happen: it waits for {count} tokens on "
                f"{named(net, place)}, and there are never so many.",
            ),
            f"let as many come as {who} waits for (thread_split and thread_merge of one number), "
            "or let it wait for fewer.",
            join=t.id,
        )
    return Diagnosis(
        "never-together",
        (
            f"{upper(who)} can never happen: it waits for {names(net, need)}, and these never "
            "hold something at the same time.",
        ),
        f"let {who} wait for one of them only, or let what it waits for be kept until the rest "
        "comes.",
        join=t.id,
    )


def _unbrought(net: Net, dead: Sequence[Transition], ever: set[str]) -> Diagnosis:
    """None of the dead steps has all its inputs: nothing is brought, or only by themselves."""
    lacks = [(t, p) for t in dead for p in t.needs if p not in ever]
    t, place = min(
        lacks,
        key=lambda lack: (bool(net.producers[lack[1]]), not any(p in ever for p in lack[0].needs)),
    )
    who, where, makers = step(net, t.id), named(net, place), net.producers[place]
    if not makers:
        why = "where nothing ever brings anything"
        remedy = f"let a step lead to {where}, or take {who} out."
    else:
        why = f"which only {steps(net, makers)} could bring, and that in turn never happens"
        remedy = f"let a step that does happen lead to {where}, or take {who} out."
    return Diagnosis(
        "never-brought",
        (f"{upper(who)} can never happen: it waits for {where}, {why}.",),
        remedy,
        join=t.id,
        missing=Marking(place),
        also=tuple(m.id for m in makers),
    )


def _off_the_path(net: Net) -> Diagnosis:
    """Nodes that are on no way from the start to the end."""
    off = sorted(off_the_path(net, net.source.id, net.sink.id, resets=True))
    return Diagnosis(
        "off-the-path",
        (
            f"{', '.join(map(repr, off[:5])) or 'A node'} lies on no way from the start "
            f"{named(net, net.source.id)} to the end {named(net, net.sink.id)}.",
        ),
        "join what lies aside to the way of the case, or take it out.",
        also=tuple(off),
    )
