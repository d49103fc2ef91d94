"""Floor 1: workflow patterns as fragments of nets, and how fragments compose."""

from petriflow.patterns.basic import exclusive_choice, parallel, sequence
from petriflow.patterns.branching import Alternative, multi_choice, when
from petriflow.patterns.fragment import Fragment, Port, skip
from petriflow.patterns.iteration import structured_loop
from petriflow.patterns.synchronization import discriminator

__all__ = [
    "Alternative",
    "Fragment",
    "Port",
    "discriminator",
    "exclusive_choice",
    "multi_choice",
    "parallel",
    "sequence",
    "skip",
    "structured_loop",
    "when",
]
