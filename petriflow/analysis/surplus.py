"""Why something is left over or piles up: where two tokens part, and where they should meet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from petriflow.analysis.cause import Diagnosis, names, reaches, upper
from petriflow.analysis.history import Firing, History, Token
from petriflow.analysis.stuck import deadlock, never_emptied, why_waiting
from petriflow.analysis.words import branch, spot, step, steps, waiting
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
    found = _missed(net, past, first, late) or _both_run(net, past, first, late)
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


def _both_run(
    net: Net, past: History, ahead: Token, late: Sequence[Token], *, since: int | None = None
) -> Diagnosis | None:
    """Two branches of one split come to the same place without waiting for each other; with
    `since`, in a round that begins with that firing.
    """
    found = _meeting(net, past, ahead, late)
    if found is None or (since is not None and found[0] < since):
        return None
    number, meet, token = found
    split = past.firings[number].transition
    again = [n for n, f in past.line(token, number) if f.transition is split]
    if again:
        return _loops(net, past, number, again[0], token, meet)
    by = step(net, split.id)
    ways = [p for p in split.produce if reaches(net, [p], [meet])]
    first = " and ".join(branch(net, p) for p in ways[:5])
    where = spot(net, net.place(meet))
    if since is not None:
        then = f"what follows, {by} included, happens for each of them, so that they grow in number"
    elif not net.consumers[meet]:
        where = f"the end {where}"
        then = "the first that comes ends the case"
    else:
        then = "what follows happens for each of them, and the case can end while one is still busy"
    makers = [t for t in net.producers[meet] if any(reaches(net, [p], t.consume) for p in ways)]
    if meet in split.produce:
        starts = f"brings several tokens to {where}"
    else:
        starts = (
            f"starts {first}, side by side. They run into {where} one after the other, by "
            f"{steps(net, makers, ' and ')}"
        )
    return Diagnosis(
        "parallel-split-simple-merge",
        (f"{upper(by)} {starts}, and none waits for the other: {then}.",),
        f"let the branches of {by} wait for each other where they meet (parallel; or a "
        f"discriminator, if the first shall go on and the others be used up), or let {by} choose "
        "one of them (exclusive_choice).",
        split=split.id,
        join=meet,
        also=tuple(t.id for t in makers),
    )


def _loops(
    net: Net, past: History, number: int, again: int, token: Token, meet: str
) -> Diagnosis | None:
    """A way back starts in one branch of a split and comes before it, while another branch of the
    first time is still there or has gone on.
    """
    split = past.firings[number].transition
    round_ = [past.firings[n] for n in range(number + 1, again) if past.firings[again].descends(n)]
    turns = [
        (x.place, f.transition)
        for f in round_
        for x in f.taken
        if f.descends(number) and len(net.consumers[x.place]) > 1
    ]
    if not turns:
        return None
    at, back = turns[-1]
    return _way_back(net, split, at, back, meet, Marking(meet))


def _way_back(
    net: Net, split: Transition, at: str, back: Transition, join: str, more: Marking
) -> Diagnosis:
    by = step(net, split.id)
    return Diagnosis(
        "loop-in-branch",
        (
            f"The way back by {step(net, back.id)} starts inside one of the branches that {by} "
            f"starts, and leads to before {by}: each round starts the other branches again, and "
            f"brings more to {names(net, more)} than is ever used.",
        ),
        f"let the way back start after the branches of {by} have met again, or lead only to the "
        "begin of its own branch (structured_loop inside the branch).",
        split=split.id,
        join=join,
        left_over=more,
        also=(at, back.id),
    )


def _meeting(
    net: Net, past: History, ahead: Token, late: Sequence[Token]
) -> tuple[int, str, Token] | None:
    """Where a late token came, or can come by itself, to a place that a token on the line of the
    one that went ahead has passed: the firing at which the two parted, the place, and the late one.
    """
    passed: dict[str, list[tuple[int, Token]]] = {ahead.place: [(len(past.firings), ahead)]}
    line = past.past(ahead)
    for n, firing in enumerate(past.firings):
        if line >> n & 1:
            for x in firing.taken:
                passed.setdefault(x.place, []).append((n, x))
    for token in late:
        own = past.past(token)
        for n, firing in enumerate(past.firings):
            for x in firing.taken if own >> n & 1 else ():
                parted = _apart(past, passed.get(x.place, ()), x, own, n)
                if parted is not None:
                    return parted, x.place, token
    origin = {token.place: token for token in reversed(late)}
    for place in _freely(net, origin):
        token = origin[place]
        parted = _apart(past, passed.get(place, ()), token, past.past(token), len(past.firings))
        if parted is not None:
            return parted, place, token
    return None


def _apart(
    past: History, passed: Iterable[tuple[int, Token]], token: Token, own: int, taken: int
) -> int | None:
    """Where a token parted from those that passed here and neither descend from it nor lead to
    it: the last such firing.
    """
    found = [
        number
        for n, other in passed
        if other is not token
        and not own >> n & 1
        and not past.past(other) >> taken & 1
        and (number := past.parted(token, other)) is not None
    ]
    return max(found, default=None)


def _freely(net: Net, origin: dict[str, Token]) -> Iterator[str]:
    """The places that tokens can come to with nothing but each other, the nearest first; `origin`
    notes the token that comes there.
    """
    queue = list(origin)
    for place in queue:
        yield place
        for t in net.consumers[place]:
            if all(p in origin for p in t.consume):
                for p in t.produce:
                    if p not in origin:
                        origin[p] = origin[place]
                        queue.append(p)


def _ahead(net: Net, late: Sequence[Token]) -> Marking:
    """Where these tokens can come by themselves."""
    counts = Marking([token.place for token in late])
    places = list(_freely(net, {token.place: token for token in late}))
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
    made = [token for token in past.tokens if token.maker >= start]
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
        found = _both_run(net, past, ahead, (late,), since=start)
        if found is not None:
            return replace(found, left_over=grown)
    for number, ahead, late in pairs if rounds > 1 else ():
        line = [(x.place, f) for _, f in past.line(ahead, number) for x in f.taken]
        choices = [(at, f) for at, f in line if len(net.consumers[at]) > 1]
        if choices:
            at, back = choices[-1]
            split = past.firings[number].transition
            joins = [t for t in waiting(net, _ahead(net, [late])) if t.consume[at]]
            return _way_back(net, split, at, back.transition, joins[0].id if joins else at, grown)
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
