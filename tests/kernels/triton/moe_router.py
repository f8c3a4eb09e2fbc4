"""Top-2 routing: softmax over the experts, a token's two best, their weights, and a place in each expert's queue."""

import triton
import triton.language as tl

SIGNATURE = {
    "logits": "*fp32",
    "experts": "*i32",
    "weights": "*fp32",
    "places": "*i32",
    "counts": "*i32",
    "tokens": "i32",
    "TOKENS": "constexpr",
    "EXPERTS": "constexpr",
}
CONSTANTS = {"TOKENS": 32, "EXPERTS": 16}


@triton.jit
def moe_router(logits, experts, weights, places, counts, tokens, TOKENS: tl.constexpr, EXPERTS: tl.constexpr):
    """TOKENS tokens a program; places are handed out by atomic additions, in any order."""
    token = tl.program_id(0) * TOKENS + tl.arange(0, TOKENS)
    inside = token < tokens
    expert = tl.arange(0, EXPERTS)
    score = tl.load(logits + token[:, None] * EXPERTS + expert[None, :], mask=inside[:, None], other=0.0)
    power = tl.exp(score - tl.max(score, axis=1)[:, None])
    share = power / tl.sum(power, axis=1)[:, None]
    first = tl.argmax(share, axis=1)
    best = tl.max(share, axis=1)
    others = tl.where(expert[None, :] == first[:, None], -1.0, share)
    second = tl.argmax(others, axis=1)
    next_best = tl.max(others, axis=1)
    total = best + next_best
    tl.store(experts + 2 * token, first, mask=inside)
    tl.store(experts + 2 * token + 1, second, mask=inside)
    tl.store(weights + 2 * token, best / total, mask=inside)
    tl.store(weights + 2 * token + 1, next_best / total, mask=inside)
    tl.store(places + 2 * token, tl.atomic_add(counts + first, 1, mask=inside), mask=inside)
    tl.store(places + 2 * token + 1, tl.atomic_add(counts + second, 1, mask=inside), mask=inside)
