"""What waits for people, as it is stored: lists, forms, and what became of an item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from petriflow.analysis.display import Listing
from petriflow.execution.case import Case
from petriflow.execution.events import Status
from petriflow.execution.program import program
from petriflow.execution.store import Store, StoredCase, WhichWork, WorkItem
from petriflow.net.errors import DefinitionError, UnknownCase, UnknownItem
from petriflow.workflow import Workflow
from petriflow.workflow.variables import Data

#: The events that end a firing, in words.
ENDS = {"TaskCompleted": "was completed", "TaskFailed": "has failed"}


@dataclass(frozen=True, slots=True)
class WorkList(Listing):
    """Work items, the longest waiting first; it shows itself as a table."""

    items: tuple[WorkItem, ...]

    def __iter__(self) -> Iterator[WorkItem]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, number: int) -> WorkItem:
        return self.items[number]

    @property
    def title(self) -> str:
        """How many there are."""
        if not self.items:
            return "nothing waits for a person"
        return f"{len(self)} items:" if len(self) > 1 else "1 item:"

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("task", "role", "offered (UTC)", "held by", "item") if self.items else ()

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The items, one by one."""
        for i in self.items:
            number = "" if i.instance is None else f" #{i.instance}"
            yield (i.task + number, i.role, _at(i.offered_at), i.holder or "", i.id)

    def __str__(self) -> str:
        return Listing.__str__(self) if self.items else self.title


@dataclass(frozen=True, slots=True)
class WorkForm:
    """What a person needs to do an item.

    `schema` is the JSON Schema of what is to be handed in; `shown` are the variables that the
    person may see, as JSON data, secret ones masked.
    """

    item: WorkItem
    schema: Data
    shown: Data


def listed(store: Store, which: WhichWork) -> WorkList:
    """The items of a store."""
    if which.limit is not None and which.limit < 1:
        raise DefinitionError(f"a list has at least one place, not {which.limit}")
    return WorkList(tuple(store.work(which)))


def work_form(store: Store, id: str, workflows: Mapping[str, Workflow]) -> WorkForm:
    """What a person is to fill in, and may see; raises UnknownItem and UnknownCase."""
    item = item_of(store, id)
    stored = store.case(item.case_id)
    workflow = workflows.get(stored.definition)
    if workflow is None:
        raise UnknownCase(
            f"case {stored.id!r} was started with another version of workflow "
            f"{stored.workflow!r} than is at hand; give that one"
        )
    task = workflow.tasks[item.task]
    seen = workflow.schema.shown(_read(stored, workflow).sees(id))
    shown = seen if task.shows is None else {n: seen[n] for n in task.shows if n in seen}
    return WorkForm(item, {"title": task.name, **workflow.schema.form(task.asks)}, shown)


def _read(stored: StoredCase, workflow: Workflow) -> Case:
    state = stored.marking, stored.variables, stored.control
    status = cast(Status, stored.status)
    return Case.load(program(workflow), stored.id, status, stored.version, stored.error, state)


def item_of(store: Store, id: str) -> WorkItem:
    """An item of the lists; raises UnknownItem."""
    found = store.work(WhichWork(ids=[id]))
    if not found:
        raise UnknownItem(gone(store, id))
    return found[0]


def gone(store: Store, id: str) -> str:
    """What became of an item that is not on the lists: its id begins with that of its case."""
    parts = id.split("/")
    for n in range(len(parts) - 1, 0, -1):
        try:
            records = store.history("/".join(parts[:n]))
        except UnknownCase:
            continue
        for r in records:
            if r.kind in ENDS and r.data["firing_id"] == id and not r.late:
                by = f" by {r.data['by']!r}" if r.data.get("by") else ""
                return f"work item {id!r} {ENDS[r.kind]}{by} at {_at(r.at)} UTC"
        state = store.case("/".join(parts[:n])).status
        return f"work item {id!r} is not on the lists: it was withdrawn, or never there ({state})"
    return f"there is no work item {id!r}; `work` lists those that there are"


def _at(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S")
