"""A body as a text that another process can run: its import path, and JSON; never pickled data."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from petriflow.execution.events import Event, StartTask, from_data, to_data
from petriflow.execution.executors.executor import Executor
from petriflow.execution.results import completed
from petriflow.net.errors import DefinitionError, TaskError, say
from petriflow.workflow import Workflow
from petriflow.workflow.task import Task, TaskContext
from petriflow.workflow.variables import Schema

#: The executors that are no jobs: a body in the engine's loop, and one in a thread of its process.
HERE = (None, "thread")


class FailedElsewhere(TaskError):
    """What a body raised in another process, by the names of its class and their bases."""

    def __init__(self, error: str, kinds: Iterable[str]) -> None:
        super().__init__(error)
        self._kinds = frozenset(kinds)

    def is_one(self, kinds: tuple[type[BaseException], ...]) -> bool:
        """As `isinstance` for the error that was raised there."""
        return any(_name(kind) in self._kinds for kind in kinds)


def check(workflows: Iterable[Workflow], executors: Mapping[str, Executor]) -> None:
    """Refuse tasks that their executor cannot run.

    Raises:
        DefinitionError: there is no such executor, or a body or the variables' model cannot be
            imported by another process.
    """
    for workflow in workflows:
        for id, task in workflow.bodies.items():
            if task.executor in HERE or task.calls is not None:
                continue
            if task.executor not in executors:
                names = ", ".join(map(repr, ["thread", *executors]))
                raise DefinitionError(
                    f"task {id!r} names the executor {task.executor!r}; this engine has {names}: "
                    "pass Engine(…, executors={…})"
                )
            if task.heartbeat is not None:
                raise DefinitionError(
                    f"task {id!r}: a heartbeat is not heard from the executor {task.executor!r}; "
                    "give it a timeout"
                )
            _path(task.body, f"the body of task {id!r}", task.executor)
            if model := workflow.variables:
                _path(model, f"the variables' model {model.__name__!r}", task.executor)


def write(case_id: str, workflow: Workflow, command: StartTask) -> str:
    """The job of one attempt."""
    task, model = workflow.bodies[command.task], workflow.variables
    return json.dumps(
        {
            "body": _path(task.body, "the body", task.executor),
            "model": model and _path(model, "the model", task.executor),
            "collected": sorted(workflow.schema.collected),
            "secret": sorted(workflow.schema.secret),
            "case_id": case_id,
            "command": {name: getattr(command, name) for name in command.__slots__},
        }
    )


def read(answer: str) -> Event:
    """The event that an answer tells of.

    Raises:
        FailedElsewhere: the body has raised an error.
    """
    told = json.loads(answer)
    if "error" in told:
        raise FailedElsewhere(told["error"], told["kinds"])
    return from_data(told["event"], told["data"])


def perform(job: str) -> str:
    """Run a job, in whatever process this is; whatever happens in the body is in the answer."""
    told = json.loads(job)
    command = StartTask(**told["command"])
    try:
        found = _load(told["body"])
        body = found.body if isinstance(found, Task) else found
        model = told["model"] and _load(told["model"])
        schema = Schema(model, frozenset(told["collected"]), frozenset(told["secret"]))
        view = schema.view(command.variables)
        result = body(
            TaskContext(
                told["case_id"],
                command.firing_id,
                command.attempt,
                view,
                schema.mapping(view),
                command.instance,
                command.undoes,
            )
        )
        if inspect.isawaitable(result):
            result = asyncio.run(_awaited(result))
        event = completed(schema, command, result)
    except BaseException as error:  # whatever it raises, the case must hear of it
        kinds = [_name(kind) for kind in type(error).__mro__]
        return json.dumps({"error": say(error), "kinds": kinds})
    return json.dumps({"event": type(event).__name__, "data": to_data(event)})


async def _awaited(result: Any) -> Any:
    return await result


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


def _load(path: str) -> Any:
    module, _, name = path.partition(":")
    found: Any = import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def _path(what: Any, called: str, executor: str | None) -> str:
    """The import path, from which the very same thing comes back."""
    module, name = getattr(what, "__module__", None), getattr(what, "__qualname__", None)
    remedy = (
        f"and the executor {executor!r} runs only what it can import: write it at the top of a "
        "module, outside of __main__, notebooks and other functions"
    )
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        raise DefinitionError(f"{called} has no import path, {remedy}")
    try:
        found = _load(f"{module}:{name}")
    except (ImportError, AttributeError):
        found = None
    if found is not what and not (isinstance(found, Task) and found.body is what):
        raise DefinitionError(f"{called} is not what {module}:{name} leads to, {remedy}")
    return f"{module}:{name}"
