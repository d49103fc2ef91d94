"""`warm`: what a process does that compiles the loop ahead of need."""

from __future__ import annotations

import contextlib

from petriflow.net import Net
from petriflow.simulation.compiler import marker
from petriflow.simulation.planning import plan
from petriflow.simulation.run import Run
from petriflow.simulation.timing import Timing


def warm() -> None:
    """Compile the loop, or load it, on a net that is played for a moment."""
    net = Net.build().place("i", 1).places("o").transition("t", "i", "o").done()
    run = Run(plan(net, Timing(durations={"t": 1})), seed=0, until=2.0)
    run.compile()
    run.go()
    with contextlib.suppress(OSError):  # that this process ended well tells the same
        marker().touch()
