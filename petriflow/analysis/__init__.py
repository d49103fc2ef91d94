"""Floor 4: verdicts, with witnesses."""

from petriflow.analysis.recursion import endless
from petriflow.analysis.report import Report, Witness
from petriflow.analysis.soundness import verify
from petriflow.analysis.state_space import StateSpace, explore

__all__ = ["Report", "StateSpace", "Witness", "endless", "explore", "verify"]
