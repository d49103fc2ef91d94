"""What the steps of a BPMN file run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from petriflow.formats.bpmn.elements import Element
from petriflow.net.errors import TaskError
from petriflow.patterns.fragment import Binding
from petriflow.workflow.human import human
from petriflow.workflow.task import task


def placeholder(element: Element, name: str, file: str) -> Binding:
    """What stands for a step that nothing was bound to: a person, or a body that says so."""
    if element.kind in ("userTask", "manualTask"):
        return human(name, role=element.lane or "people")

    def unbound(case: Any) -> None:
        raise TaskError(
            f"{element.kind} {name!r} of {file} has nothing to run; `petriflow bind {file}` writes "
            "a file in which to say what"
        )

    unbound.__qualname__ = f"{element.kind} {element.id}"
    return task(name=name)(unbound)


def bound(tasks: Mapping[str, Binding], element: Element, name: str) -> Binding | None:
    """What was given for a step, by the element's id or its name."""
    found = tasks.get(element.id) or tasks.get(element.name) or tasks.get(name)
    if found is None or isinstance(getattr(found, "name", None), str):
        return found
    return task(name=name)(found)
