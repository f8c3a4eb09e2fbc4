"""What native code needs in the block of a CTA: contexts, and rows for constants and special registers.

The template of a launch holds all of it that is the same in every CTA; the rows that differ are listed for native code.
That of a program's last launch serves the next one, too, if that only has other arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from emulator.engines.native.context import CONTEXT
from emulator.engines.native.cta_life import CLUSTER_CTAID, CLUSTERID, CTAID, RANK, SHARED, SMID
from emulator.engines.native.records import ConstantRow, NativeProgram
from emulator.engines.reference.operands import constant_row
from emulator.machine import memory as m
from emulator.machine.cta import Cta
from emulator.machine.layout import Bytes
from emulator.machine.warp import CONTEXT_BYTES, HEADER_BYTES, Warp
from emulator.program.operands import Special, Symbol
from emulator.ptx_types import Dim3

if TYPE_CHECKING:
    from emulator.engines.native.engine import NativeEngine
    from emulator.machine.grid import Grid

WITHOUT_CLUSTERS = {"ctaid": CTAID, "clusterid": CTAID, "smid": SMID}
IN_CLUSTERS = {
    "ctaid": CTAID, "clusterid": CLUSTERID, "cluster_ctaid": CLUSTER_CTAID, "smid": SMID, "cluster_ctarank": RANK,
}  # fmt: skip
NO_ROW = -1


@dataclass
class FirstCta:
    """Stands for the CTAs of a launch while its template is made."""

    grid: Grid
    index: Dim3 = Dim3(0, 0, 0)
    sm: int = 0
    rank: int = 0
    linear: int = 0


@dataclass
class Kept:
    """The template of a program's last launch, and which of its rows differ; key: what both depend on."""

    key: tuple[Any, ...]
    template: Bytes
    rows: npt.NDArray[np.int64]


def complete_template(engine: NativeEngine, grid: Grid) -> None:
    """Have the template of a launch with contexts and rows, and tell native code what is where."""
    native, layout = engine.program(grid.program), grid.layout
    numbered = any(isinstance(row.place, Special) and row.place.name == "gridid" for row in native.constants.values())
    key = (grid.config, grid.device, grid.workspace, grid.number if numbered else 0, tuple(grid.symbols.items()))
    kept = engine.templates.get(native)
    if kept is None or kept.key != key:
        rows = _add_rows(engine, grid, native)
        kept = engine.templates[native] = Kept(key, grid.template, rows)
    else:
        grid.copy_template(kept.template)
        contexts = np.ndarray(layout.warps, CONTEXT, grid.template, layout.warps_at, layout.warp_bytes)
        contexts["params"] = grid.parameters.ctypes.data
    grid.rows = kept.rows
    fields = grid.fields
    fields["template"], fields["rows"] = grid.template.ctypes.data, grid.rows.ctypes.data
    fields["row_count"] = len(grid.rows)
    fields["shared_bytes"] = -(-layout.shared_bytes // 64) * 64
    for name in ("barrier_bytes", "shared_at", "warps_at", "warp_bytes", "warps", "register_bytes", "zero_bytes"):
        fields[name] = getattr(layout, name)
    fields["block_bytes"], fields["local_at"] = layout.size, layout.local_at
    fields["local_bytes"] = 32 * layout.stack_bytes


def _add_rows(engine: NativeEngine, grid: Grid, native: NativeProgram) -> npt.NDArray[np.int64]:
    """Add contexts and rows to a template; the rows that differ between CTAs."""
    layout = grid.layout
    first: Any = FirstCta(grid)
    varying = []
    for index in range(layout.warps):
        start = layout.warps_at + index * layout.warp_bytes
        raw = grid.template[start : start + layout.warp_bytes]
        warp = Warp(first, index, raw, layout)
        _fill_context(engine, warp, native, index)
        for row in native.constants.values():
            if index and row.level != "warp":
                _copy_row(grid, row, index)
            else:
                _fill_row(engine, warp, row)
            if not index and (source := _source(row, grid)) != NO_ROW:
                first_lane = _row_at(grid.template, layout.warps_at, row, row.type.bytes)
                addend = int.from_bytes(first_lane.tobytes(), "little") if source == SHARED else 0
                varying.append((row.offset, row.type.bytes, source, addend))
    return np.array(varying, np.int64).reshape(-1, 4)


def complete_block(engine: NativeEngine, cta: Cta) -> None:
    """Addresses and rows of a block that Python has copied from the template."""
    rows = [row for row in engine.program(cta.grid.program).constants.values() if row.level == "cta"]
    for warp in cta.warps:
        context = warp.context[: CONTEXT.itemsize].view(CONTEXT)
        context["shared"], context["local"] = cta.shared.ctypes.data, warp.local.ctypes.data
        context["block"] = cta.block.ctypes.data
        context["shared_origin"] = (cta.rank << m.CLUSTER_SHIFT) + m.SHARED_BASE
        for row in rows:
            _fill_row(engine, warp, row)


def _fill_context(engine: NativeEngine, warp: Warp, native: NativeProgram, index: int) -> None:
    grid = warp.cta.grid
    context = warp.context[: CONTEXT.itemsize].view(CONTEXT)
    context["shared_size"], context["shared_origin"] = grid.layout.shared_bytes, m.SHARED_BASE
    context["stack_bytes"] = warp.stack_bytes
    context["calls_at"], context["call_bytes"] = grid.layout.calls_at, grid.layout.call_bytes
    context["params"], context["param_size"] = grid.parameters.ctypes.data, len(grid.parameters)
    context["globals"], context["map"] = engine.run_address, native.map.ctypes.data
    context["originals"] = native.originals.ctypes.data - native.records.ctypes.data
    context["joins"], context["count"], context["index"] = native.joins.ctypes.data, len(native.map) - 1, index


def _source(row: ConstantRow, grid: Grid) -> int:
    """Which of the numbers of a CTA a row holds; NO_ROW if it is the same in all of them."""
    place = row.place
    if isinstance(place, Symbol):
        return SHARED if row.level == "cta" and grid.cluster_size > 1 else NO_ROW
    if not isinstance(place, Special) or place.component > 2:
        return NO_ROW
    first = (WITHOUT_CLUSTERS if grid.cluster_size == 1 else IN_CLUSTERS).get(place.name, NO_ROW)
    return first + place.component if first in (CTAID, CLUSTERID, CLUSTER_CTAID) else first


def _fill_row(engine: NativeEngine, warp: Warp, row: ConstantRow) -> None:
    engine.row_ops.bind(warp, 0, warp.cta.grid.program.instructions[0])
    data = np.ascontiguousarray(constant_row(engine.row_ops, row.place, row.type)).view(np.uint8).ravel()
    warp.rows[row.offset : row.offset + len(data)] = data


def _copy_row(grid: Grid, row: ConstantRow, index: int) -> None:
    """A row of the template's first warp for another one."""
    layout, size = grid.layout, 32 * row.type.bytes
    first = _row_at(grid.template, layout.warps_at, row, size)
    _row_at(grid.template, layout.warps_at + index * layout.warp_bytes, row, size)[:] = first


def _row_at(template: Bytes, warp: int, row: ConstantRow, size: int) -> Bytes:
    start = warp + CONTEXT_BYTES + HEADER_BYTES + row.offset
    return template[start : start + size]
