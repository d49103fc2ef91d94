"""The commands as scripts use them: what is printed, where, and the exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from petriflow.cli import main
from petriflow.formats.target import load_target
from petriflow.net import replay

ROOT = Path(__file__).parent.parent.parent
HEAD = """
from petriflow import Net, Workflow, call, task
from petriflow.patterns import exclusive_choice, parallel, sequence, structured_loop, when
def a(case): return {"a": 1}
def b(case): return {"b": 2}
def fails(case): raise OSError("the network is down")
"""
SOUND = "w = Workflow('w', sequence(a, parallel(b, a)), example={'n': 1})"
STUCK = """
w = (Net.build("claim").places("start", "phoned", "written", "settled")
    .transition("call", "start", "phoned").transition("write", "start", "written")
    .transition("settle", ["phoned", "written"], "settled").done())
"""
LARGE = "w = Workflow('w', parallel(*[sequence(a, b, name=f's{n}') for n in range(9)]))"

#: Nine branches whose steps all look at one more place, so that nothing but a search decides.
HARD = """
from petriflow import Net
b = Net.build("hard").place("i", 1).places("never", "o")
b.places(*(f"{x}{n}" for n in range(9) for x in "pq"))
b.silent("split", "i", [f"p{n}" for n in range(9)])
b.silent("join", [f"q{n}" for n in range(9)], "o")
for n in range(9):
    b.transition(f"t{n}", f"p{n}", f"q{n}", inhibitor="never")
net = b.final("o").done()
del b
"""


@dataclass
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Said]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cli:
    """A command, run in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["petriflow", *arguments])
        with pytest.raises(SystemExit) as exit:
            main()
        out, err = capsys.readouterr()
        code = exit.value.code
        return Said(code if isinstance(code, int) else 0, out, err)

    return run


def model(text: str, name: str = "m.py") -> str:
    """A model file in the current folder."""
    Path(name).write_text(HEAD + textwrap.dedent(text), encoding="utf-8")
    return name


# -- verify ---------------------------------------------------------------------------------------


@pytest.mark.promise("CLI-1", "CLI-2")
@pytest.mark.parametrize("form", [None, "expanded", "atomic"])
def test_verify_prints_one_object(cli: Cli, form: str | None) -> None:
    said = cli("verify", model(SOUND), "--json", *(["--form", form] if form else []))
    assert said.code == 0
    report = said.json
    # before a, (running,) after it, after the split 2·2 or 3·3 states, after the join
    counts = {"expanded": (13, 16), "atomic": (7, 7)}
    assert (report["markings"], report["edges"]) == counts[form or "expanded"]
    assert {k: report[k] for k in ("name", "verdict", "form", "bound", "witness")} == {
        "name": "w",
        "verdict": "sound",
        "form": form or "expanded",
        "bound": 1,
        "witness": None,
    }
    assert isinstance(report["method"], str)


@pytest.mark.promise("CLI-1", "CLI-2")
def test_an_unsound_net_is_exit_code_1_and_a_witness_that_replays(cli: Cli) -> None:
    said = cli("verify", model(STUCK), "--json")
    assert said.code == 1
    report = said.json
    assert (report["verdict"], report["form"]) == ("unsound", "atomic")  # a bare net as it is
    witness = report["witness"]
    assert witness["kind"] == "deadlock"
    assert set(witness) >= {"kind", "trace", "marking", "transitions"}
    *_, last = replay(load_target("m.py"), witness["trace"])  # type: ignore[arg-type]
    assert dict(last) == witness["marking"]
    assert "'settle' waits for ever" in cli("verify", "m.py").out


@pytest.mark.promise("CLI-1", "CLI-2")
def test_a_limit_that_is_reached_is_exit_code_3(cli: Cli) -> None:
    said = cli("verify", model(HARD), "--json", "--max-markings", "100")
    assert said.code == 3
    assert said.json["verdict"] == "unknown"
    assert (said.json["markings"], said.json["edges"], said.json["bound"]) == (None, None, None)
    assert "raise max_markings" in cli("verify", "m.py", "--max-markings", "100").out


