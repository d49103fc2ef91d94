"""Conditions of sequence flows, in the expression languages of other tools, as guards."""

from __future__ import annotations

import re
from typing import Any

from petriflow.formats.bpmn.elements import Flow
from petriflow.net.errors import GuardError
from petriflow.patterns.fragment import Guard
from petriflow.workflow.guard import read_guard

#: How JUEL and FEEL say what the guard language says otherwise; texts in quotes are left alone.
_WORDS = (
    (r"&&", " and "),
    (r"\|\|", " or "),
    (r"!(?!=)", " not "),
    (r"(?<![<>=!])=(?!=)", "=="),
    (r"\beq\b", "=="), (r"\bne\b", "!="), (r"\bgt\b", ">"),
    (r"\bge\b", ">="), (r"\blt\b", "<"), (r"\ble\b", "<="),
    (r"\btrue\b", "True"), (r"\bfalse\b", "False"), (r"\bnull\b", "None"),
)  # fmt: skip
_QUOTED = re.compile(r"""("[^"]*"|'[^']*')""")
ALWAYS = "1 == 1"


def condition(flow: Flow, *, always: bool) -> tuple[Guard, str]:
    """The guard of a sequence flow, and what is to be said about it.

    Args:
        flow: with or without a condition.
        always: whether a flow without a condition is always taken; otherwise somebody must say.
    """
    if not flow.condition:
        if always:
            return ALWAYS, ""
        return _placeholder(flow), "no condition is given: say in Python when it is taken"
    text = flow.condition.strip()
    if match := re.fullmatch(r"[$#]\{(.*)\}", text, re.DOTALL):
        text = match[1]
    text = text.removeprefix("=") if re.match(r"=\s*[^=]", text) else text
    parts = _QUOTED.split(text)
    for n in range(0, len(parts), 2):
        for theirs, ours in _WORDS:
            parts[n] = re.sub(theirs, ours, parts[n])
    guard = " ".join("".join(parts).split())
    try:
        read_guard(guard)
    except GuardError:
        return _placeholder(flow), f"its condition {flow.condition[:80]!r} is for Python to say"
    return guard, "" if guard == text else f"its condition reads {guard!r}"


def _placeholder(flow: Flow) -> Guard:
    name = flow.name or flow.id

    def undecided(variables: Any) -> bool:
        raise GuardError(
            f"nothing says when sequence flow {name!r} is taken; write its condition into the "
            "file, or build the choice in Python"
        )

    undecided.__name__ = undecided.__qualname__ = f"flow {name}"
    return undecided
