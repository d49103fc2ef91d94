"""PNML (ISO/IEC 15909-2): place/transition nets, in the dialects that tools really write.

Read: with namespaces or none; several pages, `<module>` for `<page>`, or neither; reference nodes;
arcs that repeat to mean a weight; inhibitor, reset and read arcs in the ways of pm4py, TAPAAL, PIPE
and the ISO extension; pm4py's final markings; ProM's invisible transitions; and what tools say of
a node besides (`toolspecific`, `graphics`), kept as it is and written back.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from warnings import warn

from lxml import etree

from petriflow.formats.xml import Names, children, local, parse, shown, text_in
from petriflow.net import Marking, Net, Place, Transition, require_net
from petriflow.net.errors import FormatError, FormatNote
from petriflow.net.net import EMPTY

NAMESPACE = "http://www.pnml.org/version-2009/grammar/pnml"
NET_TYPE = "http://www.pnml.org/version-2009/grammar/ptnet"
#: A number that no place or arc of a real net has.
TOO_MANY = 2**31
KINDS = {
    "normal": "flow", "timed": "flow", "": "flow", "inhibitor": "inhibitor",
    "tapninhibitor": "inhibitor", "reset": "reset", "read": "read", "test": "read",
}  # fmt: skip
NUMBER = re.compile(r"(?:Default\s*,\s*)?([0-9]{1,12})")
NODES = frozenset(
    ("place", "transition", "arc", "inhibitorArc", "referencePlace", "referenceTransition")
)
KEPT = ("toolspecific", "graphics")


def read_pnml(
    file: str | os.PathLike[str],
    *,
    source: str | None = None,
    sink: str | None = None,
    close: bool = False,
    recover: bool = False,
) -> Net:
    """A net from a PNML file.

    A node's id is the file's; its name is the label. What had to be read with a liberty is told as
    a `FormatNote` warning.

    Args:
        file: the path of the file.
        source, sink: the place where a case begins or ends, by id or name, instead of what the
            file says or its structure shows.
        close: give a net with several sinks one end, by an OR-join of them all: a case is done
            when nothing more can come.
        recover: read as much as can be read of a file that is not well-formed.

    Raises:
        FormatError: the file cannot be read as a place/transition net; the message names the
            element.
    """
    reader = _Reader(Path(file), parse(file, recover=recover))
    net = reader.net()
    if source is not None:
        net = replace(net, initial=Marking(reader.named(net, source)))
    if sink is not None:
        net = replace(net, final=Marking(reader.named(net, sink)))
    return closed(net) if close else net


def closed(net: Net) -> Net:
    """The net with one sink: its several ones, joined by an OR-join."""
    if len(net.sinks) < 2:
        return net
    taken = {p.id for p in net.places} | {t.id for t in net.transitions}
    end, join = (_fresh(id, taken) for id in ("end", "close"))
    ends = Marking(p.id for p in net.sinks)
    closing = Transition(join, consume=ends, produce=Marking(end), join="or")
    return replace(
        net,
        places=(*net.places, Place(end)),
        transitions=(*net.transitions, closing),
        final=Marking(end),
    )


def _fresh(id: str, taken: set[str]) -> str:
    while id in taken:
        id += "'"
    taken.add(id)
    return id


@dataclass(slots=True)
class _Arcs:
    """The arcs of one transition as they come."""

    consume: dict[str, int] = field(default_factory=dict)
    produce: dict[str, int] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)
    inhibitor: dict[str, int] = field(default_factory=dict)
    reset: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Node:
    """A node or an arc of the file, its children looked through once."""

    element: etree._Element
    kind: str
    id: str
    #: the first child of each name
    parts: dict[str, etree._Element]
    #: what tools say of it besides
    kept: list[etree._Element]


class _Reader:
    """One file on its way to a net."""

    def __init__(self, path: Path, root: etree._Element) -> None:
        self.path, self.root = path, root
        self.names = Names()
        self.found: dict[str, _Node] = {}
        self.extras: dict[str, str] = {}
        self.extra_size = 0

    def net(self) -> Net:
        if local(self.root) != "pnml":
            raise FormatError(f"{self.path}: its root is <{local(self.root)}>, not <pnml>")
        nets = children(self.root, "net")
        if len(nets) != 1:
            names = ", ".join(shown(n.get("id", "")) for n in nets[:9]) or "none"
            raise FormatError(f"{self.path}: one net is needed, and it holds {names}")
        whole = self._node(nets[0], "net")
        type = nets[0].get("type", "").lower()
        if any(word in type for word in ("symmetric", "hlcore", "highlevel", "hlpn", "colour")):
            raise FormatError(
                f"{self.path}: it is a coloured net ({type}); unfold it to a place/transition net"
            )
        arcs: list[_Node] = []
        for node in self._nodes(nets[0]):
            if node.kind in ("arc", "inhibitorArc"):
                arcs.append(node)
                continue
            if not node.id.strip():
                raise FormatError(f"{self._at(node.element)}: a {node.kind} without an id")
            if node.id in self.found:
                raise FormatError(
                    f"{self._at(node.element)}: two nodes have the id {shown(node.id)}; rename one"
                )
            self.found[node.id] = node
        nodes = list(self.found.values())
        places = [node for node in nodes if node.kind == "place"]
        for node in (whole, *nodes):
            if node.kept:
                self._keep(node, node.id if node is not whole else "")
        return Net(
            self._text(whole, "name") or self.path.stem,
            tuple(Place(p.id, label=self._text(p, "name") or None) for p in places),
            self._transitions([node for node in nodes if node.kind == "transition"], arcs),
            Marking({p.id: self._number(p, "initialMarking", 0) for p in places}),
            self._final(whole),
            extras=self.extras,
        )

    def named(self, net: Net, name: str) -> str:
        """The place of this id or name."""
        ids = [p.id for p in net.places if name == p.id] or [
            p.id for p in net.places if name == p.label
        ]
        if len(ids) == 1:
            return ids[0]
        told = f"several places are named {name!r}: {', '.join(ids)}" if ids else "no such place"
        raise FormatError(f"{self.path}: {name!r}: {told}; give the id of a place")

    def _nodes(self, element: etree._Element) -> Iterator[_Node]:
        """The nodes and arcs of all pages, in the order of the file."""
        names, waiting = self.names, list(reversed(element))
        while waiting:
            child = waiting.pop()
            kind = names[child.tag]
            if kind in NODES:
                yield self._node(child, kind)
            elif kind in ("page", "module"):
                waiting += reversed(child)

    def _node(self, element: etree._Element, kind: str) -> _Node:
        names = self.names
        parts: dict[str, etree._Element] = {}
        kept: list[etree._Element] = []
        for child in element:
            name = names[child.tag]
            if name in KEPT:
                kept.append(child)
            elif name not in parts:
                parts[name] = child
        return _Node(element, kind, element.get("id") or "", parts, kept)

    def _at(self, element: etree._Element) -> str:
        return f"{self.path}, line {element.sourceline}"

    def _text(self, node: _Node, what: str) -> str | None:
        part = node.parts.get(what)
        return None if part is None else text_in(part, self.names)

    def _number(self, node: _Node, what: str, default: int) -> int:
        if ("hlinitialMarking" if what == "initialMarking" else "hlinscription") in node.parts:
            raise FormatError(
                f"{self._at(node.element)}: {shown(node.id)} is coloured; unfold the net"
            )
        text = self._text(node, what)
        if text is None and what == "inscription":
            text = node.element.get("weight")  # TAPAAL's way
        if not text:
            return default
        if len(text) == 1 and text in "0123456789":
            return int(text)
        number = NUMBER.fullmatch(text)
        if number is None or int(number[1]) >= TOO_MANY:
            if what == "inscription" and text.replace(" ", "") == "[0,inf)":
                return default
            raise FormatError(
                f"{self._at(node.element)}: the {what} of {shown(node.id)} is {shown(text)}; a "
                f"whole number from 0 to {TOO_MANY - 1:,} is needed"
            )
        return int(number[1])

    def _end(self, arc: etree._Element, which: str) -> _Node:
        """The place or transition that an arc names, through references to other pages."""
        id = arc.get(which) or ""
        seen: dict[str, None] = {}
        while True:
            node = self.found.get(id)
            if node is None or id in seen:
                why = "refers to itself" if node is not None else "is not there"
                raise FormatError(
                    f"{self._at(arc)}: arc {shown(arc.get('id'))}: node {shown(id)} {why}"
                )
            if node.kind in ("place", "transition"):
                if seen:  # a long way through references is gone only once
                    self.found |= dict.fromkeys(seen, node)
                return node
            seen[id] = None
            id = node.element.get("ref") or ""

    def _transitions(self, nodes: list[_Node], arcs: list[_Node]) -> tuple[Transition, ...]:
        collected = {node.id: _Arcs() for node in nodes}
        for arc in arcs:
            element = arc.element
            source, target = self._end(element, "source"), self._end(element, "target")
            if source.kind == target.kind:
                raise FormatError(
                    f"{self._at(element)}: arc {shown(arc.id)} leads from a {source.kind} to a "
                    f"{target.kind}; an arc joins a place and a transition"
                )
            if target.kind == "transition":
                self._add(arc, collected[target.id], source.id, True)
            else:
                self._add(arc, collected[source.id], target.id, False)
            if arc.kept:
                self._keep(arc, f"{source.id} → {target.id}")
        return tuple(self._transition(node, collected[node.id]) for node in nodes)

    def _transition(self, node: _Node, arcs: _Arcs) -> Transition:
        silent = any(c.get("activity") == "$invisible$" for c in node.kept)
        return Transition(
            node.id,
            None if silent else self._text(node, "name") or node.id,
            Marking(arcs.consume),
            Marking(arcs.produce),
            Marking(arcs.read) if arcs.read else EMPTY,
            Marking(arcs.inhibitor) if arcs.inhibitor else EMPTY,
            frozenset(arcs.reset),
            join="or" if self._ours(node, "or-join") else "and",
            cancels=frozenset(self._ours(node, "cancels")),
        )

    def _add(self, arc: _Node, arcs: _Arcs, place: str, into: bool) -> None:
        kind, weight = self._kind(arc), self._number(arc, "inscription", 1)
        if weight == 0 and kind != "reset":
            note = f"{self._at(arc.element)}: arc {shown(arc.id)} has weight 0, and is left out"
            warn(FormatNote(note), stacklevel=2)
        elif kind == "flow":
            side = arcs.consume if into else arcs.produce
            side[place] = side.get(place, 0) + weight
        elif kind == "reset":
            arcs.reset.add(place)
        elif kind == "inhibitor":
            # of two thresholds the lower one forbids more
            arcs.inhibitor[place] = min(arcs.inhibitor.get(place, weight), weight)
        else:
            arcs.read[place] = max(arcs.read.get(place, 0), weight)

    def _kind(self, arc: _Node) -> str:
        if arc.kind == "inhibitorArc":
            return "inhibitor"
        told = arc.element.get("type") or ""
        if "type" in arc.parts:
            told = arc.parts["type"].get("value") or ""
        elif "arctype" in arc.parts:
            told = self._text(arc, "arctype") or told
        kind = KINDS.get(told.lower())
        if kind is None:
            raise FormatError(
                f"{self._at(arc.element)}: arc {shown(arc.id)} is of the unknown kind "
                f"{shown(told)}; known are normal, inhibitor, reset, read and test"
            )
        return kind

    def _ours(self, node: _Node, what: str) -> list[str]:
        return [
            item.get("task", "")
            for tool in node.kept
            if tool.get("tool") == "petriflow"
            for item in children(tool, what)
        ]

    def _final(self, whole: _Node) -> Marking | None:
        """pm4py's final marking; of several the first."""
        found = []
        for marking in (m for f in children(whole.element, "finalmarkings") for m in f):
            tokens: dict[str, int] = {}
            for place in children(marking, "place"):
                node = self._end(place, "idref")
                text = "".join(place.itertext()).strip() or "1"
                if not re.fullmatch(r"[0-9]{1,9}", text):
                    raise FormatError(f"{self._at(place)}: the final marking says {shown(text)}")
                tokens[node.id] = tokens.get(node.id, 0) + int(text)
            if any(tokens.values()):
                found.append(Marking(tokens))
        if len(found) > 1:
            others = ", ".join(map(str, found[1:]))
            note = (
                f"{self.path}: of its final markings the first is taken, {found[0]}, not {others}"
            )
            warn(FormatNote(note), stacklevel=2)
        return found[0] if found else None

    def _keep(self, node: _Node, id: str) -> None:
        """Keep what tools say of a node besides; what we have read of it is not among that."""
        kept = "".join(
            etree.tostring(child, encoding="unicode", with_tail=False)
            for child in node.kept
            if child.get("tool") != "petriflow" and child.get("activity") != "$invisible$"
        )
        if kept:
            self.extras[id] = kept