@pytest.mark.promise("CLI-9")
def test_every_notion_the_structure_and_the_reason_are_in_the_json(cli: Cli) -> None:
    said = cli("verify", model(STUCK), "--json")
    assert said.json["notions"] == {
        "classical": "no", "weak": "no", "relaxed": "no", "lazy": "no", "easy": "no",
        "k_sound": "no", "up_to_k": "no", "generalised": "no", "structural": "no",
    }  # fmt: skip
    assert "free choice" in said.json["structure"]["classes"]
    assert said.json["structure"]["places"] == 4
    why, _ = said.json["diagnosis"]
    assert (why["split"], why["join"]) == ("start", "settle")
    assert "parallel split" in why["remedy"]
    fine = cli("verify", model(SOUND), "--json", "--tokens", "2")
    assert set(fine.json["notions"].values()) == {"yes"}
    assert fine.json["k"] == 2


@pytest.mark.promise("CLI-9")
@pytest.mark.parametrize(("text", "code"), [(SOUND, 0), (STUCK, 1)])
def test_a_certificate_is_written_and_checked(cli: Cli, text: str, code: int) -> None:
    assert cli("verify", model(text), "--certificate", "proof.json").code == code
    checked = cli("check", "proof.json", "m.py")
    assert checked.code == 0
    assert "checked" in checked.out
    other = cli("check", "proof.json", model(LARGE))
    assert other.code == 1
    nowhere = cli("verify", model(text), "--certificate", "no/such/folder.json")
    assert (nowhere.code, nowhere.out) == (2, "")
    assert "--certificate no/such/folder.json" in nowhere.err


@pytest.mark.parametrize(
    ("kind", "guard", "code", "said"),
    [
        ("int", "n > 3", 0, "yes"),
        ("int", "1 / n > 3", 1, "n = 0"),
    ],
)
def test_guards_are_proved(cli: Cli, kind: str, guard: str, code: int, said: str) -> None:
    text = f"""
from pydantic import BaseModel
class Data(BaseModel):
    n: {kind}
w = Workflow("w", exclusive_choice(when("{guard}", a), otherwise=b), variables=Data)
"""
    answer = cli("guards", model(text))
    assert answer.code == code
    assert said in answer.out
    assert len(cli("guards", "m.py", "--json").json["choices"]) == 1
    undeclared = "w = Workflow('w', exclusive_choice(when('n > 3', a), otherwise=b))"
    assert cli("guards", model(undeclared)).code == 3
    assert cli("guards", model(STUCK)).code == 2


@pytest.mark.promise("CLI-1")
def test_an_unbounded_net_has_an_unbounded_bound(cli: Cli) -> None:
    said = cli(
        "verify",
        model(
            """
            w = (Net.build("w").places("i", "a", "b", "o").transition("begin", "i", "a")
                .transition("more", "a", ["a", "b"]).transition("end", ["a", "b"], "o").done())
            """
        ),
        "--json",
    )
    assert said.code == 1
    assert said.json["bound"] == "unbounded"
    assert said.json["witness"]["kind"] == "unbounded"
    assert said.json["witness"]["transitions"] == ["more"]
    assert said.json["markings"] is None


def test_a_name_chooses_among_several(cli: Cli) -> None:
    file = model("w = Workflow('one', a)\nv = Workflow('two', sequence(a, b))")
    assert cli("verify", f"{file}:w", "--json").json["name"] == "one"
    assert cli("verify", f"{file}:two", "--json").json["name"] == "two"


def test_a_file_is_about_the_workflow_that_no_other_calls(cli: Cli) -> None:
    file = model("v = Workflow('part', a)\nw = Workflow('whole', sequence(call(v), b))")
    assert cli("verify", file, "--json").json["name"] == "whole"
    assert cli("verify", f"{file}:v", "--json").json["name"] == "part"


