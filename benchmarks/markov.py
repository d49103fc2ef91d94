"""How fast are large Markov chains solved? Kanban nets, from exploration to the throughput.

Each net is solved in a process of its own, after a small one that loads the compiled loops. Seconds
are those on the clock; processor seconds are told, too, for a machine that others use. Memory is
the largest of the process.

    python benchmarks/markov.py [TOKENS …]
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time

from petriflow import Net
from petriflow.simulation import Timing, exponential, solve

#: tokens a cell -> throughput as published (QComp), to at least nine digits
KNOWN = {1: 0.0925846346333826, 2: 0.173871706177849, 5: 0.30712475933}


def kanban(cells: int) -> tuple[Net, Timing]:
    build, rates = Net.build(f"kanban {cells}"), {"in": 1.0, "s1": 0.4, "s2": 0.5, "out": 0.9}
    redo, ok = (0.36, 0.42, 0.39, 0.33), (0.84, 0.98, 0.91, 0.77)
    for i in range(1, 5):
        build.place(f"f{i}", cells).places(f"m{i}", f"b{i}", f"o{i}")
        build.transition(f"back{i}", f"b{i}", f"m{i}").transition(f"redo{i}", f"m{i}", f"b{i}")
        build.transition(f"ok{i}", f"m{i}", f"o{i}")
        rates |= {f"back{i}": 0.3, f"redo{i}": redo[i - 1], f"ok{i}": ok[i - 1]}
    build.transition("in", "f1", "m1").transition("out", "o4", "f4")
    build.transition("s1", ["o1", "f2", "f3"], ["f1", "m2", "m3"])
    build.transition("s2", ["o2", "o3", "f4"], ["f2", "f3", "m4"])
    return build.done(), Timing(durations={t: exponential(1 / r) for t, r in rates.items()})


def one(cells: int) -> None:
    solve(*kanban(3))
    began, processor = time.perf_counter(), time.process_time()
    found = solve(*kanban(cells))
    flow = found.throughput["in"]
    seconds, used = time.perf_counter() - began, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    off = f"{abs(flow / KNOWN[cells] - 1):.0e}" if cells in KNOWN else ""
    print(
        f"| {cells} | {found.tangible:,} | {seconds:.2f} | {used:.2f} | {peak:,.0f} | {flow:.12f} "
        f"| {found.residual:.0e} | {off} |",
        flush=True,
    )


def main() -> None:
    print("| tokens | markings | s | processor s | MB | throughput | residual | off by |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|", flush=True)
    for cells in map(int, sys.argv[1:] or (2, 3, 4, 5)):
        subprocess.run([sys.executable, __file__, "--one", str(cells)], check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(int(sys.argv[2]))
    else:
        main()
