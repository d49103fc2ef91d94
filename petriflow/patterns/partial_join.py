"""Joins that do not wait for everybody: the structured, the cancelling and the blocking
discriminator and partial join (WCP-9, WCP-28 to WCP-32).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from petriflow.net.errors import CompositionError
from petriflow.patterns.compose import Composer, Placed, check_count
from petriflow.patterns.fragment import Binding, Block, Fragment, Region

#: Up to this many branches a cancelling join has one transition a subset; beyond, it counts.
MOST_SUBSET_BRANCHES = 6


def discriminator(
    *branches: Fragment | Binding,
    required: int = 1,
    then: Fragment | Binding | None = None,
    cancel: bool = False,
    drained: Fragment | Binding | None = None,
    name: str | None = None,
) -> Fragment:
    """All branches at once; go on when `required` of them have arrived.

    Without `cancel`, the late branches run to their end while `then` is under way, and the block
    ends when both are through: no work is lost, and the late updates are merged at the end
    (WCP-9 Structured Discriminator, WCP-30 Structured Partial Join). With `cancel=True` the late
    branches are withdrawn at once, their running tasks cancelled, and their updates discarded
    (WCP-29 Cancelling Discriminator, WCP-32 Cancelling Partial Join).

    Args:
        branches: at least one fragment, task or function.
        required: how many must arrive, from 1 to the number of branches.
        then: what follows as soon as enough have arrived.
        cancel: whether to withdraw the others.
        drained: what follows, beside `then`, when the last of the others has arrived.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: no branch, `required` out of range, or `drained` where none comes late.
    """
    pattern = "cancelling_discriminator" if cancel else "discriminator"
    composer = Composer(pattern, name)
    placed = composer.add_all(branches)
    _check_required(composer, required, len(placed))
    after = composer.add(then) if then is not None else None
    if drained is not None and (cancel or required == len(placed)):
        raise CompositionError(
            f"{pattern} {composer.root!r}: drained= follows the branches that come late, and here "
            "none does; put it into then="
        )
    if cancel:
        return _cancelling(composer, placed, required, after)
    last = composer.add(drained) if drained is not None else None
    return _structured(composer, placed, required, after, last)


def blocking_discriminator(
    *branches: Fragment | Binding,
    required: int = 1,
    rounds: int = 1,
    then: Fragment | Binding | None = None,
    name: str | None = None,
) -> Fragment:
    """A discriminator for branches that deliver several times: what comes early waits its turn.

    Each branch is run `rounds` times at once. A round is over when `required` branches have
    arrived, and the next begins when all have (WCP-28 Blocking Discriminator, WCP-31 Blocking
    Partial Join); meanwhile further arrivals are blocked. `then` follows once for each round.

    Args:
        branches: at least one fragment, task or function.
        required: how many of them make a round, from 1 to the number of branches.
        rounds: how many tokens each branch gets.
        then: what follows each round.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: no branch, or a number out of range.
    """
    composer = Composer("blocking_discriminator", name)
    placed = composer.add_all(branches)
    _check_required(composer, required, len(placed))
    check_count(composer, "rounds", rounds)
    after = composer.add(then) if then is not None else None
    entry, exit = composer.place("in"), composer.place("out")
    arrived, ready = composer.place("arrived"), composer.place("ready")
    permissions = [composer.place(f"may-{branch.segment}") for branch in placed]
    go_on = after.entry if after else composer.place("go-on")
    went_on = after.exit if after else go_on
    begin = {branch.entry: rounds for branch in placed} | dict.fromkeys([*permissions, ready], 1)
    split = composer.silent("split", entry, begin)
    for branch, permission in zip(placed, permissions, strict=True):
        composer.silent(f"accept-{branch.segment}", [branch.exit, permission], arrived)
    late = len(placed) - required
    again = [ready, *permissions]
    if late:
        fired = composer.place("fired")
        fire = composer.silent("fire", {arrived: required, ready: 1}, [go_on, fired])
        composer.silent("reset", {arrived: late, fired: 1}, again)
    else:
        fire = composer.silent("fire", {arrived: required, ready: 1}, [go_on, *again])
    end = composer.silent("end", {went_on: rounds} | dict.fromkeys(again, 1), exit)
    composer.blocks.append(_block(composer, split, [fire, end], placed))
    return composer.finish(entry, exit)


def _structured(
    composer: Composer,
    placed: list[Placed],
    required: int,
    after: Placed | None,
    last: Placed | None,
) -> Fragment:
    entry, exit = composer.place("in"), composer.place("out")
    arrived, ready, drained = map(composer.place, ("arrived", "ready", "drained"))
    for branch in placed:
        composer.fuse(arrived, branch.exit)
    late = len(placed) - required
    go_on = after.entry if after else composer.place("go-on")
    went_on = after.exit if after else go_on
    split = composer.silent("split", entry, [*(b.entry for b in placed), ready])
    if late:
        fired = composer.place("fired")
        fire = composer.silent("fire", {arrived: required, ready: 1}, [go_on, fired])
        drain = composer.silent("drain", {arrived: late, fired: 1}, drained)
    else:  # an ordinary synchronization: nobody is late
        fire = composer.silent("fire", {arrived: required, ready: 1}, [go_on, drained])
    end = composer.silent("end", [went_on, last.exit if last else drained], exit)
    merges = [fire, end]
    if last:
        composer.fuse(drained, last.entry)
        merges = [fire, drain]  # so that it sees what the late ones found
    composer.blocks.append(_block(composer, split, merges, placed))
    return composer.finish(entry, exit)


def _cancelling(
    composer: Composer, placed: list[Placed], required: int, after: Placed | None
) -> Fragment:
    entry = composer.place("in")
    exit = after.exit if after else composer.place("out")
    go_on = after.entry if after else exit
    split = composer.silent("split", entry, [b.entry for b in placed])
    paths = tuple(b.path for b in placed)
    if len(placed) <= MOST_SUBSET_BRANCHES:
        region = Region("", paths)
        fires = [
            composer.silent(
                "fire-" + "+".join(b.segment for b in some),
                [b.exit for b in some],
                go_on,
                cancels=region,
            )
            for some in combinations(placed, required)
        ]
    else:
        arrived = composer.place("arrived")
        for branch in placed:
            composer.fuse(arrived, branch.exit)
        region = Region("", paths, (arrived,))
        fires = [composer.silent("fire", {arrived: required}, go_on, cancels=region)]
    composer.blocks.append(_block(composer, split, fires, placed))
    return composer.finish(entry, exit)


def _check_required(composer: Composer, required: int, branches: int) -> None:
    if type(required) is not int or not 1 <= required <= branches:
        raise CompositionError(
            f"{composer.pattern} {composer.root!r}: required={required!r} of {branches} branches; "
            f"use a number from 1 to {branches}"
        )


def _block(composer: Composer, split: str, joins: Sequence[str], placed: Sequence[Placed]) -> Block:
    return Block(composer.root, frozenset([split]), frozenset(joins), tuple(b.path for b in placed))
