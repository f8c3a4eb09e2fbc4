"""The host sides of the compiled sources: inputs, launches, and what NumPy says must come out."""

from tests.kernels.gpu import PROGRAMS
from tests.kernels.programs import (
    algorithms,
    bytes,
    floats,
    groups,
    integers,
    language,
    matrices,
    memory,
    reductions,
    scans,
    sorting,
)

__all__ = [
    "PROGRAMS",
    "algorithms",
    "bytes",
    "floats",
    "groups",
    "integers",
    "language",
    "matrices",
    "memory",
    "reductions",
    "scans",
    "sorting",
]
