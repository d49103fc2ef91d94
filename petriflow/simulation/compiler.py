"""The compiled form of the kernel, and whether it can be had without waiting.

Compiling takes seconds, and numba keeps the result on disk. So nobody waits: until it is there a
simulation goes on in plain Python while another process compiles, and then takes its state over.
A marker file, named after all that the result depends on, says that it is there. This module does
not import numba.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import lru_cache
from importlib import util
from pathlib import Path
from threading import Lock
from types import FunctionType
from typing import TYPE_CHECKING, Any

from petriflow.net.errors import SpeedNote
from petriflow.simulation import heaps, kernel, layout, queues

if TYPE_CHECKING:
    import subprocess

_warming: subprocess.Popen[bytes] | None = None
_loading = Lock()
_loaded: Callable[..., int] | None = None


def loaded() -> bool:
    """Whether this process has the compiled loop already."""
    return _loaded is not None


def ready() -> bool:
    """Whether the loop is compiled; if not, begin to compile it, in another process."""
    global _warming
    if loaded():
        return True
    if util.find_spec("numba") is None:
        warnings.warn(
            "numba is not installed, so large simulations run in plain Python", SpeedNote, 2
        )
        return False
    if marker().exists():
        return True
    if _warming is None:
        import subprocess

        _warming = subprocess.Popen(
            [sys.executable, "-c", "from petriflow.simulation.warming import warm; warm()"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    return _warming.poll() == 0


def advance() -> Callable[..., int]:
    """The compiled `kernel.advance`; loading it from numba's cache takes a moment."""
    global _loaded
    with _loading:
        if _loaded is None:
            from numba import njit

            # The functions are compiled in a namespace of their own, where each finds the compiled
            # form of those that it calls.
            names = {**vars(layout), **vars(kernel)}
            for function in kernel.FUNCTIONS:
                own = FunctionType(function.__code__, names, function.__name__)
                own.__module__ = function.__module__
                names[function.__name__] = njit(
                    cache=True, nogil=True, _nrt=False, forceinline=function is not kernel.advance
                )(own)
            _loaded = names["advance"]
    return _loaded


@lru_cache(maxsize=1)
def marker() -> Path:
    """The file that says that the loop is compiled."""
    import hashlib
    import platform
    import tempfile
    from importlib import metadata

    source = Path(kernel.__file__)
    texts = [Path(str(m.__file__)).read_bytes() for m in (heaps, kernel, layout, queues)]
    parts = (
        *texts, metadata.version("numba").encode(), metadata.version("numpy").encode(),
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


def as_array(values: Any, kind: Any = None) -> Any:
    """A list of the kernel's as an array; its kind is told by its values where it has some."""
    import numpy as np

    if values and isinstance(values[0], list):
        width = max(map(len, values))
        rows = np.zeros((len(values), width))
        for row, given in zip(rows, values, strict=True):
            row[: len(given)] = given
        return rows
    if kind is None:
        kind = np.float64 if any(isinstance(v, float) for v in values) else np.int64
    return np.array(values, kind)
