"""Joins for splits that were left open (WCP-3, WCP-5, WCP-8, WCP-33, WCP-38, WCP-41)."""

from __future__ import annotations

from petriflow.net.errors import CompositionError
from petriflow.patterns.compose import Composer, Placed, check_count
from petriflow.patterns.fragment import Binding, Fragment, Port, PortType


def synchronization(
    split: Fragment, *, unsafe_ok: bool = False, name: str | None = None
) -> Fragment:
    """Wait for all branches of a parallel split, go on once (WCP-3 Synchronization).

    Args:
        split: what ends in branches that all get a token: `parallel_split(…)`.
        unsafe_ok: join whatever comes, although that may not be sound.
        name: the segment that stands for the whole in the ids of its nodes.

    Raises:
        CompositionError: the split is of another kind.
    """
    composer, placed = _joining("synchronization", split, ("and",), unsafe_ok, name)
    exit = composer.place("out")
    join = composer.silent("join", placed.ports["exit"].places, exit)
    composer.close(placed, join)
    return composer.finish(placed.entry, exit)


def simple_merge(split: Fragment, *, unsafe_ok: bool = False, name: str | None = None) -> Fragment:
    """Go on with the one branch that was taken (WCP-5 Simple Merge).

    Args:
        split: what ends in branches of which one gets a token: `exclusive_split(…)`.
        unsafe_ok: merge whatever comes, although that may not be sound.
        name: the segment that stands for the whole in the ids of its nodes.

    Raises:
        CompositionError: the split is of another kind.
    """
    composer, placed = _joining("simple_merge", split, ("xor",), unsafe_ok, name)
    return composer.finish(placed.entry, _fused(composer, placed))


def multi_merge(split: Fragment, *, unsafe_ok: bool = False, name: str | None = None) -> Fragment:
    """What follows happens once for every branch that arrives (WCP-8 Multi-Merge).

    It ends in as many threads as there are branches, to be closed by `thread_merge`.

    Args:
        split: what ends in branches that all get a token: `parallel_split(…)`.
        unsafe_ok: merge whatever comes, although that may not be sound.
        name: the segment that stands for the whole in the ids of its nodes.

    Raises:
        CompositionError: the split is of another kind, so that the number of threads is unknown.
    """
    composer, placed = _joining("multi_merge", split, ("and",), unsafe_ok, name)
    width = len(placed.ports["exit"].places)
    return composer.finish(placed.entry, Port(_fused(composer, placed), "threads", width))


def synchronizing_merge(split: Fragment, *, name: str | None = None) -> Fragment:
    """Wait for all that can still come, whatever the split (WCP-38 General Synchronizing Merge).

    Where all branches come, or just one does, this is a `synchronization` or a `simple_merge`.
    Where some do it is an OR-join, which looks at the whole net to tell; `multi_choice` says the
    same by ordinary arcs, and is judged and run faster.

    Args:
        split: what ends in branches: `parallel_split(…)`, `exclusive_split(…)`, `multi_split(…)`.
        name: the segment that stands for the whole in the ids of its nodes.

    Raises:
        CompositionError: it is no split.
    """
    pattern = "synchronizing_merge"
    composer, placed = _joining(pattern, split, ("and", "xor", "or"), False, name)
    bundle = placed.ports["exit"]
    if bundle.type == "xor":
        return composer.finish(placed.entry, _fused(composer, placed))
    exit = composer.place("out")
    join = composer.silent(
        "join", bundle.places, exit, join="and" if bundle.type == "and" else "or"
    )
    composer.close(placed, join)
    return composer.finish(placed.entry, exit)


def thread_merge(threads: int, *, name: str | None = None) -> Fragment:
    """Several threads of one branch become one (WCP-41 Thread Merge).

    Args:
        threads: how many tokens to wait for.
        name: the segment that stands for the merge in the ids of its nodes.

    Raises:
        CompositionError: fewer than one.
    """
    composer = Composer("thread_merge", name)
    check_count(composer, "threads", threads)
    entry, exit = composer.place("in"), composer.place("out")
    composer.silent("merge", {entry: threads}, exit)
    return composer.finish(Port(entry, "threads", threads), exit)


def generalised_join(
    *branches: Fragment | Binding, threads: int = 1, name: str | None = None
) -> Fragment:
    """A synchronization that keeps what comes early for the next round (WCP-33 Generalised
    AND-Join).

    Each branch is run by several threads at once; whenever every branch has one ready, one goes
    on. It ends in as many threads, to be closed by `thread_merge`.

    Args:
        branches: at least one fragment, task or function.
        threads: how many tokens each branch gets.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: no branch, or fewer than one thread.
    """
    composer = Composer("generalised_join", name)
    check_count(composer, "threads", threads)
    entry, exit = composer.place("in"), composer.place("out")
    placed = composer.add_all(branches)
    composer.silent("split", entry, {branch.entry: threads for branch in placed})
    composer.silent("join", [branch.exit for branch in placed], exit)
    return composer.finish(entry, Port(exit, "threads", threads))


def _joining(
    pattern: str,
    split: Fragment,
    fits: tuple[PortType, ...],
    unsafe_ok: bool,
    name: str | None,
) -> tuple[Composer, Placed]:
    """Begin a fragment around a split whose bundle this join can close."""
    composer = Composer(pattern, name)
    if not isinstance(split, Fragment) or split.ports["exit"].type in ("control", "threads"):
        raise CompositionError(
            f"{pattern} {composer.root!r} joins the branches of an open split, such as "
            f"parallel_split(…), not {split!r}"
        )
    port = split.ports["exit"]
    if port.type not in fits and not unsafe_ok:
        raise CompositionError(
            f"{pattern} {composer.root!r} cannot close {split.root!r}, whose end is {port}: "
            f"{_WRONG[pattern, port.type]}; take {_RIGHT[port.type]}, or say unsafe_ok=True"
        )
    return composer, composer.add(split, typed=False)


_WRONG = {
    ("synchronization", "xor"): "it would wait for ever for the branches not taken",
    ("synchronization", "or"): "it would wait for ever for the branches not taken",
    ("simple_merge", "and"): "each branch would go on by itself",
    ("simple_merge", "or"): "each branch taken would go on by itself",
    ("multi_merge", "xor"): "only one thread comes out, and not one for each branch",
    ("multi_merge", "or"): "how many threads come out is not known",
}
_RIGHT = {
    "and": "synchronization(…) or multi_merge(…)",
    "xor": "simple_merge(…)",
    "or": "synchronizing_merge(…), or multi_choice(…)",
}


def _fused(composer: Composer, placed: Placed) -> str:
    """All branches end in one place, and have no variables of their own."""
    composer.close(placed, None)
    kept, *others = placed.ports["exit"].places
    for place in others:
        composer.fuse(kept, place)
    return kept
