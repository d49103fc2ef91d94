"""Floor 1: workflow patterns as fragments of nets, and how fragments compose."""

from petriflow.patterns.basic import exclusive_choice, parallel, sequence
from petriflow.patterns.branching import (
    Alternative,
    exclusive_split,
    multi_choice,
    multi_split,
    parallel_split,
    thread_split,
    when,
)
from petriflow.patterns.cancellation import cancel_case, cancel_region, cancellable
from petriflow.patterns.fragment import Event, Fragment, Port, Timer, skip
from petriflow.patterns.free_form import arbitrary_cycles
from petriflow.patterns.iteration import recursion, structured_loop
from petriflow.patterns.joins import (
    generalised_join,
    multi_merge,
    simple_merge,
    synchronization,
    synchronizing_merge,
    thread_merge,
)
from petriflow.patterns.links import during, holding, linked, region, stage, withdraw
from petriflow.patterns.multiple_instance import (
    cancel_instances,
    complete_instances,
    detached_instances,
    growing_instances,
    multiple_instances,
)
from petriflow.patterns.partial_join import blocking_discriminator, discriminator
from petriflow.patterns.state_based import (
    critical_section,
    deferred_choice,
    interleaved_parallel_routing,
    interleaved_routing,
    milestone,
)
from petriflow.patterns.synchronizing import all_of, one_of, some_of, synchronizing_graph
from petriflow.patterns.termination import explicit_termination, implicit_termination
from petriflow.patterns.trigger import event, persistent_trigger, timer, transient_trigger

__all__ = [
    "Alternative",
    "Event",
    "Fragment",
    "Port",
    "Timer",
    "all_of",
    "arbitrary_cycles",
    "blocking_discriminator",
    "cancel_case",
    "cancel_instances",
    "cancel_region",
    "cancellable",
    "complete_instances",
    "critical_section",
    "deferred_choice",
    "detached_instances",
    "discriminator",
    "during",
    "event",
    "exclusive_choice",
    "exclusive_split",
    "explicit_termination",
    "generalised_join",
    "growing_instances",
    "holding",
    "implicit_termination",
    "interleaved_parallel_routing",
    "interleaved_routing",
    "linked",
    "milestone",
    "multi_choice",
    "multi_merge",
    "multi_split",
    "multiple_instances",
    "one_of",
    "parallel",
    "parallel_split",
    "persistent_trigger",
    "recursion",
    "region",
    "sequence",
    "simple_merge",
    "skip",
    "some_of",
    "stage",
    "structured_loop",
    "synchronization",
    "synchronizing_graph",
    "synchronizing_merge",
    "thread_merge",
    "thread_split",
    "timer",
    "transient_trigger",
    "when",
    "withdraw",
]
