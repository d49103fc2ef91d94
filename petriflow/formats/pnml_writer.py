"""PNML written: what the standard lacks is written as other tools do."""

from __future__ import annotations

import os
from pathlib import Path

from lxml import etree

from petriflow.formats.pnml import fresh
from petriflow.net import Marking, Net, require_net
from petriflow.net.errors import FormatError

NAMESPACE = "http://www.pnml.org/version-2009/grammar/pnml"
NET_TYPE = "http://www.pnml.org/version-2009/grammar/ptnet"


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
    page = _child(element, "page", id=fresh("page", taken))
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
