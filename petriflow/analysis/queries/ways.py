"""A way through an explored state space that shows why a formula holds, or fails."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from petriflow.analysis.queries.formula import And, Formula, Not, Or, Path, Until, of_one_marking

if TYPE_CHECKING:
    from petriflow.analysis.queries.fixpoints import Bounds, Checker, Flags

#: A firing: its transition, and the state that it leads to.
Step = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Way:
    """Firings one after the other, and then those of a loop, or an end where nothing is enabled."""

    steps: tuple[Step, ...] = ()
    loop: tuple[Step, ...] = ()
    stuck: bool = False

    def end(self, state: int) -> int:
        """Where the steps lead from a state."""
        return self.steps[-1][1] if self.steps else state


def show(checker: Checker, formula: Formula, state: int, holds: bool) -> Way | None:
    """A way from a state that shows that a formula surely holds there, or surely does not.

    A formula about some way is shown where it holds, one about every way where it fails. At the end
    of the way its part is shown in turn, as far as a way can; of several parts, one is. `None` is
    for what no single way can show.
    """
    if of_one_marking(formula):
        return Way()
    match formula:
        case Not(part):
            return show(checker, part, state, not holds)
        case And(parts) | Or(parts):
            if isinstance(formula, And) == holds:  # every part says it; a marking shows nothing new
                parts = tuple(part for part in parts if not of_one_marking(part))
            return _one_of(checker, parts, state, holds)
        case Path(quantifier, operator, part):
            if (quantifier == "E") != holds:
                return None
            there = _where(checker, part, holds).surely
            if operator == "X":
                steps = _search(checker, state, None, there, moving=True)
            elif (operator == "F") == holds:
                steps = _search(checker, state, checker.true.surely, there)
            else:
                return _lasting(checker, state, there)
            return _and_then(checker, steps, part, state, holds)
        case Until("E", keep, goal) if holds:
            steps = _search(checker, state, checker.holds(keep).surely, checker.holds(goal).surely)
            return _and_then(checker, steps, goal, state, holds)
        case Until("A", keep, goal) if not holds:
            missed = ~checker.holds(goal)
            given_up = missed & ~checker.holds(keep)
            if checker.until(missed, given_up).surely[state]:
                return Way(_search(checker, state, missed.surely, given_up.surely))
            return _lasting(checker, state, missed.surely)
        case _:
            return None


def _where(checker: Checker, formula: Formula, holds: bool) -> Bounds:
    """Where a formula holds, or where it fails."""
    found = checker.holds(formula)
    return found if holds else ~found


def _one_of(checker: Checker, parts: tuple[Formula, ...], state: int, holds: bool) -> Way | None:
    """A way for the first of the parts that say it and that a way can show."""
    for part in parts:
        if _where(checker, part, holds).surely[state]:
            way = show(checker, part, state, holds)
            if way is not None:
                return way
    return None


def _and_then(
    checker: Checker, steps: tuple[Step, ...], formula: Formula, state: int, holds: bool
) -> Way:
    """The steps, and what shows the formula at their end."""
    state = steps[-1][1] if steps else state
    more = show(checker, formula, state, holds) or Way()
    return replace(more, steps=(*steps, *more.steps))


def _lasting(checker: Checker, state: int, inside: Flags) -> Way:
    """A way that stays inside until nothing is enabled, or for ever."""
    steps = _search(checker, state, inside, checker.lasting(inside))
    state = steps[-1][1] if steps else state
    if checker.dead[state]:
        return Way(steps, stuck=True)
    home = checker.only(state)
    return Way(steps, _search(checker, state, inside, home, moving=True))


def _search(
    checker: Checker, state: int, inside: Flags | None, goal: Flags, *, moving: bool = False
) -> tuple[Step, ...]:
    """A shortest way to a goal, which exists, by states inside; if `moving`, of a step at least."""
    graph = checker.graph
    if goal[state] and not moving:
        return ()
    if state == 0 and inside is checker.true.surely:
        path = graph.path(int(goal.argmax()))  # exploration was breadth first
        return tuple((graph.via(s), s) for s in path[1:])
    before: dict[int, tuple[int, int]] = {}
    waiting = deque([state])
    while waiting:
        here = waiting.popleft()
        for t, after in zip(graph.row_via(here), graph.row(here), strict=True):
            if goal[after]:
                steps = [(t, after)]
                while here != state:
                    t, earlier = before[here]
                    steps.append((t, here))
                    here = earlier
                return tuple(reversed(steps))
            if inside is not None and inside[after] and after != state and after not in before:
                before[after] = (t, here)
                waiting.append(after)
    raise AssertionError("the fixed point has said that there is a way")
