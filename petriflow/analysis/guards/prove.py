"""What the guards of a workflow's choices do for every value that its variables can have.

Answered by z3, and never by z3 alone: what it finds is shown only after the guards themselves have
been asked on the values (`petriflow[smt]`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from petriflow.analysis.display import Listing
from petriflow.analysis.guards.prover import SECONDS, Demand, Finding, Prover, Want
from petriflow.analysis.soundness.notions import Answer
from petriflow.net.errors import DefinitionError
from petriflow.patterns.fragment import Choice
from petriflow.workflow.guard import Question
from petriflow.workflow.workflow import Workflow

NOT: dict[Answer, Answer] = {"yes": "no", "no": "yes", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class BranchFinding:
    """A branch of a choice, and whether it can be taken; `guard` is `None` for `otherwise`."""

    name: str
    guard: str | None
    taken: Finding


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two branches of an exclusive choice, and whether both guards can be true.

    Where they are, the first is taken: an exclusive choice asks its guards in the order given, and
    stops at the first that is true.
    """

    first: str
    second: str
    both: Finding


@dataclass(frozen=True, slots=True)
class ChoiceFinding:
    """What is known about a choice.

    `exhaustive`: whether some guard is true whatever the values are; if not, values for which none
    is. `fails`: whether a guard that is asked can fail, with such values. `branches`: of each,
    whether it can be taken; "no" means that it is dead under the data. `overlaps`: the pairs of
    branches of an exclusive choice that have guards.
    """

    path: str
    many: bool
    exhaustive: Finding
    fails: Finding
    branches: tuple[BranchFinding, ...]
    overlaps: tuple[Overlap, ...]


@dataclass(frozen=True)
class GuardReport(Listing):
    """What is known about the choices of a workflow, each looked at alone.

    Every value that fits the variables' model is thought possible at every choice; what earlier
    choices and tasks make of them is not looked at.
    """

    name: str
    choices: tuple[ChoiceFinding, ...]

    headings: ClassVar[tuple[str, ...]] = ("choice", "question", "answer", "such as, or why")

    @property
    def title(self) -> str:
        """The workflow, and how many choices it has."""
        return f"guards of {self.name}, choices: {len(self.choices)}"

    def rows(self) -> Iterator[tuple[str, ...]]:
        """A row for each question."""
        for choice in self.choices:
            questions = [
                ("is always some guard true?", choice.exhaustive),
                ("can a guard fail?", choice.fails),
                *((f"can {b.name!r} be taken?", b.taken) for b in choice.branches),
                *(
                    (f"can the guards of {o.first!r} and {o.second!r} both be true?", o.both)
                    for o in choice.overlaps
                ),
            ]
            for question, finding in questions:
                yield choice.path, question, finding.answer, str(finding)

    @property
    def answer(self) -> Answer:
        """Whether all is well with every choice: some guard is always true, none can fail, and each
        branch can be taken.
        """
        found = [c.exhaustive.answer for c in self.choices]
        found += [NOT[c.fails.answer] for c in self.choices]
        found += [b.taken.answer for c in self.choices for b in c.branches]
        return "no" if "no" in found else "unknown" if "unknown" in found else "yes"

    def to_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return asdict(self)


def prove_guards(workflow: Workflow, *, seconds: float = SECONDS) -> GuardReport:
    """Judge the guards of every choice for all values of the workflow's variables.

    Only guards in the text language can be judged, over variables whose types are declared; what
    cannot be is `unknown`, with the reason. Without z3 everything is.

    Args:
        workflow: the workflow.
        seconds: how long one question may take before its answer is `unknown`.

    >>> from pydantic import BaseModel
    >>> from petriflow.patterns import exclusive_choice, when
    >>> class Order(BaseModel):
    ...     total: int
    >>> def small(case): ...
    >>> def large(case): ...
    >>> choice = exclusive_choice(
    ...     when("total < 9", small), when("total > 9", large), name="size", exhaustive=True
    ... )
    >>> report = prove_guards(Workflow("order", choice, variables=Order))
    >>> report.choices[0].exhaustive.example
    {'total': 9}
    >>> report.choices[0].overlaps[0].both.answer
    'no'
    """
    if not isinstance(workflow, Workflow):
        raise DefinitionError(f"prove_guards takes a Workflow, not {workflow!r}")
    return GuardReport(
        workflow.name,
        tuple(
            _judge(c, workflow.questions[c.path], Prover(workflow.schema, seconds))
            for c in workflow.choices
        ),
    )


