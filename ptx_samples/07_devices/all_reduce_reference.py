"""What all_reduce.ptx must give."""

import numpy as np


def expected(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The sums of x[4, 1024] on every device: added as f32 in the order of the devices, rounded once."""
    total = np.zeros(inputs["x"].shape[1], np.float32)
    for row in inputs["x"]:
        total += row.astype(np.float32)
    sums = np.stack([total.astype(inputs["x"].dtype)] * len(inputs["x"]))
    return {"x": sums, "out": sums}
