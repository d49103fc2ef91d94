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
from petriflow.net import Marking, Net, Place, Transition
from petriflow.net.errors import FormatError, FormatNote, NetError
from petriflow.net.net import EMPTY

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
MOST_KEPT = 50_000_000


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
    end, join = (fresh(id, taken) for id in ("end", "close"))
    ends = Marking(p.id for p in net.sinks)
    closing = Transition(join, consume=ends, produce=Marking(end), join="or")
    return replace(
        net,
        places=(*net.places, Place(end)),
        transitions=(*net.transitions, closing),
        final=Marking(end),
    )


def fresh(id: str, taken: set[str]) -> str:
    """The id, with a stroke for each time that it is taken, and taken from now on."""
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
        #: all nodes, and those at which arcs may end, by the references to them too
        self.found: dict[str, _Node] = {}
        self.ends: dict[str, _Node] = {}
        self.extras: dict[str, str] = {}
        self.extra_size = 0
        self.without_weight: list[_Node] = []

    def net(self) -> Net:
        if local(self.root) != "pnml":
            raise FormatError(f"{self.path}: its root is <{local(self.root)[:60]}>, not <pnml>")
        nets = children(self.root, "net")
        if len(nets) != 1:
            names = ", ".join(shown(n.get("id", "")) for n in nets[:9]) or "none"
            raise FormatError(f"{self.path}: one net is needed, and it holds {names}")
        whole = self._node(nets[0], "net")
        type = nets[0].get("type", "").lower()
        if any(word in type for word in ("symmetric", "hlcore", "highlevel", "hlpn", "colour")):
            raise FormatError(
                f"{self.path}: it is a coloured net ({shown(type)}); unfold it to a "
                "place/transition net"
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
        transitions = [node for node in nodes if node.kind == "transition"]
        self.ends = {node.id: node for node in (*places, *transitions)}
        for node in (whole, *nodes):
            if node.kept:
                self._keep(node, node.id if node is not whole else "")
        name = self._text(whole, "name") or self.path.stem
        try:
            return Net(
                name,
                tuple(Place(p.id, label=self._text(p, "name") or None) for p in places),
                self._transitions(transitions, arcs),
                Marking({p.id: self._number(p, "initialMarking", 0) for p in places}),
                self._final(whole),
                extras=self.extras,
            )
        except NetError as error:
            raise FormatError(f"{self.path}: {str(error)[:500]}") from error

    def named(self, net: Net, name: str) -> str:
        """The place of this id or name."""
        ids = [p.id for p in net.places if name == p.id] or [
            p.id for p in net.places if name == p.label
        ]
        if len(ids) == 1:
            return ids[0]
        told = f"{len(ids)} places are named so: {', '.join(ids[:9])}" if ids else "no such place"
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
        while id not in self.ends:
            if id in seen or id not in self.found:
                why = "refers to itself" if id in seen else "is not there"
                raise FormatError(
                    f"{self._at(arc)}: arc {shown(arc.get('id'))}: node {shown(id)} {why}"
                )
            seen[id] = None
            id = self.found[id].element.get("ref") or ""
        # a long way through references is gone only once
        self.ends |= dict.fromkeys(seen, self.ends[id])
        return self.ends[id]

    def _transitions(self, nodes: list[_Node], arcs: list[_Node]) -> tuple[Transition, ...]:
        collected, ends = {node.id: _Arcs() for node in nodes}, self.ends
        for arc in arcs:
            element = arc.element
            source = ends.get(element.get("source")) or self._end(element, "source")
            target = ends.get(element.get("target")) or self._end(element, "target")
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
        if self.without_weight:
            first, *more = self.without_weight
            note = f"{self._at(first.element)}: arc {shown(first.id)} has weight 0, and is left out"
            warn(FormatNote(note + (f"; so are {len(more)} more" if more else "")), stacklevel=2)
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
            self.without_weight.append(arc)
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
            first, *others = (str(marking)[:200] for marking in found[:5])
            note = f"of its final markings the first is taken, {first}, not {', '.join(others)}"
            warn(FormatNote(f"{self.path}: {note}"), stacklevel=2)
        return found[0] if found else None

    def _keep(self, node: _Node, id: str) -> None:
        """Keep what tools say of a node besides; what we have read of it is not among that."""
        kept = []
        for child in node.kept:
            if child.get("tool") == "petriflow" or child.get("activity") == "$invisible$":
                continue
            kept.append(etree.tostring(child, encoding="unicode", with_tail=False))
            # each piece repeats the namespaces around it, which may be long
            self.extra_size += len(kept[-1])
            if self.extra_size > MOST_KEPT:
                raise FormatError(
                    f"{self._at(node.element)}: what tools say of its nodes takes more than "
                    f"{MOST_KEPT // 1_000_000} MB, which is too much to be kept; take it out"
                )
        if kept:
            self.extras[id] = "".join(kept)
