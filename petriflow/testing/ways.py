"""What may be answered to a choice, whatever its guards are."""

from __future__ import annotations

from itertools import combinations

from petriflow.execution.program import Program, branch_names


def ways(known: Program, path: str) -> list[tuple[int, ...]]:
    """The branches by number that may be taken at a choice; of a count, each number."""
    if tally := known.tallies.get(path):
        return [(n,) for n in range(1, tally.count.most + 1)]
    choice = known.decisions[path].choice
    guarded = [n for n, branch in enumerate(choice.branches) if branch.guard is not None]
    default = [(n,) for n, branch in enumerate(choice.branches) if branch.guard is None]
    if choice.patient:
        return [(), *((n,) for n in guarded)]
    sizes = range(1, len(guarded) + 1) if choice.many else (1,)
    return [takes for size in sizes for takes in combinations(guarded, size)] + default


def answers(known: Program, path: str) -> dict[tuple[str, ...] | int, tuple[int, ...]]:
    """The same, by what a story says: the names of branches, or a number of instances."""
    if path in known.tallies:
        return {takes[0]: takes for takes in ways(known, path)}
    clear = branch_names(known.decisions[path].choice)
    return {tuple(clear[n] for n in takes): takes for takes in ways(known, path)}
