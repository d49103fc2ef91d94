"""Files that mean harm: an error or a net, within the memory and the time that are given."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from petriflow.formats import read_pnml
from petriflow.net.errors import FormatError, FormatNote

from . import hostile

CHILD = "tests.formats.hostile_child"  # the tests' own PYTHONPATH is the root of the checkout
FILES, BATCHES = 10_000, 2

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the limits are those of the kernel of Linux"
)


def judged(folder: Path, *what: object) -> Counter[str]:
    """What a child found; nothing strange may be among it."""
    command = [sys.executable, "-m", CHILD, folder, *map(str, what)]
    child = subprocess.run(command, capture_output=True, timeout=300, text=True, check=False)
    assert child.returncode == 0, f"{(folder / 'now').read_text()}: {child.stderr[-2_000:]}"
    told = json.loads(child.stdout)
    assert told["strange"] == []
    return Counter(told["found"])


def all_judged(folder: Path, corpus: list[Path], files: int = FILES) -> Counter[str]:
    """The outcomes of all mutations, in batches side by side."""
    step = files // BATCHES

    def batch(n: int) -> Counter[str]:
        (part := folder / str(n)).mkdir()
        return judged(part, n * step, (n + 1) * step, *corpus)

    with ThreadPoolExecutor(BATCHES) as pool:
        return sum(pool.map(batch, range(BATCHES)), Counter())


@pytest.mark.promise("PNML-4")
@pytest.mark.slow
def test_ten_thousand_hostile_files_give_an_error_or_a_net(tmp_path: Path) -> None:
    found = all_judged(tmp_path, [])
    assert sum(found.values()) == FILES
    assert found["sound"] > 1_000
    assert found["unsound"] > 500
    assert found["refused"] > 1_000


@pytest.mark.promise("PNML-4")
@pytest.mark.slow
def test_three_thousand_more_are_made_of_industrial_nets(tmp_path: Path, corpora: Path) -> None:
    files = sorted((corpora / "industrial").glob("*.pnml"), key=lambda f: f.stat().st_size)
    found = all_judged(tmp_path, files[:300:6], 3_000)
    assert sum(found.values()) == 3_000
    assert found["unsound"] > 300


@pytest.mark.promise("PNML-4")
@pytest.mark.slow
def test_large_hostile_files_are_judged_or_refused_within_the_limits(tmp_path: Path) -> None:
    assert sum(judged(tmp_path).values()) == len(hostile.LARGE)


@pytest.mark.promise("PNML-4")
def test_nothing_outside_the_file_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2", encoding="utf-8")
    file = tmp_path / "net.pnml"
    for entity in (f'SYSTEM "{secret.as_uri()}"', f'PUBLIC "x" "{secret.as_uri()}"'):
        file.write_text(
            f"<!DOCTYPE pnml [<!ENTITY e {entity}>]><pnml><net id='n'>"
            "<place id='i'><name><text>&e;</text></name></place></net></pnml>",
            encoding="utf-8",
        )
        for recover in (False, True):
            with pytest.raises(FormatError, match="document type") as caught:
                read_pnml(file, recover=recover)
            assert "hunter2" not in str(caught.value)


def test_many_arcs_without_weight_are_told_in_one_note(tmp_path: Path) -> None:
    file = tmp_path / "net.pnml"
    arcs = "<arc id='none' source='i' target='t' weight='0'/>" * 3
    file.write_text(f"<pnml><net id='n'>{hostile.DOOR}{arcs}</net></pnml>", encoding="utf-8")
    with pytest.warns(FormatNote, match="arc 'none' has weight 0.*so are 2 more") as notes:
        read_pnml(file)
    assert len(notes) == 1


@pytest.mark.promise("PNML-4")
def test_an_error_stays_short_whatever_the_file_says(tmp_path: Path) -> None:
    file, long = tmp_path / "net.pnml", "x" * 100_000
    for body in (
        f"<place id='{long}'/><place id='{long}'/>",
        f"<place id='p'/><arc id='{long}' source='p' target='{long}'/>",
        f"<place id='p'><initialMarking><text>{long}</text></initialMarking></place>",
        f"<transition id='t'><toolspecific tool='petriflow'><cancels task='{long}'/>"
        "</toolspecific></transition>",
        f"<{long}>",
    ):
        file.write_text(f"<pnml><net id='n'>{body}</net></pnml>", encoding="utf-8")
        with pytest.raises(FormatError) as caught:
            read_pnml(file)
        assert len(str(caught.value)) < 1_000


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.pnml", "a\0b.pnml", "x" * 9_000, "/dev/zero"):
        with pytest.raises(FormatError):
            read_pnml(path)
