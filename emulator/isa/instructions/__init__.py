"""The instructions, one file a chapter of the manual's section 9.7, same titles.

Importing this package fills the registry.
"""

from emulator.isa.instructions import (  # noqa: F401
    async_copy,
    atomics,
    barriers,
    cache_hints,
    comparison_selection,
    control_flow,
    conversion,
    conversion_packed,
    data_movement,
    extended_precision,
    floating_point,
    floating_point_functions,
    half_precision,
    integer_arithmetic,
    integer_bits,
    load_store,
    logic_shift,
    mbarrier,
    memory_order,
    miscellaneous,
    mixed_precision,
    multimem,
    stack,
    video,
    video_simd,
    warp_ops,
)
