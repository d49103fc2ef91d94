"""`Task`: what a step of a workflow runs, and how often and how long it may try."""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, overload

from petriflow.net.errors import DefinitionError
from petriflow.patterns.duration import LONGEST, Duration, seconds
from petriflow.patterns.fragment import Fragment, as_fragment
from petriflow.workflow.functions import is_coroutine_function, qualified_name, takes_one_argument


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What a task body is given: the case as it was when the task started.

    `variables` is read-only: a mapping, or an instance of the workflow's variables model.
    `firing_id` is the same for every attempt of this firing, also after a crash: hand it to
    services as the idempotency key. `attempt` counts from 1. Where several instances of the task
    run at once, `instance` says which this is, from 0 on.
    """

    case_id: str
    firing_id: str
    attempt: int
    variables: Any
    data: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    instance: int | None = None

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    def __contains__(self, name: object) -> bool:
        return name in self.data

    def get(self, name: str, default: Any = None) -> Any:
        """The variable, or a default where the case has none of this name."""
        return self.data.get(name, default)


Body = Callable[[TaskContext], Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None]


@dataclass(frozen=True)
class Task:
    """A function or coroutine function with its limits; made by `@task`.

    Args:
        body: takes the `TaskContext`, returns a mapping of updates to the variables, or `None`.
        name: what the step is called; it becomes a segment of ids.
        retries: how many further attempts follow a failed one.
        timeout: seconds that one attempt may take; `None` means any.
        delay: seconds before the second attempt.
        backoff: by how much the delay grows from attempt to attempt.
        calls: the workflow, or its name, that runs as a case of its own instead of the body.
    """

    body: Body
    name: str
    retries: int = 0
    timeout: float | None = None
    delay: float = 1.0
    backoff: float = 2.0
    calls: Any = None

    @cached_property
    def asynchronous(self) -> bool:
        """Whether the body is a coroutine function (a plain function runs in a thread)."""
        return is_coroutine_function(self.body)

    @property
    def qualified_name(self) -> str:
        """The body's name in its module; part of a definition's content hash."""
        return qualified_name(self.body)

    def wait_before(self, attempt: int) -> float:
        """The seconds to wait before this attempt (the first does not wait)."""
        if attempt <= 1 or not self.delay:
            return 0.0
        try:
            return self.delay * self.backoff ** (attempt - 2)
        except OverflowError:
            return math.inf

    def __call__(self, case: TaskContext) -> Any:
        """Call the body itself, for tests of it."""
        return self.body(case)

    def __rshift__(self, other: Fragment | Callable[..., Any]) -> Fragment:
        return as_fragment(self) >> other

    def __rrshift__(self, other: Fragment | Callable[..., Any]) -> Fragment:
        return as_fragment(other) >> as_fragment(self)


@overload
def task(body: Body, /) -> Task: ...
@overload
def task(
    *,
    name: str | None = None,
    retries: int = 0,
    timeout: Duration | None = None,
    delay: Duration = 1.0,
    backoff: float = 2.0,
) -> Callable[[Body], Task]: ...
def task(
    body: Body | None = None,
    /,
    *,
    name: str | None = None,
    retries: int = 0,
    timeout: Duration | None = None,
    delay: Duration = 1.0,
    backoff: float = 2.0,
) -> Task | Callable[[Body], Task]:
    """Make a function or coroutine function a task.

    The body gets a `TaskContext` and returns the updates to the case's variables. It runs at
    least once: after a crash it may run again, with the same `firing_id`.

    Args:
        name: what the step is called; by default the function's name.
        retries: how many further attempts follow a failed one.
        timeout: how long one attempt may take: seconds, or a text such as "30s". A plain function
            that takes longer cannot be stopped: it runs on in its thread, beside the next attempt,
            and what it returns is ignored.
        delay: how long to wait before the second attempt.
        backoff: by how much the wait grows from attempt to attempt.

    Raises:
        DefinitionError: the body has no name, cannot be called with one argument, or yields, or a
            limit makes no sense.

    >>> @task(retries=3, timeout="30s")
    ... async def charge(case):
    ...     return {"paid": True}
    >>> charge.name, charge.timeout, [charge.wait_before(n) for n in (1, 2, 3, 4)]
    ('charge', 30.0, [0.0, 1.0, 2.0, 4.0])
    """
    if body is None:
        return lambda body: _make(body, name, retries, timeout, delay, backoff)
    return _make(body, name, retries, timeout, delay, backoff)


def as_task(binding: Callable[..., Any]) -> Task:
    """The binding itself if it is a task, or a task without limits around it."""
    return binding if isinstance(binding, Task) else task(binding)


def _make(
    body: Body,
    name: str | None,
    retries: int,
    timeout: Duration | None,
    delay: Duration,
    backoff: float,
) -> Task:
    if isinstance(body, Task):
        raise DefinitionError(
            f"task {body.name!r} is a task already; use dataclasses.replace(…) to change it"
        )
    if not callable(body):
        raise DefinitionError(f"@task: {body!r} is not a function")
    called = name or getattr(body, "name", None) or getattr(body, "__name__", None)
    if not isinstance(called, str):
        raise DefinitionError(f"@task: {body!r} has no name; write @task(name='…')")
    if not takes_one_argument(body):
        raise DefinitionError(
            f"task {called!r} must take one argument, the case: write `def {called}(case): …`"
        )
    if inspect.isgeneratorfunction(body) or inspect.isasyncgenfunction(body):
        raise DefinitionError(f"task {called!r} yields; a task returns its updates")
    if type(retries) is not int or retries < 0:
        raise DefinitionError(f"task {called!r}: retries={retries!r}; use 0, 1, 2, …")
    if not isinstance(backoff, int | float) or not 1 <= backoff <= LONGEST:
        raise DefinitionError(f"task {called!r}: backoff={backoff!r}; use 1 or more")
    limit = None if timeout is None else seconds(timeout, f"task {called!r}: timeout")
    if limit == 0:
        raise DefinitionError(f"task {called!r}: timeout={timeout!r} leaves no time at all")
    wait = seconds(delay, f"task {called!r}: delay")
    return Task(body, called, retries, limit, wait, float(backoff))
