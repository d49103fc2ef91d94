"""Finding what a command is about: a model file, one of several in it, or a PNML or BPMN file."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from petriflow.net import Net
from petriflow.net.errors import DefinitionError, PetriflowError
from petriflow.workflow.workflow import Workflow

Model = Workflow | Net


def load_target(
    target: str, *, source: str | None = None, sink: str | None = None, close: bool = False
) -> Model:
    """The workflow or net that a target names.

    Args:
        target: a Python file that defines one, with `:name` where it defines several. Workflows
            come first: a file's nets count only if it has no workflow, or are asked for by name;
            so do workflows that another one of the file calls. Or a `.pnml` file, or a `.bpmn` file
            with `:name` where it holds several processes; or a net of Tina (`.net`), LoLA
            (`.lola`), Woflan (`.tpn`) or petriflow's own JSON (`.json`).
        source, sink, close: how a PNML file is read, as in `read_pnml`.

    Raises:
        DefinitionError: no such file, the file fails, or the target names nothing or several.
    """
    if target.lower().endswith(".pnml"):
        from petriflow.formats.pnml import read_pnml

        return read_pnml(target, source=source, sink=sink, close=close)
    ending = Path(target).suffix.lower()
    if ending in (".net", ".lola", ".llnet", ".tpn", ".json"):
        return _net(target, ending)
    path, colon, process = target.rpartition(":")
    if not (colon and path.lower().endswith(".bpmn")):
        path, process = target, ""
    if path.lower().endswith(".bpmn"):
        from petriflow.formats.bpmn import read_bpmn

        return read_bpmn(path).process(process or None)
    if source is not None or sink is not None or close:
        raise DefinitionError("--source, --sink and --close are for .pnml files")
    file, name = _split(target)
    found = _models(_import(file))
    if name is not None:
        for attribute, model in found.items():
            if name in (attribute, model.name):
                return model
        raise DefinitionError(f"{file}: no workflow or net named {name!r}; {_listed(file, found)}")
    candidates: Mapping[str, Model] = _uncalled(found) or found
    if len(candidates) == 1:
        return next(iter(candidates.values()))
    if not candidates:
        raise DefinitionError(
            f"{file} defines no workflow; write `order = Workflow('order', …)` at its top level"
        )
    raise DefinitionError(f"{file} defines several; say which: {_listed(file, found)}")


def _net(file: str, ending: str) -> Net:
    """A net that another tool has written as text, or petriflow as JSON."""
    match ending:
        case ".net":
            from petriflow.formats.tina import read_tina as read
        case ".tpn":
            from petriflow.formats.tpn import read_tpn as read
        case ".json":
            from petriflow.formats.document import read_json as read
        case _:
            from petriflow.formats.lola import read_lola as read
    return read(file)


def _split(target: str) -> tuple[Path, str | None]:
    file, colon, name = target.rpartition(":")
    # A path may hold a colon itself, as `C:\model.py` does; a name is what follows a `.py`.
    if colon and file.endswith(".py"):
        return Path(file), name
    return Path(target), None


def _import(file: Path) -> ModuleType:
    if not file.is_file():
        raise DefinitionError(f"there is no file {str(file)!r}")
    if file.suffix != ".py":
        raise DefinitionError(f"{str(file)!r} is no model; a model is a .py, .pnml or .bpmn file")
    spec = importlib.util.spec_from_file_location(file.stem, file.resolve())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    sys.path.insert(0, str(file.resolve().parent))
    try:
        spec.loader.exec_module(module)
    except PetriflowError as error:
        raise DefinitionError(f"{_where(error, file)}: {error}") from error
    except (Exception, SystemExit) as error:
        raise DefinitionError(f"{_where(error, file)}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    return module


def _where(error: BaseException, file: Path) -> str:
    """The file, and the line of it at which the error arose."""
    path = str(file.resolve())
    if isinstance(error, SyntaxError) and error.filename == path:
        return f"{file}, line {error.lineno}"
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == path
    ]
    return f"{file}, line {lines[-1]}" if lines else str(file)


def _models(module: ModuleType) -> dict[str, Model]:
    """The workflows and nets at the top level of a module, each once."""
    found: dict[str, Model] = {}
    for attribute, value in vars(module).items():
        if isinstance(value, Workflow | Net) and not any(value is m for m in found.values()):
            found[attribute] = value
    return found


def _uncalled(models: Mapping[str, Model]) -> dict[str, Workflow]:
    """The workflows that no other one calls; all of them where each is called."""
    workflows = {a: m for a, m in models.items() if isinstance(m, Workflow)}
    called = [
        task.calls
        for workflow in workflows.values()
        for task in workflow.tasks.values()
        if task.calls not in (None, workflow, workflow.name)
    ]
    first = {a: w for a, w in workflows.items() if w not in called and w.name not in called}
    return first or workflows


def _listed(file: Path, models: Mapping[str, Model]) -> str:
    if not models:
        return "it defines none"
    return "there are " + ", ".join(f"{file}:{attribute}" for attribute in models)
