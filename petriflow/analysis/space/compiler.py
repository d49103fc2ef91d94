"""Whether the compiled loops can be had at once, and having them compiled ahead of need.

Compiling takes seconds, and numba keeps the result on disk. So nobody waits: as long as it is not
there, exploration stays in plain Python while another process compiles. A marker file, named after
all that the result depends on, says that it is there. This module does not import numba.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from functools import lru_cache
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

from petriflow.net.errors import SpeedNote

if TYPE_CHECKING:
    import subprocess

_warming: subprocess.Popen[bytes] | None = None


def available() -> bool:
    """Whether numba is installed here."""
    return util.find_spec("numba") is not None


def loaded() -> bool:
    """Whether this process has used the compiled loops already."""
    return "petriflow.analysis.space.compiled_space" in sys.modules


def ready() -> bool:
    """Whether the loops are compiled; if not, begin to compile them, in another process."""
    global _warming
    if not available():
        warnings.warn(
            "numba is not installed, so large nets are explored by slower loops in plain Python",
            SpeedNote,
            stacklevel=2,
        )
        return False
    if _marker().exists():
        return True
    if _warming is None:
        import subprocess

        _warming = subprocess.Popen(
            [sys.executable, "-c", "from petriflow.analysis.space.compiler import warm; warm()"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    return _warming.poll() == 0


def warm() -> None:
    """Compile the loops, or load them, on a net that needs all of them."""
    from petriflow.analysis.space.compiled_space import explore_compiled
    from petriflow.net import Net, compile_net

    net = compile_net(Net.build().places("i", "o").transition("t", "i", "o").done())
    graph, _ = explore_compiled(net, [1, 0], 8, 10, None, may_grow=lambda *_: False)
    graph.can_reach([1])
    with contextlib.suppress(OSError):  # that this process ended well tells the same
        _marker().touch()


@lru_cache(maxsize=1)
def _marker() -> Path:
    import hashlib
    import platform
    import tempfile
    from importlib import metadata

    source = Path(__file__).with_name("kernels.py")
    parts = (
        source.read_bytes(), metadata.version("numba").encode(), metadata.version("numpy").encode(),
        sys.version.encode(), platform.processor().encode(), platform.machine().encode(),
        str(source).encode(),
    )  # fmt: skip
    name = f"petriflow-{hashlib.sha256(b'|'.join(parts)).hexdigest()[:16]}.compiled"
    cache = source.with_name("__pycache__")
    try:
        cache.mkdir(exist_ok=True)
        tempfile.TemporaryFile(dir=cache).close()
    except OSError:
        cache = Path(tempfile.gettempdir())
    return cache / name
