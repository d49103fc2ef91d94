"""Make the gallery: `python docs/gallery.py` writes docs/gallery.md and docs/gallery/*.svg.

The pictures are committed, so that they can be looked at where the project is looked at;
tests/test_gallery.py fails when they are not those that the code draws.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from petriflow import Net, Workflow, draw, explore, verify
from petriflow.analysis import coverability_graph, place_invariants
from petriflow.drawing import Drawing, Overlay, draw_states
from petriflow.formats.target import load_target
from petriflow.net import replay
from petriflow.patterns.catalogue import CATALOGUE

HERE = Path(__file__).parent
MODELS = (
    "order", "document_approval", "customer_service", "insurance_claim", "loan", "release_train",
    "travel",
)  # fmt: skip


def model(name: str) -> Workflow:
    found = load_target(str(HERE.parent / "models" / f"{name}.py"))
    assert isinstance(found, Workflow)
    return found


def claim() -> Net:
    return (
        Net.build("claim")
        .places("start", "by_phone", "by_letter", "end")
        .transition("call", consume="start", produce="by_phone")
        .transition("write", consume="start", produce="by_letter")
        .transition("settle", consume=["by_phone", "by_letter"], produce="end")
        .done()
    )


def shop() -> Net:
    build = Net.build("shop").place("open", 1).places("queue", "served")
    build.transition("arrive", "open", ["open", "queue"])
    return build.transition("serve", "queue", "served").done()


def looks() -> Iterator[tuple[str, str, str, Drawing]]:
    """What can be shown on a net: file, title, the code that does it, picture."""
    order = model("order")
    yield (
        "detail-pattern", "Each pattern a block", 'draw(approval, detail="pattern")',
        draw(model("document_approval"), detail="pattern"),
    )  # fmt: skip
    report = verify(claim())
    yield (
        "witness",
        "A witness: the way into the trap",
        "verify(claim)",
        draw(claim(), overlay=report.shown),
    )
    heat = {t.id: float(2 + 7 * n % 40) for n, t in enumerate(order.net.tasks)}
    yield (
        "heat", "Where the time goes",
        'draw(order, overlay=Overlay(heat=minutes, heat_label="minutes of waiting"))',
        draw(order, overlay=Overlay(heat=heat, heat_label="minutes of waiting")),
    )  # fmt: skip
    cases = {p.id: n for p, n in zip(order.net.places[2:9], (3, 1, 12, 2, 5, 140, 4), strict=True)}
    yield (
        "cases", "Live cases", "draw(order, overlay=Overlay(cases=counts))",
        draw(order, overlay=Overlay(cases=cases)),
    )  # fmt: skip
    *_, before, after = replay(order.net, ("order/validate.split", "order/validate/validate_user"))
    yield (
        "compared", "Two markings compared", "draw(order, overlay=Overlay(before=m0, tokens=m1))",
        draw(order, overlay=Overlay(before=before, tokens=after)),
    )  # fmt: skip
    yield (
        "invariant", "A place invariant", "draw(order, overlay=place_invariants(order.net)[0])",
        draw(order, overlay=place_invariants(order.net)[0]),
    )  # fmt: skip
    parallel = Workflow("parallel", CATALOGUE[1].example()).net
    yield (
        "states", "The state space", "draw_states(explore(net))", draw_states(explore(parallel)),
    )  # fmt: skip
    yield (
        "coverability", "A net that grows without end, by its coverability graph",
        "draw_states(coverability_graph(shop))", draw_states(coverability_graph(shop())),
    )  # fmt: skip


def first() -> Drawing:
    """The picture at the head of the README: a workflow under way, drawn as it runs."""
    flow = model("order")
    start = "order/validate"
    trace = [
        f"{start}.split",
        *(f"{start}/{name}{half}" for name in ("validate_inventory", "validate_user")
          for half in (".start", ".complete")),
        f"{start}/validate_payment.start",
    ]  # fmt: skip
    *_, marking = replay(flow.expanded, trace)
    return draw(flow, overlay=Overlay(path=tuple(trace), tokens=marking))


def page() -> tuple[str, dict[str, Drawing]]:
    """The text of the gallery, and its pictures by name."""
    pictures: dict[str, Drawing] = {}
    text = [
        "# Gallery",
        "",
        "Made by `python docs/gallery.py`; every picture is what `draw` gives. A circle is a",
        "place, a box a task, a bar routing, a dot a token; a dashed area is what is cancelled.",
        "The pictures follow the reader's light or dark theme.",
        "",
        "## What can be shown on a net",
    ]
    for name, title, code, drawing in looks():
        pictures[name] = drawing
        text += ["", f"### {title}", "", f"`{code}`", "", f"![{title}](gallery/{name}.svg)"]
    text += ["", "## Models"]
    for name in MODELS:
        flow = model(name)
        pictures[f"model-{name}"] = draw(flow)
        link = f"[models/{name}.py](../models/{name}.py)"
        text += ["", f"### {name.replace('_', ' ').capitalize()}", "", link, ""]
        text += [f"![{name}](gallery/model-{name}.svg)"]
    text += ["", "## The 43 workflow patterns"]
    for group, patterns in groupby(CATALOGUE, key=lambda one: one.group):
        text += ["", f"### {group[0].upper()}{group[1:]}"]
        for one in patterns:
            name = f"pattern-{one.number:02}"
            pictures[name] = draw(Workflow("example", one.example()), title=one.name)
            text += ["", f"**{one.number} {one.name}** · `{one.builder}` · {one.meaning}", ""]
            text += [f"![{one.name}](gallery/{name}.svg)"]
    return "\n".join([*text, ""]), pictures


def main() -> None:
    text, pictures = page()
    (HERE / "gallery.md").write_text(text, encoding="utf-8")
    folder = HERE / "gallery"
    folder.mkdir(exist_ok=True)
    for name, drawing in pictures.items():
        drawing.save(folder / f"{name}.svg")
    for old in folder.glob("*.svg"):
        if old.stem not in pictures:
            old.unlink()
    first().save(HERE / "order.svg")
    print(f"{len(pictures)} pictures", file=sys.stderr)


if __name__ == "__main__":
    main()
