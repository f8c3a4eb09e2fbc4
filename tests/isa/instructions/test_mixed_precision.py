"""9.7.5: f32 operations with f16 and bf16 operands, in every rounding mode, against MPFR."""

import numpy as np
import pytest

from emulator.isa.registry import lookup
from tests.float_oracle import MODES, NAN, differences, operands, rounded, saturated, seed, to_bits, to_float
from tests.lane_backend import run

OPERATIONS = {
    "add": lambda c, a, d: c.add(a, d),
    "sub": lambda c, a, d: c.sub(a, d),
    "fma": lambda c, a, b, d: c.fma(a, b, d),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("kind", ["f16", "bf16"])
@pytest.mark.parametrize("rnd", MODES)
@pytest.mark.parametrize("ending", ["", ".sat"])
def test_arithmetic(name, kind, rnd, ending):
    opcode = f"{name}.{rnd}{ending}.f32.{kind}"
    narrow = operands(kind, 2, seed(opcode))[: 2 if name == "fma" else 1]
    wide = operands("f32", 2, seed(opcode, "c"))[1]
    expected = rounded("f32", rnd, OPERATIONS[name], *narrow, wide)
    if ending:
        expected = to_bits("f32", saturated("f32", to_float("f32", expected)))
    found = run(opcode, *((kind, to_bits(kind, row)) for row in narrow), ("f32", wide)).view(np.uint32)
    assert differences(opcode, found, expected, *narrow, wide) == ""
    assert NAN["f32"] in expected or ending


def test_they_need_sm_100():
    for opcode in ("add.f32.f16", "sub.rz.f32.bf16", "fma.rn.f32.f16"):
        (variant,) = lookup(opcode)
        assert (variant.entry.requires.version, variant.entry.requires.target) == ((8, 6), "sm_100")