PNML = """<pnml><net id="../n"><place id="i"/><transition id="t"><name>go</name></transition>
<place id="o"/><place id="p"/><arc id="a" source="i" target="t"/><arc id="b" source="t" target="o"/>
<arc id="c" source="t" target="p"/><arc id="d" source="p" target="t">
<inscription><text>0</text></inscription></arc></net></pnml>"""


@pytest.mark.promise("PNML-2")
def test_a_pnml_file_is_a_target(cli: Cli) -> None:
    Path("n.pnml").write_text(PNML)
    said = cli("verify", "n.pnml", "--close", "--json")
    assert (said.code, said.json["verdict"]) == (0, "sound")
    assert "arc 'd' has weight 0" in said.err
    said = cli("verify", "n.pnml", "--sink", "o")
    assert said.code == 1
    assert "'go' (t)" in said.out
    assert cli("explore", "n.pnml", "--json").json["markings"] == 2
    said = cli("verify", "n.pnml")
    assert (said.code, said.out) == (2, "")
    assert "'o', 'p'" in said.err
    said = cli("draw", "n.pnml", "--json", "--source", "i")
    assert said.json["file"] == "n.svg"
    said = cli("verify", model(SOUND), "--close")
    assert (said.code, said.out) == (2, "")
    assert ".pnml" in said.err


def test_nobody_is_first_among_workflows_that_call_each_other(cli: Cli) -> None:
    text = (
        "v = Workflow('ping', exclusive_choice(when('n > 0', call('pong')), otherwise=a))\n"
        "w = Workflow('pong', exclusive_choice(when('n > 0', call('ping')), otherwise=b))"
    )
    said = cli("verify", model(text))
    assert (said.code, said.out) == (2, "")
    assert "m.py:v, " in said.err


# -- explore, draw --------------------------------------------------------------------------------


@pytest.mark.promise("CLI-4")
def test_explore_counts(cli: Cli) -> None:
    said = cli("explore", model(STUCK), "--json")
    assert said.code == 0
    keys = [
        "markings",
        "edges",
        "deadlocks",
        "max_tokens_in_place",
        "max_tokens_per_marking",
        "complete",
    ]
    assert [said.json[k] for k in keys] == [3, 2, 2, 1, 1, True]
    assert said.json["seconds"] >= 0
    # nine branches of two tasks, of which none, one or both are done, and the two ends
    model(LARGE)
    assert cli("explore", "m.py", "--json", "--form", "atomic").json["markings"] == 3**9 + 2
    limited = cli("explore", "m.py", "--json", "--max-markings", "50")
    assert limited.code == 0
    assert limited.json["complete"] is False


@pytest.mark.promise("CLI-5")
def test_draw_writes_by_the_name_of_the_file(cli: Cli) -> None:
    file = model(SOUND)
    heads = {"p.svg": b"<svg", "p.png": b"\x89PNG\r\n", "p.pdf": b"%PDF-1."}
    for name, head in heads.items():
        assert cli("draw", file, "-o", name).code == 0
        content = Path(name).read_bytes()
        assert head in content[:200]
    assert ET.fromstring(Path("p.svg").read_text()).tag.endswith("svg")
    said = cli("draw", file, "--json")
    assert said.json == {"name": "w", "file": "w.svg"}
    assert Path("w.svg").is_file()


@pytest.mark.promise("CLI-8")
def test_the_patterns_are_listed_told_and_drawn(cli: Cli) -> None:
    said = cli("patterns", "--json")
    assert said.code == 0
    assert {row["verdict"] for row in said.json} == {"sound"}
    assert {"number", "name", "group", "aliases", "builder", "meaning", "net_class"} <= set(
        said.json[0]
    )
    one = cli("patterns", "9", "--draw", "nine.svg", "--json").json
    assert (one["number"], one["name"]) == (9, "Structured Discriminator")
    assert ET.fromstring(Path("nine.svg").read_text()).tag.endswith("svg")
    assert "Structured Discriminator" in cli("patterns", "9").out
    assert "Milestone" in cli("patterns").out
    assert (cli("patterns", "99").code, cli("patterns", "--draw", "x.svg").code) == (2, 2)


