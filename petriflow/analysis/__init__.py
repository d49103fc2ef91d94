"""Floor 4: verdicts, with witnesses.

The names are loaded when they are first used, since a verdict needs few of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from petriflow.analysis.behavioural.alignment import (
        Alignment,
        Conformance,
        Deviation,
        conformance,
    )
    from petriflow.analysis.behavioural.backward import Covering, cover
    from petriflow.analysis.behavioural.coverability import CoverabilityGraph, coverability_graph
    from petriflow.analysis.behavioural.liveness import (
        HomeMarkings,
        Liveness,
        QuasiLiveness,
        home_markings,
        liveness,
        quasi_live,
        reversible,
    )
    from petriflow.analysis.behavioural.properties import (
        Bounds,
        Deadlocks,
        Finding,
        bounds,
        deadlocks,
        is_safe,
        reachability_graph,
    )
    from petriflow.analysis.checking.check import Checked, check_certificate
    from petriflow.analysis.diagnosis.cause import Diagnosis
    from petriflow.analysis.diagnosis.diagnose import diagnose
    from petriflow.analysis.guards.feasibility import Feasibility, feasible
    from petriflow.analysis.guards.prove import GuardReport, prove_guards
    from petriflow.analysis.queries.logic import Answer, Trail, ask
    from petriflow.analysis.soundness.blocks import BlockTree, blocks
    from petriflow.analysis.soundness.free_choice import FreeChoice, free_choice
    from petriflow.analysis.soundness.generalised import (
        Decision,
        all_notions,
        generalised_sound,
        structurally_sound,
        up_to_k_sound,
    )
    from petriflow.analysis.soundness.ladder import verify
    from petriflow.analysis.soundness.notions import Notions
    from petriflow.analysis.soundness.recursion import endless
    from petriflow.analysis.soundness.report import Report, Witness
    from petriflow.analysis.space.state_space import StateSpace, explore
    from petriflow.analysis.structural.components import Component, Components, s_components
    from petriflow.analysis.structural.invariants import (
        Invariant,
        Invariants,
        place_invariants,
        transition_invariants,
    )
    from petriflow.analysis.structural.linear import StateEquation, state_equation
    from petriflow.analysis.structural.short_circuit import short_circuit
    from petriflow.analysis.structural.siphons import (
        PlaceSets,
        Standstill,
        dry_siphon,
        largest_siphon,
        largest_trap,
        siphons,
        standstill,
        traps,
    )
    from petriflow.analysis.structural.structure import Cluster, Structure, structure

__all__ = [
    "Alignment",
    "Answer",
    "BlockTree",
    "Bounds",
    "Checked",
    "Cluster",
    "Component",
    "Components",
    "Conformance",
    "CoverabilityGraph",
    "Covering",
    "Deadlocks",
    "Decision",
    "Deviation",
    "Diagnosis",
    "Feasibility",
    "Finding",
    "FreeChoice",
    "GuardReport",
    "HomeMarkings",
    "Invariant",
    "Invariants",
    "Liveness",
    "Notions",
    "PlaceSets",
    "QuasiLiveness",
    "Report",
    "Standstill",
    "StateEquation",
    "StateSpace",
    "Structure",
    "Trail",
    "Witness",
    "all_notions",
    "ask",
    "blocks",
    "bounds",
    "check_certificate",
    "conformance",
    "cover",
    "coverability_graph",
    "deadlocks",
    "diagnose",
    "dry_siphon",
    "endless",
    "explore",
    "feasible",
    "free_choice",
    "generalised_sound",
    "home_markings",
    "is_safe",
    "largest_siphon",
    "largest_trap",
    "liveness",
    "place_invariants",
    "prove_guards",
    "quasi_live",
    "reachability_graph",
    "reversible",
    "s_components",
    "short_circuit",
    "siphons",
    "standstill",
    "state_equation",
    "structurally_sound",
    "structure",
    "transition_invariants",
    "traps",
    "up_to_k_sound",
    "verify",
]

#: where each public name lives
_HOME = {
    "Covering": "behavioural.backward",
    "cover": "behavioural.backward",
    "CoverabilityGraph": "behavioural.coverability",
    "coverability_graph": "behavioural.coverability",
    "HomeMarkings": "behavioural.liveness",
    "Liveness": "behavioural.liveness",
    "QuasiLiveness": "behavioural.liveness",
    "home_markings": "behavioural.liveness",
    "liveness": "behavioural.liveness",
    "quasi_live": "behavioural.liveness",
    "reversible": "behavioural.liveness",
    "Bounds": "behavioural.properties",
    "Deadlocks": "behavioural.properties",
    "Finding": "behavioural.properties",
    "bounds": "behavioural.properties",
    "deadlocks": "behavioural.properties",
    "is_safe": "behavioural.properties",
    "reachability_graph": "behavioural.properties",
    "Alignment": "behavioural.alignment",
    "Conformance": "behavioural.alignment",
    "Deviation": "behavioural.alignment",
    "conformance": "behavioural.alignment",
    "Checked": "checking.check",
    "check_certificate": "checking.check",
    "Diagnosis": "diagnosis.cause",
    "diagnose": "diagnosis.diagnose",
    "Feasibility": "guards.feasibility",
    "feasible": "guards.feasibility",
    "GuardReport": "guards.prove",
    "prove_guards": "guards.prove",
    "Answer": "queries.logic",
    "Trail": "queries.logic",
    "ask": "queries.logic",
    "BlockTree": "soundness.blocks",
    "blocks": "soundness.blocks",
    "FreeChoice": "soundness.free_choice",
    "free_choice": "soundness.free_choice",
    "Decision": "soundness.generalised",
    "all_notions": "soundness.generalised",
    "generalised_sound": "soundness.generalised",
    "structurally_sound": "soundness.generalised",
    "up_to_k_sound": "soundness.generalised",
    "verify": "soundness.ladder",
    "Notions": "soundness.notions",
    "endless": "soundness.recursion",
    "Report": "soundness.report",
    "Witness": "soundness.report",
    "StateSpace": "space.state_space",
    "explore": "space.state_space",
    "Cluster": "structural.structure",
    "Structure": "structural.structure",
    "structure": "structural.structure",
    "Component": "structural.components",
    "Components": "structural.components",
    "s_components": "structural.components",
    "Invariant": "structural.invariants",
    "Invariants": "structural.invariants",
    "place_invariants": "structural.invariants",
    "transition_invariants": "structural.invariants",
    "StateEquation": "structural.linear",
    "state_equation": "structural.linear",
    "short_circuit": "structural.short_circuit",
    "PlaceSets": "structural.siphons",
    "Standstill": "structural.siphons",
    "dry_siphon": "structural.siphons",
    "largest_siphon": "structural.siphons",
    "largest_trap": "structural.siphons",
    "siphons": "structural.siphons",
    "standstill": "structural.siphons",
    "traps": "structural.siphons",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'petriflow.analysis' has no attribute {name!r}")
    return getattr(import_module(f"petriflow.analysis.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
