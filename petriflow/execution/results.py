"""What a body's return means to its case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from petriflow.execution.events import Event, StartTask, TaskCompleted, TaskFailed
from petriflow.net.errors import VariableError, printable, say
from petriflow.workflow.variables import Schema


def failed(schema: Schema, command: StartTask, error: str, *, final: bool) -> TaskFailed:
    """The end of an attempt; what the error quotes of secret variables is masked."""
    return TaskFailed(command.firing_id, schema.covered(error, command.variables), final)


def completed(schema: Schema, command: StartTask, result: Any) -> Event:
    """The end of a body that returned: a result that cannot be used fails for good."""
    firing_id = command.firing_id
    if result is not None and not isinstance(result, Mapping):
        error = printable(
            f"returned {result!r}; a task returns a mapping of updates to the case's "
            "variables, such as {'paid': True}, or None"
        )
        return failed(schema, command, error, final=True)
    try:
        return TaskCompleted(firing_id, schema.updates(command.variables, result or {}))
    except VariableError as error:
        return TaskFailed(firing_id, say(error), final=True)
