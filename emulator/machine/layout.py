"""Records of plain bytes that NumPy and native code read alike: a class names the fields, in order.

    class Point(Record):
        x: i64
        flags: u32
        pad: u32

`dtype_of(Point)` is the NumPy dtype.  In a native function (engines/native/scalar.py) `Point(address)` is a record in
memory and `point.x` one of its fields; Python code reads the same bytes as `array[0]["x"]`.
"""

from __future__ import annotations

import ctypes
from typing import Annotated, Any, get_type_hints

import numpy as np
import numpy.typing as npt

u32 = Annotated[int, "<u4"]
i32 = Annotated[int, "<i4"]
u64 = Annotated[int, "<u8"]
i64 = Annotated[int, "<i8"]
Bytes = npt.NDArray[np.uint8]


class Record:
    """A record at an address of the host; only native functions make one."""

    def __init__(self, address: int) -> None:
        self.address = address


_dtypes: dict[type[Record], np.dtype[Any]] = {}


def dtype_of(record: type[Record]) -> np.dtype[Any]:
    """The fields of a record, one behind the other without gaps."""
    if record not in _dtypes:
        hints = get_type_hints(record, include_extras=True)
        _dtypes[record] = np.dtype([(name, hint.__metadata__[0]) for name, hint in hints.items()])
    return _dtypes[record]


def offset_of(record: type[Record], field: str) -> int:
    """The byte offset of a field."""
    fields = dtype_of(record).fields
    assert fields is not None
    return int(fields[field][1])


def size_of(record: type[Record]) -> int:
    """The bytes of a record."""
    return int(dtype_of(record).itemsize)


def aligned_zeros(size: int, alignment: int = 64) -> Bytes:
    """Zeroed bytes at a multiple of an alignment, as native code loads them."""
    raw = np.zeros(size + alignment, dtype=np.uint8)
    start = -raw.ctypes.data % alignment
    return raw[start : start + size]


def bytes_at(address: int, size: int) -> Bytes:
    """A view of bytes of the host whose owner somebody else keeps."""
    return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))


def word_at(address: int) -> ctypes.c_uint64:
    """Eight bytes of the host, to be read and written as `.value`."""
    return ctypes.c_uint64.from_address(address)
