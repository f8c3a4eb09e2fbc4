"""What each instruction's results are compared with, which is never our own operations: one table for docs/coverage.md.

A chapter is a file of emulator/isa/instructions; its rows name the mnemonics, "*" for all others.  Where the
instruction has no result of its own, or none that can be computed elsewhere, the oracle says what is observed instead.
"""

from typing import NamedTuple

CHAPTERS = "tests/isa/instructions"


class Oracle(NamedTuple):
    """What is compared with, and the test that does it."""

    text: str
    test: str


def chapter(name: str, text: str) -> Oracle:
    """A chapter's own test."""
    return Oracle(text, f"{CHAPTERS}/test_{name}.py")


INTEGERS = "Python's integers"
MANUAL = "the manual's pseudocode in Python's integers"
MPFR = "MPFR, rounded once"
BYTES = "a model over bytes"
FORMS_RUN = Oracle("it runs; nothing to compute", "tests/isa/test_forms_execute.py")

VERIFIED_BY: dict[str, dict[str, Oracle]] = {
    "integer_arithmetic": {"*": chapter("integer_arithmetic", INTEGERS)},
    "extended_precision": {"*": chapter("extended_precision", INTEGERS + ", and chains on long numbers")},
    "integer_bits": {"*": chapter("integer_bits", MANUAL)},
    "logic_shift": {"*": chapter("logic_shift", INTEGERS)},
    "floating_point": {
        "*": chapter("floating_point", MPFR),
        "testp": chapter("floating_point", "NumPy's classes of floats"),
        "copysign": chapter("floating_point", "NumPy's copysign"),
        "abs": chapter("floating_point", "signs of bits"),
        "neg": chapter("floating_point", "signs of bits"),
        "min": chapter("floating_point", "the manual's rules on pairs of edge values"),
        "max": chapter("floating_point", "the manual's rules on pairs of edge values"),
    },
    "floating_point_functions": {"*": chapter("floating_point_functions", "MPFR within the manual's error bounds")},
    "half_precision": {
        "*": chapter("half_precision", MPFR),
        "tanh": chapter("half_precision", "MPFR within the manual's error bounds, every input"),
        "ex2": chapter("half_precision", "MPFR within the manual's error bounds, every input"),
    },
    "mixed_precision": {"*": chapter("mixed_precision", MPFR)},
    "comparison_selection": {"*": chapter("comparison_selection", "Python's comparisons")},
    "data_movement": {
        "*": chapter("data_movement", "the manual's rules, byte by byte"),
        "cvta": Oracle("addresses of variables and buffers", "tests/engines/test_memory_windows.py"),
        "isspacep": Oracle("addresses of variables and buffers", "tests/engines/test_memory_windows.py"),
    },
    "conversion": {"*": chapter("conversion", "Python's integers and MPFR")},
    "conversion_packed": {"*": chapter("conversion_packed", "CUDA's host tables, ml_dtypes and MPFR")},
    "load_store": {"*": chapter("load_store", BYTES)},
    "stack": {"*": chapter("stack", "what kernels and functions find in their frames")},
    "cache_hints": {
        "*": chapter("cache_hints", "unchanged memory"),
        "createpolicy": chapter("cache_hints", "the bits that ptxas 13.0 makes of constants"),
    },
    "async_copy": {"*": chapter("async_copy", BYTES)},
    "atomics": {"*": chapter("atomics", BYTES + ", lanes in order")},
    "multimem": {"*": chapter("multimem", "a model over numbers, device by device")},
    "barriers": {"*": Oracle("models of arrivals, under 21 schedules", "tests/engines/test_barriers.py")},
    "mbarrier": {
        "*": chapter("mbarrier", "the manual's phase machine in Python's integers, lane after lane"),
        "st": Oracle(BYTES, "tests/isa/instructions/test_async_stores.py"),
        "red": Oracle(BYTES + ", lanes in order", "tests/isa/instructions/test_async_stores.py"),
    },
    "memory_order": {"*": FORMS_RUN},
    "control_flow": {
        "*": Oracle("Python's control flow", "tests/engines/test_calls.py"),
        "bra": Oracle("Python's control flow", "tests/engines/test_divergence.py"),
        "exit": Oracle("which lanes still store", "tests/engines/test_rendezvous.py"),
    },
    "warp_ops": {"*": chapter("warp_ops", "models of a warp, lane by lane")},
    "video": {"*": chapter("video", MANUAL)},
    "video_simd": {"*": chapter("video", MANUAL)},
    "miscellaneous": {
        "*": FORMS_RUN,
        "trap": Oracle("the fault and its place", "tests/test_bad_access.py"),
        "nanosleep": Oracle("progress of those who are waited for", "tests/engines/test_scheduling.py"),
    },
}

# Forms that are no instructions, by their group.
OTHERS = {
    "directive": Oracle("ptxas's verdicts; bytes of initial values", "tests/program/test_declarations.py"),
    "special-register": Oracle("the launch's numbers", "tests/engines/test_special_registers.py"),
}


def oracle_of(chapter_name: str, mnemonic: str) -> Oracle:
    """What a mnemonic of a chapter is compared with."""
    rows = VERIFIED_BY[chapter_name]
    return rows.get(mnemonic, rows["*"])


def judging_tests() -> list[str]:
    """The tests that compare results of instructions."""
    rows = [*(oracle for rows in VERIFIED_BY.values() for oracle in rows.values())]
    return sorted({oracle.test for oracle in rows if oracle != FORMS_RUN})
