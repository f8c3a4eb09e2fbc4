"""The text of a kernel argument: `f32[1024]=random`, `s32=7`, `@file.npy`.

    TYPE[SHAPE] = FILL      an array; without FILL it is zero
    TYPE = NUMBER           a scalar
    @FILE.npy               the array of a NumPy file

TYPE is a PTX type: u8 to u64, s8 to s64, f16, bf16, f32, f64, b8 to b64, e4m3, e5m2. FILL is one of
    zeros   ones   NUMBER   [NUMBER, ...]   @FILE.npy
    arange   arange(start, step)
    random          standard normal for floats, uniform over the whole range for integers
    random(low, high)       uniform: floats below high, integers up to and including high
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from emulator.errors import Diagnostic, Label, Source, Span, UsageError

Array = NDArray[Any]
_INTEGERS = {
    f"{kind}{width}": f"{'int' if kind == 's' else 'uint'}{width}" for kind in "usb" for width in (8, 16, 32, 64)
}
_FLOATS = {"f16": "float16", "f32": "float32", "f64": "float64"}
_ML_DTYPES = {"bf16": "bfloat16", "e4m3": "float8_e4m3fn", "e5m2": "float8_e5m2"}
TYPE_NAMES = (*_INTEGERS, *_FLOATS, *_ML_DTYPES)
FILLS = "zeros, ones, arange, arange(start, step), random, random(low, high), a number, [1, 2, 3] or @file.npy"

_SPEC = re.compile(
    r"\s*(?:(?P<type>[A-Za-z]\w*)\s*(?P<shape>\[[^\]]*\])?\s*(?:=\s*(?P<fill>.*?))?|(?P<file>@.*?))\s*", re.DOTALL
)
LARGEST = 16 << 30  # bytes of an array: the memory of a system that names no other limit
_CALL = re.compile(r"(?P<name>zeros|ones|arange|random)\s*(?:\((?P<arguments>[^()]*)\))?")
_PARAMETERS = {"zeros": (0,), "ones": (0,), "arange": (0, 2), "random": (0, 2)}


class Folder(Protocol):
    """Where @file.npy is looked for: a Path, or a folder of importlib.resources."""

    def joinpath(self, name: str, /) -> Any:
        """The file of that name; it has open("rb")."""


def dtype_of(type_name: str) -> np.dtype[Any]:
    """The NumPy dtype of a PTX type's name; KeyError if arrays of it cannot be made."""
    if type_name in _ML_DTYPES:
        import ml_dtypes

        scalar: type[Any] = getattr(ml_dtypes, _ML_DTYPES[type_name])
        return np.dtype(scalar)
    return np.dtype((_INTEGERS | _FLOATS)[type_name])


def type_name_of(dtype: np.dtype[Any]) -> str:
    """The PTX type whose arrays have a dtype; NumPy's own name where there is none."""
    names = {
        numpy: ptx
        for ptx, numpy in (_FLOATS | _ML_DTYPES | _INTEGERS).items()
        if not ptx.startswith("b") or ptx == "bf16"
    }
    return names.get(dtype.name, dtype.name)


