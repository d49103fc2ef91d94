"""How a case ends: Implicit and Explicit Termination (WCP-11, WCP-43)."""

from __future__ import annotations

from petriflow.patterns.compose import Composer
from petriflow.patterns.fragment import Binding, Block, Fragment, Region


def implicit_termination(*branches: Fragment | Binding, name: str | None = None) -> Fragment:
    """Branches that each end by themselves; the whole ends when none has anything left to do
    (WCP-11 Implicit Termination).

    Args:
        branches: at least one fragment, task or function.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: no branch, or two different branches of one name.
    """
    composer = Composer("implicit_termination", name)
    entry, exit = composer.place("in"), composer.place("out")
    placed = composer.add_all(branches)
    split = composer.silent("split", entry, [b.entry for b in placed])
    end = composer.silent("end", [b.exit for b in placed], exit)
    paths = tuple(b.path for b in placed)
    composer.blocks.append(Block(composer.root, frozenset([split]), frozenset([end]), paths))
    return composer.finish(entry, exit)


def explicit_termination(
    first: Fragment | Binding, *others: Fragment | Binding, name: str | None = None
) -> Fragment:
    """Branches side by side; when the first has ended, the others are withdrawn, and that is a
    success (WCP-43 Explicit Termination).

    Args:
        first: the branch whose end is the end.
        others: the branches that are withdrawn then, running tasks and all.
        name: the segment that stands for the block in the ids of its nodes.

    Raises:
        CompositionError: two different branches of one name.
    """
    composer = Composer("explicit_termination", name)
    entry, exit = composer.place("in"), composer.place("out")
    main, *rest = composer.add_all((first, *others))
    split = composer.silent("split", entry, [main.entry, *(b.entry for b in rest)])
    region = Region("", tuple(b.path for b in rest))
    end = composer.silent("end", main.exit, exit, cancels=region)
    paths = (main.path, *(b.path for b in rest))
    composer.blocks.append(Block(composer.root, frozenset([split]), frozenset([end]), paths))
    return composer.finish(entry, exit)
