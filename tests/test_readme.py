"""The README's Python is run as it stands, as a notebook would run it."""

from __future__ import annotations

import ast
import re
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from petriflow.analysis import check_certificate

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.M | re.S)


async def run(source: str, names: dict[str, Any]) -> dict[str, Any]:
    """What a block defines; `await` at the top level is allowed, as in a notebook."""
    code = compile(source, str(README), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, names)
    if isinstance(result, Awaitable):
        await result
    return names


async def test_the_first_sample_runs_an_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(BLOCKS[0], "order.py", "exec"), names := {})  # a file, too, can hold it
    names = await run(BLOCKS[1], names)
    assert names["order"].verify().verdict == "sound"
    assert names["outcome"].completed
    assert names["outcome"].variables == {"quantity": 3, "in_stock": True}


async def test_the_second_sample_prints_what_its_comment_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    await run(BLOCKS[2], {})
    said = capsys.readouterr().out
    assert "unsound" in said
    assert "1. 'call'" in said
    assert "'settle' waits for ever: it lacks a token on 'by_letter'" in said


def test_what_is_asked_of_the_order_is_answered_as_the_comments_say() -> None:
    exec(compile(BLOCKS[0], "order.py", "exec"), names := {})
    always, never, proof = ast.parse(BLOCKS[3]).body
    ask = [eval(ast.unparse(line), names) for line in (always, never, proof)]
    assert (ask[0].verdict, ask[1].verdict) == ("yes", "no")
    assert check_certificate(ask[2], names["order"].net).ok


def test_a_second_clerk_shortens_the_wait_for_sure() -> None:
    exec(compile(BLOCKS[0], "order.py", "exec"), names := {})
    exec(compile(BLOCKS[-1], "timing.py", "exec"), names)
    assert names["changes"].loc[("more", "waiting time"), "sure"]
    assert names["changes"].loc[("more", "waiting time"), "change"] < 0
