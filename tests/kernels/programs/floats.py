"""Floating point: half, bfloat16, eight bits, single and double precision."""

import math
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from tests.float_oracle import rounded, to_float
from tests.kernels.gpu import Gpu, program, same

Array = np.ndarray[Any, Any]
F16, F32, F64, BF16 = np.float16, np.float32, np.float64, ml_dtypes.bfloat16


def finite(gpu: Gpu, kind: str, count: int) -> Array:
    """Random finite numbers of every size, as bits of the type."""
    unsigned = np.dtype(f"u{2 if kind.endswith('16') else 4 if kind == 'f32' else 8}")
    bits = gpu.bits(4 * count, unsigned)
    with np.errstate(all="ignore"):
        return bits[np.isfinite(to_float(kind, bits).astype(F64))][:count]


def once(kind: str, function: Callable[..., Any], *sources: Array, rnd: str = "rn") -> Array:
    """A function of (context, operands...) rounded once, as bits."""
    return rounded(kind, rnd, function, *(to_float(kind, source) for source in sources))


def nearby(gpu: Gpu, count: int, dtype: Any) -> Array:
    """Numbers between -8 and 8."""
    return ((gpu.random.random(count) - 0.5) * 16).astype(dtype)


@program
def half(gpu: Gpu) -> None:
    a, b, c = (finite(gpu, "f16", 32) for _ in range(3))
    out = gpu.zeros((32, 8), np.uint16)
    gpu.launch("arithmetic", 1, 32, *(gpu.array(x) for x in (a, b, c)), out)
    expected = [
        once("f16", lambda ctx, x, y: ctx.add(x, y), a, b),
        once("f16", lambda ctx, x, y: ctx.sub(x, y), a, b),
        once("f16", lambda ctx, x, y: ctx.mul(x, y), a, b),
        once("f16", lambda ctx, x, y: ctx.div(x, y), a, b),
        once("f16", lambda ctx, x, y, z: ctx.fma(x, y, z), a, b, c),
    ]
    x, y = a.view(F16), b.view(F16)
    expected += [f.view(np.uint16) for f in (np.minimum(x, y), np.maximum(x, y), np.abs(x))]
    same(out, np.stack(expected, axis=1))

    out = gpu.zeros((32, 4, 2), np.uint16)
    p, q = finite(gpu, "f16", 64), finite(gpu, "f16", 64)
    gpu.launch("pairs", 1, 32, gpu.array(p), gpu.array(q), out)
    fused = once("f16", lambda ctx, x, y: ctx.fma(x, y, -y), p, q).reshape(32, 2)
    total = to_float("f16", once("f16", lambda ctx, x, y: ctx.add(x, y), p, q)).reshape(32, 2)
    product = once("f16", lambda ctx, x, y: ctx.mul(x, y), p, q).reshape(32, 2)
    got = out.numpy()
    same(got[:, 0], fused)
    same(got[:, 1].view(F16), np.clip(total, F16(0), F16(1)))
    same(got[:, 2], product[:, ::-1])
    same(got[:, 3], np.stack((p[::2], q[1::2]), axis=1))

    special = np.array([0x7C00, 0xFC00, 0x7E00, 0, 0x8000, 1], np.uint16)
    a = np.append(np.tile(special, 5), a[:2])
    b = np.append(np.repeat(special, 5)[:30], a[:2])
    flags = gpu.zeros(32, np.uint32)
    gpu.launch("compare", 1, 32, gpu.array(a), gpu.array(b), flags)
    x, y = a.view(F16), b.view(F16)
    unordered = np.isnan(x) | np.isnan(y)
    answers = [x < y, x <= y, x == y, (x != y) & ~unordered | unordered, x > y, x >= y, np.isnan(x), np.isinf(x)]
    answers += [(x < y) | unordered, (x != y) | unordered, x >= y, x >= x]
    same(flags, sum(answer.astype(np.uint32) << bit for bit, answer in enumerate(answers)))

    values = ((gpu.random.random(32) - 0.5) * 2000).astype(F16)
    ints, uints = gpu.zeros((32, 4), np.int32), gpu.zeros(32, np.uint32)
    floats, back = gpu.zeros(32, F32), gpu.zeros((32, 4), F16)
    gpu.launch("convert", 1, 32, gpu.array(values), ints, uints, floats, back)
    wide = values.astype(F64)
    same(ints, np.stack([f(wide) for f in (np.rint, np.trunc, np.floor, np.ceil)], axis=1))
    same(uints, np.maximum(np.trunc(wide), 0))
    same(floats, wide)
    scaled = (values.astype(F32) * F32(1.0003)).astype(F64)
    toward_zero = to_float("f16", rounded("f16", "rz", lambda ctx, x: ctx.mul(x, 1), scaled))
    bits = values.view(np.uint16)
    same(back, np.stack((scaled.astype(F16), toward_zero, (np.rint(wide) * 3).astype(F16), bits.astype(F16)), axis=1))

    positive = (gpu.random.random(32) * 6 + 0.1).astype(F16)
    out16 = gpu.zeros((32, 8), F16)
    gpu.launch("functions", 1, 32, gpu.array(positive), out16)
    x = positive.astype(F64)
    functions = np.sqrt(x), 1 / np.sqrt(x), 1 / x, np.exp2(x), np.log2(x), np.floor(x), np.rint(x), np.sin(x)
    same(out16, np.stack(functions, axis=1), rtol=1e-3, atol=1e-3)

    p, q = (gpu.integers(-20, 20, 100, np.int32).astype(F16) for _ in range(2))
    sums = gpu.zeros(1, F32)
    gpu.launch("dot", 1, 32, gpu.array(p), gpu.array(q), sums, 50)
    same(sums, [p.astype(F32) @ q.astype(F32)])

    p = gpu.integers(-9, 9, (64, 2), np.int32).astype(F16)
    pair = gpu.array(np.array([5, -7], F16))
    gpu.launch("sum_pairs", 1, 64, gpu.array(p), pair)
    same(pair, p.sum(axis=0) + np.array([5, -7], F16))


