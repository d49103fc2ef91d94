"""Withdrawing work: Cancel Task, Cancel Case, Cancel Region (WCP-19, WCP-20, WCP-25)."""

from __future__ import annotations

from petriflow.net.errors import CompositionError
from petriflow.patterns.compose import Composer, Placed
from petriflow.patterns.fragment import Binding, Block, Fragment, Region, Trigger


def cancellable(
    *branches: Fragment | Binding,
    by: Fragment | Binding,
    then: Fragment | Binding | None = None,
    name: str | None = None,
) -> Fragment:
    """Work that can be withdrawn: as long as it is not done, `by` cancels all of it, wherever it is
    (WCP-19 Cancel Task with one task, WCP-25 Cancel Region with any fragments).

    Args:
        branches: what can be withdrawn; side by side where there are several.
        by: what cancels: `event(…)`, `timer(…)`, or a task.
        then: what follows the cancellation instead.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: no branch, two different branches of one name, or `by` begins with
            routing, so that it would happen at once.
    """
    composer = Composer("cancellable", name)
    entry, exit = composer.place("in"), composer.place("out")
    placed = composer.add_all(branches)
    canceller = composer.add(by)
    _require_happening(composer, canceller, "by=")
    after = composer.add(then) if then is not None else None
    # The token that `by` waits on is what makes the end and the cancellation exclusive.
    composer.cancel_at(canceller, Region("", tuple(b.path for b in placed)))
    split = composer.silent("split", entry, [*(b.entry for b in placed), canceller.entry])
    done = composer.silent("done", [*(b.exit for b in placed), canceller.entry], exit)
    if after:
        composer.fuse(canceller.exit, after.entry)
    composer.fuse(exit, after.exit if after else canceller.exit)
    paths = tuple(b.path for b in placed)
    composer.blocks.append(Block(composer.root, frozenset([split]), frozenset([done]), paths))
    return composer.finish(entry, exit)


def cancel_case(
    *branches: Fragment | Binding, by: Trigger | None = None, name: str | None = None
) -> Fragment:
    """Work that can be given up as a whole at any time (WCP-20 Cancel Case).

    An engine's `case.cancel()` needs no net for it: then the case is `cancelled`. Here it goes on
    from the end of the work. It must not be part of a workflow whose soundness is in question: any
    net can be completed by it.

    Args:
        branches: the work of the case; side by side where there are several.
        by: the event or timer that gives it up. Without one this is for looking at what it means.
        name: the segment that stands for the block in the ids of its nodes.
    """
    composer = Composer("cancel_case", name)
    entry, exit = composer.place("in"), composer.place("out")
    placed = composer.add_all(branches)
    watch, given_up = composer.place("open"), composer.place("given-up")
    region = Region("", tuple(b.path for b in placed))
    composer.silent("split", entry, [*(b.entry for b in placed), watch])
    composer.silent("join", [*(b.exit for b in placed), watch], exit)
    composer.silent("cancel", watch, given_up, cancels=region, trigger=by)
    composer.silent("cancelled", given_up, exit)
    return composer.finish(entry, exit)


def cancel_region(
    *withdrawn: Fragment | Binding,
    beside: Fragment | Binding,
    by: Fragment | Binding,
    then: Fragment | Binding | None = None,
    name: str | None = None,
) -> Fragment:
    """Branches of which one can call the others off (WCP-25 Cancel Region).

    All branches run side by side. Before `beside` begins, `by` can happen instead of it: the other
    branches are withdrawn, and `then` follows at once.

    Args:
        withdrawn: the branches that `by` withdraws, running tasks and all.
        beside: the branch that goes on as planned if `by` does not happen first.
        by: what happens instead: it begins with an event, a timer or a task.
        then: what follows it.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: no branch, two different branches of one name, or `beside` or `by` begins
            with routing, so that the choice would be made before anything happens.
    """
    composer = Composer("cancel_region", name)
    entry, exit = composer.place("in"), composer.place("out")
    placed = composer.add_all(withdrawn)
    planned, canceller = composer.add_all((beside, by))
    for part, what in ((planned, "beside="), (canceller, "by=")):
        _require_happening(composer, part, what)
    after = composer.add(then) if then is not None else None
    composer.cancel_at(canceller, Region("", tuple(b.path for b in placed)))
    split = composer.silent("split", entry, [*(b.entry for b in placed), planned.entry])
    join = composer.silent("join", [*(b.exit for b in placed), planned.exit], exit)
    composer.fuse(planned.entry, canceller.entry)
    if after:
        composer.fuse(canceller.exit, after.entry)
    composer.fuse(exit, after.exit if after else canceller.exit)
    paths = tuple(b.path for b in placed)
    composer.blocks.append(Block(composer.root, frozenset([split]), frozenset([join]), paths))
    return composer.finish(entry, exit)


def _require_happening(composer: Composer, part: Placed, what: str) -> None:
    if composer.begins_with_routing(part):
        raise CompositionError(
            f"{composer.pattern} {composer.root!r}: {what} does not begin with something that "
            "happens; put event(…), timer(…) or a task first"
        )
