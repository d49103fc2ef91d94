"""`History`: what has happened to a case, to read, to show and to count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, overload

from petriflow.analysis.display import Listing
from petriflow.execution.store import Record, Store
from petriflow.workflow.secrets import hidden
from petriflow.workflow.variables import Data

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, slots=True, repr=False)
class History(Listing, Sequence[Record]):
    """The events of a case in order; it shows itself as a table, and `to_pandas` makes one of it.

    The values of secret variables are masked in the records themselves, wherever they go. So only
    the history of a case without secrets can be replayed; the store can replay every one.
    """

    case_id: str
    workflow: str
    records: tuple[Record, ...]

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Record, ...]: ...
    def __getitem__(self, index: int | slice) -> Record | tuple[Record, ...]:
        return self.records[index]

    def __len__(self) -> int:
        return len(self.records)

    @property
    def title(self) -> str:
        """Whose history it is, in a line."""
        events = "1 event" if len(self) == 1 else f"{len(self)} events"
        return f"history of case {self.case_id} of {self.workflow!r}: {events}"

    @property
    def headings(self) -> tuple[str, ...]:
        """The columns of the table."""
        return ("seq", "at (UTC)", "event", "of", "fired")

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The events, one by one."""
        for r in self.records:
            names = (r.data.get(name) for name in ("name", "timer", "choice", "incident", "reason"))
            of = (
                r.task
                or str(r.data.get("definition", ""))[:12]
                or next((str(name) for name in names if name), "")
            )
            of += f": {r.error}" if r.error else ""
            at = datetime.fromtimestamp(r.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
            yield str(r.seq), at, f"{r.kind} (late)" if r.late else r.kind, of, ", ".join(r.fired)

    def __repr__(self) -> str:
        return f"<{self.title}>"

    def to_pandas(self) -> DataFrame:
        """The events as a table of pandas', one row each, by `seq`.

        The columns are those of a `Record`, with `task` and `error`; `at` is a time in UTC, `fired`
        the list of transitions, `delta` and `data` mappings.
        """
        import pandas

        names = [field.name for field in fields(Record)]
        names[4:4] = ["task", "error"]
        rows = [[getattr(record, name) for name in names] for record in self.records]
        table = pandas.DataFrame(rows, columns=names)
        table["at"] = pandas.to_datetime(table["at"], unit="s", utc=True)
        return table.set_index("seq")


def history(store: Store, case_id: str) -> History:
    """The history of a stored case, as it may be shown.

    Raises:
        UnknownCase: there is no such case.
    """
    stored = store.case(case_id)
    secret = secrets(store, stored.definition)
    records = (shown(record, secret) for record in store.history(case_id))
    return History(case_id, stored.workflow, tuple(records))


def secrets(store: Store, definition: str) -> frozenset[str]:
    """The names of the variables that a stored definition marks as secret."""
    return frozenset(store.definition(definition).get("secret", ()))


def shown(record: Record, secret: frozenset[str]) -> Record:
    """An event as it may be shown."""
    if not secret:
        return record
    # An event's own fields have names of their own; variables stand within.
    data: Data = {name: hidden(value, secret) for name, value in record.data.items()}
    return replace(record, data=data)
