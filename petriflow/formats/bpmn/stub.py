"""A Python file in which to say what the steps of a BPMN file run."""

from __future__ import annotations

import keyword
import os
import re
from pathlib import Path

from petriflow.formats.bpmn.model import BpmnModel
from petriflow.workflow.workflow import Workflow


def stub(model: BpmnModel, beside: str | os.PathLike[str] = ".") -> str:
    """The text of a model file with a function for each step of a BPMN file.

    Args:
        model: the file's processes.
        beside: the folder in which the text is going to lie.
    """
    used: set[str] = set()
    functions, bindings = list[str](), list[str]()
    people = False
    steps = {
        path: task
        for process in model.processes.values()
        if isinstance(process, Workflow)
        for path, task in process.tasks.items()
    }
    for path, task in steps.items():
        kind, _, id = task.qualified_name.partition(" ")
        key = id or path.rpartition("/")[2]
        if task.role is not None:
            people = True
            bindings.append(f"    {task.name!r}: human({task.name!r}, role={task.role!r}),")
            continue
        name = _free(task.name, used)
        functions.append(
            f"@task(name={task.name!r})\ndef {name}(case: TaskContext) -> dict[str, Any] | None:\n"
            f"    {_quoted(f'{task.name} ({kind} {id})')}\n"
            f"    raise NotImplementedError({task.name!r})\n"
        )
        bindings.append(f"    {key!r}: {name},")
    where = os.path.relpath(model.file, beside).replace(os.sep, "/")
    variables = [f"{_free(name, used)} = model.process({name!r})" for name in model.processes]
    imports = "TaskContext, human, task" if people else "TaskContext, task"
    return "\n".join(
        [
            f'"""What the steps of {Path(model.file).name} run; for `petriflow run`."""',
            "",
            "from __future__ import annotations",
            "",
            "from pathlib import Path",
            "from typing import Any",
            "",
            f"from petriflow import {imports}",
            "from petriflow.formats.bpmn import read_bpmn",
            "",
            "",
            "\n\n".join(functions),
            "",
            "TASKS = {",
            *bindings,
            "}",
            f"model = read_bpmn(Path(__file__).parent / {where!r}, tasks=TASKS)",
            *variables,
            "",
        ]
    )


def _free(text: str, used: set[str]) -> str:
    """A name of Python for a text, that nothing else has."""
    name = re.sub(r"\W+", "_", text.casefold()).strip("_") or "step"
    if name[0].isdigit() or keyword.iskeyword(name) or name in ("model", "task", "human"):
        name = f"step_{name}"
    first, n = name, 2
    while name in used:
        name, n = f"{first}_{n}", n + 1
    used.add(name)
    return name


def _quoted(text: str) -> str:
    return '"""' + text.replace("\\", "\\\\").replace('"', "'") + '."""'
