"""Splits: `when`, the multi-choice with its structured synchronizing merge (WCP-6, WCP-7), and
splits whose branches are joined by something else (WCP-2, WCP-4, WCP-6, WCP-42).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from petriflow.net.errors import CompositionError
from petriflow.patterns.compose import Composer, Placed, check_count
from petriflow.patterns.fragment import (
    Binding,
    Block,
    Branch,
    Choice,
    Fragment,
    Guard,
    Port,
    PortType,
    Selector,
    as_fragment,
    check_guard,
)

#: Up to this many guarded branches, one selector a subset; beyond, the linear chain.
MOST_SUBSET_BRANCHES = 6


@dataclass(frozen=True, slots=True)
class Alternative:
    """A branch of a choice and the guard that opens it; made by `when`."""

    guard: Guard
    fragment: Fragment


def when(guard: Guard, fragment: Fragment | Binding) -> Alternative:
    """A guarded branch of a choice.

    Args:
        guard: a text in the guard language, such as `"total > 1000 and country != 'DE'"`, or a
            function of the case's variables that returns true or false.
        fragment: what happens if the guard is true.

    Raises:
        CompositionError: the guard is neither a text nor a function.
    """
    return Alternative(check_guard(guard, "when(guard, fragment)"), as_fragment(fragment))


def alternatives(
    composer: Composer,
    branches: Sequence[Alternative],
    otherwise: Fragment | Binding | None,
    exhaustive: bool,
) -> tuple[tuple[Branch, ...], list[Placed]]:
    """Put the branches of a choice, the default last, into a fragment under construction."""
    where = f"{composer.pattern} {composer.root!r}"
    if not branches:
        raise CompositionError(f"{where} needs at least one when(guard, fragment)")
    for branch in branches:
        if not isinstance(branch, Alternative):
            raise CompositionError(
                f"{where}: {getattr(branch, '__name__', branch)!r} has no guard; "
                "write when(guard, …)"
            )
    if otherwise is not None and exhaustive:
        raise CompositionError(
            f"{where} needs either otherwise= or exhaustive=True, not both: where some guard is "
            "always true, nothing else is ever taken"
        )
    placed = [composer.add(branch.fragment) for branch in branches]
    asked = [Branch(p.segment, b.guard) for p, b in zip(placed, branches, strict=True)]
    if otherwise is not None:
        default = as_fragment(otherwise)
        placed.append(composer.add(default, "otherwise" if default.pattern == "skip" else None))
        asked.append(Branch(placed[-1].segment, None))
    return tuple(asked), placed


def decision(
    composer: Composer,
    place: str,
    many: bool,
    asked: tuple[Branch, ...],
    selectors: Sequence[Selector],
    exhaustive: bool,
) -> Choice:
    """The choice between `alternatives`; with neither a default nor a promise it is `to_prove`."""
    to_prove = not exhaustive and asked[-1].guard is not None
    return Choice(composer.root, place, many, asked, tuple(selectors), to_prove=to_prove)


def multi_choice(
    *branches: Alternative,
    otherwise: Fragment | Binding | None = None,
    exhaustive: bool = False,
    name: str | None = None,
) -> Fragment:
    """Every branch whose guard is true, then wait for just those (WCP-6 Multi-Choice, WCP-7
    Structured Synchronizing Merge).

    The guards are asked together, on one snapshot of the variables. Branches that are not taken
    hand their token straight to the join, so that the join is an ordinary synchronization.

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
    composer = Composer("multi_choice", name)
    entry, exit = composer.place("in"), composer.place("out")
    asked, placed = alternatives(composer, branches, otherwise, exhaustive)
    encode = _one_selector_a_subset if len(branches) <= MOST_SUBSET_BRANCHES else _linear_chain
    selectors, memory = encode(composer, entry, placed, len(branches))
    join = composer.silent("join", [b.exit for b in placed] + memory, exit)
    composer.choices.append(decision(composer, entry, True, asked, selectors, exhaustive))
    splits = frozenset(s.transition for s in selectors)
    composer.blocks.append(
        Block(composer.root, splits, frozenset([join]), tuple(b.path for b in placed))
    )
    return composer.finish(entry, exit)


def admitted(guarded: int, branches: int) -> list[frozenset[int]]:
    """The sets of branches that a multi-choice may take: some of the guarded, or the default."""
    sets = [
        frozenset(subset)
        for size in range(1, guarded + 1)
        for subset in combinations(range(guarded), size)
    ]
    return sets + [frozenset([n]) for n in range(guarded, branches)]


def _one_selector_a_subset(
    composer: Composer, entry: str, placed: list[Placed], guarded: int
) -> tuple[list[Selector], list[str]]:
    """Skip tokens: a silent selector for each admitted set of branches (PATTERNS 6c)."""
    everything = frozenset(range(len(placed)))
    selectors = []
    for taken in admitted(guarded, len(placed)):
        role = "select-" + "+".join(placed[n].segment for n in sorted(taken))
        goes = [b.entry if n in taken else b.exit for n, b in enumerate(placed)]
        select = composer.silent(role, entry, goes)
        selectors.append(Selector(select, taken, everything - taken))
    return selectors, []


