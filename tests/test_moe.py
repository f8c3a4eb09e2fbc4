"""The router: hard inputs, any number of tokens, and the demo as a user sees it."""

import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from emulator import LaunchConfig, ObjectCode, System, launch, samples
from ptx_samples.moe import demo
from ptx_samples.moe import router_reference as reference


def route(logits: np.ndarray, bias: np.ndarray, ctas: int | None = None) -> dict[str, np.ndarray]:
    """Indices and weights by the kernel."""
    kernel = ObjectCode.from_ptx(Path(str(samples.find("router").path))).get_kernel("router")
    tokens = len(logits)
    with System() as system:
        device = system.device(0)
        indices = device.zeros((tokens, 8), np.int32)
        weights = device.zeros((tokens, 8), np.float32)
        config = LaunchConfig(grid=tokens if ctas is None else ctas, block=32)
        arguments = (device.array(logits), device.array(bias), indices, weights, np.uint32(tokens))
        launch(device.default_stream, config, kernel, *arguments)
        device.sync()
        return {"indices": indices.numpy(), "weights": weights.numpy()}


def check(logits: np.ndarray, bias: np.ndarray, ctas: int | None = None) -> dict[str, np.ndarray]:
    """Route, and compare every bit with NumPy."""
    logits, bias = logits.astype(np.float32), bias.astype(np.float32)
    got, expected = route(logits, bias, ctas), reference.expected({"logits": logits, "bias": bias})
    for name in expected:
        assert got[name].tobytes() == expected[name].tobytes(), name
    return got


def test_random_tokens():
    random = np.random.default_rng(1)
    got = check(random.standard_normal((40, 256)) * 3, random.uniform(-0.2, 0.2, 256))
    np.testing.assert_allclose(got["weights"].sum(axis=1), 2.5, rtol=1e-6)


def test_ties_go_to_the_lowest_index():
    got = check(np.zeros((1, 256)), np.zeros(256))
    assert got["indices"].tolist() == [list(range(8))]


def test_many_ties():
    random = np.random.default_rng(2)
    check(random.integers(-1, 2, (16, 256)), random.integers(0, 2, 256) / 4)


def test_extreme_logits():
    row = np.linspace(-200, 200, 256)
    random = np.random.default_rng(3)
    logits = np.stack([row, row[::-1], random.permutation(row), np.full(256, -3e38), np.full(256, 3e38)])
    check(logits, np.zeros(256))


def test_bias_chooses_but_does_not_weigh():
    bias = np.zeros(256)
    bias[[5, 37, 69, 101, 6, 38, 70, 102]] = 10
    got = check(np.zeros((1, 256)), bias)
    assert got["indices"].tolist() == [[5, 6, 37, 38, 69, 70, 101, 102]]
    assert got["weights"].tolist() == [[2.5 / 8] * 8]


@pytest.mark.parametrize(("tokens", "ctas"), [(5, 2), (3, 7), (1, 1)])
def test_any_grid_routes_all_tokens(tokens, ctas):
    random = np.random.default_rng(4)
    check(random.standard_normal((tokens, 256)), random.standard_normal(256) / 10, ctas)


def test_the_reference_rounds_an_fma_once():
    random = np.random.default_rng(5)
    a = random.standard_normal(2000).astype(np.float32)
    b = np.float32(1.1)
    c = (-a * b * (1 + random.integers(-2, 3, 2000) * 2.0**-22)).astype(np.float32)  # almost cancels
    for x, z, got in zip(a, c, reference.fma(a, b, c), strict=True):
        exact = Fraction(float(x)) * Fraction(float(b)) + Fraction(float(z))
        near = (got, np.nextafter(got, np.float32(np.inf)), np.nextafter(got, np.float32(-np.inf)))
        assert min(near, key=lambda value: abs(Fraction(float(value)) - exact)) == got


def test_the_reference_computes_a_sigmoid():
    x = np.linspace(-80, 80, 4001, dtype=np.float32)[None, :]
    exact = 1 / (1 + np.exp(-x.astype(np.float64)))
    np.testing.assert_allclose(reference.sigmoid(x), exact, rtol=4e-7)


def run_demo(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(demo.main, arguments)
    return result.exit_code, result.output


def test_the_demo_shows_a_warp_a_chart_and_the_check():
    code, output = run_demo("--tokens", "4", "--seed", "3")
    assert code == 0
    assert max(map(len, output.splitlines())) <= 80
    for said in (
        "%mine  0x",
        "144*(lane/4) + 4*(lane%4)",
        "lanes  ",
        "TOKENS PER EXPERT: 32 choices",
        "indices  32 values equal, bit by bit",
        "weights  32 values equal, bit by bit",
        "counts   256 values equal, bit by bit",
        "OK: every bit is the same",
    ):
        assert said in output
    assert len(re.findall(r"^line ", output, re.MULTILINE)) == len(demo.stops(Path(str(SOURCE)).read_text())) == 16


SOURCE = samples.find("router").path


def test_the_demo_routes_logits_from_a_file(tmp_path):
    np.save(tmp_path / "logits.npy", np.zeros((2, 256), np.float32))
    code, output = run_demo("--logits", str(tmp_path / "logits.npy"))
    assert code == 0
    assert "CHECK: 2 tokens" in output


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 255), np.float32), "holds the shape (2, 255); (tokens, 256) is needed"),
        (np.zeros(256, np.float32), "holds the shape (256,)"),
        (np.zeros((0, 256), np.float32), "holds the shape (0, 256)"),
        (np.zeros((2, 256)), "holds float64 numbers; float32 is needed"),
        (np.full((2, 256), np.nan, np.float32), "holds NaN or infinite numbers"),
    ],
)
def test_the_demo_refuses_wrong_logits(tmp_path, array, message):
    np.save(tmp_path / "logits.npy", array)
    code, output = run_demo("--logits", str(tmp_path / "logits.npy"))
    assert code == 2
    assert message in " ".join(output.split())


def test_the_demo_refuses_what_is_no_array(tmp_path):
    (tmp_path / "text.npy").write_text("no array")
    assert run_demo("--logits", str(tmp_path / "text.npy"))[0] == 2
    assert run_demo("--logits", str(tmp_path / "missing.npy"))[0] == 2
    assert run_demo("--logits", str(tmp_path / "text.npy"), "--tokens", "3")[0] == 2
    assert run_demo("--tokens", "0")[0] == 2


def test_the_demo_says_when_a_result_is_wrong(monkeypatch):
    def wrong(inputs):
        return {name: array + 1 for name, array in right(inputs).items()}

    right = reference.expected
    monkeypatch.setattr(reference, "expected", wrong)
    code, output = run_demo("--tokens", "1")
    assert code == 1
    assert "indices  8 of 8 differ; first [0, 0]" in output
    assert "MISMATCH" in output


def test_the_demo_runs_as_a_module(checkout: Path):
    command = [sys.executable, "-m", "ptx_samples.moe.demo", "--tokens", "1"]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("OK: every bit is the same")
