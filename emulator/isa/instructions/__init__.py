"""The instructions, one file a chapter of the manual's section 9.7, same titles.

Importing this package fills the registry.
"""

from emulator.isa.instructions import (  # noqa: F401
    comparison_selection,
    data_movement,
    integer_arithmetic,
    logic_shift,
)
