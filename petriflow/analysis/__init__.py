"""Floor 4: verdicts, with witnesses."""

from petriflow.analysis.backward import Covering, cover
from petriflow.analysis.blocks import BlockTree, blocks
from petriflow.analysis.check import Checked, check_certificate
from petriflow.analysis.coverability import CoverabilityGraph, coverability_graph
from petriflow.analysis.diagnosis import Diagnosis, diagnose
from petriflow.analysis.free_choice import FreeChoice, free_choice
from petriflow.analysis.generalised import (
    Decision,
    all_notions,
    generalised_sound,
    structurally_sound,
    up_to_k_sound,
)
from petriflow.analysis.logic import Answer, Trail, ask
from petriflow.analysis.notions import Notions
from petriflow.analysis.recursion import endless
from petriflow.analysis.report import Report, Witness
from petriflow.analysis.soundness import verify
from petriflow.analysis.state_space import StateSpace, explore
from petriflow.analysis.structure import Cluster, Structure, structure

__all__ = [
    "Answer",
    "BlockTree",
    "Checked",
    "Cluster",
    "CoverabilityGraph",
    "Covering",
    "Decision",
    "Diagnosis",
    "FreeChoice",
    "Notions",
    "Report",
    "StateSpace",
    "Structure",
    "Trail",
    "Witness",
    "all_notions",
    "ask",
    "blocks",
    "check_certificate",
    "cover",
    "coverability_graph",
    "diagnose",
    "endless",
    "explore",
    "free_choice",
    "generalised_sound",
    "structurally_sound",
    "structure",
    "up_to_k_sound",
    "verify",
]