# -- run ------------------------------------------------------------------------------------------


@pytest.mark.promise("CLI-6")
def test_run_takes_the_example_and_tells_the_case(cli: Cli) -> None:
    said = cli("run", model(SOUND), "--json")
    assert said.code == 0
    assert said.json["status"] == "completed"
    assert said.json["variables"] == {"n": 1, "a": 1, "b": 2}
    assert Path("petriflow.db").is_file()
    live = cli("run", "m.py", "--input", '{"n": 5}')
    assert live.code == 0
    assert live.out.startswith("case ")
    assert "✓ parallel-2/b" in live.out
    assert '"n": 5' in live.out
    Path("in.json").write_text('{"n": 6}')
    given = cli("run", "m.py", "--input", "@in.json", "--store", "sqlite:///other.db", "--json")
    assert given.json["variables"]["n"] == 6
    assert Path("other.db").is_file()


@pytest.mark.promise("CLI-6")
@pytest.mark.parametrize(
    ("text", "code", "status", "error"),
    [
        ("w = Workflow('w', fails)", 1, "failed", "OSError: the network is down"),
        (
            "w = Workflow('w', exclusive_choice(when('n > 9', a), when('n < 0', b), "
            "exhaustive=True), example={'n': 1})",
            3,
            "running",
            "no guard is true",
        ),
    ],
)
def test_the_exit_code_of_run_tells_how_it_ended(
    cli: Cli, text: str, code: int, status: str, error: str
) -> None:
    said = cli("run", model(text), "--json")
    assert (said.code, said.json["status"]) == (code, status)
    assert error in said.json["error"]
    assert "Traceback" not in said.err
    again = cli("run", "m.py", "--store", "sqlite:///2.db")
    assert again.code == code
    assert error in again.out


@pytest.mark.slow
@pytest.mark.promise("CLI-7")
def test_run_goes_on_after_kill_9(cli: Cli, tmp_path: Path) -> None:
    file = model(
        """
        import pathlib, time
        def hold(case):
            pathlib.Path(case["flag"]).touch()
            while not pathlib.Path("go").exists(): time.sleep(0.01)
        w = Workflow('w', sequence(a, hold, b))
        """
    )
    command = [sys.executable, "-m", "petriflow", "run", file, "--input", '{"flag": "held"}']
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 30
    while not Path("held").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    child.kill()
    child.communicate()
    Path("go").touch()
    said = cli("run", file, "--continue", "--json")
    assert said.code == 0
    assert said.err.count("▸ hold") == 1
    (case,) = said.json["cases"]
    assert (case["status"], case["variables"]["b"]) == ("completed", 2)
    nothing = cli("run", file, "--continue")
    assert nothing.code == 0
    assert "no open case of 'w'" in nothing.out


@pytest.mark.promise("CLI-7")
def test_a_case_of_another_version_is_told_and_not_taken_for_none(cli: Cli) -> None:
    text = "w = Workflow('w', sequence(a, exclusive_choice(when('{} > 9', a), otherwise=b)))"
    assert cli("run", model(text.format("totl")), "--input", '{"total": 10}').code == 3
    model(text.format("total"))
    said = cli("run", "m.py", "--continue", "--json")
    assert said.code == 3
    (case,) = said.json["cases"]
    assert case["status"] == "running"
    assert "another version of this workflow" in case["error"]
    assert "another version" in said.err
    assert cli("run", model("v = Workflow('v', a)")).err == ""  # another's case is no news


