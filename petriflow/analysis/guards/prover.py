"""Whether there are values of the variables for which guards do as demanded.

"no" is proved by z3 from facts that hold of all values; "yes" comes with values on which the guards
themselves were asked, by the same code that asks them when a case runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Literal, NamedTuple

from petriflow.analysis.guards.expressions import Outcome, Reader
from petriflow.analysis.guards.terms import Formula, Logic
from petriflow.analysis.guards.variables import NoExample, Variables
from petriflow.net.errors import GuardError, PetriflowError, say
from petriflow.workflow.guard import Expression, Question
from petriflow.workflow.variables import Data, Schema

Answer = Literal["yes", "no", "unknown"]
#: What a guard is to do: `other` is whatever is not `true`, `works` whatever is not `fails`.
Want = Literal["true", "false", "fails", "other", "works"]

#: Seconds for one question, and how many examples are tried for it.
SECONDS, TRIES = 5.0, 5
NO_SOLVER = "z3 is not installed; pip install z3-solver"


class Demand(NamedTuple):
    """What a guard is to do at a moment; at one moment the variables have one value."""

    guard: Question
    want: Want
    moment: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to a question about values.

    `example` are the variables that the guards speak of, as a case stores them. `reason` says why
    an answer is unknown, or more about it.
    """

    answer: Answer
    example: Mapping[str, Any] | None = None
    reason: str | None = None

    def __str__(self) -> str:
        values = ", ".join(f"{name} = {short(v)}" for name, v in (self.example or {}).items())
        return "; ".join(filter(None, [values, self.reason]))


@dataclass(frozen=True, slots=True)
class Found:
    """Whether there are such values: an example by moment, and what the failing guards said."""

    answer: Answer
    examples: Mapping[str, Data] = field(default_factory=dict)
    reason: str | None = None

    def finding(self) -> Finding:
        """The same for a question about one moment."""
        return Finding(self.answer, next(iter(self.examples.values()), None), self.reason)


