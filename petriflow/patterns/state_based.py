"""Patterns about the state of a case: Deferred Choice, Interleaved (Parallel) Routing, Milestone,
Critical Section (WCP-16 to WCP-18, WCP-39, WCP-40).
"""

from __future__ import annotations

from petriflow.net.errors import CompositionError
from petriflow.patterns.compose import Composer, Placed
from petriflow.patterns.fragment import Binding, Block, Fragment, as_fragment


def deferred_choice(*branches: Fragment | Binding, name: str | None = None) -> Fragment:
    """The world decides: the branch whose first step begins first is taken, the others are
    withdrawn (WCP-16 Deferred Choice).

    Args:
        branches: at least two; each begins with an event, a timer or a task.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: fewer than two branches, or one that begins with routing, so that the
            choice would be made before anything happens.
    """
    composer = Composer("deferred_choice", name)
    placed = composer.add_all(branches, at_least=2)
    entry, exit = placed[0].entry, placed[0].exit
    for branch in placed:
        if composer.begins_with_routing(branch):
            raise CompositionError(
                f"deferred_choice {composer.root!r}: its branch {branch.segment!r} does not begin "
                "with something that happens; put event(…), timer(…) or a task first"
            )
    for branch in placed[1:]:
        composer.fuse(entry, branch.entry)
        composer.fuse(exit, branch.exit)
    return composer.finish(entry, exit)


def interleaved_routing(*steps: Fragment | Binding, name: str | None = None) -> Fragment:
    """Every step once, in any order, one at a time (WCP-40 Interleaved Routing).

    Args:
        steps: at least two fragments, tasks or functions.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: fewer than two steps, or two different steps of one name.
    """
    return _one_at_a_time("interleaved_routing", steps, name)


def critical_section(*sections: Fragment | Binding, name: str | None = None) -> Fragment:
    """Branches side by side, but once one is entered, no other is until it has ended (WCP-39
    Critical Section).

    Args:
        sections: at least two fragments, tasks or functions.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: fewer than two sections, or two different sections of one name.
    """
    return _one_at_a_time("critical_section", sections, name)


def interleaved_parallel_routing(
    *branches: Fragment | Binding, name: str | None = None
) -> Fragment:
    """Branches side by side, but never two of their tasks at once (WCP-17 Interleaved Parallel
    Routing). Within a branch the order is the branch's own.

    Args:
        branches: at least two fragments, tasks or functions.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: fewer than two branches, or two different branches of one name.
    """
    composer = Composer("interleaved_parallel_routing", name)
    placed = composer.add_all(branches, at_least=2)
    entry, exit, turn = map(composer.place, ("in", "out", "turn"))
    for branch in placed:
        for task in composer.tasks_in(branch):
            composer.tie(task, take=(turn,), give=(turn,))
    return _side_by_side(composer, entry, exit, turn, placed)


def _one_at_a_time(
    pattern: str, items: tuple[Fragment | Binding, ...], name: str | None
) -> Fragment:
    composer = Composer(pattern, name)
    placed = composer.add_all(items, at_least=2)
    entry, exit, turn = map(composer.place, ("in", "out", "turn"))
    tied = [composer.tie(section, take=(turn,), give=(turn,)) for section in placed]
    return _side_by_side(composer, entry, exit, turn, tied)


def _side_by_side(
    composer: Composer, entry: str, exit: str, turn: str, placed: list[Placed]
) -> Fragment:
    split = composer.silent("split", entry, [*(b.entry for b in placed), turn])
    join = composer.silent("join", [*(b.exit for b in placed), turn], exit)
    paths = tuple(b.path for b in placed)
    composer.blocks.append(Block(composer.root, frozenset([split]), frozenset([join]), paths))
    return composer.finish(entry, exit)


def milestone(
    before: Fragment | Binding,
    after: Fragment | Binding,
    task: Fragment | Binding,
    *,
    expired: Fragment | Binding | None = None,
    unsafe_ok: bool = False,
    name: str | None = None,
) -> Fragment:
    """A task that can begin only while the case is between two steps (WCP-18 Milestone).

    Beside `before` and `after`, one after the other, runs a branch in which `task` waits until
    the milestone, the moment after `before` and not yet in `after`, is reached. It looks at the
    milestone without taking it, so that the case can leave it while `task` runs.

    Args:
        before: what leads to the milestone.
        after: what leaves it; begin it with an event where somebody should decide when.
        task: what needs the milestone.
        expired: what happens instead if the milestone was left before `task` began; `skip` does
            nothing.
        unsafe_ok: leave `expired` out, although a case that comes too late then waits for ever.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: `expired` is missing without `unsafe_ok=True`.
    """
    composer = Composer("milestone", name)
    if expired is None and not unsafe_ok:
        raise CompositionError(
            f"milestone {composer.root!r}: a case that comes when the milestone has passed would "
            "wait for ever; say what happens then by expired= (expired=skip does nothing)"
        )
    first, second, guarded = composer.add_all((before, after, task))
    entry, exit = composer.place("in"), composer.place("out")
    composer.fuse(first.exit, second.entry)
    waits = composer.look(guarded, first.exit)
    if expired is not None:
        instead = as_fragment(expired)
        if instead.pattern == "skip":
            composer.silent("expired", waits.entry, waits.exit, read=second.exit)
        else:
            late = composer.add(instead, "expired" if instead.name is None else None)
            composer.silent("expired", waits.entry, late.entry, read=second.exit)
            composer.fuse(waits.exit, late.exit)
    composer.silent("split", entry, [first.entry, waits.entry])
    composer.silent("join", [second.exit, waits.exit], exit)
    return composer.finish(entry, exit)
