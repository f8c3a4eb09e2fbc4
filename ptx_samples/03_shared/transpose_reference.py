"""What transpose.ptx must give."""

import numpy as np


def expected(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """out f32[width, height] from in f32[height, width]."""
    return {"out": inputs["in"].T}
