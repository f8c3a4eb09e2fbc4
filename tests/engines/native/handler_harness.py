"""Runs single native handlers on rows in memory, beside the reference's lane operations."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from emulator.engines.native.compiler import LoadedCode, compile_object
from emulator.engines.native.context import CONTEXT, HEADER
from emulator.engines.native.handlers import RECORD_BYTES, HandlerKey, Shape, key_modifiers
from emulator.engines.native.library import library
from emulator.engines.native.modules import module_text
from emulator.isa.registry import Variant
from emulator.isa.signature import OperandSpec
from emulator.machine.warp import HEADER_BYTES
from tests.isa.examples import results_of, sources_of
from tests.isa.test_every_variant import elements

FINISHED = 7
STOP = f"define i32 @stop(ptr %ip, ptr %regs, ptr %ctx, i32 %mask) {{\n  ret i32 {FINISHED}\n}}\n"
LIVE = HEADER["live"]
HANDLER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32)
UNTOUCHED = 0x5A
ROWS = 32 * 1024
BATCH = 40


def key_of(variant: Variant) -> HandlerKey:
    """The key of a variant whose registers have the widths of its operands."""

    def shape(spec: OperandSpec) -> Shape:
        kind = variant.operand_type(spec)
        assert kind is not None
        count = elements(variant, spec)
        width = 1 if kind.kind == "p" else max(8, kind.width)
        return Shape(kind, (width,) * (count or 1), "elements" if count else "one")

    results = tuple(shape(spec) for spec in results_of(variant))
    line = variant.entry.signature.line
    return HandlerKey(variant.opcode, line, key_modifiers(variant), results, tuple(map(shape, sources_of(variant))))


@dataclass
class Compiled:
    """Handlers by (variant's number, mode), and the code that must stay alive."""

    modules: list[LoadedCode]
    addresses: dict[tuple[int, str], int]
    stop: int


def compile_handlers(variants: list[Variant], modes: Iterable[str], features: str | None = None) -> Compiled:
    """Compile every variant in every mode, in batches."""
    functions = [(f"h{n}_{mode}", v, key_of(v), mode) for n, v in enumerate(variants) for mode in modes]
    compiled = Compiled([], {}, 0)
    for start in range(0, len(functions), BATCH):
        part = functions[start : start + BATCH]
        library()  # the functions that handlers call
        module = LoadedCode(compile_object(module_text(part, features) + STOP, features), features)
        compiled.modules.append(module)
        compiled.stop = module.address("stop")
        for name, _, _, mode in part:
            compiled.addresses[int(name[1:].partition("_")[0]), mode] = module.address(name)
    return compiled


def aligned(size: int) -> np.ndarray:
    """Zeroed bytes at a multiple of 64."""
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size]


def row_bytes(width: int) -> int:
    """The bytes of a row, padded as in a warp."""
    return -(-32 * max(1, width // 8) // 32) * 32


def run_handler(address: int, stop: int, key: HandlerKey, inputs: list[Any], mask: int) -> list[list[np.ndarray]]:
    """The bytes of every result register after one handler: a list of rows a result."""
    state, offsets, at = aligned(HEADER_BYTES + ROWS), [], 0
    regs = state[HEADER_BYTES:]
    state[LIVE : LIVE + 4].view(np.uint32)[0] = mask
    places: list[list[tuple[int, int]]] = []
    for shape in key.results:
        assert shape is not None
        places.append([])
        for width in shape.widths:
            size = row_bytes(width)
            regs[at : at + size] = UNTOUCHED if width > 1 else 0
            places[-1].append((at, 32 * max(1, width // 8)))
            offsets.append(at)
            at += size
    for given in inputs:
        for value in given if isinstance(given, list) else [given]:
            raw = np.ascontiguousarray(value.data).view(np.uint8).ravel()
            regs[at : at + len(raw)] = raw
            offsets.append(at)
            at += -(-len(raw) // 32) * 32
    records = aligned(2 * RECORD_BYTES)
    side = np.array(offsets, np.int32)
    if len(offsets) <= 6:
        records[16 : 16 + 4 * len(offsets)].view(np.int32)[:] = offsets
    else:
        records[16:24].view(np.uint64)[0] = side.ctypes.data
    records[RECORD_BYTES : RECORD_BYTES + 16].view(np.uint64)[:] = stop
    context = aligned(CONTEXT.itemsize)
    assert HANDLER(address)(records.ctypes.data, regs.ctypes.data, context.ctypes.data, mask) == FINISHED
    return [[regs[start : start + size].copy() for start, size in group] for group in places]