# -- writing --------------------------------------------------------------------------------------


def write_pnml(net: Net, file: str | os.PathLike[str] | None = None) -> str:
    """A net as PNML, and into a file if one is given.

    What the standard lacks is written as other tools do: `<arctype>` (pm4py) and `<type value>`
    for inhibitor, reset and read arcs, ProM's mark of silent transitions, pm4py's final markings.

    Raises:
        FormatError: the file cannot be written, or a name holds what XML cannot.

    >>> net = Net.build("door").places("i", "o").transition("open", "i", "o").done()
    >>> '<transition id="open">' in write_pnml(net)
    True
    """
    require_net(net, "write_pnml")
    try:
        root = _document(net)
    except ValueError as error:
        raise FormatError(f"net {net.name!r} has a name that XML cannot hold: {error}") from error
    etree.indent(root)
    text = etree.tostring(root, encoding="unicode")
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'
    if file is not None:
        try:
            Path(file).write_text(text, encoding="utf-8")
        except OSError as error:
            raise FormatError(f"{file}: {error.strerror or error}") from error
    return text


def _document(net: Net) -> etree._Element:
    root = etree.Element("pnml", nsmap={None: NAMESPACE})
    element = _child(root, "net", id="net", type=NET_TYPE)
    _text(element, "name", net.name)
    _keep(element, net.extras.get("", ""))
    taken = {p.id for p in net.places} | {t.id for t in net.transitions}
    page = _child(element, "page", id=_fresh("page", taken))
    initial = net.initial or (Marking(net.sources[0].id) if len(net.sources) == 1 else Marking())
    for p in net.places:
        node = _child(page, "place", id=p.id)
        _text(node, "name", p.label or p.id)
        if initial[p.id]:
            _text(node, "initialMarking", str(initial[p.id]))
        _keep(node, net.extras.get(p.id, ""))
    number = 0
    for t in net.transitions:
        node = _child(page, "transition", id=t.id)
        _text(node, "name", t.label or t.id)
        _keep(node, net.extras.get(t.id, ""))
        if t.silent:
            _child(node, "toolspecific", tool="ProM", version="6.4", activity="$invisible$")
        if t.cancels or t.join == "or":
            ours = _child(node, "toolspecific", tool="petriflow", version="1")
            for task in sorted(t.cancels):
                _child(ours, "cancels", task=task)
            if t.join == "or":
                _child(ours, "or-join")
    for t in net.transitions:
        for kind, place, weight in t.arcs():
            ends = (t.id, place) if kind == "produce" else (place, t.id)
            number += 1
            arc = _child(page, "arc", id=f"arc-{number}", source=ends[0], target=ends[1])
            if weight > 1:
                _text(arc, "inscription", str(weight))
            if kind not in ("consume", "produce"):
                _child(arc, "type", value=kind)
                _text(arc, "arctype", kind)
            _keep(arc, net.extras.get(f"{ends[0]} → {ends[1]}", ""))
    final = net.final or (Marking(net.sinks[0].id) if len(net.sinks) == 1 else Marking())
    if final:
        marking = _child(_child(element, "finalmarkings"), "marking")
        for place, count in final.items():
            _child(_child(marking, "place", idref=place), "text").text = str(count)
    return root


def _child(parent: etree._Element, name: str, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{NAMESPACE}}}{name}", attributes)


def _text(parent: etree._Element, name: str, text: str) -> None:
    _child(_child(parent, name), "text").text = text


def _keep(element: etree._Element, kept: str) -> None:
    if kept:
        element.extend(etree.fromstring(f"<kept>{kept}</kept>"))
