"""Two arrays that should be equal: by bits, by ULPs, by classes of NaN, and within a declared tolerance."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emulator.arguments import type_name_of
from emulator.crosscheck.job import EXACT, Array, Tolerance

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Compared:
    """What a comparison found.  Counts of elements; `excluded` may differ by nature and count nowhere else.

    differ: other bits.  nans: NaN on both sides with other bits, a part of differ.  beyond: not within the tolerance.
    furthest: the largest distance in ULPs (of integers, the largest difference), None if a NaN stands against a number.
    first: flat index of the first element that is beyond the tolerance, or that differs at all.
    """

    name: str
    ours: Array
    theirs: Array
    tolerance: Tolerance
    differ: int
    nans: int
    beyond: int
    excluded: int
    furthest: int | None
    first: int | None

    @property
    def equal(self) -> bool:
        """Whether all bits are equal, but for what is excluded."""
        return self.differ == 0

    @property
    def ok(self) -> bool:
        """Whether the declared tolerance holds."""
        return self.beyond == 0

    @property
    def index(self) -> tuple[int, ...] | None:
        """The index of the first difference."""
        if self.first is None:
            return None
        return tuple(int(n) for n in np.unravel_index(self.first, self.ours.shape))

    def describe(self) -> str:
        """`f32[16, 2]`."""
        return f"{type_name_of(self.ours.dtype)}{list(self.ours.shape)}"


def bits_of(array: Array) -> npt.NDArray[Any]:
    """The elements as unsigned integers, flat; elements of other sizes as bytes."""
    flat = np.ascontiguousarray(array).reshape(-1)
    return flat.view(f"u{flat.itemsize}" if flat.itemsize in (1, 2, 4, 8) else np.uint8)


def is_float(dtype: np.dtype[Any]) -> bool:
    """Whether elements are floats, those of ml_dtypes among them."""
    return dtype.kind == "f" or dtype.name.startswith(("bfloat", "float"))


def nan_mask(array: Array) -> Mask:
    """Which elements are NaN, flat."""
    if not is_float(array.dtype):
        return np.zeros(array.size, np.bool_)
    with np.errstate(invalid="ignore"):
        found: Mask = np.isnan(np.ascontiguousarray(array).reshape(-1).astype(np.float64))
    return found


def ulp_distance(ours: Array, theirs: Array) -> npt.NDArray[np.uint64]:
    """How many floats lie between two, flat; of integers the difference; 0 between NaNs.

    Where a NaN stands against a number there is no distance: `is_torn`.
    """
    if not is_float(ours.dtype):
        high, low = np.maximum(ours, theirs).reshape(-1), np.minimum(ours, theirs).reshape(-1)
        return high.astype(np.uint64) - low.astype(np.uint64)
    (one, below), (other, under) = _magnitude(ours), _magnitude(theirs)
    distance: npt.NDArray[np.uint64] = np.where(
        below == under, np.maximum(one, other) - np.minimum(one, other), one + other
    )
    distance[nan_mask(ours) | nan_mask(theirs)] = 0
    return distance


def is_torn(ours: Array, theirs: Array) -> Mask:
    """Where one is a NaN and the other is a number, flat."""
    return nan_mask(ours) ^ nan_mask(theirs)


def _magnitude(array: Array) -> tuple[npt.NDArray[np.uint64], Mask]:
    """Bits of floats without the sign, which are in the order of the floats, and whether they are negative."""
    bits, width = bits_of(array).astype(np.uint64), 8 * array.itemsize
    return bits & np.uint64((1 << width - 1) - 1), bits >> np.uint64(width - 1) != 0


def within(ours: Array, theirs: Array, tolerance: Tolerance) -> Mask:
    """Which elements are as close as declared, flat; with a tolerance any NaN matches any other."""
    if tolerance.is_exact or not is_float(ours.dtype):
        return np.asarray(bits_of(ours) == bits_of(theirs))
    x, y = (array.reshape(-1).astype(np.float64) for array in (ours, theirs))
    return np.isclose(x, y, rtol=tolerance.rtol, atol=tolerance.atol, equal_nan=True)


def compare(
    name: str, ours: Array, theirs: Array, tolerance: Tolerance = EXACT, excluded: Mask | None = None
) -> Compared:
    """Compare what the emulator left in a buffer with what the other machine left there."""
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        raise ValueError(f"{name}: {ours.dtype}{ours.shape} against {theirs.dtype}{theirs.shape}")
    kept = np.ones(ours.size, np.bool_) if excluded is None else ~excluded
    differ = _elementwise(bits_of(ours) != bits_of(theirs), ours.size) & kept
    beyond = ~_elementwise(within(ours, theirs, tolerance), ours.size, every=True) & kept
    nans = differ & nan_mask(ours) & nan_mask(theirs)
    torn = bool((is_torn(ours, theirs) & differ).any())
    furthest = None if torn else int(ulp_distance(ours, theirs)[differ].max(initial=0))
    found = beyond if beyond.any() else differ
    first = int(found.argmax()) if found.any() else None
    counts = (int(differ.sum()), int(nans.sum()), int(beyond.sum()), int((~kept).sum()))
    return Compared(name, ours, theirs, tolerance, *counts, furthest, first)


PRINTED = "printed lines"


def compare_printed(ours: str, theirs: str) -> Compared:
    """How often each line was printed; the order of lines is a matter of chance."""
    counts = Counter(ours.splitlines()), Counter(theirs.splitlines())
    lines = sorted(counts[0] | counts[1])
    mine, other = (np.array([count[line] for line in lines], np.int64) for count in counts)
    return compare(PRINTED, mine, other)


def only_one_printed(ours: str, theirs: str) -> tuple[list[str], list[str]]:
    """Lines that only one machine printed, or that it printed more often."""
    one, other = Counter(ours.splitlines()), Counter(theirs.splitlines())
    return sorted((one - other).elements()), sorted((other - one).elements())


def _elementwise(flags: Mask, size: int, *, every: bool = False) -> Mask:
    """Flags of bytes as flags of elements, for elements that are larger than 8 bytes."""
    if len(flags) == size or size == 0:
        return flags
    rows = flags.reshape(size, -1)
    found: Mask = (np.all if every else np.any)(rows, axis=1)
    return found
