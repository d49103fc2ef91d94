"""Nets as DOT, the language of Graphviz: for tools that draw or convert it.

petriflow's own pictures come from `petriflow.drawing`; this is for export.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from petriflow.net import Net, require_net

#: how an arc of each kind is drawn; read arcs have no head, inhibitors end in a circle
_ARCS = {
    "consume": "",
    "produce": "",
    "read": "style=dotted, dir=none",
    "inhibitor": "arrowhead=odot",
    "reset": "style=dashed, arrowhead=normalnormal",
}


def to_dot(net: Net, captions: Mapping[str, str] | None = None) -> str:
    """The net as a DOT graph, with its initial marking.

    Args:
        net: what to export.
        captions: texts at transitions, by id, such as guards.

    >>> net = Net.build("ship").places("i", "o").transition("pack", "i", "o").done()
    >>> print(to_dot(net))
    digraph "ship" {
      rankdir=LR
      node [fontname="sans-serif", fontsize=11]
      p0 [shape=circle, label="●", xlabel="i"]
      p1 [shape=doublecircle, label="", xlabel="o"]
      t0 [shape=box, style=rounded, label="pack"]
      p0 -> t0
      t0 -> p1
    }
    """
    require_net(net, "to_dot")
    return "\n".join([f"digraph {_quoted(net.name)} {{", *_lines(net, captions or {}), "}"])


def _lines(net: Net, captions: Mapping[str, str]) -> Iterator[str]:
    yield "  rankdir=LR"
    yield '  node [fontname="sans-serif", fontsize=11]'
    names = {p.id: f"p{n}" for n, p in enumerate(net.places)}
    names |= {t.id: f"t{n}" for n, t in enumerate(net.transitions)}
    start = net.initial or ({p.id: 1 for p in net.sources} if len(net.sources) == 1 else {})
    ends = set(net.final or {p.id for p in net.sinks})
    for place in net.places:
        shape = "doublecircle" if place.id in ends else "circle"
        tokens = start.get(place.id, 0)
        said = "●" * tokens if tokens < 4 else str(tokens)
        beside = _quoted(place.id)
        yield f"  {names[place.id]} [shape={shape}, label={_quoted(said)}, xlabel={beside}]"
    for t in net.transitions:
        if t.label is None:
            look = 'shape=box, style=filled, fillcolor=gray20, width=0.12, label=""'
        else:
            look = f"shape=box, style=rounded, label={_quoted(t.label)}"
        beside = f", xlabel={_quoted(captions[t.id])}" if t.id in captions else ""
        yield f"  {names[t.id]} [{look}{beside}]"
    for t in net.transitions:
        for kind, touched, weight in t.arcs():
            pair = names[touched], names[t.id]
            source, target = pair if kind not in ("produce", "reset") else pair[::-1]
            number = f"< {weight}" if kind == "inhibitor" else str(weight)
            looks = [_ARCS[kind]] if _ARCS[kind] else []
            looks += [f"label={_quoted(number)}"] if weight > 1 else []
            yield f"  {source} -> {target}" + (f" [{', '.join(looks)}]" if looks else "")


def _quoted(text: str) -> str:
    """A text as a quoted DOT string: nothing in it is markup, nor an escape of Graphviz."""
    kept = "".join(c if c.isprintable() else " " for c in text)
    kept = kept.encode("utf-8", "replace").decode()
    return '"' + kept.replace("\\", "\\\\").replace('"', '\\"') + '"'