@program
def bfloat(gpu: Gpu) -> None:
    a, b = finite(gpu, "bf16", 32), finite(gpu, "bf16", 32)
    out = gpu.zeros((32, 6), np.uint16)
    gpu.launch("arithmetic", 1, 32, gpu.array(a), gpu.array(b), out)
    fused = once("bf16", lambda ctx, x, y: ctx.fma(x, y, x), a, b)
    if gpu.arch == "sm_75":  # by way of single precision
        first = rounded("f32", "rn", lambda ctx, x, y: ctx.fma(x, y, x), to_float("bf16", a), to_float("bf16", b))
        fused = rounded("bf16", "rn", lambda ctx, x: ctx.mul(x, 1), first.view(F32))
    x, y = to_float("bf16", a), to_float("bf16", b)
    expected = [
        once("bf16", lambda ctx, x, y: ctx.add(x, y), a, b),
        once("bf16", lambda ctx, x, y: ctx.sub(x, y), a, b),
        once("bf16", lambda ctx, x, y: ctx.mul(x, y), a, b),
        fused,
        np.where(x > y, a, b),
        np.where(-x < np.abs(y), a ^ np.uint16(0x8000), b & np.uint16(0x7FFF)),
    ]
    same(out, np.stack(expected, axis=1))

    values = finite(gpu, "f32", 32).view(F32)
    out, pairs = gpu.zeros((32, 4), np.uint16), gpu.zeros((32, 2), np.uint16)
    gpu.launch("round_floats", 1, 32, gpu.array(values), out, pairs)
    modes = [rounded("bf16", mode, lambda ctx, x: ctx.mul(x, 1), values) for mode in ("rn", "rz", "rp", "rm")]
    same(out, np.stack(modes, axis=1))
    with np.errstate(over="ignore"):
        twice = rounded("bf16", "rn", lambda ctx, x: ctx.mul(x, 1), F32(-2) * values)
    same(pairs, np.stack((modes[0], twice), axis=1))

    rows = nearby(gpu, 3 * 128, BF16).reshape(3, 128)
    normed = gpu.zeros(rows.shape, BF16)
    gpu.launch("normalise", 3, 32, gpu.array(rows), normed, 64, 1e-5)
    x = rows.astype(F64)
    mean, variance = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    same(normed, (x - mean) / np.sqrt(variance + 1e-5), rtol=2**-7, atol=1e-6)


