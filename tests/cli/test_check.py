"""`petriflow check`: what is printed, where, and the exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from petriflow.cli import main
from petriflow.formats.target import load_target
from petriflow.net import Net

MODEL = """
from petriflow import Net
door = Net.build("door").places("i", "o").transition("open", "i", "o").done()
"""
DOOR = Net.build("door").places("i", "o").transition("open", "i", "o").done()
CLAIM: dict[str, Any] = {
    "petriflow_certificate": 1,
    "name": "door",
    "net": DOOR.content_hash,
    "form": "atomic",
    "k": 1,
    "verdict": "sound",
    "method": "blocks",
    "proof": {"kind": "blocks", "tree": ["i", "open", "o"]},
}
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """`petriflow check` of a claim, in a folder with the model of a door."""
    monkeypatch.chdir(tmp_path)
    Path("door.py").write_text(MODEL, encoding="utf-8")

    def run(claim: Any, *arguments: str) -> tuple[int, str, str]:
        written = claim if isinstance(claim, bytes) else json.dumps(claim).encode()
        Path("claim.json").write_bytes(written)
        arguments = arguments or ("door.py",)
        monkeypatch.setattr(sys, "argv", ["petriflow", "check", "claim.json", *arguments])
        with pytest.raises(SystemExit) as exit:
            main()
        code = exit.value.code
        return code if isinstance(code, int) else 0, *capsys.readouterr()

    return run


@pytest.mark.promise("CLI-10")
@pytest.mark.parametrize(
    ("change", "code", "holds", "said"),
    [
        ({}, 0, "yes", "'door' is sound"),
        ({"verdict": "unsound"}, 1, "no", "not shown"),
        ({"net": "0" * 64}, 1, "no", "another net"),
        ({"proof": None, "reason": "none was kept"}, 3, "unknown", "none was kept"),
        ({"verdict": "unknown"}, 3, "unknown", "not checkable"),
    ],
)
def test_the_exit_code_tells_what_became_of_the_certificate(
    cli: Cli, change: dict[str, Any], code: int, holds: str, said: str
) -> None:
    shown, out, err = cli(CLAIM | change)
    assert (shown, err) == (code, "")
    assert said in out
    shown, out, err = cli(CLAIM | change, "door.py", "--json")
    told = json.loads(out)
    assert (shown, err, told["name"], told["holds"]) == (code, "", "door", holds)
    assert said in told["sentence"]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff\xfe\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"1" * 5_000, "no JSON"),
        (b"[]", "petriflow_certificate"),
        (b'{"petriflow_certificate": NaN}', "petriflow_certificate"),
        (json.dumps(CLAIM | {"petriflow_certificate": 2}).encode(), "version"),
        (json.dumps(CLAIM | {"proof": {"kind": "\ud800"}}).encode(), "kind of proof"),
    ],
)
def test_what_is_no_certificate_is_bad_input(cli: Cli, written: bytes, said: str) -> None:
    code, out, err = cli(written)
    assert (code, out) == (2, "")
    assert said in err


def test_a_file_that_is_not_there_is_bad_input(cli: Cli) -> None:
    code, out, err = cli(CLAIM, "nowhere.py")
    assert (code, out) == (2, "")
    assert "nowhere.py" in err
    Path("gone").mkdir()
    code, out, err = cli(CLAIM, "door.py", "--source", "i")
    assert (code, out) == (2, "")


PNML = """<pnml><net id="n" type="http://www.pnml.org/version-2009/grammar/ptnet"><page id="p">
<place id="i"/><place id="j"/><place id="o"/><transition id="a"/><transition id="b"/>
<arc id="1" source="i" target="a"/><arc id="2" source="a" target="o"/>
<arc id="3" source="j" target="b"/><arc id="4" source="b" target="o"/></page></net></pnml>"""


def test_a_net_in_a_pnml_file_is_read_with_its_ends(cli: Cli) -> None:
    Path("two.pnml").write_text(PNML, encoding="utf-8")
    code, out, err = cli(CLAIM, "two.pnml")
    assert (code, out) == (2, "")
    assert "source" in err
    ends = ("--source", "i", "--sink", "o")
    code, out, _ = cli(CLAIM, "two.pnml", *ends)
    assert code == 1
    assert "another net" in out
    net = load_target("two.pnml", source="i", sink="o")
    assert isinstance(net, Net)
    states = {"kind": "dead-transitions", "transitions": ["b"], "states": [{"i": 1}, {"o": 1}]}
    claim = CLAIM | {"net": net.content_hash, "verdict": "unsound", "proof": states}
    code, out, _ = cli(claim, "two.pnml", *ends)
    assert (code, "unsound" in out) == (0, True)
