"""Why a case is stuck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from petriflow.analysis.diagnosis.cause import Diagnosis, feeders, names, upper
from petriflow.analysis.diagnosis.history import History, Token
from petriflow.analysis.diagnosis.waits import lost_for_ever
from petriflow.analysis.diagnosis.words import named, spot, step, waiting
from petriflow.net import Marking, Net, Transition


def deadlock(net: Net, past: History, marking: Marking) -> Diagnosis:
    """Why nothing can happen in this marking."""
    found = why_waiting(net, past, marking, past.tokens)
    if found is not None:
        return replace(found, left_over=marking)
    if marking:
        return replace(never_emptied(net, past, past.tokens[-1]), left_over=marking)
    last = past.firings[-1].transition if past.firings else None
    who = step(net, last.id) if last else "the net"
    return Diagnosis(
        "vanished",
        (f"{upper(who)} is the last that happens, and hands on to nothing.",),
        f"let {who} lead on to what comes next, or to the end.",
        split=last.id if last else None,
    )


def never_emptied(net: Net, past: History, token: Token) -> Diagnosis:
    """Nothing takes a token away for good."""
    place, takers = token.place, net.consumers[token.place]
    what = spot(net, net.place(place))
    maker = past.firings[token.maker].transition.id if token.maker >= 0 else None
    comes = f" It comes from {step(net, maker)}." if maker else ""
    if not takers:
        why = f"Nothing takes away what lies on {what}.{comes}"
        remedy = f"let the step that should use {what} take it, or do not bring it there."
    elif all(place in t.produce for t in takers):
        why = f"Whoever takes what lies on {what} puts it back, and nothing takes it for good."
        remedy = f"let the step that ends the work take {what} away."
    else:
        why = f"The case ends without waiting for what lies on {what}.{comes}"
        remedy = "let the end wait for it, or withdraw it when the case goes on without it."
    return Diagnosis("never-emptied", (why,), remedy, split=maker, join=place)


def why_waiting(
    net: Net, past: History, marking: Marking, carriers: Sequence[Token]
) -> Diagnosis | None:
    """Why nothing of what waits in this marking can ever go on."""
    return (
        lost_for_ever(net, past, marking, carriers)
        or _circle(net, past, marking)
        or _blocked(net, marking)
        or lost_for_ever(net, past, marking, carriers, alone=True)
    )


def _blocked(net: Net, marking: Marking) -> Diagnosis | None:
    """A step that has all it needs and may not happen for what lies elsewhere."""
    for t in waiting(net, marking):
        stops = [p for p, most in t.inhibitor.items() if marking[p] >= most]
        if t.needs <= marking and stops:
            return Diagnosis(
                "blocked",
                (
                    f"{upper(step(net, t.id))} may happen only while there is less on "
                    f"{names(net, stops)}, and nothing takes anything away from there before it.",
                ),
                f"let {names(net, stops)} be emptied before {step(net, t.id)} is due.",
                join=t.id,
            )
    return None


def _circle(net: Net, past: History, marking: Marking) -> Diagnosis | None:
    """Steps of which each waits for what only comes after another."""
    waits: dict[str, tuple[str, Transition]] = {}
    stand = waiting(net, marking)
    for t in stand:
        lacks = [p for p, n in t.needs.items() if marking[p] < n]
        for place in lacks:
            before = feeders(net, place, (t,))
            ahead = next(
                (
                    u
                    for u in stand
                    if u is not t and any(p in before for p in marking.keys() & u.needs.keys())
                ),
                None,
            )
            if ahead is not None:
                waits[t.id] = (place, ahead)
                break
    seen: list[str] = []
    here = next(iter(waits), None)
    while here in waits and here not in seen:
        seen.append(here)
        here = waits[here][1].id
    if here not in seen:
        return None
    round_ = seen[seen.index(here) :]
    places = [waits[id][0] for id in round_]
    sentences = []
    locks = True
    for id in round_:
        place, ahead = waits[id]
        taker = past.last({place})
        holds = taker is not None and any(
            c.place in ahead.needs and past.descends(c, taker) for c in past.tokens
        )
        locks = locks and holds
        why = (
            f"which {step(net, past.firings[taker].transition.id)} has taken"
            if holds and taker is not None
            else f"which comes only after {step(net, ahead.id)}"
        )
        sentences.append(f"{upper(step(net, id))} waits for {named(net, place)}, {why}.")
    joins = any(net.transition(id).join == "or" for id in round_)
    if not locks and not joins:
        return None
    return Diagnosis(
        "circular-wait",
        (*sentences, "Each waits for the other, for ever."),
        "take what both need in the same order everywhere, or all of it in one step."
        if locks
        else "take one of the OR-joins out of the circle.",
        split=None,
        join=round_[0],
        missing=Marking(places),
        also=tuple(round_),
    )