def require_exhaustive(workflow: Workflow) -> None:
    """Prove of each choice that has neither an `otherwise` nor a promise that some guard is true.

    Raises:
        DefinitionError: it is not so, with values for which no guard is true, or is not proved.
    """
    for choice in workflow.choices:
        if not choice.to_prove:
            continue
        found = _exhaustive(choice, workflow.questions[choice.path], Prover(workflow.schema))
        if found.answer != "yes":
            what = "no guard is true for" if found.answer == "no" else "this is not proved:"
            raise DefinitionError(
                f"choice {choice.path!r} needs either otherwise= (otherwise=skip does nothing) or "
                "exhaustive=True, so that a case never gets stuck where no guard is true; "
                f"{what} {found}"
            )


Questions = tuple[Question | None, ...]


def _judge(choice: Choice, questions: Questions, prover: Prover) -> ChoiceFinding:
    names = [branch.name for branch in choice.branches]
    guarded = [(n, q) for n, q in enumerate(questions) if q]
    pairs = [(a, b) for n, a in enumerate(guarded) for b in guarded[n + 1 :]]
    overlaps = () if choice.many else tuple(
        Overlap(
            names[a],
            names[b],
            prover.exists([Demand(first, "true"), Demand(second, "true")]).finding(),
        )
        for (a, first), (b, second) in pairs
    )  # fmt: skip
    return ChoiceFinding(
        choice.path,
        choice.many,
        _exhaustive(choice, questions, prover),
        prover.exists(
            *([*_asked_before(choice, questions, n), Demand(q, "fails")] for n, q in guarded)
        ).finding(),
        tuple(
            BranchFinding(
                name, question.text if question else None, _taken(choice, questions, n, prover)
            )
            for n, (name, question) in enumerate(zip(names, questions, strict=True))
        ),
        overlaps,
    )


def _exhaustive(choice: Choice, questions: Questions, prover: Prover) -> Finding:
    if None in questions:
        default = choice.branches[questions.index(None)].name
        return Finding("yes", reason=f"or {default!r} is taken, which has no guard")
    if choice.patient:
        return Finding("yes", reason="or the choice waits for another token")
    found = prover.exists(_all(questions, "other")).finding()
    match found.answer:
        case "yes":
            return Finding("no", found.example, found.reason)
        case "no":
            return Finding("yes")
        case _:
            return found


def _taken(choice: Choice, questions: Questions, number: int, prover: Prover) -> Finding:
    question = questions[number]
    if question is None:
        found = prover.exists(_all(questions, "false")).finding()
        why = "no values make all guards false"
    else:
        others = _asked_before(choice, questions, number)
        if choice.many:
            others = _all([q for q in questions if q is not question], "works")
        found = prover.exists([*others, Demand(question, "true")]).finding()
        why = "its guard is never true"
        if found.answer == "no" and prover.exists([Demand(question, "true")]).answer != "no":
            why = "whenever its guard is true, another is taken before it or fails"
    return Finding("no", reason=why) if found.answer == "no" else found


def _asked_before(choice: Choice, questions: Questions, number: int) -> list[Demand]:
    """What must be for a guard to be asked: an exclusive choice stops at the first that is true."""
    return [] if choice.many else _all(questions[:number], "false")


def _all(questions: Questions | list[Question | None], want: Want) -> list[Demand]:
    return [Demand(question, want) for question in questions if question]
