"""The driver calls of the GPU backend, against a fake of the bindings and, where they are, the real ones on a stub."""

from __future__ import annotations

import importlib.util
import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emulator.crosscheck.backend import HARDWARE
from emulator.crosscheck.gpu import BINDINGS, GpuBackend, import_driver
from emulator.crosscheck.tensor_map import TensorMap
from emulator.errors import DriverError, NoGpu
from emulator.machine.grid import LaunchShape
from emulator.machine.memory import DEVICE_BASE
from emulator.ptx_types import Dim3
from tests.crosscheck.fake_driver import ENUMS, CUresult, FakeDriver

HAS_BINDINGS = importlib.util.find_spec("cuda") is not None and importlib.util.find_spec(BINDINGS) is not None
SHAPE = LaunchShape(Dim3(4, 2), Dim3(8, 2, 2), Dim3(2), 100_000)


def copy_arguments(target: int, source: int, count: int) -> list[bytes]:
    return [target.to_bytes(8, "little"), source.to_bytes(8, "little"), count.to_bytes(4, "little")]


def exercise(backend: Any) -> None:
    """What every driver must come through: a copy, a refused text, a faulting kernel, and a copy after it."""
    assert backend.identity.origin == HARDWARE
    assert backend.identity.arch == "sm_90a"
    assert backend.identity.driver == "CUDA 13.0"
    assert backend.sms == 132
    assert backend.at_emulator_addresses
    for _ in range(2):
        code = backend.load("text", "k.ptx")
        source = backend.allocate(1000, "source")
        target = backend.allocate(5_000_000, "target", DEVICE_BASE + 0x5000)
        assert (source, target) == (DEVICE_BASE + 0x1000, DEVICE_BASE + 0x5000)
        assert backend.read(target, 5_000_000) == bytes(5_000_000)
        backend.write(source, bytes(range(200)) * 5)
        backend.launch(code, "copy", SHAPE, copy_arguments(target, source, 1000), cooperative=True)
        backend.sync()
        assert backend.read(target, 1001) == bytes(range(200)) * 5 + b"\0"
        assert backend.symbol(code, "variable") == 0x1234000
        tensor = TensorMap.parse("tensormap of x tf32 dims 64,32 box 16,8 elements 1,2 swizzle 64 fill nan", ["x"])
        words = [source, 11, 64, 32, 256, 16, 8, 1, 2, 0, 2, 0, 1, 0, 0, 0]
        assert backend.tensor_map(tensor, source) == b"".join(word.to_bytes(8, "little") for word in words)
        with pytest.raises(DriverError) as refused:
            backend.load("REFUSED", "k.ptx")
        assert refused.value.diagnostics[0].code == "PTX-G0602"
        assert "this text is REFUSED" in str(refused.value)
        backend.launch(code, "fault", LaunchShape(Dim3(1), Dim3(32)), [])
        with pytest.raises(DriverError, match="CUDA_ERROR_ILLEGAL_ADDRESS") as fault:
            backend.sync()
        assert fault.value.diagnostics[0].code == "PTX-G0603"
        backend.reset()


def test_the_calls_of_a_session() -> None:
    driver = FakeDriver()
    exercise(GpuBackend(driver=driver))
    assert ("launch", "copy", (4, 2, 1), (8, 2, 2), 100_000, (2, 1, 1), True) in driver.calls
    assert ("attribute", "copy", 8, 100_000) in driver.calls
    assert ("launch", "fault", (1, 1, 1), (32, 1, 1), 0, None, False) in driver.calls
    assert driver.calls.count(("reset",)) == 2


def test_a_range_elsewhere_is_told_and_used() -> None:
    backend = GpuBackend(driver=FakeDriver(elsewhere=True))
    assert not backend.at_emulator_addresses
    first = backend.allocate(64, "x", DEVICE_BASE + 0x1000)
    assert first > DEVICE_BASE + (1 << 39)
    assert backend.read(first, 64) == bytes(64)