@program
def fp8(gpu: Gpu) -> None:
    values = np.append(
        nearby(gpu, 20, F32) * 50,
        np.array([0, -0.0, 1e-3, -(2**-9), 2**-10, 448, 465, 1e5, -1e6, 3e-5, 57344, 61440], F32),
    )
    e4m3, e5m2, unsaturated = (gpu.zeros(32, np.uint8) for _ in range(3))
    gpu.launch("narrow", 1, 32, gpu.array(values.astype(F32)), e4m3, e5m2, unsaturated)
    same(e4m3.numpy().view(ml_dtypes.float8_e4m3fn).astype(F32), clipped(values, 448, ml_dtypes.float8_e4m3fn))
    same(e5m2.numpy().view(ml_dtypes.float8_e5m2).astype(F32), clipped(values, 57344, ml_dtypes.float8_e5m2))
    with np.errstate(over="ignore"):
        same(unsaturated.numpy().view(ml_dtypes.float8_e5m2), values.astype(ml_dtypes.float8_e5m2))

    codes = np.arange(256, dtype=np.uint8)
    a, b = gpu.zeros(256, F32), gpu.zeros(256, F32)
    gpu.launch("widen", 1, 256, gpu.array(codes), gpu.array(codes), a, b)
    same(a, codes.view(ml_dtypes.float8_e4m3fn).astype(F32))
    same(b, codes.view(ml_dtypes.float8_e5m2).astype(F32))

    rows = nearby(gpu, 3 * 128, F32).reshape(3, 128) * F32(100)
    rows[1] *= F32(1e-8)
    packed, scales, back = gpu.zeros(rows.shape, np.uint8), gpu.zeros(3, F32), gpu.zeros(rows.shape, F32)
    gpu.launch("quantise", 3, 32, gpu.array(rows), packed, scales)
    scale = np.maximum(np.abs(rows).max(axis=1), F32(1e-4)) / F32(448)
    same(scales, scale)
    expected = (rows / scale[:, None]).astype(ml_dtypes.float8_e4m3fn)
    same(packed, expected.view(np.uint8))
    gpu.launch("restore", 3, 32, packed, scales, back)
    same(back, expected.astype(F32) * scale[:, None])


def clipped(values: Array, most: float, dtype: Any) -> Array:
    return np.clip(values, -most, most).astype(dtype).astype(F32)


def each(function: Callable[[float], float], x: Array) -> Array:
    return np.array([function(float(v)) for v in x])


@program
def float_math(gpu: Gpu) -> None:
    x32 = np.append(nearby(gpu, 31, F32), F32(0.03125))
    out = gpu.zeros((32, 20), F32)
    gpu.launch("functions", 1, 32, gpu.array(x32), out)
    x = x32.astype(F64)
    m = np.abs(x)
    expected = [np.sin(x), np.cos(x), np.tan(x), np.exp(x), np.log(m + 0.5), m**1.5, np.tanh(x), np.arctan2(x, 2)]
    expected += [np.arcsin(x / 64), np.sinh(x / 8), np.cbrt(x), each(math.erf, x), np.log1p(m), np.exp2(x)]
    expected += [np.hypot(x, 3), np.expm1(x / 4), np.arccosh(m + 1), np.log10(m + 1), np.sin(np.pi * x / 8)]
    expected += [each(math.lgamma, m + 0.5)]
    same(out, np.stack(expected, axis=1), rtol=2e-6, atol=1e-6)

    out = gpu.zeros((32, 8), F32)
    gpu.launch("fast_functions", 1, 32, gpu.array(x32), out)
    expected = [np.sin(x / 16), np.cos(x / 16), np.exp(x / 4), np.log(m + 1), x / 3, (m + 1) ** 0.75]
    expected += [1 / np.sqrt(m + 1), np.clip(x / 10, 0, 1)]
    same(out, np.stack(expected, axis=1), rtol=1e-5, atol=2e-6)

    a, b = (np.append(finite(gpu, "f32", 20), nearby(gpu, 12, F32).view(np.uint32)) for _ in range(2))
    out = gpu.zeros((32, 16), np.uint32)
    gpu.launch("exact", 1, 32, gpu.array(a), gpu.array(b), out)
    same(out.numpy().view(F32), exact_floats(a, b))

    values = np.append(finite(gpu, "f32", 28).view(F32), np.array([np.inf, -np.inf, np.nan, -0.0], F32))
    exponents, fractions = gpu.zeros(32, np.int32), gpu.zeros(32, F32)
    classes, following = gpu.zeros(32, np.uint32), gpu.zeros((32, 3), F32)
    gpu.launch("parts", 1, 32, gpu.array(values), exponents, fractions, classes, following)
    fraction, exponent = np.frexp(values)
    same(fractions, fraction)
    ordinary = np.isfinite(values)
    same(exponents.numpy()[ordinary], exponent[ordinary])
    flags = [np.isnan(values), np.isinf(values), ordinary, np.signbit(values)]
    same(classes, sum(flag.astype(np.uint32) << bit for bit, flag in enumerate(flags)))
    with np.errstate(all="ignore"):
        scaled = np.ldexp(values.astype(F64), -140).astype(F32)
        above = np.where(values < 1, F32(0), values - F32(1))
        same(following, np.stack((np.nextafter(values, F32(np.inf)), scaled, above), axis=1))


