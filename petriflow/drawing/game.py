"""`TokenGame`: a way through a net that one can go on, take back and go over again.

It is what the notebook's widget and the terminal's `petriflow play` have in common: what may fire
and what a firing does is asked of `net/firing.py` alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from petriflow.net import Marking, Net
from petriflow.net.errors import NotEnabled
from petriflow.net.firing import enabled, fire, replay


class TokenGame:
    """A trace, the markings along it, and a position on it.

    Args:
        net: the net to play.
        trace: transitions to play back; the game stands at their beginning.
        initial: where to begin; by default the net's initial marking.

    Raises:
        WorkflowNetError: the net has no initial marking and no single source.
        NotEnabled: the trace is not possible.

    >>> net = Net.build().places("i", "o").transition("t", "i", "o").done()
    >>> game = TokenGame(net)
    >>> game.enabled
    ('t',)
    >>> game.fire("t").marking
    Marking('[o]')
    >>> game.undo().marking
    Marking('[i]')
    """

    def __init__(self, net: Net, trace: Iterable[str] = (), initial: Marking | None = None) -> None:
        self.net = net
        self.given = tuple(trace)
        self.trace = self.given
        self.position = 0
        self._markings = list(replay(net, self.given, initial))

    @property
    def marking(self) -> Marking:
        """The tokens at the position."""
        return self._markings[self.position]

    @property
    def enabled(self) -> tuple[str, ...]:
        """The transitions that can fire at the position."""
        return tuple(t.id for t in enabled(self.net, self.marking))

    @property
    def last(self) -> str | None:
        """The transition that led to the position."""
        return self.trace[self.position - 1] if self.position else None

    def fire(self, transition: str) -> TokenGame:
        """Fire a transition; what had been taken back is forgotten, unless it was the same step.

        Raises:
            NotEnabled: it cannot fire now.
            NetError: the net has no such transition.
        """
        after = fire(self.net.transition(transition), self.marking, self.net)
        if self.trace[self.position : self.position + 1] != (transition,):
            self.trace = (*self.trace[: self.position], transition)
            self._markings = [*self._markings[: self.position + 1], after]
        self.position += 1
        return self

    def undo(self) -> TokenGame:
        """Take the last step back; at the beginning nothing happens."""
        return self.seek(self.position - 1)

    def seek(self, position: int) -> TokenGame:
        """Go to after so many steps of the trace, or as near as there is one."""
        self.position = max(0, min(position, len(self.trace)))
        return self

    def reset(self) -> TokenGame:
        """Begin again, with the trace that was given."""
        if self.trace != self.given:
            self.trace = self.given
            self._markings = list(replay(self.net, self.given, self._markings[0]))
        return self.seek(0)

    def meant(self, node: str, home: dict[str, str] | None = None) -> str:
        """The enabled transition that a drawn node stands for: itself, a half of a task, or one
        of a folded block. What is under way is completed before the same is started again.

        Raises:
            NotEnabled: none of it can fire now.
        """
        now = self.enabled
        for candidate in (node, f"{node}.complete", f"{node}.start"):
            if candidate in now:
                return candidate
        for candidate in now:
            if (home or {}).get(candidate.removesuffix(".start").removesuffix(".complete")) == node:
                return candidate
        raise NotEnabled(f"{node!r} cannot fire in {self.marking}")
