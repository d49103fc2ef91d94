"""Nets as Mermaid flowcharts: for pages and wikis that draw them from text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from petriflow.net import Net, require_net

#: how an arc of each kind is written
_ARCS = {"read": "-.-", "inhibitor": "--o", "reset": "-.->"}

#: a circle grows with its text
LONGEST = 40


def to_mermaid(net: Net, captions: Mapping[str, str] | None = None) -> str:
    """The net as a Mermaid flowchart, with its initial marking.

    Args:
        net: what to export.
        captions: texts at transitions, by id, such as guards.

    >>> net = Net.build("ship").places("i", "o").transition("pack", "i", "o").done()
    >>> print(to_mermaid(net))
    flowchart LR
      p0(("●<br/>i"))
      p1((("o")))
      t0["pack"]
      p0 --> t0
      t0 --> p1
    """
    require_net(net, "to_mermaid")
    return "\n".join(["flowchart LR", *_lines(net, captions or {})])


def _lines(net: Net, captions: Mapping[str, str]) -> Iterator[str]:
    names = {p.id: f"p{n}" for n, p in enumerate(net.places)}
    names |= {t.id: f"t{n}" for n, t in enumerate(net.transitions)}
    start = net.initial or ({p.id: 1 for p in net.sources} if len(net.sources) == 1 else {})
    ends = set(net.final or {p.id for p in net.sinks})
    for place in net.places:
        tokens = start.get(place.id, 0)
        said = "●" * tokens if tokens < 4 else str(tokens)
        # what a pattern made is a path, too long for a circle
        name = "" if place.origin else _text(place.id)
        text = "<br/>".join(filter(None, (said, name))) or " "
        opened, closed = ("(((", ")))") if place.id in ends else ("((", "))")
        yield f'  {names[place.id]}{opened}"{text}"{closed}'
    for t in net.transitions:
        words = [_text(t.label)] if t.label is not None else []
        words += [f"<i>{_text(captions[t.id])}</i>"] if t.id in captions else []
        yield f'  {names[t.id]}["{"<br/>".join(filter(None, words)) or " "}"]'
    for t in net.transitions:
        for kind, touched, weight in t.arcs():
            pair = names[touched], names[t.id]
            source, target = pair if kind not in ("produce", "reset") else pair[::-1]
            number = f"#lt; {weight}" if kind == "inhibitor" else str(weight)
            said = f'|"{number}"|' if weight > 1 else ""
            yield f"  {source} {_ARCS.get(kind, '-->')}{said} {target}"
    silent = [names[t.id] for t in net.transitions if t.silent]
    if silent:
        yield "  classDef silent fill:#3B4757,stroke:#3B4757,color:#FFFFFF"
        yield f"  class {','.join(silent)} silent"


def _text(text: str) -> str:
    """A text in which nothing is markup, neither of Mermaid nor of HTML, nor of Markdown."""
    kept = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    kept = kept.encode("utf-8", "replace").decode()
    if len(kept) > LONGEST:
        kept = kept[: LONGEST - 1] + "…"
    return "".join(
        c if c.isalnum() or c in " .,:;!?()+-/=_'" or ord(c) > 127 else f"#{ord(c)};" for c in kept
    )