def test_without_mapping_buffers_come_one_by_one() -> None:
    driver = FakeDriver(maps=False)
    backend = GpuBackend(driver=driver)
    assert not backend.at_emulator_addresses
    first, second = backend.allocate(64, "x", DEVICE_BASE + 0x1000), backend.allocate(100, "y")
    assert second - first == 64
    backend.write(second, bytes(range(100)))
    assert backend.read(first, 64) == bytes(64)
    assert backend.read(second, 100) == bytes(range(100))
    backend.reset()
    assert driver.calls[-2:] == [("free", first), ("free", second)]


def test_texts_are_unloaded_and_memory_is_used_again() -> None:
    driver = FakeDriver()
    backend = GpuBackend(driver=driver)
    backend.load("text", "k.ptx")
    assert (backend.allocate(64, "x"), backend.allocate(64, "y")) == (DEVICE_BASE + 0x1000, DEVICE_BASE + 0x1200)
    backend.reset()
    assert ("unload",) in driver.calls
    assert backend.allocate(64, "x") == DEVICE_BASE + 0x1000


def test_a_driver_older_than_the_text_is_asked_for_an_older_version() -> None:
    driver = FakeDriver()
    driver.newest = b"8.5"
    backend = GpuBackend(driver=driver)
    for version in ("9.0", "8.8", "8.3"):
        backend.load(f".version {version}\n.target sm_90a\n", "k.ptx")
    loaded = [call[1] for call in driver.calls if call[0] == "load"]
    assert loaded == [f".version {version}\n.target sm_90a\n\0".encode() for version in ("8.5", "8.5", "8.3")]
    driver.newest = b"7.8"
    with pytest.raises(DriverError, match=r"the driver refused k\.ptx") as refused:
        backend.load(".version 9.0\n.target sm_90a\n", "k.ptx")
    assert dict(refused.value.diagnostics[0].facts)["error"] == "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"


@pytest.mark.parametrize(
    ("driver", "text"),
    [
        (FakeDriver(devices=0), "the driver knows 0 devices, number 0 was asked for"),
        (FakeDriver(init=CUresult.CUDA_ERROR_NO_DEVICE), "the driver says CUDA_ERROR_NO_DEVICE"),
    ],
)
def test_no_gpu_is_one_sentence(driver: FakeDriver, text: str) -> None:
    with pytest.raises(NoGpu) as error:
        GpuBackend(driver=driver)
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.code == "PTX-G0601"
    assert diagnostic.message == f"no GPU to compare with: {text}"


def test_a_driver_that_cannot_be_loaded_is_no_gpu() -> None:
    driver = FakeDriver()
    driver.cuInit = lambda flags: (_ for _ in ()).throw(RuntimeError("libcuda.so.1 not found"))  # type: ignore[method-assign]
    with pytest.raises(NoGpu, match=r"libcuda\.so\.1 not found"):
        GpuBackend(driver=driver)


def test_the_package_is_imported_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda", None)
    monkeypatch.setitem(sys.modules, BINDINGS, None)
    with pytest.raises(NoGpu, match="cuda-bindings is not installed"):
        import_driver()


def test_the_real_package_has_these_calls_and_works_on_a_stub(tmp_path: Path) -> None:
    compiler = shutil.which("cc") if sys.platform == "linux" else None
    if not HAS_BINDINGS:
        assert GpuBackend(driver=FakeDriver()).at_emulator_addresses
        return
    real = import_driver()
    for kind in ENUMS:
        members = getattr(real, kind.__name__)
        assert all(int(getattr(members, member.name)) == int(member) for member in kind), kind
    names = [name for name in vars(FakeDriver) if name.startswith("cu")]
    assert len(names) > 20
    for name in names:
        fake = list(inspect.signature(getattr(FakeDriver, name)).parameters)[1:]
        assert fake == list(inspect.signature(getattr(real, name)).parameters), name
    if compiler is not None:
        stub = Path(__file__).parent / "libcuda_stub.c"
        library = tmp_path / "libcuda.so.1"
        subprocess.run([compiler, "-shared", "-fPIC", str(stub), "-ldl", "-o", str(library)], check=True)
        text = "from tests.crosscheck.test_gpu import *\nexercise(GpuBackend())"
        environment = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", text], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "grid 4 2 1 block 8 2 2 shared 100000 cluster 2 1 1 cooperative 1" in done.stderr
