"""How fast are state spaces built and nets judged, beside pm4py and SNAKES?

python benchmarks/verification.py [--quick]

The peers come with `pip install petriflow[bench]`; one that is not there is said and left out. With
PETRIFLOW_CORPORA the nets of the soundness check are industrial ones, otherwise they are made here.
Every measurement has a process of its own on one core, of which the seconds are told, and a limit
of time: a peer that reaches it is told by what it had done until then, which flatters it, for it
would have slowed down.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import multiprocessing as mp
import os
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from petriflow.analysis import explore, verify
from petriflow.analysis.space import compiler
from petriflow.formats import read_pnml, write_pnml
from petriflow.net import Net

PEERS = {"pm4py": "pm4py", "SNAKES": "snakes"}
CORPORA = os.environ.get("PETRIFLOW_CORPORA")
console = Console(width=110)
#: Everything here runs on one core, so its time is what counts, whatever else the machine does.
clock = time.process_time

# -- nets -----------------------------------------------------------------------------------------


def kanban(n: int) -> Net:
    """Four cells with n cards each (Ciardo and Tilgner, 1996)."""
    net = Net.build(f"kanban {n}")
    for c in "1234":
        net.place(f"kan{c}", n).places(f"m{c}", f"back{c}", f"out{c}")
        net.transition(f"redo{c}", f"m{c}", f"back{c}").transition(f"ok{c}", f"m{c}", f"out{c}")
        net.transition(f"again{c}", f"back{c}", f"m{c}")
    net.transition("in", "kan1", "m1").transition("out", "out4", "kan4")
    net.transition("split", ["out1", "kan2", "kan3"], ["kan1", "m2", "m3"])
    net.transition("join", ["out2", "out3", "kan4"], ["kan2", "kan3", "m4"])
    return net.done()


def philosophers(n: int) -> Net:
    """Philosophers who take either fork first: 3^n markings, two of them deadlocks."""
    net = Net.build(f"philosophers {n}")
    for k in range(n):
        net.place(f"thinks{k}", 1).place(f"fork{k}", 1).places(f"left{k}", f"right{k}", f"eats{k}")
    for k in range(n):
        one, other = f"fork{k}", f"fork{(k + 1) % n}"
        net.transition(f"l{k}", [f"thinks{k}", one], f"left{k}")
        net.transition(f"r{k}", [f"thinks{k}", other], f"right{k}")
        net.transition(f"le{k}", [f"left{k}", other], f"eats{k}")
        net.transition(f"re{k}", [f"right{k}", one], f"eats{k}")
        net.transition(f"done{k}", f"eats{k}", [f"thinks{k}", one, other])
    return net.done()


def parallel(branches: int, tasks: int) -> Net:
    """Branches of tasks between a split and a join: (tasks + 1)^branches + 2 markings."""
    net = Net.build(f"parallel {branches} × {tasks}").place("i", 1).places("o")
    for b in range(branches):
        net.places(*(f"p{b}.{n}" for n in range(tasks + 1)))
        for n in range(tasks):
            net.transition(f"t{b}.{n}", f"p{b}.{n}", f"p{b}.{n + 1}")
    net.transition("split", "i", [f"p{b}.0" for b in range(branches)])
    return net.transition("join", [f"p{b}.{tasks}" for b in range(branches)], "o").done()


def made(number: int) -> Net:
    """A workflow net of random blocks; every other one has a choice that a parallel join awaits."""
    dice, net = random.Random(number), Net.build(f"made {number}").place("i", 1).places("o")
    count = iter(range(10**6))
    flawed = number % 2 == 1

    def place() -> str:
        net.places(name := f"p{next(count)}")
        return name

    def block(begin: str, end: str, depth: int, wrong: bool) -> None:
        kind = dice.choice(["task", "sequence", "choice", "parallel", "loop"]) if depth else "task"
        if wrong and depth < 3:
            inner = [place(), place()]
            net.transition(f"t{next(count)}", begin, inner[0])
            net.transition(f"t{next(count)}", begin, inner[1])
            net.transition(f"t{next(count)}", inner, end)
        elif kind == "task":
            net.transition(f"t{next(count)}", begin, end)
        elif kind == "loop":
            block(begin, middle := place(), depth - 1, wrong)
            net.transition(f"t{next(count)}", middle, begin)
            net.transition(f"t{next(count)}", middle, end)
        elif kind == "sequence":
            block(begin, middle := place(), depth - 1, wrong)
            block(middle, end, depth - 1, False)
        elif kind == "choice":
            block(begin, end, depth - 1, wrong)
            block(begin, end, depth - 1, False)
        else:
            begins, ends = [place(), place()], [place(), place()]
            net.transition(f"t{next(count)}", begin, begins)
            net.transition(f"t{next(count)}", ends, end)
            for a, b, w in zip(begins, ends, (wrong, False), strict=True):
                block(a, b, depth - 1, w)

    net.transition("begin", "i", a := place()).transition("end", b := place(), "o")
    block(a, b, 5, flawed)
    return net.done()


# -- children -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Broken:
    """A job failed, and why."""

    why: str


LATE = Broken("took too long")


def _work(pipe: Connection, job: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    with contextlib.suppress(AttributeError, OSError):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            pipe.send(job(*arguments))
        except Exception as error:
            pipe.send(Broken(f"{type(error).__name__}: {error}"[:80]))


def alone(job: Callable[..., Any], *arguments: Any, seconds: float, how: str = "spawn") -> Any:
    """What a job returns in a process of its own, or why it is `Broken`."""
    context = mp.get_context(how)
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(theirs, job, arguments))
    child.start()
    theirs.close()
    try:
        return ours.recv() if ours.poll(seconds) else LATE
    except EOFError:
        return Broken("ended by the system")
    finally:
        child.kill()
        child.join()


@dataclass(frozen=True)
class Built:
    """A state space, or as much of it as the limit allowed."""

    markings: int
    edges: int
    seconds: float
    complete: bool = True

    @property
    def rate(self) -> float:
        return self.markings / self.seconds


def by_petriflow(make: Callable[..., Net], arguments: tuple[int, ...], limit: float) -> Built:
    compiler.warm()  # the loops are loaded, as in any session but for its first seconds
    net, times = make(*arguments), []
    while not times or (sum(times) < 1 and len(times) < 5):
        began = clock()
        space = explore(net, max_markings=10_000_000)
        times.append(clock() - began)
    return Built(space.markings, space.edges, statistics.median(times), space.complete)


def by_pm4py(make: Callable[..., Net], arguments: tuple[int, ...], limit: float) -> Built:
    import pm4py
    from pm4py.objects.petri_net.utils import reachability_graph

    with tempfile.TemporaryDirectory() as folder:
        write_pnml(make(*arguments), Path(folder) / "net.pnml")
        net, initial, _ = pm4py.read_pnml(str(Path(folder) / "net.pnml"))
    began = clock()
    flow = reachability_graph.marking_flow_petri(
        net, initial, parameters={reachability_graph.Parameters.MAX_ELAB_TIME: limit}
    )
    edges = sum(map(len, flow[1].values()))
    if len(flow[0]) > len(flow[1]):
        return Built(len(flow[0]), edges, clock() - began, complete=False)
    graph = reachability_graph.construct_reachability_graph_from_flow(*flow[:2])
    return Built(len(graph.states), len(graph.transitions), clock() - began)


def by_snakes(make: Callable[..., Net], arguments: tuple[int, ...], limit: float) -> Built:
    from snakes import nets

    ours, net = make(*arguments), nets.PetriNet("net")
    for p in ours.places:
        net.add_place(nets.Place(p.id, [nets.dot] * ours.initial_marking[p.id]))
    for t in ours.transitions:
        net.add_transition(nets.Transition(t.id))
        for p in t.consume:
            net.add_input(p, t.id, nets.Value(nets.dot))
        for p in t.produce:
            net.add_output(p, t.id, nets.Value(nets.dot))
    graph, began, found = nets.StateGraph(net), clock(), 0
    for found, _ in enumerate(graph, 1):  # noqa: B007
        if clock() - began > limit:
            break
    seconds = clock() - began
    edges = sum(len(list(graph.successors(s))) for s in range(found)) if found < 100_000 else 0
    return Built(found, edges, seconds, complete=found == len(graph))


def memory(n: int) -> float:
    """The most bytes a marking that exploration without edges asks for, by the kernel's count."""
    compiler.warm()
    explore(kanban(3), edges=False)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    space = explore(kanban(n), max_markings=10_000_000, edges=False)
    return (_status("VmHWM") - before) / space.markings


