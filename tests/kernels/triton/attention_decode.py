"""Attention of one query over a sequence of halves, with a running maximum and sum, products summed by tl.sum."""

import triton
import triton.language as tl

SIGNATURE = {
    "query": "*fp16",
    "keys": "*fp16",
    "values": "*fp16",
    "out": "*fp32",
    "length": "i32",
    "scale": "fp32",
    "WIDTH": "constexpr",
    "BLOCK": "constexpr",
}
CONSTANTS = {"WIDTH": 64, "BLOCK": 32}
ALIGNED = ("query", "keys", "values", "out")


@triton.jit
def attention_decode(query, keys, values, out, length, scale, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """Head tl.program_id(0), whose keys and values are [length, WIDTH].

    The result is stored in the layout that it has, by the owners of row 0.
    """
    head = tl.program_id(0)
    column = tl.arange(0, WIDTH)
    q = tl.load(query + head * WIDTH + column).to(tl.float32)
    largest = -float("inf")
    total = 0.0
    mixed = tl.zeros([WIDTH], tl.float32)
    for start in range(0, length, BLOCK):
        step = start + tl.arange(0, BLOCK)
        inside = (step < length)[:, None]
        at = (head * length + step)[:, None] * WIDTH + column[None, :]
        score = tl.sum(tl.load(keys + at, mask=inside, other=0.0) * q[None, :], axis=1) * scale
        score = tl.where(step < length, score, -float("inf"))
        top = tl.maximum(largest, tl.max(score, axis=0))
        power = tl.exp(score - top)
        shrink = tl.exp(largest - top)
        total = total * shrink + tl.sum(power, axis=0)
        mixed = mixed * shrink + tl.sum(power[:, None] * tl.load(values + at, mask=inside, other=0.0), axis=0)
        largest = top
    first = (tl.arange(0, BLOCK) == 0)[:, None]
    at = head * WIDTH + column[None, :] + tl.zeros([BLOCK, 1], tl.int32)
    tl.store(out + at, (mixed / total)[None, :].broadcast_to([BLOCK, WIDTH]), mask=first)
