"""Every promise of docs/contract.md is carried by a test, and every marker names a promise.

The markers are read from the source files, not from the running session, so that the answer is
the same for any selection of tests.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONTRACT = ROOT / "docs" / "contract.md"


def promises(text: str) -> list[str]:
    """The ids of the promises, in order: the bold words that begin an item."""
    return re.findall(r"^- \*\*([A-Z]+-\d+)\*\* ", text, flags=re.MULTILINE)


def markers(source: str) -> Iterator[str]:
    """The ids that `pytest.mark.promise(...)` names, whether as decorator or as parameter."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.promise":
            for argument in node.args:
                assert isinstance(argument, ast.Constant), ast.unparse(node)
                yield argument.value


def carried() -> dict[str, list[str]]:
    """Each id that a marker names, with the files that it stands in."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for id in markers(path.read_text(encoding="utf-8")):
            found.setdefault(id, []).append(str(path.relative_to(ROOT)))
    return found


def test_every_promise_is_carried_by_a_test() -> None:
    made = promises(CONTRACT.read_text(encoding="utf-8"))
    assert made
    tested = carried()
    assert [id for id in made if id not in tested] == []


def test_every_marker_names_a_promise() -> None:
    made = promises(CONTRACT.read_text(encoding="utf-8"))
    assert {id: files for id, files in carried().items() if id not in made} == {}


def test_no_promise_is_made_twice_and_every_item_is_one() -> None:
    text = CONTRACT.read_text(encoding="utf-8")
    assert [id for id, times in Counter(promises(text)).items() if times > 1] == []
    items = [line for line in text.splitlines() if line.lstrip().startswith(("- ", "* "))]
    assert [line for line in items if not promises(line)] == []


def test_the_reader_of_markers_sees_decorators_and_parameters() -> None:
    source = (
        '@pytest.mark.promise("A-1")\n@pytest.mark.promise("A-2", "A-3")\ndef test(): ...\n'
        'rows = [pytest.param(1, marks=pytest.mark.promise("A-4"))]\n# promise("A-5")\n'
    )
    assert sorted(markers(source)) == ["A-1", "A-2", "A-3", "A-4"]