def _status(what: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(what))


def judged_by_pm4py(file: str, hasty: bool = True) -> tuple[bool, float]:
    """Its verdict, and seconds; `hasty` is how its `check_soundness` has it, to end early."""
    import pm4py
    from pm4py.algo.analysis.woflan import algorithm as woflan
    from pm4py.objects.petri_net.obj import Marking

    net, initial, final = pm4py.read_pnml(file)
    final = final or Marking({p: 1 for p in net.places if not p.out_arcs})
    began = clock()
    how = {"return_asap_when_not_sound": hasty, "print_diagnostics": False}
    sound = woflan.apply(net, initial, final, parameters=how)
    return bool(sound), clock() - began


def all_by_pm4py(
    files: list[str], each: float, total: float, hasty: bool = True
) -> list[tuple[bool, float] | Broken]:
    """One process that has loaded pm4py, and for each net a copy of it that may be ended."""
    import pm4py.algo.analysis.woflan.algorithm  # noqa: F401

    began, found = time.monotonic(), []
    for file in files:
        if time.monotonic() - began < total:
            found.append(alone(judged_by_pm4py, file, hasty, seconds=each, how="fork"))
    return found


def judged(files: list[str]) -> tuple[list[tuple[str, float]], float]:
    """The verdict on each file and the seconds it took, and those of reading them all."""
    began = clock()
    nets = [read_pnml(file) for file in files]
    reading, found = clock() - began, []
    for net in nets:
        began = clock()
        verdict = verify(net).verdict
        found.append((verdict, clock() - began))
    return found, reading


