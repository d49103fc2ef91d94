"""Event logs: what is written is read again, and what other tools write is read."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from petriflow.formats.event_log import EventLog, LoggedEvent, Trace, read_log
from petriflow.net.errors import FormatError

NAMES = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=12
).filter(lambda name: name.strip() == name)
TIMES = st.datetimes(
    datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)
) | st.none()  # fmt: skip
EVENTS = st.builds(
    LoggedEvent, NAMES, TIMES, st.sampled_from(["start", "complete"]), NAMES | st.none()
)
LOGS = st.dictionaries(NAMES, st.lists(EVENTS, min_size=1, max_size=5).map(tuple), max_size=4).map(
    lambda cases: EventLog(tuple(Trace(case, events) for case, events in cases.items()))
)


@pytest.mark.promise("LOG-1")
@pytest.mark.parametrize("ending", [".xes", ".xes.gz", ".csv"])
@settings(max_examples=60, deadline=None)
@given(log=LOGS)
def test_what_is_written_is_read_again(
    log: EventLog, ending: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("log") / f"x{ending}"
    log.save(file)
    assert read_log(file).traces == log.traces


def test_the_files_of_other_tools_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.xes").write_text(
        '<?xml version="1.0"?><log xmlns="http://www.xes-standard.org/" xes.version="1.0">'
        '<global scope="event"><string key="concept:name" value="none"/></global>'
        '<string key="concept:name" value="shop"/>'
        '<trace><string key="concept:name" value="7"/><string key="kind" value="web"/>'
        '<event><string key="concept:name" value="pay"/>'
        '<date key="time:timestamp" value="2026-11-25T09:00:00.000+01:00"/>'
        '<string key="lifecycle:transition" value="COMPLETE"/><int key="sum" value="5"/>'
        '<list key="goods"><string key="x" value="y"/></list></event></trace>'
        '<trace><event><string key="concept:name" value="pay"/></event></trace></log>'
    )
    log = read_log(tmp_path / "a.xes")
    assert (log.name, [trace.case for trace in log]) == ("shop", ["7", "2"])
    assert log[0].attributes == {"kind": "web"}
    (event,) = log[0].events
    assert event.at == datetime(2026, 11, 25, 8, tzinfo=UTC)
    assert (event.lifecycle, event.attributes) == ("complete", {"sum": 5})
    (tmp_path / "b.csv").write_text("Case ID;Activity;Timestamp;cost\n1;a;2026-01-01 10:00;3\n")
    (event,) = read_log(tmp_path / "b.csv")[0].events
    assert event == LoggedEvent("a", datetime(2026, 1, 1, 10), attributes={"cost": "3"})


def test_a_log_is_a_table_of_pandas() -> None:
    table = EventLog.of({"1": ["a", "b"], "2": ["a"]}).to_pandas()
    assert list(table["case:concept:name"]) == ["1", "1", "2"]
    assert list(table["concept:name"]) == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("x.txt", b"", "a log is a .xes, .xes.gz or .csv file"),
        ("x.xes", b"<pnml/>", "no XES file: its root is <pnml>"),
        ("x.xes", b"<log><trace><event/></trace></log>", "has no concept:name"),
        ("x.xes", b'<!DOCTYPE log [<!ENTITY a "b">]><log/>', "document type"),
        ("x.xes", b'<log><trace><event><string key="concept:name" value="a"/><date '
                  b'key="time:timestamp" value="noon"/></event></trace></log>', "which is no date"),
        ("x.xes.gz", b"plain", "x.xes.gz: "),
        ("x.xes.gz", gzip.compress(b"<log/>")[:-6], "x.xes.gz: "),
        ("x.csv", b"a,b\n1,2\n", "no column tells the case; name it 'case:concept:name'"),
        ("x.csv", b"case,task\n1\xff,2\n", "no text in UTF-8"),
        ("x.csv", b"case,task,time\n1,a,noon\n", "line 2: 'noon' is no time"),
    ],
)  # fmt: skip
def test_what_is_no_log_is_refused(tmp_path: Path, name: str, data: bytes, told: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FormatError, match=told.replace(".", r"\.")):
        read_log(tmp_path / name)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "x.xes.gz", "wb", compresslevel=1) as packed:
        for _ in range(210):
            packed.write(b" " * 1_000_000)
    with pytest.raises(FormatError, match="more than 200 MB"):
        read_log(tmp_path / "x.xes.gz")


def test_what_xml_cannot_hold_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    log = EventLog.of({"1": ["a\x00b"]})
    with pytest.raises(FormatError, match="XML cannot hold that"):
        log.save(tmp_path / "x.xes")
    assert not list(tmp_path.iterdir())
    with pytest.raises(FormatError, match="written as"):
        log.save(tmp_path / "x.txt")
