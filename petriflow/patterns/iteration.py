"""Repetition: Structured Loop, Recursion, Arbitrary Cycles (WCP-10, WCP-21, WCP-22)."""

from __future__ import annotations

from petriflow.net.errors import CompositionError
from petriflow.patterns.compose import Composer, check_count
from petriflow.patterns.fragment import (
    Binding,
    Branch,
    Choice,
    Fragment,
    Guard,
    Selector,
    check_guard,
)


def structured_loop(
    body: Fragment | Binding,
    *,
    while_: Guard | None = None,
    until: Guard | None = None,
    name: str | None = None,
) -> Fragment:
    """Repeat the body, by a test before it (`while_`), after it (`until`), or both (WCP-21).

    Soundness of a loop means that its end can always be reached, not that the guard ever lets it.

    Args:
        body: what is repeated.
        while_: go round again as long as this is true; the body may not run at all.
        until: go round until this is true; alone, the body runs at least once.
        name: the segment that stands for the loop in the ids of its nodes.

    Raises:
        CompositionError: neither `while_` nor `until`, or the body does nothing.
    """
    composer = Composer("structured_loop", name)
    where = f"structured_loop {composer.root!r}"
    if while_ is None and until is None:
        raise CompositionError(
            f"{where} needs while_= (a test before the body) or until= (a test after it)"
        )
    entry, exit = composer.place("in"), composer.place("out")
    inner = composer.add(body)
    if inner.entry == inner.exit:
        raise CompositionError(f"{where} repeats nothing; give it a body")
    if while_ is None or until is None:
        test = composer.place("test")
        composer.fuse(test, inner.exit)
        composer.silent("enter", entry, inner.entry if while_ is None else test)
        asked = [("leave", until)] if while_ is None else [("again", while_)]
        steps = {"again": inner.entry, "leave": exit}
        _decide(composer, composer.root, test, asked[0], steps, where)
    else:
        before, after = composer.place("before"), composer.place("after")
        composer.fuse(after, inner.exit)
        composer.silent("enter", entry, before)
        _decide(
            composer,
            f"{composer.root}.before",
            before,
            ("begin", while_),
            {"begin": inner.entry, "stop": exit},
            where,
        )
        _decide(
            composer,
            f"{composer.root}.after",
            after,
            ("leave", until),
            {"again": before, "leave": exit},
            where,
        )
    return composer.finish(entry, exit)


def _decide(
    composer: Composer,
    path: str,
    test: str,
    asked: tuple[str, Guard | None],
    steps: dict[str, str],
    where: str,
) -> None:
    """A test with two ways on: the one that is asked for, and the other."""
    ways = {role: composer.silent(role, test, goes) for role, goes in steps.items()}
    first, guard = asked
    (second,) = steps.keys() - {first}
    selectors = (
        Selector(ways[first], frozenset([0]), frozenset([1])),
        Selector(ways[second], frozenset([1]), frozenset([0])),
    )
    branches = (Branch(first, check_guard(guard, where)), Branch(second, None))
    composer.choices.append(Choice(path, test, False, branches, selectors))


def recursion(
    base: Fragment | Binding,
    *,
    before: Fragment | Binding,
    after: Fragment | Binding,
    again: Guard,
    depth: int,
    name: str | None = None,
) -> Fragment:
    """A process that holds itself, to a bounded depth (WCP-22 Recursion): as long as `again` is
    true `before` goes one level down; `base` is the innermost level, and `after` comes back from
    each.

    Recursion without a bound is a task that calls its own workflow: `call("name")`.

    Args:
        base: one task, the case that needs no recursion.
        before, after: one task each, before and after the inner level.
        again: whether to go deeper.
        depth: how deep it can go.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: a part is not one task, or the depth is less than one.
    """
    composer = Composer("recursion", name)
    check_count(composer, "depth", depth)
    entry, exit = composer.place("in"), composer.place("out")
    levels, left = composer.place("levels"), composer.place("left")
    inner, down, up = composer.add_all((base, before, after))
    for part in (inner, down, up):
        if not composer.is_task(part):
            raise CompositionError(
                f"recursion {composer.root!r}: {part.segment!r} is not one task; levels would mix "
                "their tokens"
            )
    composer.silent("start", entry, {inner.entry: 1, left: depth})
    composer.silent("end", {inner.exit: 1, left: depth}, exit)
    for part, before_it, after_it in (
        (down, inner.entry, inner.entry),
        (up, inner.exit, inner.exit),
    ):
        composer.fuse(before_it, part.entry)
        composer.fuse(after_it, part.exit)
    composer.tie(down, take=(left,), give=(levels,))
    composer.tie(up, take=(levels,), give=(left,))
    selectors = (
        Selector(down.path, frozenset([0]), frozenset([1])),
        Selector(inner.path, frozenset([1]), frozenset([0])),
    )
    guard = check_guard(again, f"recursion {composer.root!r}")
    branches = (Branch(down.segment, guard), Branch(inner.segment, None))
    composer.choices.append(Choice(composer.root, inner.entry, False, branches, selectors))
    return composer.finish(entry, exit)
