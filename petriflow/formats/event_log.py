"""Event logs: what happened to which case, as process-mining tools read and write it.

XES (IEEE 1849) and CSV. One event tells of one activity; `lifecycle` says whether it began or was
done. What else a file says of an event is kept in its `attributes`.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lxml import etree

from petriflow.formats.xml import MOST_BYTES, children, local, parse_bytes, shown
from petriflow.net.errors import FormatError

if TYPE_CHECKING:
    from pandas import DataFrame

#: The names of columns, as tools write them; the first is what is written.
COLUMNS: dict[str, tuple[str, ...]] = {
    "case": ("case:concept:name", "case_id", "case id", "caseid", "case", "trace"),
    "activity": ("concept:name", "activity", "task", "event", "action"),
    "at": ("time:timestamp", "timestamp", "time", "at", "complete timestamp", "date"),
    "lifecycle": ("lifecycle:transition", "lifecycle", "transition"),
    "resource": ("org:resource", "resource", "user"),
}
#: The elements of XES that hold a value, and how the value is read.
VALUES = frozenset(("string", "date", "int", "float", "boolean", "id"))
KNOWN = frozenset(("concept:name", "time:timestamp", "lifecycle:transition", "org:resource"))


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One thing that happened to a case; `at` is `None` where the log does not tell."""

    activity: str
    at: datetime | None = None
    lifecycle: str = "complete"
    resource: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """What happened to one case, in order."""

    case: str
    events: tuple[LoggedEvent, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def activities(self) -> tuple[str, ...]:
        """The activities that were done, in order."""
        return tuple(e.activity for e in self.events if e.lifecycle == "complete")


@dataclass(frozen=True, slots=True)
class EventLog(Sequence[Trace]):
    """The traces of a log.

    >>> log = EventLog.of({"1": ["pick", "pack"], "2": ["pick", "pack"], "3": ["pick"]})
    >>> log.variants
    {('pick', 'pack'): 2, ('pick',): 1}
    """

    traces: tuple[Trace, ...]
    name: str = ""

    @classmethod
    def of(cls, cases: Mapping[str, Iterable[str]]) -> EventLog:
        """The log of cases that are only known as lists of activities."""
        return cls(
            tuple(Trace(case, tuple(map(LoggedEvent, done))) for case, done in cases.items())
        )

    def __getitem__(self, index: Any) -> Any:
        return self.traces[index]

    def __len__(self) -> int:
        return len(self.traces)

    @property
    def events(self) -> int:
        """How many events there are."""
        return sum(len(trace.events) for trace in self.traces)

    @property
    def variants(self) -> dict[tuple[str, ...], int]:
        """How many cases took which way, the commonest first."""
        counts: dict[tuple[str, ...], int] = {}
        for trace in self.traces:
            counts[trace.activities] = counts.get(trace.activities, 0) + 1
        return dict(sorted(counts.items(), key=lambda way: -way[1]))

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        return f"<EventLog{name}: {len(self)} cases, {self.events} events>"

    def rows(self) -> Iterator[dict[str, Any]]:
        """The events, each with its case, under the names that XES gives the columns."""
        for trace in self.traces:
            for event in trace.events:
                yield {
                    "case:concept:name": trace.case,
                    "concept:name": event.activity,
                    "time:timestamp": event.at,
                    "lifecycle:transition": event.lifecycle,
                    "org:resource": event.resource,
                    **{f"case:{key}": value for key, value in trace.attributes.items()},
                    **event.attributes,
                }

    def to_pandas(self) -> DataFrame:
        """A table of pandas', one row an event, with the columns that pm4py expects."""
        import pandas

        table = pandas.DataFrame(list(self.rows()))
        if "time:timestamp" in table:
            table["time:timestamp"] = pandas.to_datetime(table["time:timestamp"], utc=True)
        return table

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the log: `.xes`, `.xes.gz` or `.csv`.

        Raises:
            FormatError: the name says none of these, or the file cannot be written.
        """
        path = Path(file)
        name = path.name.lower()
        if name.endswith((".xes", ".xes.gz")):
            data = _xes(self)
        elif name.endswith(".csv"):
            data = _csv(self)
        else:
            raise FormatError(f"{path}: a log is written as .xes, .xes.gz or .csv")
        try:
            path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        except OSError as error:
            raise FormatError(f"{path}: {error.strerror}") from error


def read_log(file: str | os.PathLike[str]) -> EventLog:
    """A log from a `.xes`, `.xes.gz` or `.csv` file.

    The columns of a CSV file are found by their names, in any of the ways that tools write them.

    Raises:
        FormatError: the file cannot be read as a log; the message says what is missing.
    """
    path = Path(file)
    name = path.name.lower()
    data = _bytes(path)
    if name.endswith((".xes", ".xes.gz")):
        return _from_xes(path, data)
    if name.endswith(".csv"):
        return _from_csv(path, data)
    raise FormatError(f"{path}: a log is a .xes, .xes.gz or .csv file")


def _bytes(path: Path) -> bytes:
    try:
        # Of a packed file too no more is read, whatever it would become.
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as opened:
            data = opened.read(MOST_BYTES + 1)
    except (OSError, EOFError, ValueError) as error:
        raise FormatError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    except zlib.error as error:
        raise FormatError(f"{path}: not a gzip file that is whole: {error}") from error
    if len(data) > MOST_BYTES:
        raise FormatError(f"{path}: more than {MOST_BYTES // 1_000_000} MB; split the log")
    return data


# -- XES ------------------------------------------------------------------------------------------


def _from_xes(path: Path, data: bytes) -> EventLog:
    root = parse_bytes(path, data)
    if local(root) != "log":
        raise FormatError(f"{path}: no XES file: its root is <{local(root)}>, not <log>")
    traces = []
    for number, element in enumerate(children(root, "trace"), 1):
        about = _attributes(path, element)
        case = str(about.pop("concept:name", number))
        events = tuple(_event(path, e, case) for e in children(element, "event"))
        traces.append(Trace(case, events, about))
    return EventLog(tuple(traces), str(_attributes(path, root).get("concept:name", "")))


def _event(path: Path, element: etree._Element, case: str) -> LoggedEvent:
    values = _attributes(path, element)
    if "concept:name" not in values:
        raise FormatError(f"{path}: an event of case {shown(case)} has no concept:name")
    at = values.get("time:timestamp")
    resource = values.get("org:resource")
    return LoggedEvent(
        str(values["concept:name"]),
        at if isinstance(at, datetime) else None,
        str(values.get("lifecycle:transition", "complete")).lower(),
        None if resource is None else str(resource),
        {key: value for key, value in values.items() if key not in KNOWN},
    )


def _attributes(path: Path, element: etree._Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for child in element:
        kind, key = local(child), child.get("key")
        if kind in VALUES and key is not None:
            found[key] = _value(path, kind, key, child.get("value", ""))
    return found


def _value(path: Path, kind: str, key: str, text: str) -> Any:
    try:
        match kind:
            case "date":
                return datetime.fromisoformat(text)
            case "int":
                return int(text)
            case "float":
                return float(text)
            case "boolean":
                return text.strip().lower() == "true"
    except ValueError:
        raise FormatError(f"{path}: {key} is {shown(text)}, which is no {kind}") from None
    return text


def _xes(log: EventLog) -> bytes:
    root = etree.Element("log", {"xes.version": "1849-2016", "xes.features": ""})
    for name, prefix, uri in (
        ("Concept", "concept", "concept.xesext"),
        ("Time", "time", "time.xesext"),
        ("Lifecycle", "lifecycle", "lifecycle.xesext"),
        ("Organizational", "org", "org.xesext"),
    ):
        about = {"name": name, "prefix": prefix, "uri": f"http://www.xes-standard.org/{uri}"}
        etree.SubElement(root, "extension", about)
    etree.SubElement(
        root, "classifier", {"name": "Activity", "keys": "concept:name lifecycle:transition"}
    )
    if log.name:
        _put(root, "concept:name", log.name)
    for trace in log:
        element = etree.SubElement(root, "trace")
        _put(element, "concept:name", trace.case)
        for key, value in trace.attributes.items():
            _put(element, key, value)
        for event in trace.events:
            inner = etree.SubElement(element, "event")
            _put(inner, "concept:name", event.activity)
            _put(inner, "lifecycle:transition", event.lifecycle)
            _put(inner, "time:timestamp", event.at)
            _put(inner, "org:resource", event.resource)
            for key, value in event.attributes.items():
                _put(inner, key, value)
    data: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return data


def _put(element: etree._Element, key: str, value: Any) -> None:
    match value:
        case None:
            return
        case bool():
            kind, text = "boolean", str(value).lower()
        case int():
            kind, text = "int", str(value)
        case float():
            kind, text = "float", repr(value)
        case datetime():
            kind, text = "date", value.isoformat()
        case _:
            kind, text = "string", str(value)
    try:
        etree.SubElement(element, kind, {"key": key, "value": text})
    except ValueError:
        raise FormatError(
            f"{key} is {shown(text)}, and XML cannot hold that; write the log as .csv"
        ) from None


# -- CSV ------------------------------------------------------------------------------------------


def _from_csv(path: Path, data: bytes) -> EventLog:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: no text in UTF-8: {error}") from None
    try:
        dialect: Any = csv.Sniffer().sniff(text[:10_000], ",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        reader = csv.DictReader(io.StringIO(text), dialect=dialect, strict=True)
        rows = list(reader)
        names = [name for name in reader.fieldnames or () if name]
    except csv.Error as error:
        raise FormatError(f"{path}: {error}") from None
    columns = {what: _column(names, known) for what, known in COLUMNS.items()}
    for what in ("case", "activity"):
        if columns[what] is None:
            raise FormatError(
                f"{path}: no column tells the {what}; name it {COLUMNS[what][0]!r}; there are "
                + (", ".join(map(repr, names)) or "none")
            )
    rest = [name for name in names if name not in columns.values()]
    cases: dict[str, list[LoggedEvent]] = {}
    for number, row in enumerate(rows, 2):
        cells = {what: (row.get(name) or "") if name else "" for what, name in columns.items()}
        try:
            at = datetime.fromisoformat(cells["at"]) if cells["at"] else None
        except ValueError:
            raise FormatError(
                f"{path}, line {number}: {shown(cells['at'])} is no time such as "
                "2026-11-25T09:30:00+00:00"
            ) from None
        event = LoggedEvent(
            cells["activity"],
            at,
            (cells["lifecycle"] or "complete").lower(),
            cells["resource"] or None,
            {name: row[name] for name in rest if row.get(name)},
        )
        cases.setdefault(cells["case"], []).append(event)
    return EventLog(tuple(Trace(case, tuple(events)) for case, events in cases.items()))


def _column(names: Sequence[str], known: Sequence[str]) -> str | None:
    by_name = {name.strip().lower(): name for name in names}
    return next((by_name[name] for name in known if name in by_name), None)


def _csv(log: EventLog) -> bytes:
    rows = list(log.rows())
    first = ["case:concept:name", *sorted(KNOWN)]
    names = [*first, *dict.fromkeys(key for row in rows for key in row if key not in first)]
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names)
    writer.writeheader()
    for row in rows:
        at = row["time:timestamp"]
        writer.writerow({**row, "time:timestamp": at.isoformat() if at else ""})
    return out.getvalue().encode()