def exact_floats(a: Array, b: Array) -> Array:
    x, y = a.view(F32), b.view(F32)
    bits = [
        once("f32", lambda ctx, x, y: ctx.div(x, y), a, b),
        once("f32", lambda ctx, x: ctx.sqrt(abs(x)), a),
        once("f32", lambda ctx, x, y: ctx.fma(x, y, 1), a, b),
        once("f32", lambda ctx, x: ctx.div(1, x), a),
        once("f32", lambda ctx, x, y: ctx.add(x, y), a, b, rnd="rz"),
        once("f32", lambda ctx, x, y: ctx.mul(x, y), a, b, rnd="rp"),
        once("f32", lambda ctx, x, y: ctx.div(x, y), a, b, rnd="rm"),
        once("f32", lambda ctx, x: ctx.sqrt(abs(x)), b, rnd="rp"),
    ]
    mod = np.array([math.fmod(float(u), float(v)) for u, v in zip(x, y, strict=True)], F32)
    rest = np.array([math.remainder(float(u), float(v)) for u, v in zip(x, y, strict=True)], F32)
    half_away = np.trunc(x.astype(F64) + np.copysign(0.5, x)).astype(F32)
    large = np.abs(x) >= 2**23
    values = [
        mod,
        rest,
        np.floor(x),
        np.ceil(x),
        np.trunc(x),
        np.rint(x),
        np.where(large, x, half_away),
        np.copysign(x, y),
    ]
    return np.stack([row.view(F32) for row in bits] + values, axis=1)


@program
def double_math(gpu: Gpu) -> None:
    a, b = (np.append(finite(gpu, "f64", 16), nearby(gpu, 16, F64).view(np.uint64)) for _ in range(2))
    out = gpu.zeros((32, 12), np.uint64)
    gpu.launch("exact", 1, 32, gpu.array(a), gpu.array(b), out)
    x, y = a.view(F64), b.view(F64)
    bits = [
        once("f64", lambda ctx, x, y: ctx.div(x, y), a, b),
        once("f64", lambda ctx, x: ctx.sqrt(abs(x)), a),
        once("f64", lambda ctx, x, y: ctx.fma(x, y, -x), a, b),
        once("f64", lambda ctx, y: ctx.div(1, y), b),
        once("f64", lambda ctx, x, y: ctx.add(x, y), a, b, rnd="rp"),
        once("f64", lambda ctx, x, y: ctx.mul(x, y), a, b, rnd="rz"),
        once("f64", lambda ctx, x, y: ctx.div(x, y), a, b, rnd="rm"),
        once("f64", lambda ctx, y: ctx.sqrt(abs(y)), b, rnd="rz"),
    ]
    mod = np.array([math.fmod(u, v) for u, v in zip(x.tolist(), y.tolist(), strict=True)])
    values = [mod, np.rint(x), np.maximum(x, y), np.trunc(x)]
    same(out.numpy().view(F64), np.stack([row.view(F64) for row in bits] + values, axis=1))

    x = nearby(gpu, 32, F64)
    m = np.abs(x)
    results = gpu.zeros((32, 12), F64)
    gpu.launch("functions", 1, 32, gpu.array(x), results)
    expected = [np.sin(x * 1e5), np.cos(x * 1e5), np.exp(x), np.log(m + 1e-3), m**2.25, np.tan(x), np.arctan(x)]
    expected += [np.cosh(x / 4), each(math.erfc, x), np.cbrt(x), 1 / np.sqrt(m + 1), each(math.gamma, m / 4 + 1)]
    same(results, np.stack(expected, axis=1), rtol=1e-13, atol=1e-14)

    x = nearby(gpu, 32, F64) * np.exp2(gpu.integers(-3, 27, 32, np.int32))
    longs, uints, floats = gpu.zeros((32, 3), np.int64), gpu.zeros((32, 3), np.uint32), gpu.zeros((32, 3), F32)
    gpu.launch("convert", 1, 32, gpu.array(x), longs, uints, floats)
    same(longs, np.stack((np.rint(x), np.trunc(x), np.ceil(x)), axis=1))
    high, low = x.view(np.uint64) >> 32, x.view(np.uint64) & 0xFFFFFFFF
    same(uints, np.stack((np.trunc(np.abs(x)).astype(np.uint32), high, low), axis=1))
    toward_zero = rounded("f32", "rz", lambda ctx, x: ctx.mul(x, 1), x).view(F32)
    same(floats, np.stack((x.astype(F32), toward_zero, (np.rint(x) - x).astype(F32)), axis=1))

    values = nearby(gpu, 160, F32) * F32(1000)
    sums = gpu.zeros(32, F32)
    gpu.launch("kahan", 1, 32, gpu.array(values), sums, 160)
    total, lost = np.zeros(32, F32), np.zeros(32, F32)
    for row in values.reshape(5, 32):
        y = row - lost
        after = total + y
        lost = (after - total) - y
        total = after
    same(sums, total)


