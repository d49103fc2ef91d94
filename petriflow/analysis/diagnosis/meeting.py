"""Where two tokens part, and where they run together though they should wait for each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from petriflow.analysis.diagnosis.cause import Diagnosis, names, reaches, upper
from petriflow.analysis.diagnosis.history import History, Token
from petriflow.analysis.diagnosis.words import branch, spot, step, steps
from petriflow.net import Marking, Net, Transition


def both_run(
    net: Net,
    past: History,
    ahead: Token,
    late: Sequence[Token],
    *,
    taken: int | None = None,
    since: int | None = None,
) -> Diagnosis | None:
    """Two branches of one split come to the same place without waiting for each other.

    `late` are tokens that come after the one that went `ahead` and was `taken` by that firing, if
    by any; with `since`, the branches part in a round that begins with that firing.
    """
    found = _meeting(net, past, ahead, late, len(past.firings) if taken is None else taken)
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
        then = "what follows happens once for each of them, and the rest of the case is for one"
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
    return way_back(net, split, at, back, meet, Marking(meet))


def way_back(
    net: Net, split: Transition, at: str, back: Transition, join: str, more: Marking
) -> Diagnosis:
    """A way back that starts at a choice inside a branch, and comes before the split of it."""
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
    net: Net, past: History, ahead: Token, late: Sequence[Token], taken: int
) -> tuple[int, str, Token] | None:
    """Where a late token came, or can come by itself, to a place that a token on the line of the
    one that went ahead has passed: the firing at which the two parted, the place, and the late one.
    """
    passed: dict[str, list[tuple[int, Token]]] = {ahead.place: [(taken, ahead)]}
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
    for place in freely(net, origin):
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


def freely(net: Net, origin: dict[str, Token]) -> Iterator[str]:
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
