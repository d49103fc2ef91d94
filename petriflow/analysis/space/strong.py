"""The strongly connected components of a state space, and those that are never left again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from petriflow.analysis.space.graph import Graph

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]


class _Rows(Protocol):
    """How both forms of `Graph` hold their edges."""

    start: Numbers
    target: Numbers
    by: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class StrongComponents:
    """The states' components, by number, and the edges, in the order of their sources.

    A component is `closed` if no edge leaves it, and all its edges are known.
    """

    source: Numbers
    target: Numbers
    by: Numbers
    of: Numbers
    closed: NDArray[np.bool_]

    def inside(self) -> NDArray[np.bool_]:
        """Which edges lie in a component, so that they can be gone again and again."""
        return cast("NDArray[np.bool_]", self.of[self.source] == self.of[self.target])

    def first_edges(self) -> dict[int, int]:
        """For each transition that fires, the first state in which it does."""
        import numpy as np

        by, at = np.unique(self.by, return_index=True)
        return dict(zip(by.tolist(), self.source[at].tolist(), strict=True))

    def members(self, component: int) -> list[int]:
        """The states of a component, those found first at the beginning."""
        import numpy as np

        found: list[int] = np.flatnonzero(self.of == component).tolist()
        return found

    def entrances(self) -> list[int]:
        """The first state of each closed component, in order."""
        import numpy as np

        _, first = np.unique(self.of, return_index=True)
        found: list[int] = np.sort(first[self.closed]).tolist()
        return found


def strong_components(graph: Graph) -> StrongComponents:
    """The components of what was explored, which must have kept its edges."""
    import numpy as np
    from scipy.sparse import csr_array  # type: ignore[import-untyped]
    from scipy.sparse.csgraph import connected_components  # type: ignore[import-untyped]

    rows = cast("_Rows", graph)
    start, target, by = (np.asarray(part) for part in (rows.start, rows.target, rows.by))
    start = np.concatenate([start, np.full(graph.count + 1 - len(start), start[-1])])
    ones = np.ones(len(target), np.int8)
    matrix = csr_array((ones, target, start), shape=(graph.count, graph.count))
    count, of = connected_components(matrix, connection="strong")
    source = np.repeat(np.arange(graph.count), np.diff(start))
    closed = np.ones(count, np.bool_)
    closed[of[source[of[source] != of[target]]]] = False
    closed[of[graph.expanded :]] = False
    return StrongComponents(source, target, by, of, closed)
