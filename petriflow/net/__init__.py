"""Floor 0: nets, markings and the one firing rule."""

from petriflow.net.compiled import CompiledNet, compile_net
from petriflow.net.firing import enabled, fire, is_enabled, obstacles, replay
from petriflow.net.marking import Marking
from petriflow.net.net import Net, NetBuilder, Origin, Place, Transition, require_net

__all__ = [
    "CompiledNet",
    "Marking",
    "Net",
    "NetBuilder",
    "Origin",
    "Place",
    "Transition",
    "compile_net",
    "enabled",
    "fire",
    "is_enabled",
    "obstacles",
    "replay",
    "require_net",
]
