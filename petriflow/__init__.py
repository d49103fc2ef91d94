"""petriflow: workflow patterns as Petri nets, composed, proven sound, drawn and executed.

The public names are loaded when they are first used, so that `import petriflow` is fast and a
program that only verifies never loads a plotting library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from petriflow.analysis import Report, ask, explore, verify
    from petriflow.drawing import Overlay, draw, play
    from petriflow.execution import Engine, Outcome
    from petriflow.net import Marking, Net
    from petriflow.net.errors import PetriflowError
    from petriflow.patterns import Fragment
    from petriflow.workflow import (
        TaskContext,
        Workflow,
        call,
        collect,
        human,
        last_wins,
        reduce,
        secret,
        task,
    )

__all__ = [
    "Engine",
    "Fragment",
    "Marking",
    "Net",
    "Outcome",
    "Overlay",
    "PetriflowError",
    "Report",
    "TaskContext",
    "Workflow",
    "ask",
    "call",
    "collect",
    "draw",
    "explore",
    "human",
    "last_wins",
    "play",
    "reduce",
    "secret",
    "task",
    "verify",
]

#: where each public name lives
_HOME = {
    "Engine": "petriflow.execution",
    "Fragment": "petriflow.patterns",
    "Marking": "petriflow.net",
    "Net": "petriflow.net",
    "Outcome": "petriflow.execution",
    "Overlay": "petriflow.drawing",
    "PetriflowError": "petriflow.net.errors",
    "Report": "petriflow.analysis",
    "TaskContext": "petriflow.workflow",
    "Workflow": "petriflow.workflow",
    "ask": "petriflow.analysis",
    "call": "petriflow.workflow",
    "collect": "petriflow.workflow",
    "draw": "petriflow.drawing",
    "explore": "petriflow.analysis",
    "human": "petriflow.workflow",
    "last_wins": "petriflow.workflow",
    "play": "petriflow.drawing",
    "reduce": "petriflow.workflow",
    "secret": "petriflow.workflow",
    "task": "petriflow.workflow",
    "verify": "petriflow.analysis",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'petriflow' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
