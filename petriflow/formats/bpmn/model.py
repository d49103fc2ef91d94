"""Reading a BPMN file: its processes, and what became of each of its elements."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from petriflow.formats.bpmn.bindings import bound, placeholder
from petriflow.formats.bpmn.elements import Document, Element, read_elements
from petriflow.formats.bpmn.questions import segment_of
from petriflow.formats.bpmn.report import ImportReport, Item
from petriflow.formats.bpmn.translate import Translator
from petriflow.formats.xml import parse
from petriflow.net import Marking, Net
from petriflow.net.errors import DefinitionError
from petriflow.patterns.fragment import Binding
from petriflow.workflow.workflow import Workflow


@dataclass(frozen=True, slots=True)
class BpmnModel:
    """The processes of a BPMN file, and what became of each of its elements.

    `processes` are workflows by name, in the file's order; one without any step, or one that never
    ends, is a bare net.
    """

    file: str
    processes: Mapping[str, Workflow | Net]
    report: ImportReport

    def process(self, name: str | None = None) -> Workflow | Net:
        """One process: the only one, or the one of this name.

        Raises:
            DefinitionError: there is none of this name, or there are several.
        """
        if name is not None and name in self.processes:
            return self.processes[name]
        if name is None and len(self.processes) == 1:
            return next(iter(self.processes.values()))
        there = ", ".join(f"{self.file}:{known}" for known in self.processes)
        what = "holds several processes; say which" if name is None else f"has no process {name!r}"
        raise DefinitionError(f"{self.file} {what}: {there}")


def read_bpmn(
    file: str | os.PathLike[str], *, tasks: Mapping[str, Binding] | None = None
) -> BpmnModel:
    """The processes of a BPMN 2.0 file.

    A process is translated after Dijkman, Dumas and Ouyang (2008). User and manual tasks become
    tasks of people, of the role that their lane names; every other step runs what `tasks` says, or
    says itself that nothing was bound to it. Message flows between pools do not tie the processes:
    a process waits for its messages as for events from outside.

    Args:
        file: the path of the file.
        tasks: what steps run, by the id or the name of their element.

    Raises:
        FormatError: the file cannot be read as BPMN; the message names the element.
        DefinitionError: a key of `tasks` is no step of the file.
    """
    path = Path(file)
    document = read_elements(path, parse(path))
    given, used = dict(tasks or {}), set[str]()

    def bind(element: Element, name: str) -> Binding:
        used.update((element.id, element.name, name))
        return bound(given, element, name) or placeholder(element, name, path.name)

    translator = Translator(bind)
    processes: dict[str, Workflow | Net] = {}
    for scope in document.processes:
        name = segment_of(scope.name or document.pools.get(scope.id) or scope.id)
        if name in processes:
            name = segment_of(f"{name} {scope.id}")
        fragment = translator.fragment(scope, name)
        ends_at_all = any(fragment.exit in t.produce for t in fragment.net.transitions)
        if fragment.tasks and ends_at_all:
            processes[name] = Workflow(name, fragment)
        else:
            ends = Marking(fragment.entry), Marking(fragment.exit)
            processes[name] = Net(name, fragment.net.places, fragment.net.transitions, *ends)
    for key in given:
        if key not in used:
            raise DefinitionError(f"{path.name}: {key!r} is no step of it that could be bound")
    return BpmnModel(str(file), processes, _report(path, document, translator.items))


def _report(path: Path, document: Document, items: list[Item]) -> ImportReport:
    rest = list(document.aside)
    flows: list[Item] = []
    told = {item.id for item in items}
    todo = list(document.processes)
    for scope in todo:
        rest += scope.aside
        todo += [e.inner for e in scope.elements.values() if e.inner is not None]
        flows += [
            Item(f.id, "sequenceFlow", f.name, "kept", "a place")
            for f in scope.flows
            if f.id not in told
        ]
    words = {"messageFlow": "a message between pools is an event from outside"}
    aside = [Item(id, kind, name, "no part", words.get(kind, "")) for id, kind, name in rest]
    return ImportReport(str(path), (*items, *flows, *aside))
