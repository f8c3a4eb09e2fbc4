"""What float operations must give: MPFR, which rounds once in every mode, over operands full of edge cases."""

import gmpy2
import numpy as np

MODES = {"rn": gmpy2.RoundToNearest, "rz": gmpy2.RoundToZero, "rm": gmpy2.RoundDown, "rp": gmpy2.RoundUp}
CONTEXTS = {  # precision, emin, emax as MPFR counts them
    "f16": (11, -23, 16),
    "bf16": (8, -132, 128),
    "f32": (24, -148, 128),
    "f64": (53, -1073, 1024),
}
NAN = {"f16": 0x7FFF, "bf16": 0x7FFF, "f32": 0x7FFFFFFF, "f64": 0xFFF8000000000000}
FIELDS = {"f16": (5, 10), "bf16": (8, 7), "f32": (8, 23), "f64": (11, 52)}
SETS = 1024


def seed(*words: str) -> int:
    """A number that follows from a test's parameters."""
    return sum(ord(letter) * 31**place for place, letter in enumerate("".join(words))) % 2**31


def to_float(kind: str, bits: np.ndarray) -> np.ndarray:
    """Bits as floats of the type; bf16 as f32, which holds it."""
    if kind == "bf16":
        return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return bits.view(f"f{bits.itemsize}")


def to_bits(kind: str, row: np.ndarray) -> np.ndarray:
    """The inverse of to_float."""
    if kind == "bf16":
        return (row.view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    return row.view(f"u{row.itemsize}")


def operands(kind: str, count: int, start: int) -> list[np.ndarray]:
    """Random bits, close exponents, short significands, cancellation, and every pair of edge values."""
    exponent_bits, fraction_bits = FIELDS[kind]
    width = 1 + exponent_bits + fraction_bits
    random = np.random.default_rng(start)
    one, top = 1 << fraction_bits, (1 << exponent_bits) - 1
    bias = top >> 1
    positive = [0, 1, 2, one - 1, one, one + 1, bias * one - 1, bias * one, bias * one + 1, (bias + 1) * one]
    positive += [top * one - 1, top * one, top * one + 1, top * one + one // 2, (bias // 2) * one + 3]
    positive += [(bias + fraction_bits + 1) * one]
    edges = np.array(positive + [bits | 1 << (width - 1) for bits in positive], np.uint64)
    rows = []
    for index in range(count):
        bits = random.integers(0, 2**64 - 1, 2 * SETS, np.uint64, endpoint=True) & np.uint64((1 << width) - 1)
        near = random.integers(bias - 3, bias + 4, SETS).astype(np.uint64) << np.uint64(fraction_bits)
        keep = np.uint64((one - 1) | 1 << (width - 1))
        bits[SETS:] = (bits[SETS:] & keep) | near
        bits[SETS::3] &= ~np.uint64(one // 8 - 1)
        pairs = np.repeat(edges, len(edges)) if index == 0 else np.tile(edges, len(edges))
        if index == 2:
            pairs = random.permutation(pairs)
        rows.append(to_float(kind, np.concatenate((bits, pairs)).astype(f"u{width // 8}")))
    rows[-1][: SETS // 4] = -rows[0][: SETS // 4]
    if count == 3:
        with np.errstate(all="ignore"):
            product = rows[0] * rows[1]
            product = to_float(kind, to_bits(kind, product))
            rows[2][SETS : 3 * SETS // 2] = -product[SETS : 3 * SETS // 2]
    return rows


def rounded(kind: str, rnd: str, function, *sources: np.ndarray) -> np.ndarray:
    """The bits of a function of (gmpy2 context, operands...), rounded once; NaN canonical, f64 keeps the first one."""
    exact = [[gmpy2.mpfr(x, 64) for x in row.tolist()] for row in sources]  # before the context rounds them
    precision, emin, emax = CONTEXTS[kind]
    with gmpy2.context(precision=precision, emin=emin, emax=emax, subnormalize=True, round=MODES[rnd]) as current:
        results = [float(function(current, *arguments)) for arguments in zip(*exact, strict=True)]
    row = np.array(results)
    with np.errstate(over="ignore"):
        row = row.astype(np.float32 if kind == "bf16" else f"f{CONTAINERS[kind]}")
    return canonical(kind, row, *sources)


CONTAINERS = {"f16": 2, "bf16": 2, "f32": 4, "f64": 8}


def canonical(kind: str, row: np.ndarray, *sources: np.ndarray) -> np.ndarray:
    """The bits of results in which NaN stands as the hardware writes it."""
    bits = to_bits(kind, row).copy()
    bits[np.isnan(row)] = NAN[kind]
    for source in reversed(sources if kind == "f64" else ()):
        if source.dtype == np.float64:
            bits[np.isnan(source)] = source.view(np.uint64)[np.isnan(source)] | np.uint64(1 << 51)
    return bits


def flushed(kind: str, row: np.ndarray) -> np.ndarray:
    """Floats with subnormal numbers as zeros of their sign."""
    least = np.float64(2.0) ** (2 - (1 << FIELDS[kind][0] - 1))
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(row.astype(np.float64)) < least, np.copysign(np.zeros_like(row), row), row)


def saturated(kind: str, row: np.ndarray) -> np.ndarray:
    """Floats clamped to [0, 1]; +0 for NaN and -0."""
    with np.errstate(invalid="ignore"):
        return np.where(row > 0, np.minimum(row, row.dtype.type(1)), row.dtype.type(0))


def differences(opcode: str, got: np.ndarray, expected: np.ndarray, *sources: np.ndarray) -> str:
    """The first lanes in which bits differ, for messages; empty if none do."""
    wrong = np.flatnonzero(got != expected)[:3]
    lines = []
    for lane in wrong:
        inputs = ", ".join(hex(int(source.view(f"u{source.itemsize}")[lane])) for source in sources)
        lines.append(f"{opcode} {inputs} -> {int(got[lane]):#x}, expected {int(expected[lane]):#x}")
    return "\n".join(lines)
