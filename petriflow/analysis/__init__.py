"""Floor 4: verdicts, with witnesses."""

from petriflow.analysis.notions import Notions
from petriflow.analysis.recursion import endless
from petriflow.analysis.report import Report, Witness
from petriflow.analysis.soundness import verify
from petriflow.analysis.state_space import StateSpace, explore
from petriflow.analysis.structure import Cluster, Structure, structure

__all__ = [
    "Cluster",
    "Notions",
    "Report",
    "StateSpace",
    "Structure",
    "Witness",
    "endless",
    "explore",
    "structure",
    "verify",
]