@pytest.mark.promise("CLI-6")
def test_a_case_that_waits_for_an_event_is_exit_code_3(cli: Cli) -> None:
    waits = "w = Workflow('w', sequence(event('go'), a))"
    said = cli("run", model(f"from petriflow.patterns import event\n{waits}"))
    assert said.code == 3
    assert "waiting: for event 'go'" in said.out
    assert "cases signal" in said.out


@pytest.mark.promise("CLI-6")
def test_a_case_that_waits_for_a_timer_says_so_meanwhile(cli: Cli) -> None:
    waits = "w = Workflow('w', deferred_choice(event('paid') >> a, timer('1s') >> b))"
    text = f"from petriflow.patterns import deferred_choice, event, timer\n{waits}"
    said = cli("run", model(text))
    assert said.code == 0
    assert said.out.count("waiting: for event 'paid' or timer (⏱ 0:00:01)") == 1


# -- bad input ------------------------------------------------------------------------------------


def corrupt() -> None:
    Path("petriflow.db").write_bytes(os.urandom(9_000))


BAD_MODELS = {
    "unknown place in an arc": (
        "w = Net.build('w').places('i', 'o').transition('t', 'i', 'p').done()",
        ["m.py, line 7", "transition 't'", "unknown place 'p'"],
    ),
    "weight 0": (
        "w = Net.build('w').places('i', 'o').transition('t', {'i': 0}, 'o').done()",
        ["transition 't'", "'i'", "weight"],
    ),
    "reset of the end": (
        "w = Net.build('w').places('i', 'o').transition('t', 'i', 'o', reset=['o']).done()",
        ["'o'", "reset"],
    ),
    "two tasks of one name": (
        "w = Workflow('w', sequence(task(name='x')(a), task(name='x')(b)))",
        ["two different parts named 'x'", "another name="],
    ),
    "guard with a syntax error": (
        "w = Workflow('w', exclusive_choice(when('n >', a), otherwise=b))",
        ["guard", "n >"],
    ),
    "guard that is not in the language": (
        "w = Workflow('w', exclusive_choice(when('[].__class__', a), otherwise=b))",
        ["guard", "__class__"],
    ),
    "unknown variable in a guard of a typed workflow": (
        """
        from pydantic import BaseModel
        class V(BaseModel): total: int = 0
        w = Workflow('w', exclusive_choice(when('totl > 1', a), otherwise=b), variables=V)
        """,
        ["totl", "total"],
    ),
    "choice without otherwise": (
        "w = Workflow('w', exclusive_choice(when('n > 1', a), when('n < 1', b)))",
        ["otherwise"],
    ),
    "no workflow": ("x = 1", ["defines no workflow"]),
    "several workflows": (
        "w = Workflow('w', a)\nv = Workflow('v', b)",
        ["m.py:w", "m.py:v"],
    ),
    "several sinks": (
        "w = Net.build('w').places('i', 'o', 'p').transition('t', 'i', 'o')"
        ".transition('u', 'i', 'p').done()",
        ["'o', 'p'", "sink"],
    ),
    "syntax error": ("def (", ["m.py, line 7", "SyntaxError"]),
    "error of its own": ("1 / 0", ["m.py, line 7", "ZeroDivisionError"]),
}


@pytest.mark.promise("CLI-3")
@pytest.mark.parametrize("what", BAD_MODELS)
def test_a_bad_model_is_exit_code_2_and_says_what_to_mend(cli: Cli, what: str) -> None:
    text, words = BAD_MODELS[what]
    said = cli("verify", model(text), "--json")
    assert (said.code, said.out) == (2, "")
    assert "Traceback" not in said.err
    for word in words:
        assert word in said.err
    assert sorted(p.name for p in Path().iterdir()) == ["m.py"]