@program
def fourier(gpu: Gpu) -> None:
    signal = (gpu.random.random(64) + 1j * gpu.random.random(64)).astype(np.complex64)
    data = gpu.array(signal)
    gpu.launch("transform", 1, 32, data, 6, -1.0)
    same(data.numpy().view(F32), np.fft.fft(signal).astype(np.complex64).view(F32), rtol=1e-5, atol=1e-5)
    gpu.launch("transform", 1, 32, data, 6, 1.0)
    same(data.numpy().view(F32) / 64, signal.view(F32), rtol=1e-5, atol=1e-6)

    width, height, most = 24, 12, 20
    out = gpu.zeros((height, width), np.uint8)
    gpu.launch("mandelbrot", (3, 2), (8, 8), out, width, height, most)
    steps = [[escape(x * 3.0 / width - 2.0, y * 2.0 / height - 1.0, most) for x in range(width)] for y in range(height)]
    same(out, steps)


def escape(re: float, im: float, most: int) -> int:
    x = y = 0.0
    for step in range(most):
        if x * x + y * y > 4:
            return step
        x, y = x * x - y * y + re, 2 * x * y + im
    return most


@program
def fast_math(gpu: Gpu) -> None:
    x32 = np.abs(nearby(gpu, 32, F32)) / 4 + F32(0.1)
    out = gpu.zeros((32, 10), F32)
    gpu.launch("functions", 1, 32, gpu.array(x32), out)
    x = x32.astype(F64)
    expected = [np.sin(x), np.cos(x), np.exp(x), np.log(x), x / 3.7, np.sqrt(x), x**1.25, np.tan(x / 2), 1 / x]
    same(out.numpy()[:, :9], np.stack(expected, axis=1), rtol=2e-5, atol=2e-6)
    same(out.numpy()[:, 9], np.tanh(x), rtol=2**-10.9)

    a, b = (np.append(finite(gpu, "f32", 16), gpu.bits(16, np.uint32) & np.uint32(0x80FFFFFF)) for _ in range(2))
    results = gpu.zeros((32, 5), F32)
    gpu.launch("small", 1, 32, gpu.array(a), gpu.array(b), results)
    x, y = flushed(a.view(F32)), flushed(b.view(F32))
    with np.errstate(all="ignore"):
        fused = rounded("f32", "rn", lambda ctx, x, y: ctx.fma(x, y, x), x, y).view(F32)
        rows = flushed(x + y), flushed(x * y), flushed(fused), x > y, np.maximum(x, y)
    same(results, np.stack(rows, axis=1))

    rows = nearby(gpu, 3 * 80, F32).reshape(3, 80)
    out = gpu.zeros(rows.shape, F32)
    gpu.launch("softmax", 3, 32, gpu.array(rows), out, 80)
    powers = np.exp(rows.astype(F64) - rows.max(axis=1, keepdims=True))
    same(out, powers / powers.sum(axis=1, keepdims=True), rtol=1e-5, atol=1e-9)


def flushed(x: Array) -> Array:
    """Subnormal numbers as zeros."""
    return np.where(np.abs(x) < np.finfo(F32).tiny, np.copysign(F32(0), x), x)