def fifty_branches() -> tuple[str, float, float]:
    """The verdict, and the milliseconds of the first time and of the median of ten."""
    net, times = parallel(50, 20), []
    for _ in range(11):
        began = clock()
        verdict = verify(net).verdict
        times.append(1000 * (clock() - began))
    return verdict, times[0], statistics.median(times[1:])


# -- tables ---------------------------------------------------------------------------------------


def there() -> dict[str, Callable[..., Built]]:
    """The peers that are installed."""
    found = {}
    for name, run in (("pm4py", by_pm4py), ("SNAKES", by_snakes)):
        if importlib.util.find_spec(PEERS[name]):
            found[name] = run
        else:
            console.print(f"{name} is not installed and is left out: pip install petriflow[bench]")
    return found


def state_spaces(quick: bool, peers: dict[str, Callable[..., Built]]) -> None:
    limit = 5 if quick else 20
    table = Table("net", "markings", "edges", "petriflow", *peers, title="reachability graphs")
    rows: list[tuple[Callable[..., Net], tuple[int, ...], float]] = [
        (kanban, (2,), limit),
        (kanban, (3,), limit if quick else 200),
        (kanban, (4,), limit),
        (kanban, (5,), 0),
        (philosophers, (8,), limit),
        (philosophers, (10,), limit),
        *([] if quick else [(philosophers, (12,), 0)]),
        (parallel, (4, 10), limit),
    ]
    for make, arguments, limit in rows:
        ours = alone(by_petriflow, make, arguments, limit, seconds=300)
        cells = []
        for run in peers.values() if limit else ():
            # the limit is that of the exploration; loading and summing up take their time besides
            theirs = alone(run, make, arguments, limit, seconds=2 * limit + 60)
            cells.append(_beside(theirs, ours))
        if isinstance(ours, Broken):
            table.add_row(make(*arguments).name, "", "", ours.why, *cells)
            continue
        speed = f"{ours.seconds:.3f} s\n{ours.edges / ours.seconds / 1e6:.2f} M edges/s"
        sizes = f"{ours.markings:,}", f"{ours.edges:,}"
        table.add_row(make(*arguments).name, *sizes, speed, *cells)
    console.print(table)