def _linear_chain(
    composer: Composer, entry: str, placed: list[Placed], guarded: int
) -> tuple[list[Selector], list[str]]:
    """One decision a branch, on two rails that remember whether any was taken (PATTERNS 6d).

    The last branch can be skipped only on the rail where another was taken, so that the empty
    set is not admitted; with an `otherwise` branch, the other rail ends in it.
    """
    done = composer.place("done")
    default = placed[guarded] if len(placed) > guarded else None
    selectors: list[Selector] = []

    def step(role: str, rail: str, goes: list[str], takes: set[int], skips: set[int]) -> None:
        id = composer.silent(role, rail, goes)
        selectors.append(Selector(id, frozenset(takes), frozenset(skips)))

    some, none = "", entry
    for n, branch in enumerate(placed[:guarded]):
        last = n == guarded - 1
        # Once a branch is taken for certain, the default is settled: it is skipped.
        after = (
            [done] + ([default.exit] if default else [])
            if last
            else [composer.place(f"some-{n + 1}")]
        )
        settled = {guarded} if last and default else set()
        for rail, taken in ((some, "again"), (none, "first")):
            if not rail:  # before the first branch none is taken yet
                continue
            role = f"{branch.segment}-{taken}"  # what comes last tells roles apart for any name
            step(f"take-{role}", rail, [branch.entry, *after], {n}, settled)
            if taken == "again":
                step(f"skip-{role}", rail, [branch.exit, *after], set(), {n} | settled)
        if not last or default:
            none_after = composer.place(f"none-{n + 1}")
            step(f"skip-{branch.segment}-first", none, [branch.exit, none_after], set(), {n})
            none = none_after
        some = after[0]
    if default:
        step(f"take-{default.segment}-first", none, [default.entry, done], {guarded}, set())
    return selectors, [done]


def parallel_split(*branches: Fragment | Binding, name: str | None = None) -> Fragment:
    """All branches at once (WCP-2); how they come together is up to what is put around it.

    `parallel(…)` is this with a synchronization. The branches end in a bundle, which
    `synchronization`, `multi_merge` or `synchronizing_merge` closes.

    Args:
        branches: at least one fragment, task or function.
        name: the segment that stands for the split in the ids of its nodes.

    Raises:
        CompositionError: no branch, or two different branches of one name.
    """
    composer = Composer("parallel_split", name)
    entry = composer.place("in")
    placed = composer.add_all(branches)
    split = composer.silent("split", entry, [b.entry for b in placed])
    paths = tuple(b.path for b in placed)
    composer.blocks.append(Block(composer.root, frozenset([split]), frozenset(), paths))
    return composer.finish(entry, _bundle("and", placed))


def exclusive_split(
    *branches: Alternative,
    otherwise: Fragment | Binding | None = None,
    exhaustive: bool = False,
    name: str | None = None,
) -> Fragment:
    """Exactly one branch, chosen by data (WCP-4); `exclusive_choice(…)` with the merge left open.

    The arguments and errors are those of `exclusive_choice`.
    """
    composer = Composer("exclusive_split", name)
    entry = composer.place("in")
    asked, placed = alternatives(composer, branches, otherwise, exhaustive)
    everything = frozenset(range(len(placed)))
    selectors = []
    for n, branch in enumerate(placed):
        select = composer.silent(f"select-{branch.segment}", entry, branch.entry)
        selectors.append(Selector(select, frozenset([n]), everything - {n}))
    composer.choices.append(decision(composer, entry, False, asked, selectors, exhaustive))
    return composer.finish(entry, _bundle("xor", placed))


def multi_split(
    *branches: Alternative,
    otherwise: Fragment | Binding | None = None,
    exhaustive: bool = False,
    name: str | None = None,
) -> Fragment:
    """Every branch whose guard is true (WCP-6); `multi_choice(…)` with the merge left open.

    Branches that are not taken get no token, so that only `synchronizing_merge` can tell how many
    to wait for. The arguments and errors are those of `multi_choice`.
    """
    composer = Composer("multi_split", name)
    entry = composer.place("in")
    asked, placed = alternatives(composer, branches, otherwise, exhaustive)
    everything = frozenset(range(len(placed)))
    selectors = []
    for taken in admitted(len(branches), len(placed)):
        role = "select-" + "+".join(placed[n].segment for n in sorted(taken))
        select = composer.silent(role, entry, [placed[n].entry for n in sorted(taken)])
        selectors.append(Selector(select, taken, everything - taken))
    composer.choices.append(decision(composer, entry, True, asked, selectors, exhaustive))
    splits = frozenset(s.transition for s in selectors)
    paths = tuple(b.path for b in placed)
    composer.blocks.append(Block(composer.root, splits, frozenset(), paths))
    return composer.finish(entry, _bundle("or", placed))


def thread_split(threads: int, name: str | None = None) -> Fragment:
    """One thread becomes several in the same branch (WCP-42 Thread Split).

    Args:
        threads: how many tokens go on.
        name: the segment that stands for the split in the ids of its nodes.

    Raises:
        CompositionError: fewer than one.
    """
    composer = Composer("thread_split", name)
    check_count(composer, "threads", threads)
    entry, exit = composer.place("in"), composer.place("out")
    composer.silent("split", entry, {exit: threads})
    return composer.finish(entry, Port(exit, "threads", threads))


def _bundle(type: PortType, placed: Sequence[Placed]) -> Port:
    first, *others = (branch.exit for branch in placed)
    return Port(first, type, others=tuple(others))
