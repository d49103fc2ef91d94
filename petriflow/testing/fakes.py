"""Fakes: functions and canned results in place of the bodies of tasks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NoReturn

from petriflow.net.errors import DefinitionError
from petriflow.patterns.fragment import Binding, as_fragment
from petriflow.patterns.names import meant, suggestion
from petriflow.patterns.parts import rerooting
from petriflow.workflow import Task, TaskContext, Workflow
from petriflow.workflow.task import as_task

#: What a body is replaced by: the updates that it returns, or a function of the `TaskContext`.
Fake = Mapping[str, Any] | Callable[[TaskContext], Any] | None


def raising(error: BaseException | type[BaseException]) -> Callable[[TaskContext], NoReturn]:
    """A fake that fails in this way at every attempt.

    >>> raising(ValueError("no money"))(None)
    Traceback (most recent call last):
    ValueError: no money
    """

    def fail(case: TaskContext) -> NoReturn:
        raise error

    return fail


def faked(workflow: Workflow, fakes: Mapping[str, Fake]) -> Workflow:
    """The workflow with some bodies replaced, to be run by an `Engine` or `Workflow.run`.

    It has the same content hash, which speaks of the names of bodies, never of their code: cases
    that one has begun are continued by the other. Only where a `call` of another workflow or a
    person's task is replaced is it another definition. Fakes run in the engine's loop, whatever
    the task's executor; tasks that have none keep their bodies, and all keep their retries and
    timeouts.

    Args:
        workflow: the workflow.
        fakes: by the name of the task, what its body returns, or a function in its place.

    Raises:
        DefinitionError: there is no task of such a name, or a fake is neither mapping nor function.

    >>> def pay(case): raise OSError("this would cost money")
    >>> order = Workflow("order", pay)
    >>> tested = faked(order, {"pay": {"paid": True}})
    >>> tested.run().variables, tested.content_hash == order.content_hash
    ({'paid': True}, True)
    """
    found = by_task(workflow, fakes)
    body = as_fragment(workflow.body)
    rename = rerooting(body, workflow.name)
    tasks: dict[str, Binding] = dict(body.tasks)
    for id in tasks:
        if rename(id) in found:
            task, fake = workflow.tasks[rename(id)], found[rename(id)]
            tasks[id] = replace(
                task,
                body=_Body(fake, task),
                calls=None,
                executor=None,
                role=None,
                asks=(),
                shows=None,
            )
        if (undo := f"{rename(id)}.undo") in found:
            task, back = as_task(tasks[id]), workflow.undos[undo]
            body_of = _Body(found[undo], back)
            tasks[id] = replace(task, compensate=replace(back, body=body_of, executor=None))
    return replace(workflow, body=replace(body, tasks=tasks, steps=()))


class _Body:
    """A fake as the body of a task, under the name of the one that it replaces."""

    def __init__(self, fake: Fake, task: Task) -> None:
        self._fake = fake
        self.__name__ = task.name
        self.__qualname__ = task.qualified_name

    async def __call__(self, case: TaskContext) -> Any:
        result = outcome(self._fake, case)
        return await result if inspect.isawaitable(result) else result


def by_task(workflow: Workflow, fakes: Mapping[str, Fake]) -> dict[str, Fake]:
    """The fakes by the ids of tasks. A short name stands for all tasks that end in it; of several
    that fit one task, the longest counts.

    Raises:
        DefinitionError: a name means no task, or what it stands for is no fake.
    """
    found: dict[str, Fake] = {}
    for name in sorted(fakes, key=len):
        fake = fakes[name]
        if not (fake is None or isinstance(fake, Mapping) or callable(fake)):
            raise DefinitionError(
                f"the fake of {name!r} is {fake!r}; give the updates that it returns, such as "
                "{'paid': True}, or a function of the case"
            )
        ids = uses(name, workflow)
        if not ids:
            raise DefinitionError(
                f"workflow {workflow.name!r} has no task {name!r} to be faked; "
                + suggestion(name, workflow.bodies)
            )
        found |= dict.fromkeys(ids, fake)
    return found


def uses(name: str, workflow: Workflow) -> list[str]:
    """All tasks that a name stands for: `pay` for `order/pay`, `order/pay~2` and `order/a/pay`; and
    all that undo tasks, by their own names or as `pay.undo`.
    """
    exact = [name] if name in workflow.bodies else []
    return exact or [id for id in workflow.bodies if called(name, [id], workflow)]


def called(name: str, ids: Iterable[str], workflow: Workflow) -> list[str]:
    """The tasks among these that a name means; a workflow of one step has its id from itself."""
    ids = list(ids)
    return meant(name, ids) or [id for id in ids if workflow.bodies[id].name == name]


def outcome(fake: Fake, case: TaskContext) -> Any:
    """What the fake returns; a coroutine where it is asynchronous."""
    return fake(case) if callable(fake) else fake
