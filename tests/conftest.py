"""What every test may rely on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent

# Child processes (the command line, an engine that will be killed) import the same checkout as the
# tests do, from whatever folder they run in.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
)
# No window, and no display needed, when a test draws.
os.environ["MPLBACKEND"] = "agg"

# `ci` gives the same examples every time, so that a red run is about the change and not about
# luck. `HYPOTHESIS_PROFILE=search pytest -k …` looks for new ones.
settings.register_profile("ci", derandomize=True, print_blob=True, max_examples=60, deadline=None)
settings.register_profile("search", print_blob=True, max_examples=5_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of nets that nobody here wrote, with known answers."""
    folder = os.environ.get("PETRIFLOW_CORPORA")
    if not folder:
        pytest.skip("PETRIFLOW_CORPORA does not name the folder of corpora")
    return Path(folder)
