"""What an engine asks of a workflow before it runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from petriflow.analysis import endless, verify
from petriflow.execution.program import undeclared_choices
from petriflow.net.errors import DefinitionError, NotProvenSound, UndeclaredChoice
from petriflow.workflow import Workflow


def with_called(workflows: Sequence[Workflow]) -> list[Workflow]:
    """The workflows, and those that their tasks call, each once."""
    found: list[Workflow] = []
    todo = list(reversed(workflows))
    while todo:
        workflow = todo.pop()
        if all(workflow is not w for w in found):
            found.append(workflow)
            called = (task.calls for task in workflow.tasks.values())
            todo += [w for w in called if isinstance(w, Workflow)]
    return found


def admit(
    workflows: Iterable[Workflow], find: Callable[[Workflow | str], Workflow], allow_unsound: bool
) -> None:
    """Refuse what must not be run.

    Raises:
        NotProvenSound: a workflow is unsound or unknown, or can end only by calling itself.
        UndeclaredChoice: two steps compete, and nothing decides between them.
        DefinitionError: a task calls a workflow that is not there, or that does not know which of
            its variables are secret.
    """
    workflows = list(workflows)
    for workflow in workflows:
        if not allow_unsound:
            _require_sound(workflow)
        if conflicts := undeclared_choices(workflow):
            raise UndeclaredChoice(f"workflow {workflow.name!r} is not run: {conflicts[0]}")
        for task in workflow.tasks.values():
            if task.calls is not None:
                _require_discretion(workflow, find(task.calls))
    for name in endless(workflows):
        raise NotProvenSound(
            f"workflow {name!r} is not run: it can end only by calling itself again; give it a way "
            "on which it does not"
        )


def _require_discretion(caller: Workflow, called: Workflow) -> None:
    """What is secret in one of the two is secret in the other, if that takes it at all."""
    for one, other in ((caller, called), (called, caller)):
        names = other.schema.names
        for name in sorted(one.schema.secret - other.schema.secret):
            if names is None or name in names:
                raise DefinitionError(
                    f"workflow {caller.name!r} calls {called.name!r}, and variable {name!r} is "
                    f"secret only in {one.name!r}: mark it in {other.name!r} too"
                )


def _require_sound(workflow: Workflow) -> None:
    report = verify(workflow.net, form="expanded", name=workflow.name)
    if report.verdict != "sound":
        raise NotProvenSound(
            f"workflow {workflow.name!r} is not run, since it is not proven sound; mend it, or "
            f"pass allow_unsound=True\n{report}"
        )