@pytest.mark.promise("CLI-3")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["verify", "none.py"], "no file 'none.py'"),
        (["verify", "m.py:other"], "no workflow or net named 'other'"),
        (["verify", "m.txt"], "a .py, .pnml or .bpmn file"),
        (["verify", "m.py", "--max-markings", "0"], "max-markings"),
        (["verify", "m.py", "--form", "big"], "form"),
        (["verify"], "TARGET"),
        (["verify", "m.py", "--colour"], "--colour"),
        (["explore", "none.py"], "no file 'none.py'"),
        (["draw", "m.py", "-o", "x.bmp"], ".bmp"),
        (["draw", "m.py", "-o", "no/such/x.svg"], "no/such"),
        (["run", "m.py", "--input", "{n: 1}"], "--input is not JSON"),
        (["run", "m.py", "--input", "[1]"], "JSON object"),
        (["run", "m.py", "--input", "@none.json"], "none.json"),
        (["run", "m.py", "--continue", "--input", "{}"], "--continue"),
        (["run", "m.py", "--store", "nowhere"], "sqlite:///"),
        (["run", "m.py", "--store", "sqlite:///no/such/x.db"], "folder"),
        (["run", "m.py", "--store", "sqlite:///m.txt"], "no SQLite file"),
        (["run", "m.py", "--continue", "--store", "sqlite:///none.db"], "there is no store"),
        (["run", "net.py"], "only a Workflow has tasks"),
        (["run", "typed.py", "--input", '{"total": "much"}'], "total"),
    ],
    ids=" ".join,
)
def test_bad_arguments_are_exit_code_2_and_leave_nothing_behind(
    cli: Cli, arguments: list[str], words: str
) -> None:
    model(SOUND)
    model(STUCK, "net.py")
    model(
        """
        from pydantic import BaseModel
        class V(BaseModel): total: int = 0
        w = Workflow('w', a, variables=V)
        """,
        "typed.py",
    )
    Path("m.txt").write_text("no model")
    before = {p: p.read_bytes() for p in Path().iterdir() if p.is_file()}
    said = cli(*arguments)
    assert (said.code, said.out) == (2, "")
    assert "Traceback" not in said.err
    assert words in " ".join(said.err.split())
    after = {p: p.read_bytes() for p in Path().iterdir() if p.is_file()}
    assert {p: after.get(p) for p in before} == before
    assert {p.name for p in set(after) - set(before)} <= {"petriflow.db", "petriflow.db.lock"}


@pytest.mark.promise("CLI-3")
@pytest.mark.promise("RUN-1")
def test_a_workflow_that_is_not_sound_is_not_run(cli: Cli) -> None:
    text = """
    import sys
    sys.path.insert(0, ROOT)
    from tests.execution.test_case import trap
    w = Workflow('w', trap())
    """
    said = cli("run", model(text.replace("ROOT", repr(str(ROOT)))))
    assert (said.code, said.out) == (2, "")
    assert "not proven sound" in said.err
    assert not Path("petriflow.db").exists()


@pytest.mark.promise("CLI-3")
def test_a_task_that_returns_no_mapping_fails_its_case_and_is_named(cli: Cli) -> None:
    said = cli("run", model("def c(case): return 3\nw = Workflow('w', c)"), "--json")
    assert (said.code, said.json["status"]) == (1, "failed")
    assert "task 'w'" in said.json["error"]
    assert "returned 3" in said.json["error"]


@pytest.mark.promise("CLI-3")
def test_a_corrupt_store_is_refused_and_kept(cli: Cli) -> None:
    corrupt()
    before = Path("petriflow.db").read_bytes()
    said = cli("run", model(SOUND))
    assert (said.code, said.out) == (2, "")
    assert "petriflow.db" in said.err
    assert Path("petriflow.db").read_bytes() == before


def test_a_real_process_says_the_same() -> None:
    command = [sys.executable, "-m", "petriflow", "verify", "models/order.py", "--json"]
    said = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert json.loads(said.stdout)["verdict"] == "sound"
    assert said.stderr == ""
