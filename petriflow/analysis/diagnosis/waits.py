"""Why what a step waits for cannot come: the firing after which it was lost, and the choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from petriflow.analysis.diagnosis.cause import EMPTY, Diagnosis, feeders, names, reaches, upper
from petriflow.analysis.diagnosis.history import History, Token
from petriflow.analysis.diagnosis.meeting import both_run
from petriflow.analysis.diagnosis.words import choice, coming, named, step, steps, waiting
from petriflow.net import Marking, Net, Transition


def lost_for_ever(
    net: Net,
    past: History,
    marking: Marking,
    carriers: Sequence[Token],
    *,
    alone: bool = False,
) -> Diagnosis | None:
    """Why a step that has some of what it needs can never get the rest, in this marking.

    Of several steps that wait, those are passed over that wait only for others that wait; with
    `alone`, none is, as if nothing that waits could ever go on. `carriers` are the tokens that lie
    there, or come there.
    """
    return _first(_stuck(net, past, marking, carriers, alone))


@dataclass(frozen=True, slots=True)
class _Wait:
    """A step that has something at the places `arrived`, by the tokens `there`, and can never get
    what it needs on `place`; `before` says how many steps away from there a place is. `alone` says
    that others that wait are taken to wait for ever.
    """

    net: Net
    past: History
    marking: Marking
    joining: Transition
    place: str
    before: dict[str, int]
    alone: bool
    arrived: tuple[str, ...]
    there: tuple[Token, ...]

    @property
    def who(self) -> str:
        return step(self.net, self.joining.id)

    @property
    def where(self) -> str:
        return coming(self.net, self.place)

    @property
    def lost(self) -> int | None:
        """The firing after which nothing could come to the place any more."""
        return None if self.marking[self.place] else self.past.last(self.before)

    @property
    def common(self) -> bool:
        """Whether what is there and what is missing depend on that firing alike."""
        lost = self.lost
        return lost is not None and any(self.past.descends(c, lost) for c in self.there)


def _stuck(
    net: Net, past: History, marking: Marking, carriers: Sequence[Token], alone: bool
) -> list[_Wait]:
    found = []
    stand = waiting(net, marking)
    for t in stand:
        need = t.needs if t.join == "and" else EMPTY
        arrived = tuple(p for p in need if p in marking)
        there = tuple(c for c in carriers if c.place in arrived) or tuple(carriers)
        for place, count in need.items():
            if marking[place] < count:
                before = feeders(net, place, stand if alone else (t,))
                if not any(p in before for p in marking if p != place):
                    found.append(_Wait(net, past, marking, t, place, before, alone, arrived, there))
    return found


def _first(waits: Sequence[_Wait]) -> Diagnosis | None:
    """The wait that says the most: where one choice decides what comes and what does not, and
    then where it was last lost.
    """
    if not waits:
        return None
    wait = max(waits, key=lambda w: (w.common, -1 if w.lost is None else w.lost))
    lost = wait.lost
    cause = _too_few(wait) if lost is None else _lost(wait, lost, waits)
    need, marking = wait.joining.needs, wait.marking
    missing = Marking({p: n - marking[p] for p, n in need.items() if marking[p] < n})
    return replace(cause, join=cause.join or wait.joining.id, missing=missing)


def _too_few(wait: _Wait) -> Diagnosis:
    net, who, where = wait.net, wait.who, wait.where
    makers = net.producers[wait.place]
    if not wait.marking[wait.place]:
        first = steps(net, makers)
        remedy = f"let the step that must come before {who} lead there, or take the arc away."
        if not makers:
            why = "and nothing ever brings anything there"
        elif wait.alone:
            why = f"which only {first} brings, and that never gets its turn"
        else:
            why = f"which only {first} brings, after {who} itself"
            remedy = (
                f"let {who} begin the first time without it: let the way in and the way back meet "
                f"in a simple merge before {who} (structured_loop)."
            )
        return Diagnosis(
            "never-brought",
            (f"{upper(who)} waits for {where}, {why}.",),
            remedy,
            also=tuple(m.id for m in makers),
        )
    come = [c for c in wait.there if c.place == wait.place]
    first_of = wait.past.parted(come[0], come[-1]) if come else None
    source = None if first_of is None else wait.past.firings[first_of].transition.id
    return Diagnosis(
        "too-few",
        (
            f"{upper(who)} waits for {wait.joining.needs[wait.place]} tokens on {where}, and "
            f"only {wait.marking[wait.place]} can come there"
            f"{' from ' + step(net, source) if source else ''}.",
        ),
        f"let as many come as {who} waits for (thread_split and thread_merge of one number), or "
        "let it wait for fewer.",
        split=source,
    )


def _lost(wait: _Wait, lost: int, waits: Sequence[_Wait]) -> Diagnosis:
    """Why the firing after which nothing could come to the place any more is at fault."""
    net, past, place, who, where = wait.net, wait.past, wait.place, wait.who, wait.where
    firing = past.firings[lost]
    gone, by = firing.transition, step(net, firing.transition.id)
    if gone is wait.joining:
        return _again(wait, lost)
    taken = [token for token in firing.taken if token.place in wait.before]
    if not taken:
        emptied = next(token.place for token in firing.emptied if token.place in wait.before)
        return Diagnosis(
            "withdrawn-too-much",
            (
                f"{upper(by)} withdraws the work at {named(net, emptied)}, and {who} still waits "
                "for what would have come of it.",
            ),
            f"let {by} withdraw only what nobody waits for, or go on by a way around {who} "
            "(cancel_region).",
            split=gone.id,
        )
    token = min(taken, key=lambda token: wait.before[token.place])
    at = token.place
    if at == place and len(firing.taken) > 1:
        return Diagnosis(
            "not-given-back",
            (f"{upper(by)} takes what lies on {where} and never gives it back; {who} needs it.",),
            f"let what comes after {by} give it back (critical_section takes and gives).",
            split=gone.id,
        )
    others = [
        u
        for u in net.consumers[at]
        if u is not gone and (u is wait.joining or any(p in wait.before for p in u.produce))
    ]
    also = (gone.id, *(u.id for u in others))
    chosen, only = choice(net, at), steps(net, others, " or ")
    can = "comes" if wait.alone else "can come"
    after = f"after {by} nothing {can} to {where} any more, where only {only} leads"
    if place not in wait.joining.consume and at == place:
        return Diagnosis(
            "too-late",
            (
                f"{upper(who)} can happen only while something lies on {where}, and {by} may take "
                f"it away first. Then {who} comes too late, and waits for ever.",
            ),
            f"give the case a way around {who} for when it comes too late (milestone with expired=)"
            f", or let {by} wait for {who}.",
            split=at,
            also=(gone.id,),
        )
    if at == place:
        after = f"{by} took what {who} needs on {where}"
    if wait.common and at != place:
        if all(reaches(net, u.produce, wait.arrived, at) for u in others):
            return Diagnosis(
                "branch-entered",
                (
                    f"{upper(who)} waits for more than one thing, and {by}, taken at {chosen}, "
                    f"brings only a part of it: nothing {can} to {where} any more, where only "
                    f"{only} leads.",
                ),
                f"let the way by {by} bring something to {where} as well, or lead it to after "
                f"{who}.",
                split=at,
                also=also,
            )
        return Diagnosis(
            "exclusive-split-parallel-join",
            (f"{upper(chosen)} takes one way only, and {who} waits for more than one: {after}.",),
            f"let the ways meet in a simple merge instead of {who} (exclusive_choice), or make "
            f"{chosen} a parallel split, so that all of them are taken (parallel).",
            split=at,
            also=also,
        )
    earlier = _earlier(wait, at) if at == place else None
    if earlier is not None:
        first, way = earlier
        return Diagnosis(
            "independent-choices",
            (
                f"{upper(choice(net, first))} took {step(net, way)}, so that something comes for "
                f"{who}; but {chosen} is made anew, and took {by} instead of {who}. Nothing asks "
                "whether the two agree.",
            ),
            "let the second choice follow the first (a variable, or a place that remembers it), "
            "or choose once and keep the ways apart.",
            split=first,
            also=(at, way, gone.id),
        )
    parts = max((n for c in wait.there if (n := past.parted(c, token)) is not None), default=None)
    split = past.firings[parts].transition.id if parts is not None else None
    opened = f"{step(net, split)} starts branches" if split else "there are branches"
    rival = _rival(wait, lost, waits)
    if rival is not None:
        return Diagnosis(
            "independent-choices",
            (
                f"{upper(opened)} that choose each for itself: {chosen} took {by}, and "
                f"{choice(net, rival)} took a way that does not go with it. {upper(who)} waits "
                f"in vain: {after}.",
            ),
            "choose once, before the branches part, or let the second choice look at the first "
            "(a variable, or a place that remembers it).",
            split=split or at,
            also=(at, rival, gone.id),
        )
    return Diagnosis(
        "branch-left",
        (f"{upper(opened)} that {who} waits for, but one of them is left at {chosen}: {after}.",),
        f"let the way by {by} come back into its branch before {who}; or start the other branches "
        "only when they are needed, or withdraw them when it is taken (cancel_region).",
        split=split or at,
        also=(at, *also),
    )


def _again(wait: _Wait, lost: int) -> Diagnosis:
    """The join has happened before, and has used up what it waits for now."""
    net, past, who = wait.net, wait.past, wait.who
    for used in past.firings[lost].taken:
        more = [c for c in wait.there if c.place == used.place]
        found = both_run(net, past, used, more, taken=lost) if more else None
        if found is not None:
            return found
    line = [f for c in wait.there if past.descends(c, lost) for _, f in past.line(c, lost)]
    turns = [
        (x.place, f.transition.id) for f in line for x in f.taken if len(net.consumers[x.place]) > 1
    ]
    if turns:
        at, back = turns[-1]
        return Diagnosis(
            "branch-entered",
            (
                f"{upper(who)} waits for several branches, but the way back by "
                f"{step(net, back)}, at {choice(net, at)}, leads into only some of them: nothing "
                f"comes to {wait.where} a second time.",
            ),
            f"let {step(net, back)} lead back to before the branches part, so that all of them "
            "begin again.",
            split=at,
            also=(back,),
        )
    return Diagnosis(
        "too-many",
        (
            f"{upper(who)} needs one of each, but more comes to {names(net, wait.arrived)} than "
            f"to {wait.where}.",
        ),
        f"let each branch before {who} bring just one for each time that it happens.",
    )


def _rival(wait: _Wait, lost: int, waits: Sequence[_Wait]) -> str | None:
    """A choice in another branch that decided otherwise: another step waits for its other way."""
    past = wait.past
    chosen = {x.place for c in wait.there for x in past.firings[c.maker].taken if c.maker >= 0}
    for other in waits:
        if other.joining is not wait.joining and any(past.descends(c, lost) for c in other.there):
            for place in other.before:
                if place in chosen and len(wait.net.consumers[place]) > 1:
                    return place
    return None


def _earlier(wait: _Wait, at: str) -> tuple[str, str] | None:
    """The last choice that brought something for a step, where another way would not have."""
    net, past = wait.net, wait.past
    for c in wait.there:
        for n in range(c.maker, -1, -1):
            firing = past.firings[n]
            if not past.descends(c, n):
                continue
            for x in firing.taken:
                others = [u for u in net.consumers[x.place] if u is not firing.transition]
                if x.place != at and any(
                    not reaches(net, u.produce, wait.arrived, x.place) for u in others
                ):
                    return x.place, firing.transition.id
    return None
