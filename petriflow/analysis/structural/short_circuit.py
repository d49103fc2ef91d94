"""The short-circuited net: what ends begins again."""

from __future__ import annotations

from dataclasses import replace

from petriflow.net import Marking, Net, Transition, require_net


def short_circuit(net: Net) -> Net:
    """The workflow net with one more silent transition, from the sink to the source.

    A workflow net is sound just if this net is live and bounded (van der Aalst 1997). The new
    transition is called `again`, with a number if there is such a node.

    Raises:
        WorkflowNetError: the net has no source or sink, or several.

    >>> net = Net.build("door").places("i", "o").transition("open", "i", "o").done()
    >>> [t.id for t in short_circuit(net).transitions]
    ['open', 'again']
    """
    require_net(net, "short_circuit")
    source, sink = Marking(net.source.id), Marking(net.sink.id)
    id = next(
        id
        for n in range(len(net.places) + len(net.transitions) + 1)
        if (id := f"again {n + 1}" if n else "again") not in net
    )
    return replace(
        net,
        transitions=(*net.transitions, Transition(id, None, sink, source)),
        initial=source,
        final=sink,
    )
