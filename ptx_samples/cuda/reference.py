"""What the kernels of this folder must give, in NumPy."""

import numpy as np

Arrays = dict[str, np.ndarray]


def softmax(inputs: Arrays) -> Arrays:
    """out f32[rows, columns]: in float64, rounded once at the end. The kernel's float32 comes within its tolerance."""
    rows = inputs["in"].astype(np.float64)
    powers = np.exp(rows - rows.max(axis=1, keepdims=True))
    return {"out": (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)}


def expert_offsets(inputs: Arrays) -> Arrays:
    """offsets u32[257]: 0, then the running sum of counts, each rounded up to a multiple of tile."""
    tile = inputs["tile"]
    rows = (inputs["counts"] + tile - 1) // tile * tile
    return {"offsets": np.concatenate([[0], np.cumsum(rows)]).astype(np.uint32)}


def top_k(inputs: Arrays) -> Arrays:
    """values f32[rows, k] and places s32[rows, k], largest first, equal ones in their order."""
    rows, k = inputs["in"], int(inputs["k"])
    places = np.argsort(-rows, axis=1, kind="stable")[:, :k]
    return {"values": np.take_along_axis(rows, places, axis=1), "places": places.astype(np.int32)}
