"""A matrix turned over through shared memory, while int16 becomes float32; and one of bytes."""

import triton
import triton.language as tl

SIGNATURE = {
    "a": "*i16",
    "b": "*fp32",
    "c": "*i8",
    "d": "*i8",
    "rows": "i32",
    "columns": "i32",
    "TILE": "constexpr",
}
CONSTANTS = {"TILE": 32}
ALIGNED = ("a", "b", "c", "d", "rows", "columns")


@triton.jit
def transpose_convert(a, b, c, d, rows, columns, TILE: tl.constexpr):
    """Tile (tl.program_id(1), tl.program_id(0)); both are read along their rows and written along their rows."""
    row = tl.program_id(1) * TILE + tl.arange(0, TILE)
    column = tl.program_id(0) * TILE + tl.arange(0, TILE)
    source = row[:, None] * columns + column[None, :]
    target = column[:, None] * rows + row[None, :]
    inside = (row < rows)[:, None] & (column < columns)[None, :]
    tl.store(b + target, tl.trans(tl.load(a + source, mask=inside)).to(tl.float32), mask=tl.trans(inside))
    tl.store(d + target, tl.trans(tl.load(c + source, mask=inside)), mask=tl.trans(inside))
