"""The instructions, one file a chapter of the manual's section 9.7, same titles.

Importing this package fills the registry.
"""

from emulator.isa.instructions import (  # noqa: F401
    comparison_selection,
    data_movement,
    extended_precision,
    integer_arithmetic,
    integer_bits,
    logic_shift,
    warp_ops,
)
