"""Answering what a case asks: the guards of a choice, and how many instances there are to be.

Guards are the user's code. Whatever they do, the answer is an event: a case never waits for a guard
that failed, and never takes a failure for "false".
"""

from __future__ import annotations

from typing import Any

from petriflow.execution.events import Decide, Decided, DecisionFailed
from petriflow.execution.program import program
from petriflow.net.errors import NoBranchEnabled, PetriflowError, VariableError, say
from petriflow.patterns.fragment import Choice
from petriflow.workflow import Workflow
from petriflow.workflow.guard import Question
from petriflow.workflow.secrets import plainly

Answer = Decided | DecisionFailed


def answer(workflow: Workflow, command: Decide) -> Answer:
    """Ask what the command asks, on its snapshot of the variables."""
    known = program(workflow)
    path = command.choice
    try:
        if tally := known.tallies.get(path):
            takes: tuple[int, ...] = (_number(workflow, command, tally.count.most),)
        else:
            takes = _branches(workflow, command, known.decisions[path].choice)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        kind = type(error).__name__ if isinstance(error, PetriflowError) else "GuardError"
        text = workflow.schema.covered(say(error), command.variables)
        named = text if isinstance(error, NoBranchEnabled) else f"choice {path!r}: {text}"
        return DecisionFailed(path, command.number, kind, named)
    return Decided(path, command.number, takes)


def _branches(workflow: Workflow, command: Decide, choice: Choice) -> tuple[int, ...]:
    """The branches to take: the first whose guard is true, or all of them, or the default."""
    questions = workflow.questions[choice.path]
    takes: list[int] = []
    for n, question in enumerate(questions):
        if question and question(_view(workflow, question, command)):
            takes.append(n)
            if not choice.many:
                break
    if not takes:
        takes = [n for n, question in enumerate(questions) if question is None]
    if not takes and not choice.patient:
        asked = "; ".join(q.text for q in questions if q)
        raise NoBranchEnabled(
            f"choice {choice.path!r}: no guard is true ({asked}) for "
            f"{workflow.schema.shown(command.variables)}; correct the variables and retry, or give "
            "the choice an otherwise="
        )
    return tuple(takes)


def _number(workflow: Workflow, command: Decide, most: int) -> int:
    """How many instances there are to be."""
    question = workflow.numbers[command.choice]
    number = question.value(_view(workflow, question, command))
    if type(number) is not int or not 1 <= number <= most:
        raise VariableError(
            f"{question.text!r} gives {number!r}; a number from 1 to {most} is needed: correct the "
            "variables and retry, or raise most="
        )
    return number


def _view(workflow: Workflow, question: Question, command: Decide) -> Any:
    """The snapshot as this guard sees it: each gets its own, so that none can change another's."""
    view = workflow.schema.view(command.variables)
    if question.names is None:
        return view
    return {name: plainly(value) for name, value in workflow.schema.mapping(view).items()}
