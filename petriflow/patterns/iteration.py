"""Loops with one entry and one exit: Structured Loop (WCP-21)."""

from __future__ import annotations

from petriflow.net.errors import CompositionError
from petriflow.patterns.compose import Composer
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
    """Repeat the body, by a test before it (`while_`) or after it (`until`) (WCP-21).

    Soundness of a loop means that its end can always be reached, not that the guard ever lets it.

    Args:
        body: what is repeated.
        while_: go round again as long as this is true; the body may not run at all.
        until: go round until this is true; the body runs at least once.
        name: the segment that stands for the loop in the ids of its nodes.

    Raises:
        CompositionError: not exactly one of `while_` and `until`, or the body does nothing.
    """
    composer = Composer("structured_loop", name)
    if (while_ is None) == (until is None):
        raise CompositionError(
            f"structured_loop {composer.root!r} needs one of while_= (test before the body) and "
            "until= (test after it)"
        )
    asked = until if while_ is None else while_
    guard = check_guard(asked, f"structured_loop {composer.root!r}")
    entry, exit, test = composer.place("in"), composer.place("out"), composer.place("test")
    inner = composer.add(body)
    if inner.entry == inner.exit:
        raise CompositionError(f"structured_loop {composer.root!r} repeats nothing; give it a body")
    composer.fuse(test, inner.exit)
    composer.silent("enter", entry, test if while_ is not None else inner.entry)
    again = composer.silent("again", test, inner.entry)
    leave = composer.silent("leave", test, exit)
    first, second = (again, leave) if while_ is not None else (leave, again)
    names = ("again", "leave") if while_ is not None else ("leave", "again")
    composer.choices.append(
        Choice(
            composer.root,
            test,
            False,
            (Branch(names[0], guard), Branch(names[1], None)),
            (
                Selector(first, frozenset([0]), frozenset([1])),
                Selector(second, frozenset([1]), frozenset([0])),
            ),
        )
    )
    return composer.finish(entry, exit)
