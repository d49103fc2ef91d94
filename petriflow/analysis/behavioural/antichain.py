"""Many markings in one table, so that one question is put to all of them at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    #: Token counts by place number.
    Vector = NDArray[np.int64]
    T = TypeVar("T", bound=np.generic)

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
        self._support = [np.zeros(64, np.uint64) for _ in range(-(-places // 64))]
        self._present = np.zeros(64, np.bool_)
        self._number: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._number)

    def __getitem__(self, number: int) -> Vector:
        row: Vector = self._rows[number]
        return row

    def at(self, numbers: Iterable[int]) -> Vector:
        """Several markings, one a row."""
        rows: Vector = self._rows[list(numbers)]
        return rows

    def present(self) -> list[int]:
        """The numbers of those that were not removed."""
        import numpy as np

        found: list[int] = np.flatnonzero(self._present).tolist()
        return found

    def __contains__(self, number: int) -> bool:
        return bool(self._present[number])

    def add(self, marking: Vector) -> int:
        """Keep a marking that was never kept before, and say its number."""
        number = len(self._number)
        if number == len(self._rows):
            self._rows = _doubled(self._rows)
            self._support = [_doubled(word) for word in self._support]
            self._present = _doubled(self._present)
        self._rows[number] = marking
        for word, bits in zip(self._support, _bits(marking), strict=True):
            word[number] = bits
        self._present[number] = True
        self._number[marking.tobytes()] = number
        return number

    def remove(self, numbers: Iterable[int]) -> None:
        """Take markings out; their numbers and rows can still be looked up."""
        self._present[list(numbers)] = False

    def above(self, marking: Vector) -> list[int]:
        """Those that cover this marking."""
        return self._compared(marking, above=True)

    def below(self, marking: Vector) -> list[int]:
        """Those that this marking covers."""
        return self._compared(marking, above=False)

    def _compared(self, marking: Vector, above: bool) -> list[int]:
        import numpy as np

        number = self._number.get(marking.tobytes())
        if number is not None and self._present[number]:
            return [number]  # no other covers it, or is covered by it
        count = len(self._number)
        there = self._present[:count].copy()
        for word, bits in zip(self._support, _bits(marking), strict=True):
            held = word[:count]
            there &= (held & bits) == (bits if above else held)
        candidates, marked = np.flatnonzero(there), np.flatnonzero(marking)
        rows = self._rows[candidates[:, None], marked]
        fits = rows >= marking[marked] if above else rows <= marking[marked]
        found: list[int] = candidates[fits.all(axis=1)].tolist()
        return found


def _bits(marking: Vector) -> NDArray[np.uint64]:
    """Which places are marked, 64 in a word."""
    import numpy as np

    packed = np.packbits(marking != 0)
    words = np.zeros(-(-len(packed) // 8) * 8, np.uint8)
    words[: len(packed)] = packed
    return words.view(np.uint64)


def _doubled(array: NDArray[T]) -> NDArray[T]:
    import numpy as np

    return np.concatenate([array, np.zeros_like(array)])
