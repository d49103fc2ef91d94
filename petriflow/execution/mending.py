"""What a person makes of an incident: try again, skip it, or give the case up because of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from petriflow.execution.case import Case
from petriflow.execution.core import Away
from petriflow.execution.events import IncidentFailed, IncidentResolved, TaskSkipped
from petriflow.execution.handle import CaseHandle
from petriflow.execution.orders import Orders
from petriflow.execution.program import Program, branch_names
from petriflow.execution.store import OpenIncident
from petriflow.net.errors import DefinitionError, UnknownCase, VariableError, printable
from petriflow.workflow import Workflow
from petriflow.workflow.variables import Data

#: What is taken at a choice: a branch or several by their names, or a number of instances.
Take = str | int | Sequence[str]


class Mending(Orders):
    """The side of `Engine` that mends cases.

    An incident is named by the choice or the task at which it is, by the end of such an id as far
    as that is clear, or by the id of its firing.
    """

    async def incidents(
        self, *, workflow: Workflow | str | None = None, limit: int | None = 100
    ) -> tuple[OpenIncident, ...]:
        """Where cases of the store wait for a person, those that were called too; the oldest first.

        Args:
            workflow: only those of this workflow, by its name, in whatever version.
            limit: at most so many; `None` for all.
        """
        self.check()
        name = workflow.name if isinstance(workflow, Workflow) else workflow
        return tuple(await self._in_writer(self._store.incidents, name, limit))

    async def retry(
        self,
        case: CaseHandle | str,
        updates: Mapping[str, Any] | None = None,
        *,
        incident: str | None = None,
        by: str = "",
    ) -> bool:
        """Try again: a choice asks its guards anew; a task begins anew, as the same firing, on the
        variables as they are, and with all the attempts that it may have.

        Args:
            case: the case, or its id.
            updates: variables to be corrected first, where the choice or the task sees them.
            incident: only this one; by default all of the case.
            by: who says so; kept in the history.

        Returns:
            Whether the case waited for a person; otherwise nothing happens.

        Raises:
            UnknownCase: there is no open case of this id, or it has no such incident.
            VariableError: the updates cannot be stored or do not fit the variables' model, or one
                of them is collected or reduced and would count once for each of several incidents.
        """
        given = {"updates": dict(updates or {}), "incident": incident, "by": _who(by)}
        useful: bool = await self._order(case, "retry", **given)
        return useful

    async def _order_retry(
        self, handle: CaseHandle, updates: Data, incident: str | None, by: str
    ) -> bool:
        case = handle._case
        names = [*case.incidents] if incident is None else [named(case, incident)]
        checked = handle.workflow.schema.updates(case.variables, updates)
        for variable in checked if len(names) > 1 else ():
            if handle.workflow.policy(variable).kind in ("collect", "reduce"):
                raise VariableError(
                    f"variable {variable!r} would be added once for each of {names}; name one of "
                    "them by incident="
                )
        for name in names:
            self.turn(handle, IncidentResolved(name, checked, by=by))
        await self.committed()
        if handle.refused:
            raise Away(f"case {handle.id!r} was taken over by another engine")
        return bool(names)

    async def skip(
        self,
        case: CaseHandle | str,
        incident: str,
        updates: Mapping[str, Any] | None = None,
        *,
        take: Take | None = None,
        by: str = "",
    ) -> None:
        """Go on without it: a task counts as completed, and as one that may have to be undone; at a
        choice a branch is taken, whatever the guards say.

        Args:
            case: the case, or its id.
            incident: where it waits for a person.
            updates: what the task would have returned; at a choice, variables to be corrected.
            take: at a choice, the name of the branch, or several; a number of instances.
            by: who says so; kept in the history.

        Raises:
            UnknownCase: there is no open case of this id, or it has no such incident.
            DefinitionError: a choice without `take`, a task with it, or no such branch.
            VariableError: the updates cannot be stored or do not fit the variables' model.
        """
        more = take if isinstance(take, str | int) or take is None else list(take)
        given = {"incident": incident, "updates": dict(updates or {}), "take": more, "by": _who(by)}
        await self._order(case, "skip", **given)

    async def _order_skip(
        self, handle: CaseHandle, incident: str, updates: Data, take: Take | None, by: str
    ) -> None:
        case = handle._case
        name = named(case, incident)
        checked = handle.workflow.schema.updates(case.variables, updates)
        if name in case.running:
            if take is not None:
                raise DefinitionError(f"{incident!r} is a task and has no branches; leave take out")
            await self._apply(handle, TaskSkipped(name, checked, by))
            return
        takes = taken(case.program, name, take)
        if case.status == "suspended":
            raise DefinitionError(f"case {case.id!r} is suspended; resume it, then skip")
        await self._apply(handle, IncidentResolved(name, checked, takes, by))

    async def fail(
        self, case: CaseHandle | str, incident: str, reason: str = "", *, by: str = ""
    ) -> None:
        """Give the case up because of an incident: it is `failed` when all is undone that can be.
        If it is an undo that is given up, what is left is not undone.

        Args:
            case: the case, or its id.
            incident: where it waits for a person.
            reason: why; kept in the case's error.
            by: who says so; kept in the history.

        Raises:
            UnknownCase: there is no open case of this id, or it has no such incident.
        """
        given = {"incident": incident, "reason": printable(str(reason)), "by": _who(by)}
        await self._order(case, "fail", **given)

    async def _order_fail(self, handle: CaseHandle, incident: str, reason: str, by: str) -> None:
        await self._apply(handle, IncidentFailed(named(handle._case, incident), reason, by))


def named(case: Case, name: str) -> str:
    """The incident that a name means: `pay` for the firing `c-1/order/pay/3` of `order/pay`.

    Raises:
        UnknownCase: there is none.
        DefinitionError: there are several.
    """
    where = {key: case.where(key) for key in case.incidents}
    found = [key for key, element in where.items() if name in (key, element)]
    found = found or [key for key, element in where.items() if element.endswith(f"/{name}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise DefinitionError(f"several are {name!r}: {', '.join(map(repr, found))}; name one")
    waits = ", ".join(map(repr, where.values()))
    known = f"it waits for a person at {waits}" if waits else "it waits for no person"
    raise UnknownCase(f"case {case.id!r} has no incident {name!r}; {known}")


def taken(known: Program, path: str, take: Take | None) -> tuple[int, ...]:
    """The branches by number, or the number of instances, that are taken at a choice.

    Raises:
        DefinitionError: there is no such branch, or these cannot be taken together.
    """
    if tally := known.tallies.get(path):
        most = tally.count.most
        if type(take) is int and 1 <= take <= most:
            return (take,)
        raise DefinitionError(f"{path!r} asks for a number: give take=, from 1 to {most}")
    if path not in known.decisions:
        raise DefinitionError(f"{path!r} is no choice; it can be tried again, or the case failed")
    choice = known.decisions[path].choice
    names = branch_names(choice)
    wanted = [take] if isinstance(take, str) else list(take) if isinstance(take, Sequence) else []
    numbers = sorted({names.index(name) for name in wanted if name in names})
    guarded = all(choice.branches[n].guard is not None for n in numbers)
    if (
        len(numbers) != len(wanted)
        or not numbers
        or (len(numbers) > 1 and not (choice.many and guarded))
    ):
        some = "one or several" if choice.many else "one"
        raise DefinitionError(
            f"choice {path!r} cannot take {take!r}: give take=, {some} of "
            f"{', '.join(map(repr, names))}" + (", `otherwise` alone" if choice.many else "")
        )
    return tuple(numbers)


def _who(by: str) -> str:
    return printable(str(by))
