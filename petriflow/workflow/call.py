"""`call`: a task whose work is a case of another workflow."""

from __future__ import annotations

from petriflow.net.errors import DefinitionError
from petriflow.workflow.task import Task, TaskContext
from petriflow.workflow.workflow import Workflow


def call(workflow: Workflow | str, *, name: str | None = None) -> Task:
    """Run another workflow as one step: a case of its own, with its own marking and history.

    It begins with the caller's variables, as far as it declares them; what it has changed when it
    completes are the step's updates. It is cancelled with its caller. Several instances of a call
    do not mix their tokens (WCP-13), and a workflow may call itself (WCP-22 Recursion), as long as
    it can also end without.

    Args:
        workflow: the workflow, or the name of one that the engine is given.
        name: what the step is called; by default the workflow's name.

    Raises:
        DefinitionError: it is neither a workflow nor a name.

    >>> def pack(case): ...
    >>> def ship(case): ...
    >>> parcel = Workflow("parcel", pack)
    >>> list(Workflow("order", call(parcel) >> ship).tasks)
    ['order/parcel', 'order/ship']
    """
    if not isinstance(workflow, Workflow | str):
        raise DefinitionError(f"call({workflow!r}): give a Workflow, or the name of one")
    called = workflow if isinstance(workflow, str) else workflow.name
    return Task(_nothing, name or called, calls=workflow)


def _nothing(case: TaskContext) -> None:
    """The place of the body; an engine runs the called workflow instead."""
    raise DefinitionError("a call has no body of its own; run it by an Engine")
