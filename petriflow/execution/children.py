"""The cases that tasks call. Each is a case of its own, with its own marking and history.

A child begins after its caller's firing is committed, under an id made of the firing's, so that it
begins once however often the engine is restarted. It ends in the same transaction in which its
caller hears of it, and is cancelled in the one in which its caller's token goes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from petriflow.execution.events import CancelRequested, Event, StartTask, TaskCompleted, TaskFailed
from petriflow.execution.handle import CaseHandle
from petriflow.net.errors import PetriflowError
from petriflow.workflow import Workflow
from petriflow.workflow.variables import Data

#: How deep cases may call each other.
MOST_LEVELS = 100


class Parents(Protocol):
    """What the children need of their engine."""

    def turn(self, handle: CaseHandle, event: Event) -> None:
        """Apply an event to a case and have it stored."""
        ...

    def begin(
        self, workflow: Workflow, id: str, variables: Data, parent: CaseHandle, firing_id: str
    ) -> CaseHandle:
        """Begin a case that is called by another."""
        ...


class Children:
    """The running children of an engine's cases."""

    def __init__(
        self,
        engine: Parents,
        find: Callable[[Workflow | str], Workflow],
        cases: Mapping[str, CaseHandle],
    ) -> None:
        self._engine = engine
        self._find = find
        self._cases = cases
        self._of: dict[str, CaseHandle] = {}
        #: the ids of cases in the store that this engine has no definition for
        self.elsewhere: set[str] = set()

    def adopt(self, child: CaseHandle) -> None:
        """Take over a child that an earlier engine began."""
        self._of[child.firing_id] = child

    def start(self, parent: CaseHandle, command: StartTask) -> None:
        """Begin the case that a task calls, if it is not there yet."""
        firing_id = command.firing_id
        id = firing_id if command.attempt == 1 else f"{firing_id}~{command.attempt}"
        if firing_id in self._of or id in self.elsewhere:
            return
        called = parent.workflow.bodies[command.task].calls
        assert called is not None
        try:
            if parent.depth >= MOST_LEVELS:
                raise PetriflowError(f"cases call each other more than {MOST_LEVELS} levels deep")
            workflow = self._find(called)
            given = dict(command.variables)
            if command.instance is not None:
                given["instance"] = command.instance
            names = workflow.schema.names
            passed = {n: v for n, v in given.items() if names is None or n in names}
            variables = workflow.schema.initial(passed)
        except PetriflowError as error:
            failed = TaskFailed(firing_id, f"{type(error).__name__}: {error}", final=True)
            self._engine.turn(parent, failed)
            return
        self._of[firing_id] = self._engine.begin(workflow, id, variables, parent, firing_id)

    def ended(self, child: CaseHandle) -> None:
        """Tell the caller how the case that it called has ended."""
        self._of.pop(child.firing_id, None)
        parent = self._cases.get(child.parent_id)
        if parent is None or child.disowned:
            return
        case = child._case
        event: Event
        if case.status == "completed":
            names = parent.workflow.schema.names
            before = child.began_with
            updates = {
                name: value
                for name, value in case.variables.items()
                if (names is None or name in names)
                and name != "instance"
                and (name not in before or before[name] != value)
            }
            event = TaskCompleted(child.firing_id, updates)
        else:
            why = f": {case.error}" if case.error else ""
            event = TaskFailed(child.firing_id, f"case {child.id} {case.status}{why}")
        self._engine.turn(parent, event)

    def of(self, parent: CaseHandle) -> list[CaseHandle]:
        """The cases that run because a case has called them."""
        return [self._of[firing] for firing in parent._case.running if firing in self._of]

    def forget(self, child: CaseHandle) -> None:
        """Another engine has the child, and with it the case that called it."""
        self._of.pop(child.firing_id, None)

    def cancel(self, firing_id: str, awaited: bool) -> bool:
        """Give up the case that a firing called; unless its end is awaited, nobody hears of it.

        The answer is whether there is such a case.
        """
        child = self._of.get(firing_id)
        if child is None:
            return any(id.partition("~")[0] == firing_id for id in self.elsewhere)
        if not awaited:
            self._of.pop(firing_id)
            child.disowned = True
        if child._case.ending is None:
            self._engine.turn(child, CancelRequested("its caller was cancelled"))
        return True
