"""Tensor maps: what is asked of the driver, whose 128 opaque bytes a kernel is given."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

BYTES = 128
ELEMENT_BYTES = {"u8": 1, "f16": 2, "bf16": 2, "f32": 4, "f32.ftz": 4, "tf32": 4, "tf32.ftz": 4, "u32": 4, "f64": 8}
_TYPES = {
    "u8": "UINT8",
    "f16": "FLOAT16",
    "bf16": "BFLOAT16",
    "f32": "FLOAT32",
    "f32.ftz": "FLOAT32_FTZ",
    "tf32": "TFLOAT32",
    "tf32.ftz": "TFLOAT32_FTZ",
    "u32": "UINT32",
    "f64": "FLOAT64",
}
_FILLS = {"zeros": "NONE", "nan": "NAN_REQUEST_ZERO_FMA"}


@dataclass(frozen=True)
class TensorMap:
    """A tiled tensor in a buffer of a job, by its place there, the innermost dimension first.

    strides: bytes, of all dimensions but the first.  elements: strides within the box.  swizzle: bytes, or 0.
    """

    buffer: int
    type: str
    dims: tuple[int, ...]
    box: tuple[int, ...]
    strides: tuple[int, ...]
    elements: tuple[int, ...]
    swizzle: int = 0
    fill: str = "zeros"

    @staticmethod
    def parse(source: str, buffers: list[str]) -> TensorMap:
        """From `tensormap of NAME TYPE dims N,N box N,N`; `strides`, `elements`, `swizzle`, `fill` may follow."""
        _, _, name, kind, *words = source.split()
        given = dict(zip(words[::2], words[1::2], strict=True))
        numbers = {key: tuple(map(int, text.split(","))) for key, text in given.items() if key != "fill"}
        dims = numbers["dims"]
        rows = [math.prod(dims[:place]) * ELEMENT_BYTES[kind] for place in range(1, len(dims))]
        strides, elements = numbers.get("strides", tuple(rows)), numbers.get("elements", (1,) * len(dims))
        (swizzle,), fill = numbers.get("swizzle", (0,)), given.get("fill", "zeros")
        return TensorMap(buffers.index(name), kind, dims, numbers["box"], strides, elements, swizzle, fill)

    @property
    def box_bytes(self) -> int:
        """What one copy leaves in shared memory."""
        counts = [-(-size // step) for size, step in zip(self.box, self.elements, strict=True)]
        return math.prod(counts) * ELEMENT_BYTES[self.type]


def encoded(driver: Any, call: Any, tensor: TensorMap, address: int) -> bytes:
    """The bytes that a driver makes.  driver: its module; call: how one of its functions is called by name."""

    def named(kind: str, prefix: str, name: str) -> Any:
        return getattr(getattr(driver, kind), f"CU_TENSOR_MAP_{prefix}_{name}")

    def words(kind: str, values: tuple[int, ...]) -> list[Any]:
        return [getattr(driver, kind)(value) for value in values]

    found = call(
        "cuTensorMapEncodeTiled",
        named("CUtensorMapDataType", "DATA_TYPE", _TYPES[tensor.type]),
        len(tensor.dims),
        address,
        words("cuuint64_t", tensor.dims),
        words("cuuint64_t", tensor.strides),
        words("cuuint32_t", tensor.box),
        words("cuuint32_t", tensor.elements),
        named("CUtensorMapInterleave", "INTERLEAVE", "NONE"),
        named("CUtensorMapSwizzle", "SWIZZLE", f"{tensor.swizzle}B" if tensor.swizzle else "NONE"),
        named("CUtensorMapL2promotion", "L2_PROMOTION", "NONE"),
        named("CUtensorMapFloatOOBfill", "FLOAT_OOB_FILL", _FILLS[tensor.fill]),
    )
    return b"".join(int(word).to_bytes(8, "little") for word in found.opaque)
