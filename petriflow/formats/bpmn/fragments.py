"""Fragments without what can never happen."""

from __future__ import annotations

from dataclasses import replace

from petriflow.net import Marking
from petriflow.patterns.fragment import Fragment


def pruned(fragment: Fragment) -> tuple[Fragment, tuple[str, ...]]:
    """The fragment without what nothing can ever come to, such as what follows a sub-process that
    only ends when it is interrupted; and the ids of the transitions that were left out.
    """
    net, gone = fragment.net, set[str]()
    transitions = list(net.transitions)
    while True:
        fed = {p for t in transitions for p in t.produce} | {fragment.entry, fragment.exit}
        kept = []
        for t in transitions:
            if t.join == "or" and any(p in fed for p in t.consume):
                t = replace(t, consume=Marking(p for p in t.consume if p in fed))
            if all(p in fed for p in (*t.consume, *t.read)):
                kept.append(t)
        if kept == transitions:
            break
        gone |= {t.id for t in transitions} - {t.id for t in kept}
        transitions = kept
    if not gone and all(p.id in fed for p in net.places):
        return fragment, ()
    transitions = [
        replace(t, reset=t.reset & fed, cancels=t.cancels - gone, inhibitor=_only(t.inhibitor, fed))
        for t in transitions
    ]
    places = tuple(p for p in net.places if p.id in fed)
    return replace(
        fragment,
        net=replace(net, places=places, transitions=tuple(transitions)),
        tasks={id: task for id, task in fragment.tasks.items() if id not in gone},
        triggers={id: trigger for id, trigger in fragment.triggers.items() if id not in gone},
        choices=tuple(c for c in fragment.choices if c.selectors[0].transition not in gone),
        regions=tuple(
            replace(r, places=tuple(p for p in r.places if p in fed))
            for r in fragment.regions
            if r.transition not in gone
        ),
    ), tuple(sorted(gone))


def _only(weights: Marking, places: set[str]) -> Marking:
    return Marking({p: n for p, n in weights.items() if p in places})
