"""The basic control-flow patterns: Sequence, Parallel Split with Synchronization, Exclusive
Choice with Simple Merge (WCP-1 to WCP-5).
"""

from __future__ import annotations

from dataclasses import replace

from petriflow.net.errors import CompositionError
from petriflow.patterns.branching import Alternative, alternatives, decision
from petriflow.patterns.compose import Composer, Placed
from petriflow.patterns.fragment import (
    Binding,
    Block,
    Fragment,
    Port,
    Selector,
    as_fragment,
)
from petriflow.patterns.parts import remedy

#: What one place carries from a step to the next.
FUSIBLE = ("control", "threads")


def sequence(*steps: Fragment | Binding, name: str | None = None) -> Fragment:
    """One step after another (WCP-1): the exit of each is the entry of the next.

    `a >> b` is the same, where one of them is a fragment.

    Args:
        steps: at least one fragment, task or function.
        name: the segment that stands for the sequence in the ids of its nodes.

    A step that takes one token can follow several threads: each thread goes through it.

    Raises:
        CompositionError: no step, two different steps of one name, or a step whose end does not
            fit the beginning of the next.

    >>> def pick(case): ...
    >>> def pack(case): ...
    >>> len(sequence(pick, pack).net.places)
    3
    """
    composer = Composer("sequence", name)
    fragments = tuple(as_fragment(step) for step in steps)
    first, *rest = composer.add_all(fragments, typed=False)
    before, end = first, first.ports["exit"]
    for step in rest:
        end = _follow(composer, before, end, step)
        before = step
    return composer.finish(first.ports["entry"], end, steps=() if name else fragments)


def _follow(composer: Composer, before: Placed, end: Port, step: Placed) -> Port:
    """Put a step after another; the answer is what comes out of it."""
    begin, out = step.ports["entry"], step.ports["exit"]
    if end.type == "threads" and begin.type == out.type == "control":
        out = replace(out, type="threads", width=end.width)
    elif (begin.type, begin.width) != (end.type, end.width) or end.type not in FUSIBLE:
        fix = remedy(end) if end.type != "control" else f"put thread_split({begin.width}) before it"
        raise CompositionError(
            f"sequence {composer.root!r}: {before.segment!r} ends with {end}, and {step.segment!r} "
            f"begins with {begin}; {fix}"
        )
    composer.fuse(end.place, step.entry)
    return out


def parallel(*branches: Fragment | Binding, name: str | None = None) -> Fragment:
    """All branches at once, then wait for all (WCP-2 Parallel Split, WCP-3 Synchronization).

    Each branch sees the variables as they were at the split; the updates are merged at the join,
    by the policy of each variable.

    Args:
        branches: at least one fragment, task or function.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: no branch, or two different branches of one name.
    """
    composer = Composer("parallel", name)
    entry, exit = composer.place("in"), composer.place("out")
    placed = composer.add_all(branches)
    split = composer.silent("split", entry, [b.entry for b in placed])
    join = composer.silent("join", [b.exit for b in placed], exit)
    composer.blocks.append(
        Block(composer.root, frozenset([split]), frozenset([join]), tuple(b.path for b in placed))
    )
    return composer.finish(entry, exit)


def exclusive_choice(
    *branches: Alternative,
    otherwise: Fragment | Binding | None = None,
    exhaustive: bool = False,
    name: str | None = None,
) -> Fragment:
    """Exactly one branch, chosen by data, then on (WCP-4 Exclusive Choice, WCP-5 Simple Merge).

    The guards are asked in the order given; the first that is true wins.

    Args:
        branches: `when(guard, fragment)` for each alternative.
        otherwise: the branch for when no guard is true; `skip` does nothing.
        exhaustive: a promise that some guard is always true, instead of `otherwise`. A case in
            which none is raises `NoBranchEnabled` and waits before the choice. With neither,
            `Workflow(…)` proves it from the types of its variables (`petriflow[smt]`), or refuses.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: no branch, or both `otherwise` and `exhaustive=True`.
    """
    composer = Composer("exclusive_choice", name)
    entry, exit = composer.place("in"), composer.place("out")
    asked, placed = alternatives(composer, branches, otherwise, exhaustive)
    everything = frozenset(range(len(placed)))
    selectors = []
    for n, branch in enumerate(placed):
        select = composer.silent(f"select-{branch.segment}", entry, branch.entry)
        composer.fuse(exit, branch.exit)
        selectors.append(Selector(select, frozenset([n]), everything - {n}))
    composer.choices.append(decision(composer, entry, False, asked, selectors, exhaustive))
    return composer.finish(entry, exit)
