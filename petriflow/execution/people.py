"""The work lists of people: the side of `Engine` at which tasks are claimed and completed.

Who a person is, and which roles they have, is told by the caller: an engine knows no passwords.
Whoever lets others call these methods, such as a web service, has to have asked them first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from petriflow.execution.events import Event, StartTask, TaskClaimed, TaskCompleted, TaskReleased
from petriflow.execution.handle import CaseHandle
from petriflow.execution.marks import Item
from petriflow.execution.orders import Orders
from petriflow.execution.store import WhichWork, WorkItem
from petriflow.execution.worklist import WorkForm, WorkList, gone, item_of, listed, work_form
from petriflow.net.errors import (
    DefinitionError,
    ItemConflict,
    NotPermitted,
    UnknownCase,
    UnknownItem,
    VariableError,
    printable,
)
from petriflow.workflow import Workflow
from petriflow.workflow.human import require_asked
from petriflow.workflow.secrets import revealed
from petriflow.workflow.variables import Data

Roles = str | Iterable[str]


class People(Orders):
    """The side of `Engine` that faces the people who do tasks."""

    async def work(
        self,
        role: Roles | None = None,
        *,
        holder: str | None = None,
        workflow: Workflow | str | None = None,
        case: CaseHandle | str | None = None,
        limit: int | None = 100,
    ) -> WorkList:
        """What waits for people, of all cases of the store: on offer, or held by somebody.

        Args:
            role: only what is offered to this role, or to one of these.
            holder: only what this person holds.
            workflow: only of this workflow, by its name, in whatever version.
            case: only of this case.
            limit: at most so many, the longest waiting; `None` for all.

        Raises:
            DefinitionError: the limit is not positive.
        """
        self.check()
        return await self._in_writer(
            listed,
            self._store,
            WhichWork(
                None if role is None else roles_of(role),
                holder,
                workflow.name if isinstance(workflow, Workflow) else workflow,
                case.id if isinstance(case, CaseHandle) else case,
                limit,
            ),
        )

    async def work_form(self, item: WorkItem | str) -> WorkForm:
        """What a person is to fill in to do an item, and what they may see.

        Raises:
            UnknownItem: the item is not on the lists.
            UnknownCase: its workflow was not given to this engine.
        """
        self.check()
        id = item if isinstance(item, str) else item.id
        return await self._in_writer(work_form, self._store, id, self._workflows)

    async def claim(self, item: WorkItem | str, *, by: str, roles: Roles) -> WorkItem:
        """Take an item upon oneself; the answer is the item, now held. Who holds it already
        may claim it again.

        Args:
            item: the item, or its id.
            by: who claims it.
            roles: the roles that this person has; one of them must be the item's.

        Raises:
            NotPermitted: the person has not the item's role.
            ItemConflict: another person holds it, or its case is suspended.
            UnknownItem: the item is not on the lists.
        """
        found = await self._item(item)
        await self._order_item(found, "claim", by=_person(by), roles=[*roles_of(roles)])
        now = await self._in_writer(self._store.work, WhichWork(ids=[found.id]))
        return now[0] if now else replace(found, holder=by, claimed_at=self._clock.now())

    async def release(self, item: WorkItem | str, *, by: str) -> WorkItem:
        """Give an item back to its role; the answer is the item, now on offer.

        Where the claim has decided a choice, it stays decided.

        Raises:
            ItemConflict: this person does not hold it.
            UnknownItem: the item is not on the lists.
        """
        found = await self._item(item)
        await self._order_item(found, "release", by=_person(by))
        return replace(found, holder=None, claimed_at=None)

    async def complete_task(
        self,
        item: WorkItem | str,
        updates: Mapping[str, Any] | None = None,
        *,
        by: str,
        roles: Roles = (),
    ) -> None:
        """Hand in what came of an item; what that leads to is stored when this returns.

        An item that nobody holds is claimed first, for which the person needs its role.

        Args:
            item: the item, or its id.
            updates: the variables that the person has filled in, as JSON data. Where the task
                `asks` for some, these and no others.
            by: who hands it in.
            roles: the roles that this person has.

        Raises:
            VariableError: the updates are not what is asked for, cannot be stored or do not fit
                the variables' model; the item stays as it is.
            NotPermitted: nobody holds the item, and the person has not its role.
            ItemConflict: another person holds it, or nobody does and its case is suspended.
            UnknownItem: the item is not on the lists; if it was completed, the message says by
                whom.
        """
        found = await self._item(item)
        data = _as_json({} if updates is None else updates)
        await self._order_item(
            found, "complete_task", updates=data, by=_person(by), roles=[*roles_of(roles)]
        )

    # -- carried out by the engine that has the case ----------------------------------------

    async def _order_claim(self, handle: CaseHandle, item: str, by: str, roles: list[str]) -> None:
        if self._may_claim(handle, await self._open_item(handle, item), item, by, roles):
            await self._apply_to(handle, item, TaskClaimed(item, by))

    async def _order_release(self, handle: CaseHandle, item: str, by: str) -> None:
        holder = (await self._open_item(handle, item)).holder
        if holder != by:
            whose = "nobody holds it" if holder is None else f"{holder!r} holds it"
            raise ItemConflict(f"work item {item!r} cannot be given back by {by!r}: {whose}")
        await self._apply_to(handle, item, TaskReleased(item, by))

    async def _order_complete_task(
        self, handle: CaseHandle, item: str, updates: Data, by: str, roles: list[str]
    ) -> None:
        rows = await self._in_writer(self._store.work, WhichWork(ids=[item]))
        found = await self._open_item(handle, item)
        claims = self._may_claim(handle, found, item, by, roles)
        case, task = handle._case, handle.workflow.tasks[found.task]
        try:
            require_asked(task, updates)
            checked = handle.workflow.schema.told(case.sees(item), updates)
        except VariableError as error:
            raise VariableError(f"work item {item!r}: {error}") from None
        if claims:
            self.turn(handle, TaskClaimed(item, by))
        for row in rows if not handle.away else ():
            done = StartTask(item, found.task, 1, 0.0, {}, found.instance)
            self._observers.queued(handle, done, row.offered_at)
            self._observers.began(handle, done, row.claimed_at or self._clock.now())
        await self._apply_to(handle, item, TaskCompleted(item, checked, by))

    def _may_claim(
        self, handle: CaseHandle, found: Item, item: str, by: str, roles: list[str]
    ) -> bool:
        """Whether the person is to claim it first; not where they hold it."""
        if found.holder == by:
            return False
        role = handle.workflow.tasks[found.task].role
        if role not in roles:
            has = ", ".join(map(repr, roles)) or "none"
            raise NotPermitted(
                f"work item {item!r} is offered to the role {role!r}, and {by!r} has {has}"
            )
        if found.holder is not None:
            raise ItemConflict(
                f"work item {item!r} is held by {found.holder!r}, who can give it back"
            )
        if handle.status == "suspended":
            raise ItemConflict(
                f"work item {item!r}: its case is suspended; it can be claimed when that is resumed"
            )
        return True

    async def _apply_to(self, handle: CaseHandle, item: str, event: Event) -> None:
        if not await self._apply(handle, event):
            raise UnknownItem(await self._in_writer(gone, self._store, item))

    # -- what they share --------------------------------------------------------------------

    async def _item(self, item: WorkItem | str) -> WorkItem:
        self._check_open()
        id = item if isinstance(item, str) else item.id
        return await self._in_writer(item_of, self._store, id)

    async def _open_item(self, handle: CaseHandle, item: str) -> Item:
        """The item as its case knows it now."""
        found = handle._case.items.get(item)
        if found is None:
            raise UnknownItem(await self._in_writer(gone, self._store, item))
        return found

    async def _order_item(self, item: WorkItem, kind: str, **data: Any) -> Any:
        try:
            return await self._order(item.case_id, kind, item=item.id, **data)
        except UnknownCase:
            await self._item(item)  # if its case has ended, it says what became of the item
            raise


def _as_json(updates: Mapping[str, Any]) -> Data:
    """What a person has filled in, so that it can be passed on to another engine."""
    if not isinstance(updates, Mapping):
        raise VariableError(f"a person hands in a mapping of variables, not {updates!r}")
    from pydantic import TypeAdapter

    data = {}
    for name, value in updates.items():
        try:
            data[name] = revealed(value, TypeAdapter(Any).dump_python(value, mode="json"))
        except ValueError as error:
            raise VariableError(f"variable {name!r} has no form in JSON: {error}") from None
    return data


def _person(by: str) -> str:
    if not isinstance(by, str) or not by.strip():
        raise DefinitionError(f"by={by!r}; name the person who does it")
    return printable(by)


def roles_of(given: Roles) -> tuple[str, ...]:
    """One role or several, as a tuple."""
    return (given,) if isinstance(given, str) else tuple(given)