class Prover:
    """Answers questions about some guards over the variables of a schema."""

    def __init__(self, schema: Schema, seconds: float = SECONDS) -> None:
        self._schema, self._seconds = schema, seconds
        self._moments: dict[str, Variables] = {}
        self._outcomes: dict[tuple[str, int], tuple[Question, Outcome]] = {}
        try:
            self._logic: Logic | None = Logic()
        except ImportError:
            self._logic = None

    def exists(self, *ways: Sequence[Demand]) -> Found:
        """Whether there are values for which all demands of some way are met."""
        if self._logic is None:
            return Found("unknown", reason=NO_SOLVER)
        logic, z3 = self._logic, self._logic.z3
        wanted = logic.any(*(logic.all(*map(self._formula, way)) for way in ways))
        nice = [fact for moment in self._moments.values() for fact in moment.nice]
        end = monotonic() + self._seconds
        refused: list[Formula] = []
        reason = None
        for _ in range(TRIES):
            given = [*logic.facts, wanted, *refused]
            status, model = self._solve([*given, *nice], end, share=0.3 if nice else 1)
            if nice and status != z3.sat:
                nice = []  # values that are hard to read, then
                status, model = self._solve(given, end)
            if status == z3.unsat and not refused:
                return Found("no")
            if status != z3.sat:
                if status == z3.unknown and not refused:
                    reason = f"z3 gave no answer in {self._seconds:g} s"
                break
            try:
                if found := self._tried(ways, model):
                    return found
            except NoExample as error:
                reason = str(error)
            unknowns = [u for moment in self._moments.values() for u in moment.unknowns]
            if not unknowns:
                break
            refused.append(z3.Or([u != model.eval(u, model_completion=True) for u in unknowns]))
        return Found("unknown", reason=self._why(reason))

    def conflict(self, demands: Sequence[Demand]) -> tuple[Demand, ...]:
        """Of demands that cannot be met together, some that cannot either; each is needed, as far
        as z3 can tell.
        """
        needed = list(demands)
        for demand in demands:
            rest = [d for d in needed if d is not demand]
            if self._unmet(rest):
                needed = rest
        return tuple(needed)

    def _unmet(self, demands: Sequence[Demand]) -> bool:
        assert self._logic is not None
        wanted = [self._formula(demand) for demand in demands]
        status, _ = self._solve([*self._logic.facts, *wanted], monotonic() + self._seconds)
        return bool(status == self._logic.z3.unsat)

    def _solve(self, given: Iterable[Formula], end: float, share: float = 1) -> tuple[Any, Any]:
        assert self._logic is not None
        z3 = self._logic.z3
        solver = z3.Solver(ctx=self._logic.ctx)
        left = max(1, int((end - monotonic()) * share * 1000))
        solver.set("timeout", left)
        try:
            solver.add(*given)
            status = solver.check()
            return status, solver.model() if status == z3.sat else None
        except z3.Z3Exception:
            return z3.unknown, None

    def _why(self, reason: str | None) -> str:
        """Why the answer is unknown: what was not understood comes first."""
        unclear = list(self._logic.unclear) if self._logic else []
        return "; ".join(unclear[:2]) or reason or "no example stood up to the guards themselves"

    # -- guards as formulas -----------------------------------------------------------------

    def _formula(self, demand: Demand) -> Formula:
        assert self._logic is not None
        outcome = self._outcome(demand)
        match demand.want:
            case "true":
                return outcome.true
            case "false":
                return outcome.false
            case "fails":
                return outcome.fails
            case "other":
                return self._logic.negate(outcome.true)
            case "works":
                return self._logic.negate(outcome.fails)

    def _outcome(self, demand: Demand) -> Outcome:
        key = demand.moment, id(demand.guard)
        if key not in self._outcomes:
            self._outcomes[key] = demand.guard, self._read(demand)
        return self._outcomes[key][1]

    def _read(self, demand: Demand) -> Outcome:
        logic, guard, moment = self._logic, demand.guard, demand.moment
        assert logic is not None
        if moment not in self._moments:
            self._moments[moment] = Variables(logic, self._schema, f"{moment}:")
        why = self._beyond(guard)
        if why is None and isinstance(guard.ask, Expression):
            return Reader(logic, moment, self._moments[moment]).outcome(guard.ask)
        (fails, _), (works, truth) = logic.opaque_truth(f"{moment}:{id(guard)}", why or guard.text)
        holds = logic.symbol(truth)
        assert holds is not None
        true = logic.all(works, holds.expr)
        return Outcome(true, logic.all(works, logic.negate(holds.expr)), fails)

    def _beyond(self, guard: Question) -> str | None:
        """Why nothing can be said about a guard."""
        if guard.names is None:
            return f"{guard.text!r} is a function"
        if guard.names and self._schema.names is None:
            return "the workflow declares no types; give it variables=, a pydantic model"
        return None

    # -- guards as they are -----------------------------------------------------------------

    def _tried(self, ways: Sequence[Sequence[Demand]], model: Any) -> Found | None:
        """The values of a model, if the guards themselves do on them as demanded.

        Raises:
            NoExample: there are no values that could be stored.
        """
        stored = {name: self._store(v.example(model)) for name, v in self._moments.items()}
        for way in ways:
            said: dict[str, None] = {}
            if all(self._does(demand, stored[demand.moment], said) for demand in way):
                spoken: dict[str, set[str]] = {}
                for demand in way:
                    spoken.setdefault(demand.moment, set()).update(demand.guard.names or ())
                examples = {
                    moment: {n: v for n, v in stored[moment].items() if n in names}
                    for moment, names in spoken.items()
                }
                return Found("yes", examples, "; ".join(said) or None)
        return None

    def _store(self, example: Data) -> Data:
        """The values as a case would hold them."""
        try:
            view = self._schema.view(example)
            return self._schema.initial(self._schema.mapping(view))
        except (PetriflowError, TypeError, ValueError) as error:
            raise NoExample(say(error)) from None

    def _does(self, demand: Demand, stored: Data, said: dict[str, None]) -> bool:
        if why := self._beyond(demand.guard):
            raise NoExample(why)
        try:
            truth = demand.guard(self._schema.mapping(self._schema.view(stored)))
        except GuardError as error:
            said[say(error)] = None
            return demand.want in ("fails", "other")
        return demand.want in ("works", "true" if truth else "false") or (
            demand.want == "other" and not truth
        )


def short(value: Any) -> str:
    """A value of an example in a few characters."""
    if isinstance(value, int) and abs(value) >= 10**30:
        return f"{'-' if value < 0 else ''}{str(abs(value))[:6]}… ({len(str(abs(value)))} digits)"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
