"""Many markings in one table, so that one question is put to all of them at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    #: Token counts by place number.
    Vector = NDArray[np.int64]

#: As many tokens as one likes. Sums and differences with real counts are put back to it.
OMEGA = 1 << 62
#: Weights and markings with larger numbers are not for these tables.
LARGEST = 1 << 24


class Antichain:
    """Markings of which none covers another, each with its number, as long as the caller removes
    what a new one makes superfluous.

    Which places are marked is kept as bits besides: that one set lies in another is told of a word
    of 64 places at a time, and only few rows are left to be compared in full.
    """

    def __init__(self, places: int) -> None:
        import numpy as np

        self._rows = np.empty((64, places), np.int64)
        self._support = np.empty((64, max(1, -(-places // 64))), np.uint64)
        self._present = np.zeros(64, np.bool_)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Vector:
        row: Vector = self._rows[number]
        return row

    def at(self, numbers: Iterable[int]) -> Vector:
        """Several markings, one a row."""
        rows: Vector = self._rows[list(numbers)]
        return rows

    def present(self) -> list[int]:
        """The numbers of those that were not removed."""
        return [n for n, there in enumerate(self._present[: self._count].tolist()) if there]

    def __contains__(self, number: int) -> bool:
        return bool(self._present[number])

    def add(self, marking: Vector) -> int:
        """Keep a marking, and say its number."""
        import numpy as np

        if self._count == len(self._rows):
            for name in ("_rows", "_support", "_present"):
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.zeros_like(old)]))
        number = self._count
        self._rows[number], self._support[number] = marking, self._bits(marking)
        self._present[number] = True
        self._count += 1
        return number

    def remove(self, numbers: Iterable[int]) -> None:
        """Take markings out; their numbers and rows can still be looked up."""
        self._present[list(numbers)] = False

    def above(self, marking: Vector) -> list[int]:
        """Those that cover this marking."""
        import numpy as np

        bits, support = self._bits(marking), self._support[: self._count]
        marked = np.flatnonzero(marking)
        candidates = np.flatnonzero(
            self._present[: self._count] & ((support & bits) == bits).all(axis=1)
        )
        held = self._rows[candidates[:, None], marked]
        found: list[int] = candidates[(held >= marking[marked]).all(axis=1)].tolist()
        return found

    def below(self, marking: Vector) -> list[int]:
        """Those that this marking covers."""
        import numpy as np

        free, support = ~self._bits(marking), self._support[: self._count]
        marked = np.flatnonzero(marking)
        candidates = np.flatnonzero(
            self._present[: self._count] & ((support & free) == 0).all(axis=1)
        )
        held = self._rows[candidates[:, None], marked]
        found: list[int] = candidates[(held <= marking[marked]).all(axis=1)].tolist()
        return found

    def _bits(self, marking: Vector) -> NDArray[np.uint64]:
        import numpy as np

        words = np.zeros(self._support.shape[1] * 8, np.uint8)
        packed = np.packbits(marking != 0)
        words[: len(packed)] = packed
        return words.view(np.uint64)
