"""Why something is left over, or piles up without end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from petriflow.analysis.diagnosis.cause import Diagnosis, names, upper
from petriflow.analysis.diagnosis.history import Firing, History, Token
from petriflow.analysis.diagnosis.meeting import both_run, freely, way_back
from petriflow.analysis.diagnosis.stuck import deadlock, never_emptied, why_waiting
from petriflow.analysis.diagnosis.words import spot, step, steps, waiting
from petriflow.net import Marking, Net, Transition


def left_over(net: Net, past: History, marking: Marking) -> Diagnosis:
    """The end is reached, and more than that."""
    end = net.sink.id
    ended = [token for token in past.tokens if token.place == end]
    if not ended:
        return deadlock(net, past, marking)
    whole = max(1, min(past.begun, len(ended)))
    first, late = ended[0], [*ended[whole:], *(c for c in past.tokens if c.place != end)]
    left = Marking([token.place for token in late])
    found = _missed(net, past, first, late) or both_run(net, past, first, late)
    if found is None:
        lying = _ahead(net, late)
        found = why_waiting(net, past, lying, late)
    if found is None:
        found = never_emptied(net, past, late[0] if late else first)
    return replace(found, left_over=left)


def _missed(net: Net, past: History, ended: Token, late: Sequence[Token]) -> Diagnosis | None:
    """A withdrawal that let something pass that belongs to what it withdrew."""
    for n, firing in enumerate(past.firings):
        t = firing.transition
        if not t.reset or not past.descends(ended, n):
            continue
        for token in late:
            if past.descends(token, n):
                continue
            lay = _lay(past, token, n)
            if lay is None:
                continue
            near = {p for u in net.producers[lay.place] for p in u.consume} | {
                p for u in net.consumers[lay.place] for p in u.produce
            }
            if near & t.reset:
                by, what = step(net, t.id), spot(net, net.place(lay.place))
                return Diagnosis(
                    "withdrawn-too-little",
                    (
                        f"{upper(by)} withdraws the work at {names(net, sorted(t.reset))}, but "
                        f"not what lies on {what}: it is left over.",
                    ),
                    f"let {by} withdraw {what} as well (cancellable and cancel_region withdraw a "
                    "whole branch, running tasks and all).",
                    split=t.id,
                    join=lay.place,
                )
    return None


def _lay(past: History, token: Token, number: int) -> Token | None:
    """The token that lay there during a firing, and of which a later one comes."""
    here: Token | None = token
    while here is not None and here.maker > number:
        here = next(iter(past.firings[here.maker].taken), None)
    return here


def _ahead(net: Net, late: Sequence[Token]) -> Marking:
    """Where these tokens can come by themselves."""
    counts = Marking([token.place for token in late])
    places = list(freely(net, {token.place: token for token in late}))
    return Marking({p: max(1, counts[p]) for p in places})


def growth(net: Net, past: History, rounds: int) -> Diagnosis:
    """The last firings can be repeated, and leave more each time."""
    start = len(past.firings) - rounds
    turns = past.firings[start:]
    effect: dict[str, int] = {}
    for f in turns:
        for place, n in f.transition.produce.items():
            effect[place] = effect.get(place, 0) + n
        for x in f.taken:
            effect[x.place] = effect.get(x.place, 0) - 1
    grown = Marking({p: n for p, n in effect.items() if n > 0})
    ring = {x.place for f in turns for x in f.taken}
    # Of many tokens of one kind, two are as good as all.
    kinds: dict[tuple[str, int], list[Token]] = {}
    for token in past.tokens:
        if token.maker >= start:
            kinds.setdefault((token.place, token.maker), []).append(token)
    made = [token for alike in kinds.values() for token in alike[:2]]
    pairs = [
        (number, ahead, late)
        for late in made
        if late.place in grown
        for ahead in made
        if ahead is not late and ahead.place in ring
        if (number := past.parted(ahead, late)) is not None and number >= start
    ]
    pairs.sort(key=lambda pair: -pair[0])
    for _, ahead, late in pairs if rounds > 1 else ():
        found = both_run(net, past, ahead, (late,), since=start)
        if found is not None:
            return replace(found, left_over=grown)
    for number, ahead, late in pairs if rounds > 1 else ():
        line = [(x.place, f) for _, f in past.line(ahead, number) for x in f.taken]
        choices = [(at, f) for at, f in line if len(net.consumers[at]) > 1]
        if choices:
            at, back = choices[-1]
            split = past.firings[number].transition
            joins = [t for t in waiting(net, _ahead(net, [late])) if t.consume[at]]
            return way_back(net, split, at, back.transition, joins[0].id if joins else at, grown)
    if pairs:
        split = past.firings[pairs[0][0]].transition
    else:
        split = max(turns, key=lambda f: f.transition.produce.total - len(f.taken)).transition
    return _endless(net, split, turns, grown)


def _endless(net: Net, split: Transition, turns: Sequence[Firing], grown: Marking) -> Diagnosis:
    again = steps(net, [f.transition for f in turns])
    return Diagnosis(
        "endless-growth",
        (
            f"{upper(again)} can be repeated without limit, and each time "
            f"{'it' if len(turns) == 1 else step(net, split.id)} leaves more on "
            f"{names(net, grown)}.",
        ),
        f"let the repetition take away what lies on {names(net, grown)}, or limit how often it "
        "happens (multiple_instances with a largest number).",
        split=split.id,
        join=next(iter(grown), None),
        left_over=grown,
    )
