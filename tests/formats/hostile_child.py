"""The child that reads, judges and draws hostile files, within limits of memory and time for each.

It prints as JSON what came of them.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .hostile import LARGE, SEEDS, mutated

#: What one file may take: bytes beyond what the program itself needs, and seconds of the processor.
MOST_MEMORY, MOST_SECONDS = 400_000_000, 5


class TooLong(BaseException):
    """A file took more than its share of the processor; no `except Exception` hides it."""


@contextmanager
def limits(memory: int, seconds: float) -> Iterator[None]:
    """Bound the memory and the time of the processor that may be taken from here on."""
    import resource
    import signal

    def late(*_: object) -> None:
        raise TooLong

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + memory
    signal.signal(signal.SIGPROF, late)
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def outcome(file: Path, *, recover: bool, drawn: bool) -> str:
    """What became of a file: a verdict, or `refused`, or the error that no user must see."""
    from petriflow.analysis import explore, verify
    from petriflow.drawing import draw
    from petriflow.formats import read_pnml, write_pnml
    from petriflow.net.errors import FormatError, PetriflowError

    try:
        net = read_pnml(file, recover=recover)
    except FormatError as error:
        return "refused" if len(str(error)) < 2_000 else f"a message of {len(str(error))} letters"
    if len(net.places) < 1_000:
        with suppress(FormatError):  # what was recovered may hold what XML cannot
            write_pnml(net)
    if drawn and len(net.places) < 30:
        draw(net).svg()
    try:
        explore(net, max_markings=200)
        report = verify(net, max_markings=200)
        report.to_json()
        return report.verdict
    except PetriflowError:
        return "no workflow net"


def judged(file: Path, *, recover: bool = False, drawn: bool = False) -> str:
    """The outcome of a file within the limits, or the error that came out instead."""
    try:
        with limits(MOST_MEMORY, MOST_SECONDS):
            return outcome(file, recover=recover, drawn=drawn)
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:300]}"


def main(folder: str, first: str = "", last: str = "", *corpus: str) -> None:
    """Judge the files of these numbers, or the large ones, and print what came of them.

    Each file is put in the folder before it is read, with a note of what it is.
    """
    file, now = Path(folder) / "net.pnml", Path(folder) / "now"
    file.write_bytes(SEEDS[0])
    outcome(file, recover=False, drawn=True)  # the libraries are loaded before memory is bounded
    found: Counter[str] = Counter()
    strange, times = [], []

    def one(told: str, text: bytes, **how: bool) -> str:
        file.write_bytes(text)
        now.write_text(told)
        began = time.process_time()
        what = judged(file, **how)
        times.append((time.process_time() - began, told))
        return what

    if first:
        seeds = SEEDS + tuple(Path(f).read_bytes() for f in corpus)
        for number in range(int(first), int(last)):
            text, told = mutated(number, seeds)
            what = one(f"{number}: {told}", text, recover=number % 5 == 0, drawn=number % 20 == 0)
            found[what] += 1
            if what not in ("refused", "sound", "unsound", "unknown", "no workflow net"):
                strange.append(f"{number}: {told}: {what}")
    else:
        for told, (make, expected) in LARGE.items():
            what = one(told, make())
            found[what] += 1
            if what != expected:
                strange.append(f"{told}: {what}, not {expected}")
    slowest = sorted(times, reverse=True)[:5]
    print(json.dumps({"found": found, "strange": strange, "slowest": slowest}, indent=1))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(*sys.argv[1:])
