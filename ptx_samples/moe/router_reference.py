"""What the router's kernels must give, in NumPy, bit for bit.

The kernel uses only operations that IEEE 754 defines to the last bit: float32 add, multiply, divide and fma. So this
reference makes the same choice of experts on every machine, and its weights are equal, not merely close.
"""

from __future__ import annotations

import numpy as np

EXPERTS, GROUPS, KEPT_GROUPS, CHOSEN, SCALE = 256, 8, 4, 8, 2.5

Arrays = dict[str, np.ndarray]


def expected(inputs: Arrays) -> Arrays:
    """indices s32[tokens, 8] and weights f32[tokens, 8] from logits f32[tokens, 256] and bias f32[256].

    Ties go to the lowest index (a stable sort of the negated values), for groups and for experts.
    """
    scores = sigmoid(inputs["logits"])
    choices = scores + inputs["bias"]
    groups = choices.reshape(-1, GROUPS, EXPERTS // GROUPS)
    two_best = np.sort(groups, axis=2)[:, :, -2:]
    group_scores = two_best[:, :, 1] + two_best[:, :, 0]
    best_groups = np.argsort(-group_scores, axis=1, kind="stable")[:, :KEPT_GROUPS]
    kept = np.zeros(group_scores.shape, bool)
    np.put_along_axis(kept, best_groups, True, axis=1)
    candidates = np.where(kept[:, :, None], groups, -np.inf).reshape(choices.shape)
    indices = np.argsort(-candidates, axis=1, kind="stable")[:, :CHOSEN]
    weights = np.take_along_axis(scores, indices, axis=1)
    weights = weights / sum_as_butterfly(weights) * np.float32(SCALE)
    return {"indices": indices.astype(np.int32), "weights": weights}


def tokens_per_expert(inputs: Arrays) -> Arrays:
    """counts u32[256]: how often each expert occurs in indices."""
    return {"counts": np.bincount(inputs["indices"].ravel(), minlength=EXPERTS).astype(np.uint32)}


def sum_as_butterfly(values: np.ndarray) -> np.ndarray:
    """The sum of each row of 8 in the kernel's order: partners 4 apart, then 2, then 1. Float sums depend on it."""
    lanes = np.arange(CHOSEN)
    for distance in (4, 2, 1):
        values = values + values[:, lanes ^ distance]
    return values[:, :1]


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) in float32, by the kernel's own steps: x = n*ln2 + r, exp(x) = 2^n * exp(r)."""
    x = np.clip(-logits, np.float32(-87), np.float32(87))
    n = np.rint(x * float_of(0x3FB8AA3B))
    r = fma(n, float_of(0x3102E308), fma(n, float_of(0xBF317218), x))
    series = np.full_like(r, float_of(0x39500D01))
    for bits in (0x3AB60B61, 0x3C088889, 0x3D2AAAAB, 0x3E2AAAAB, 0x3F000000, 0x3F800000, 0x3F800000):
        series = fma(series, r, float_of(bits))
    power_of_two = ((n.astype(np.int32) + 127) << 23).view(np.float32)
    one = np.float32(1)
    return one / (series * power_of_two + one)


def float_of(bits: int) -> np.float32:
    """The float32 with these bits, as PTX writes it after 0f."""
    return np.uint32(bits).view(np.float32)


def fma(a: np.ndarray, b: np.float32, c: np.ndarray | np.float32) -> np.ndarray:
    """a*b + c in float32 with a single rounding, which NumPy does not have.

    The product of two float32 is exact in float64. The sum is rounded to odd in float64 (when it is not exact, the
    neighbour with an odd last bit is taken), after which rounding to float32 gives the right result: float64 has more
    than 24 + 2 bits (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008).
    """
    product = a.astype(np.float64) * np.float64(b)
    addend = np.broadcast_to(np.asarray(c, np.float64), product.shape)
    total = product + addend
    part = total - product
    error = (product - (total - part)) + (addend - part)  # exact: Knuth's two-sum
    is_even = total.view(np.int64) & 1 == 0
    toward = np.where(error > 0, np.inf, -np.inf)
    return np.where((error != 0) & is_even, np.nextafter(total, toward), total).astype(np.float32)
