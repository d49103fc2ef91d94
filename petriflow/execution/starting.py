"""How a case begins: by a user, under a key, or by a task that calls it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from petriflow.execution.case import Case
from petriflow.execution.core import Core
from petriflow.execution.events import (
    CaseStarted,
)
from petriflow.execution.handle import CaseHandle
from petriflow.execution.program import program
from petriflow.net.errors import (
    DefinitionError,
    UnknownCase,
    VariableError,
)
from petriflow.workflow import Workflow
from petriflow.workflow.variables import Data

#: How many cases are begun in one commit at the most; others wait for the next.
MOST_BIRTHS = 500


class Starting(Core):
    """The side of `Engine` that begins cases."""

    async def start(
        self,
        workflow: Workflow | str,
        variables: Mapping[str, Any] | None = None,
        *,
        key: str | None = None,
    ) -> CaseHandle:
        """Begin a case; it is stored when this returns.

        Of many that are started at once, some hundreds are stored together, so that a flood of them
        delays nothing else for long.

        Args:
            workflow: one of the engine's workflows, or its name.
            variables: what the case begins with; by default the workflow's example.
            key: a name for this one case, such as an order's number: started again under the same
                key, also by a later engine, it is the same case, with the variables it has.

        Raises:
            DefinitionError: the engine was not given this workflow.
            UnknownCase: the case of this key was started with another version of the workflow.
            VariableError: the variables cannot be stored or do not fit the model.
        """
        self._check_open()
        found = self._find(workflow)
        given = found.example if variables is None else variables
        if not isinstance(given, Mapping):
            raise VariableError(
                f"workflow {found.name!r} begins with a mapping of variables, not {given!r}"
            )
        checked = found.schema.initial(given)
        if key is None:
            return await self._start(found, checked)
        if not isinstance(key, str) or not key:
            raise DefinitionError(f"a key is a text that is not empty, not {key!r}")
        name = found.name, key
        if name not in self._starting:
            self._starting[name] = self._loop.create_task(self._start_once(found, checked, key))
            self._starting[name].add_done_callback(lambda _: self._starting.pop(name))
        # Whoever gives up waiting leaves the start to the others that wait for the same case.
        return await asyncio.shield(self._starting[name])

    async def _start(self, workflow: Workflow, variables: Data, key: str = "") -> CaseHandle:
        async with self._births:
            self._check_open()
            now = self._clock.now()
            id = f"{int(now * 1000):012x}-{secrets.token_hex(4)}"
            handle = CaseHandle(self, Case(program(workflow), id), workflow, now)
            self._handles[id] = self._known[id] = handle
            self._batch.keys += [(workflow.name, key, id)] if key else []
            self.turn(handle, CaseStarted(variables))
            await self.committed()
            return handle

    async def _start_once(self, workflow: Workflow, variables: Data, key: str) -> CaseHandle:
        """The case of a key: begun now, or found; one that has ended is only to look at."""
        id = await self._in_writer(self._store.keyed, workflow.name, key)
        self._check_open()
        if id is None:
            handle = await self._start(workflow, variables, key)
            # Lost at its birth: another engine was the first to use the key.
            return handle if not handle.refused else await self._start_once(workflow, {}, key)
        try:
            return await self.case(id)
        except UnknownCase as error:
            raise UnknownCase(f"of key {key!r}: {error}") from None

    def begin(
        self, workflow: Workflow, id: str, variables: Data, parent: CaseHandle, firing_id: str
    ) -> CaseHandle:
        """Begin a case that a task of another case calls."""
        handle = CaseHandle(self, Case(program(workflow), id), workflow, self._clock.now())
        handle.parent_id, handle.firing_id = parent.id, firing_id
        handle.depth, handle.began_with = parent.depth + 1, variables
        self._handles[id] = self._known[id] = handle
        self.turn(handle, CaseStarted(variables))
        return handle

    def _find(self, workflow: Workflow | str) -> Workflow:
        for known in self._workflows.values():
            if workflow in (known.name, known) or (
                isinstance(workflow, Workflow) and workflow.content_hash == known.content_hash
            ):
                return known
        name = workflow if isinstance(workflow, str) else workflow.name
        raise DefinitionError(
            f"this engine does not run {name!r}; pass it in Engine(…, workflows=[…]); it runs: "
            + (", ".join(repr(w.name) for w in self._workflows.values()) or "nothing")
        )
