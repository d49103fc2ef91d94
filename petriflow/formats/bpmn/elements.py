"""What a BPMN file holds, as plain values: scopes of elements that sequence flows join."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree

from petriflow.formats.xml import children, local, shown
from petriflow.net.errors import FormatError

#: Elements with sequence flows that are steps, in all the ways that tools call them.
TASKS = frozenset(
    [
        "task",
        "userTask",
        "manualTask",
        "serviceTask",
        "scriptTask",
        "businessRuleTask",
        "sendTask",
        "receiveTask",
        "callActivity",
        "globalTask",
    ]
)
SCOPES = frozenset(["subProcess", "transaction", "adHocSubProcess", "subChoreography"])
GATEWAYS = frozenset(
    [
        "exclusiveGateway",
        "parallelGateway",
        "inclusiveGateway",
        "eventBasedGateway",
        "complexGateway",
    ]
)
EVENTS = frozenset(
    [
        "startEvent",
        "endEvent",
        "intermediateCatchEvent",
        "intermediateThrowEvent",
        "boundaryEvent",
        "implicitThrowEvent",
    ]
)
NODES = TASKS | SCOPES | GATEWAYS | EVENTS
#: What a BPMN file may say besides; none of it decides what happens next.
ASIDE = frozenset(
    [
        "dataObject",
        "dataObjectReference",
        "dataStoreReference",
        "textAnnotation",
        "association",
        "group",
        "laneSet",
        "ioSpecification",
        "property",
        "category",
    ]
)
CHOREOGRAPHY = frozenset(["choreographyTask", "callChoreography", "subChoreography"])
#: How deep scopes may lie in each other.
DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Definition:
    """What an event is about: its kind (`timer`, `message`, `error`, …), the name of the thing,
    and for a timer how its time is given and what it says.
    """

    kind: str
    name: str
    form: str = ""
    text: str = ""


@dataclass(slots=True)
class Element:
    """A node of a process: an activity, an event or a gateway."""

    id: str
    kind: str
    name: str
    definitions: tuple[Definition, ...] = ()
    default: str | None = None
    attached_to: str | None = None
    interrupting: bool = True
    compensates: bool = False
    loop: str = ""
    loop_condition: str = ""
    calls: str = ""
    lane: str = ""
    parallel: bool = False
    inner: Scope | None = None
    incoming: list[Flow] = field(default_factory=list)
    outgoing: list[Flow] = field(default_factory=list)

    @property
    def shown(self) -> str:
        """How it is told of."""
        return f"{self.kind} {shown(self.name or self.id)}"


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """A sequence flow."""

    id: str
    name: str
    source: str
    target: str
    condition: str | None


@dataclass(slots=True)
class Scope:
    """A process or sub-process: what lies in it."""

    id: str
    name: str
    kind: str
    by_event: bool
    elements: dict[str, Element]
    flows: list[Flow]
    #: (id, kind, name) of what has no part in what happens next
    aside: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Document:
    """A BPMN file."""

    file: Path
    processes: tuple[Scope, ...]
    #: the names of pools by the id of their process
    pools: dict[str, str]
    #: (id, kind, name) of what stands beside the processes
    aside: tuple[tuple[str, str, str], ...]


def read_elements(file: Path, root: etree._Element) -> Document:
    """The processes of a file.

    Raises:
        FormatError: it is no BPMN, has no process, or something in it does not hold together.
    """
    if local(root) != "definitions":
        raise FormatError(f"{file}: no BPMN file: its root is <{local(root)}>, not <definitions>")
    named = {
        e.get("id", ""): e.get("name") or e.get("id", "")
        for e in root
        if local(e) in ("message", "signal", "error", "escalation")
    }
    reader = _Reader(file, named)
    processes = [reader.scope(e, 0) for e in children(root, "process")]
    if not processes:
        what = "only choreographies" if children(root, "choreography") else "no process"
        raise FormatError(f"{file}: there is {what} in it, and processes are what can be read")
    pools, aside = dict[str, str](), list[tuple[str, str, str]]()
    for collaboration in children(root, "collaboration"):
        for part in collaboration:
            kind, id, name = local(part), part.get("id", ""), part.get("name") or ""
            process = part.get("processRef", "").rpartition(":")[2]
            if kind == "participant" and any(process == p.id for p in processes):
                pools[process] = name or id
            elif kind:
                aside.append((id, kind, name))
    return Document(file, tuple(processes), pools, tuple(aside))


class _Reader:
    def __init__(self, file: Path, named: dict[str, str]) -> None:
        self._file = file
        self._named = named

    def scope(self, element: etree._Element, depth: int) -> Scope:
        if depth > DEEPEST:
            raise FormatError(f"{self._file}: sub-processes lie more than {DEEPEST} deep")
        scope = Scope(
            element.get("id") or f"process-{depth}",
            (element.get("name") or "").strip(),
            local(element),
            element.get("triggeredByEvent") == "true",
            {},
            [],
            [],
        )
        lanes = self._lanes(element)
        for child in element:
            kind = local(child)
            if kind in NODES:
                node = self._node(child, kind, depth)
                node.lane = lanes.get(node.id, "")
                if node.id in scope.elements:
                    raise FormatError(f"{self._file}: there are two elements {shown(node.id)}")
                scope.elements[node.id] = node
            elif kind == "sequenceFlow":
                scope.flows.append(self._flow(child))
            elif kind in ASIDE or kind in CHOREOGRAPHY or kind.endswith(("Task", "Gateway")):
                scope.aside.append((child.get("id", ""), kind, child.get("name") or ""))
        for flow in scope.flows:
            for end, what in ((flow.source, "begins"), (flow.target, "ends")):
                if end not in scope.elements:
                    raise FormatError(
                        f"{self._file}: sequence flow {shown(flow.id)} {what} at {shown(end)}, "
                        f"which is no activity, event or gateway of {shown(scope.name or scope.id)}"
                    )
            scope.elements[flow.source].outgoing.append(flow)
            scope.elements[flow.target].incoming.append(flow)
        for node in scope.elements.values():
            if node.kind == "boundaryEvent" and node.attached_to not in scope.elements:
                raise FormatError(
                    f"{self._file}: {node.shown} is attached to {shown(node.attached_to)}, which "
                    "is no activity beside it"
                )
        return scope

    def _lanes(self, element: etree._Element) -> dict[str, str]:
        """The innermost lane of each node."""
        found: dict[str, str] = {}
        for lane in element.iter("{*}lane"):
            if (parent := lane.getparent()) is None or local(parent) not in (
                "laneSet",
                "childLaneSet",
            ):
                continue
            for ref in children(lane, "flowNodeRef"):
                found[(ref.text or "").strip()] = (lane.get("name") or "").strip()
        return found

    def _flow(self, element: etree._Element) -> Flow:
        condition = children(element, "conditionExpression")
        return Flow(
            element.get("id", ""),
            (element.get("name") or "").strip(),
            element.get("sourceRef", ""),
            element.get("targetRef", ""),
            "".join(condition[0].itertext()).strip() if condition else None,
        )

    def _node(self, element: etree._Element, kind: str, depth: int) -> Element:
        node = Element(
            element.get("id", ""),
            kind,
            re.sub(r"\s+", " ", element.get("name") or "").strip(),
            tuple(self._definitions(element)),
            element.get("default"),
            element.get("attachedToRef"),
            element.get("cancelActivity", element.get("isInterrupting", "true")) != "false",
            element.get("isForCompensation") == "true",
            calls=element.get("calledElement", ""),
            parallel=element.get("eventGatewayType") == "Parallel",
        )
        if not node.id:
            raise FormatError(f"{self._file}: a {kind} has no id")
        for child in element:
            if local(child) == "standardLoopCharacteristics":
                node.loop = "loop"
                node.loop_condition = "".join(
                    "".join(c.itertext()) for c in children(child, "loopCondition")
                ).strip()
            elif local(child) == "multiInstanceLoopCharacteristics":
                node.loop = "sequential" if child.get("isSequential") == "true" else "parallel"
        if kind in SCOPES:
            node.inner = self.scope(element, depth + 1)
        return node

    def _definitions(self, element: etree._Element) -> Iterator[Definition]:
        for child in element:
            kind = local(child)
            if not kind.endswith("EventDefinition"):
                continue
            kind = kind.removesuffix("EventDefinition")
            name = child.get("name", "")
            for attribute in ("messageRef", "signalRef", "errorRef", "escalationRef"):
                ref = child.get(attribute, "").rpartition(":")[2]
                name = self._named.get(ref, ref) or name
            form = text = ""
            for given in child:
                if local(given) in ("timeDuration", "timeDate", "timeCycle"):
                    form = local(given)
                    text = "".join(given.itertext()).strip()
            yield Definition(kind, name, form, text)
