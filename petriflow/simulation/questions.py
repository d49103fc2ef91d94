"""`Answers`: what guards say in a simulated case, from variables that are sampled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from petriflow.net.errors import DefinitionError, SimulationError
from petriflow.patterns.fragment import Choice, Count
from petriflow.simulation.plan import Plan

if TYPE_CHECKING:
    import numpy as np


class Answers:
    """The variables of the cases in progress, and what guards make of them.

    A case has one set of variables, which the outcomes of its tasks change as they complete.
    """

    def __init__(self, plan: Plan, generator: Callable[[str], np.random.Generator]) -> None:
        self.plan = plan
        self.rng = generator("variables")
        self.outcome_rng = {task: generator(f"outcome {task}") for task in plan.outcomes}
        self.weights_rng = generator("joins")
        self._cases: dict[int, tuple[int, dict[str, Any]]] = {}
        self._taken: dict[tuple[int, int, str], set[int]] = {}
        index = plan.compiled.transition_index
        self._selectors = {
            s.choice.path: [
                (index.get(f"{x.transition}.start", index.get(x.transition, -1)), x.takes, x.skips)
                for x in s.choice.selectors
            ]
            for s in plan.sets
            if isinstance(s.choice, Choice)
        }
        self._numbers: dict[tuple[int, str], int] = {}

    def variables(self, case: int, slot: int) -> dict[str, Any]:
        """The variables of the case, sampled when first asked for."""
        kept = self._cases.get(slot)
        if kept is None or kept[0] != case:
            given = self.plan.timing.variables
            kept = (case, {name: sample(v, self.rng) for name, v in given.items()})
            self._cases[slot] = kept
        return kept[1]

    def told(self, case: int, slot: int, task: str) -> None:
        """A task has completed, and its outcome is written."""
        rng = self.outcome_rng[task]
        self.variables(case, slot).update(
            {name: sample(v, rng) for name, v in self.plan.outcomes[task].items()}
        )

    def by_weight(self, able: Sequence[int]) -> int:
        """One of several OR-joins that compete."""
        weights = [self.plan.weights[t] for t in able]
        rest = self.weights_rng.random() * sum(weights)
        for t, weight in zip(able, weights, strict=True):
            rest -= weight
            if rest < 0:
                return t
        return able[-1]

    def ask(self, choice: Choice | Count, case: int, slot: int, able: Sequence[int]) -> int:
        """The transition that the guards take."""
        if isinstance(choice, Count):
            return self._count(choice, case, slot, able)
        key = (slot, case, choice.path)
        takes = self._taken.pop(key, None)
        if takes is None:
            takes = self._decide(choice, self.variables(case, slot))
        for t, taken, skipped in self._selectors[choice.path]:
            if t in able and taken <= takes and not skipped & takes:
                settled = len(taken | skipped)
                if settled < len(choice.branches) and choice.many:  # a chain of decisions
                    self._taken[key] = takes
                return t
        names = ", ".join(repr(choice.branches[n].name) for n in sorted(takes)) or "no branch"
        raise SimulationError(
            f"{self.plan.name!r}: choice {choice.path!r} takes {names} for "
            f"{self.variables(case, slot)}, which cannot happen; mend its guards or its variables"
        )

    def _decide(self, choice: Choice, variables: Mapping[str, Any]) -> set[int]:
        questions = self.plan.questions[choice.path]
        takes = set()
        for n, question in enumerate(questions):
            if question is not None and question(variables):
                takes.add(n)
                if not choice.many:
                    break
        if not takes:
            takes = {n for n, question in enumerate(questions) if question is None}
        return takes

    def _count(self, count: Count, case: int, slot: int, able: Sequence[int]) -> int:
        index = self.plan.compiled.transition_index
        more, stop = index[count.more], index[count.stop]
        key = (slot, count.path)
        left = self._numbers.get(key)
        if left is None:
            (question,) = self.plan.questions[count.path]
            assert question is not None
            number = question.value(self.variables(case, slot))
            if not isinstance(number, int) or not 1 <= number <= count.most:
                raise SimulationError(
                    f"{self.plan.name!r}: {count.path!r} got {number!r} instances; sample whole "
                    f"numbers from 1 to {count.most}"
                )
            left = number - 1
        if left:
            self._numbers[key] = left - 1
            return more
        self._numbers.pop(key, None)
        return stop if stop in able else able[0]


def sample(given: Any, rng: np.random.Generator) -> Any:
    """A value of a variable: one of a mapping to weights, a draw, or the value itself.

    Raises:
        DefinitionError: weights are negative or sum to nothing.
    """
    if isinstance(given, Mapping):
        total = sum(given.values())
        if not given or not total > 0 or min(given.values()) < 0:
            raise DefinitionError(f"variables: the weights of {dict(given)!r} sum to nothing")
        rest = rng.random() * total
        for value, weight in given.items():
            rest -= weight
            if rest < 0:
                return value
        return value
    if callable(getattr(given, "rvs", None)):
        return given.rvs(random_state=rng).item()
    return given(rng) if callable(given) else given
