"""`call`: a task whose work is a case of another workflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from petriflow.net.errors import DefinitionError
from petriflow.workflow.task import OnFailure, Task, TaskContext, checked_failure, checked_undo
from petriflow.workflow.workflow import Workflow


def call(
    workflow: Workflow | str,
    *,
    name: str | None = None,
    on_failure: OnFailure = "fail",
    compensate: Callable[..., Any] | None = None,
) -> Task:
    """Run another workflow as one step: a case of its own, with its own marking and history.

    It begins with the caller's variables, as far as it declares them; what it has changed when it
    completes are the step's updates. It is cancelled with its caller. Several instances of a call
    do not mix their tokens (WCP-13), and a workflow may call itself (WCP-22 Recursion), as long as
    it can also end without.

    Where the caller is given up while the called case is open, that one is given up as well, with
    its own compensation, and the caller waits for it. A case that has completed stays so: what it
    did as a whole is undone by `compensate`, and not by the compensations of its tasks.

    Args:
        workflow: the workflow, or the name of one that the engine is given.
        name: what the step is called; by default the workflow's name.
        on_failure: what follows if the called case does not complete; see `task`.
        compensate: what undoes the whole of it, if the caller is given up later; see `task`.

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
    step = name or called
    return Task(
        _nothing,
        step,
        calls=workflow,
        on_failure=checked_failure(step, on_failure),
        compensate=checked_undo(step, compensate),
    )


def _nothing(case: TaskContext) -> None:
    """The place of the body; an engine runs the called workflow instead."""
    raise DefinitionError("a call has no body of its own; run it by an Engine")
