"""The same bits whatever the CPU has: plain x86-64, AVX2 without AVX-512, and all that this machine has."""

from __future__ import annotations

import random

import pytest

from emulator.engines.native.compiler import host_features
from emulator.engines.native.library import library
from tests.engines.native.handler_harness import compile_handlers
from tests.engines.native.test_handlers import check, native_variants
from tests.engines.native.test_same_answers import differences

AVX2 = "+sse4.2,+popcnt,+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,-avx512f"
PLAIN = ""
SAMPLE = 50


def targets() -> dict[str, str]:
    """Features by name; AVX2 only where this CPU has it."""
    has_avx2 = all(f"+{name}" in host_features().split(",") for name in ("avx2", "fma", "f16c", "bmi2", "lzcnt"))
    return {"plain": PLAIN} | ({"avx2": AVX2} if has_avx2 else {})


@pytest.mark.parametrize("name", targets())
def test_handlers(name: str) -> None:
    features = targets()[name]
    found, _ = native_variants(1)
    sample = random.Random(name).sample(found, SAMPLE)
    compiled = compile_handlers(sample, ["part"], features=features)
    for number, variant in enumerate(sample):
        for trial in range(3):
            check(variant, compiled.addresses[number, "part"], compiled.stop, "part", trial)


@pytest.mark.parametrize("name", targets())
@pytest.mark.parametrize("seed", [0, 9])
def test_programs(name: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features = targets()[name]
    monkeypatch.setattr("emulator.engines.native.engine.library", lambda _: library(features))
    assert differences(seed) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", targets())
@pytest.mark.parametrize("first", range(0, 150, 50))
def test_more_programs(name: str, first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features = targets()[name]
    monkeypatch.setattr("emulator.engines.native.engine.library", lambda _: library(features))
    found = [text for seed in range(first, first + 50) for text in differences(seed)]
    assert not found, "\n".join(found[:10])


@pytest.mark.slow
@pytest.mark.parametrize("name", targets())
def test_all_handlers(name: str) -> None:
    features = targets()[name]
    found, _ = native_variants(2)
    compiled = compile_handlers(found, ["part"], features=features)
    for number, variant in enumerate(found):
        for trial in range(4):
            check(variant, compiled.addresses[number, "part"], compiled.stop, "part", trial)
