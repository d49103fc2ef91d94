"""How long does one wait for the first answer?

Whole processes, from start to exit, taking turns; the median counts.

    python benchmarks/startup.py [--rounds 15]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
PROGRAMS = {
    "python, doing nothing": ["-c", "pass"],
    "import petriflow": ["-c", "import petriflow"],
    "import networkx (a peer of its size)": ["-c", "import networkx"],
    "petriflow verify models/order.py": ["-m", "petriflow", "verify", "models/order.py"],
    "petriflow draw models/order.py": ["-m", "petriflow", "draw", "models/order.py", "-o", "{}"],
}


def seconds(arguments: list[str], scratch: str) -> float:
    """How long one process takes."""
    command = [sys.executable, *(scratch if a == "{}" else a for a in arguments)]
    began = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    with tempfile.TemporaryDirectory() as folder:
        for n in range(rounds + 1):  # the first warms the caches
            for name, arguments in PROGRAMS.items():
                took = seconds(arguments, f"{folder}/order.svg")
                if n:
                    taken[name].append(took)
    nothing = statistics.median(taken["python, doing nothing"])
    table = Table(title="from the start of the process to its end")
    for heading in ("", "seconds", "× doing nothing"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, times in taken.items():
        median = statistics.median(times)
        table.add_row(name, f"{median:.3f}", f"{median / nothing:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