def _beside(theirs: Built | Broken, ours: Built | Broken) -> str:
    if isinstance(theirs, Broken):
        return theirs.why
    if isinstance(ours, Broken):
        return f"{theirs.rate:,.0f} markings/s"
    if theirs.complete and (theirs.markings, theirs.edges) != (ours.markings, ours.edges):
        return f"finds {theirs.markings:,} markings and {theirs.edges:,} edges"
    ended = "" if theirs.complete else f"{theirs.markings:,} markings after "
    return f"{ended}{theirs.seconds:.1f} s\n{ours.rate / theirs.rate:,.0f} × slower"


def industrial() -> dict[str, str]:
    """The corpus nets and their listed verdicts."""
    folder = Path(CORPORA or "") / "industrial"
    lines = (folder / "verdicts.csv").read_text().splitlines()[1:]
    return {str(folder / line.split(",")[0]): line.split(",")[2] for line in sorted(lines)}


def soundness(quick: bool, peers: dict[str, Callable[..., Built]], folder: Path) -> None:
    listed = industrial() if CORPORA else {}
    if listed:
        every = list(listed)
        files = [every[len(every) * n // 100] for n in range(100)]
    else:
        files = [str(folder / f"made-{n}.pnml") for n in range(100)]
        for n, file in enumerate(files):
            write_pnml(made(n), file)
    files = files[:: 4 if quick else 1]
    found, _ = alone(judged, files, seconds=300)
    table = Table("", "median", "slowest", "all", "judged", title=f"soundness of {len(files)} nets")
    table.add_row("petriflow", *_times([s for _, s in found]), str(len(files)))
    notes = []
    if "pm4py" in peers:
        each, total = (3, 30) if quick else (10, 240)
        theirs = alone(all_by_pm4py, files, each, total, seconds=total + 60)
        answers = [t for t in theirs if not isinstance(t, Broken)]
        late, broken = theirs.count(LATE), len(theirs) - len(answers) - theirs.count(LATE)
        told = f"{len(answers)}; {late} took over {each} s, {broken} failed"
        told += f", {len(files) - len(theirs)} not reached" if len(theirs) < len(files) else ""
        table.add_row("pm4py", *_times([s for _, s in answers]), told)
        differ = [
            (file, verdict, answer[0])
            for file, (verdict, _), answer in zip(files, found, theirs, strict=False)
            if not isinstance(answer, Broken) and (verdict == "sound") != answer[0]
        ]
        notes.append(f"agreed on {len(answers) - len(differ)} of {len(answers)}")
        again = alone(all_by_pm4py, [d[0] for d in differ], each, 60, False, seconds=150)
        for (file, verdict, answer), patient in zip(differ, again, strict=False):
            name, said = Path(file).name, "sound" if answer else "unsound"
            after = "no answer" if isinstance(patient, Broken) else f"sound: {patient[0]}"
            notes.append(
                f"  {name}: petriflow {verdict}, listed as {listed.get(file, 'nothing')}, "
                f"pm4py {said}; without its early exit, {after}"
            )
    console.print(table, *notes, sep="\n")
    if listed:
        found, reading = alone(judged, every, seconds=300)
        right = sum(v == listed[file] for file, (v, _) in zip(every, found, strict=True))
        console.print(
            f"all {len(every)} corpus nets: read in {reading:.2f} s, verified in "
            f"{sum(s for _, s in found):.2f} s, {right} verdicts as listed"
        )


def _times(seconds: list[float]) -> tuple[str, str, str]:
    if not seconds:
        return "", "", ""
    median, slowest = 1000 * statistics.median(seconds), 1000 * max(seconds)
    return f"{median:,.1f} ms", f"{slowest:,.0f} ms", f"{sum(seconds):.2f} s"


def main(quick: bool) -> None:
    began = time.monotonic()
    peers = there()
    state_spaces(quick, peers)
    with tempfile.TemporaryDirectory() as folder:
        soundness(quick, peers, Path(folder))
    verdict, first, median = alone(fifty_branches, seconds=60)
    console.print(
        f"50 branches of 20 tasks, 21^50 markings: {verdict} in {median:.0f} ms, {first:.0f} ms "
        "the first time"
    )
    each = alone(memory, 4 if quick else 5, seconds=120)
    told = each.why if isinstance(each, Broken) else f"{each:.0f} bytes at the most"
    console.print(f"without edges, a marking takes {told}")
    console.print(f"in all {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="in less than two minutes")
    main(parser.parse_args().quick)
