"""How long from a net to its picture as SVG?

Workflows of sequence, parallel and choice blocks, from small to large, and pm4py's picture of the
same nets by Graphviz where both are installed. In one process, taking turns; the median counts.
Measured is processor time, that of Graphviz's own process included: others may use the machine.
petriflow draws every node (`detail="task"`), and for the largest also what one sees by default.

    python benchmarks/drawing.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import statistics
import warnings
from collections.abc import Callable

from rich.console import Console
from rich.table import Table

from petriflow import Net, Workflow, draw
from petriflow.patterns import exclusive_choice, parallel, sequence, when

SIZES = (1, 10, 26, 52)  # blocks; about 20, 200, 500 and 1,000 nodes


def step(name: str) -> Callable[[object], None]:
    def body(case: object) -> None: ...

    body.__name__ = name
    return body


def workflow(blocks: int) -> Workflow:
    parts = []
    for n in range(blocks):
        three = (step(f"{what}_{n}") for what in ("check_stock", "check_credit", "reserve"))
        parts.append(parallel(*three, name=f"prepare_{n}"))
        ship, wait = step(f"ship_{n}"), step(f"wait_{n}")
        parts.append(exclusive_choice(when("total > 1", ship), otherwise=wait, name=f"send_{n}"))
    return Workflow("benchmark", sequence(*parts))


def by_pm4py(net: Net) -> Callable[[], object] | None:
    """pm4py's way to an SVG, if it and Graphviz are installed."""
    if not shutil.which("dot"):
        return None
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            from pm4py.objects.petri_net.obj import Marking, PetriNet
            from pm4py.objects.petri_net.utils.petri_utils import add_arc_from_to
            from pm4py.visualization.petri_net import visualizer
        except ImportError:
            return None
    made = PetriNet(net.name)
    places = {p.id: PetriNet.Place(p.id) for p in net.places}
    made.places.update(places.values())
    for t in net.transitions:
        node = PetriNet.Transition(t.id, t.label)
        made.transitions.add(node)
        for place in t.consume:
            add_arc_from_to(places[place], node, made)
        for place in t.produce:
            add_arc_from_to(node, places[place], made)
    first, last = Marking({places[net.source.id]: 1}), Marking({places[net.sink.id]: 1})
    look = {visualizer.Variants.WO_DECORATION.value.Parameters.FORMAT: "svg"}
    return lambda: visualizer.apply(made, first, last, parameters=look).pipe()


def worked() -> float:
    """Seconds that processors have worked for this process and those that it started."""
    return sum(os.times()[:4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    draw(workflow(1)).svg()  # the first picture loads the engine
    table = Table(title="from a net to its SVG, milliseconds of processor time")
    for heading in ("nodes", "petriflow", "petriflow, folded", "pm4py with Graphviz"):
        table.add_column(heading, justify="right")
    for blocks in SIZES:
        flow = workflow(blocks)
        ways: dict[str, Callable[[], object] | None] = {
            "all": lambda flow=flow: draw(flow, detail="task").svg(),
            "default": lambda flow=flow: draw(flow).svg(),
            "pm4py": by_pm4py(flow.net),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                if way is not None:
                    began = worked()
                    way()
                    taken[name].append((worked() - began) * 1000)
        nodes = len(flow.net.places) + len(flow.net.transitions)
        shown = [f"{statistics.median(t):,.0f}" if t else "–" for t in taken.values()]
        if nodes <= 600:
            shown[1] = "–"
        table.add_row(f"{nodes:,}", *shown)
    Console().print(table)


if __name__ == "__main__":
    main()