@dataclass(frozen=True)
class Spec:
    """A parsed SPEC. type is "" where only a file is named; shape is None for a scalar."""

    text: str
    type: str
    shape: tuple[int, ...] | None
    fill: str
    where: str = "argument"

    def value(self, seed: int = 0, name: str = "", folder: Folder | None = None) -> Any:
        """The array, or the NumPy scalar. The same seed and name give the same random numbers."""
        if self.fill.startswith("@"):
            return self._from_file(folder or Path())
        dtype = dtype_of(self.type)
        if self.shape is None:
            return self._numbers([self.fill], dtype)[0]
        if self.fill.startswith("["):
            return self._from_list(dtype, self.shape)
        match = _CALL.fullmatch(self.fill)
        if match is None:
            return np.full(self.shape, self._numbers([self.fill], dtype)[0], dtype)
        return self._from_call(match, dtype, self.shape, seed, name)

    def _from_list(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
        if not self.fill.endswith("]"):
            self._refuse("the list has no closing ]", self.fill)
        items = [item.strip() for item in self.fill[1:-1].split(",")]
        values = self._numbers([item for item in items if item] if items == [""] else items, dtype)
        if len(values) != math.prod(shape):
            self._refuse(f"{len(values)} numbers for {math.prod(shape)} elements", self.fill)
        return values.reshape(shape)

    def _from_call(
        self, match: re.Match[str], dtype: np.dtype[Any], shape: tuple[int, ...], seed: int, name: str
    ) -> Array:
        fill, text = match["name"], match["arguments"]
        texts = [part.strip() for part in text.split(",")] if text is not None and text.strip() else []
        if len(texts) not in _PARAMETERS[fill] or (text is not None and not texts):
            allowed = " or ".join(("no brackets", "two numbers in brackets")[count // 2] for count in _PARAMETERS[fill])
            self._refuse(f"{fill} takes {allowed}", self.fill)
        if fill in ("zeros", "ones"):
            return np.full(shape, fill == "ones", np.uint8).astype(dtype)
        is_integer = self.type in _INTEGERS
        numbers = [self._number(text, is_integer) for text in texts]
        if fill == "arange":
            return self._arange(dtype, shape, *(numbers or (0, 1)))
        random = np.random.default_rng([seed, zlib.crc32(name.encode())])
        if not numbers and not is_integer:
            return random.standard_normal(shape).astype(dtype)
        low, high = numbers or (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if low > high:
            self._refuse(f"{low} is more than {high}", self.fill)
        if is_integer:
            self._check_range(dtype, low, high)
            return random.integers(low, high, shape, dtype, endpoint=True)
        return random.uniform(low, high, shape).astype(dtype)

    def _arange(self, dtype: np.dtype[Any], shape: tuple[int, ...], start: Any, step: Any) -> Array:
        count = math.prod(shape)
        if self.type not in _INTEGERS:
            return _rounded([start + step * i for i in range(count)], dtype).reshape(shape)
        self._check_range(dtype, start, start + step * max(count - 1, 0))
        return np.array([start + step * i for i in range(count)], dtype).reshape(shape)

    def _check_range(self, dtype: np.dtype[Any], *values: int) -> None:
        limits = np.iinfo(dtype)
        for value in values:
            if not limits.min <= value <= limits.max:
                self._refuse(f"{value} does not fit {self.type}: {limits.min} to {limits.max}", self.fill)

    def _from_file(self, folder: Folder) -> Array:
        name = self.fill[1:].strip()
        array = _load(folder, name, lambda why: self._refuse(why, self.fill))
        if not self.type:
            return array
        dtype = dtype_of(self.type)
        if array.dtype.kind == "V" and array.dtype.itemsize == dtype.itemsize:
            array = array.view(dtype)  # .npy files do not know bf16 and fp8: they hold their bytes
        if array.dtype != dtype:
            self._refuse(f"{name} holds {array.dtype}, not {dtype}", self.fill)
        if array.shape != self.shape:
            self._refuse(f"{name} has the shape {list(array.shape)}", self.text.partition("=")[0].strip())
        return array

    def _numbers(self, texts: list[str], dtype: np.dtype[Any]) -> Array:
        is_integer = self.type in _INTEGERS
        values = [self._number(text, is_integer) for text in texts]
        if is_integer:
            self._check_range(dtype, *values)
            return np.array(values, dtype)
        return _rounded(values, dtype)

    def _number(self, text: str, is_integer: bool) -> Any:
        try:
            return int(text, 0) if is_integer or text.lower().startswith("0x") else float(text)
        except ValueError:
            if is_integer and _is_float(text):
                self._refuse(f"{text} is not a whole number", text)
            self._refuse(f"{text!r} is neither a number nor a way to fill an array", text, f"FILL is {FILLS}")

    def _refuse(self, message: str, part: str, help: str = "") -> NoReturn:
        raise spec_error(self.where, self.text, message, part, help)


def spec_error(where: str, text: str, message: str, part: str, help: str = "") -> UsageError:
    """PTX-L0103 with a caret under a part of the SPEC's text."""
    start = max(text.find(part), 0) if part else 0
    label = Label(Span(start, start + max(len(part), 1)))
    return UsageError(Diagnostic("PTX-L0103", "usage", message, Source(text, where), (label,), help=help))


def parse_spec(text: str, where: str = "argument") -> Spec:
    """A SPEC from its text; where names it in error messages, such as `--arg x`. Raises UsageError (PTX-L0103)."""
    match = _SPEC.fullmatch(text)
    if match is None:
        help = "examples: f32[1024]=random, s32=7, @file.npy"
        raise spec_error(where, text, "this is not TYPE[SHAPE]=FILL, TYPE=NUMBER or @FILE", text.strip(), help)
    if match["file"]:
        return Spec(text, "", None, match["file"], where)
    type_name = match["type"]
    if type_name not in TYPE_NAMES:
        raise spec_error(
            where, text, f"no type {type_name!r} for arguments", type_name, "one of " + " ".join(TYPE_NAMES)
        )
    fill = match["fill"]
    if match["shape"] is None:
        if not fill:
            raise spec_error(
                where, text, "a scalar needs a value", text.strip(), f"{type_name}=1, or an array: {type_name}[1]"
            )
        return Spec(text, type_name, None, fill, where)
    if fill == "":
        raise spec_error(where, text, "nothing stands after the =", text.strip(), f"FILL is {FILLS}")
    shape = _shape(text, match["shape"], where)
    size = math.prod(shape) * dtype_of(type_name).itemsize
    if size > LARGEST:
        raise spec_error(where, text, f"{size:,} bytes, {LARGEST:,} at most", match["shape"])
    return Spec(text, type_name, shape, fill or "zeros", where)


def _shape(text: str, brackets: str, where: str) -> tuple[int, ...]:
    try:
        shape = tuple(int(part) for part in brackets[1:-1].split(","))
    except ValueError:
        shape = (-1,)
    if min(shape) < 0:
        raise spec_error(where, text, f"{brackets} is not a shape", brackets, "sizes between commas, such as [4, 256]")
    return shape


def _rounded(values: list[Any], dtype: np.dtype[Any]) -> Array:
    """Numbers as floats of a dtype; what is too large becomes infinity, or NaN where there is none."""
    with np.errstate(over="ignore"):
        return np.array(values, np.float64).astype(dtype)


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _load(folder: Folder, name: str, refuse: Callable[[str], NoReturn]) -> Array:
    """The array of a .npy file; pickled objects are refused."""
    try:
        file: IO[bytes] = folder.joinpath(name).open("rb")
    except OSError as error:
        refuse(f"cannot read {name}: {error.strerror or error}")
    with file:
        try:
            array = np.load(file, allow_pickle=False)
        except (ValueError, EOFError) as error:
            refuse(f"{name} is not a .npy file: {str(error).partition('. ')[0]}")  # what follows is for programmers
    if not isinstance(array, np.ndarray):
        refuse(f"{name} holds several arrays; a .npy file with one is needed")
    return array
