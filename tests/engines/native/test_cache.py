"""The cache on disk: entries come back, and what is broken, missing or in the way counts as missing."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from emulator.engines.event_ring import Rings
from emulator.engines.native import cache
from emulator.engines.native.cache import Entry
from emulator.engines.native.context import CONTEXT, new_run, offset_of
from emulator.engines.native.handlers import RECORD_BYTES, HandlerKey, Shape
from emulator.engines.native.library import Library, library
from emulator.engines.native.runtime import LEAVE
from emulator.isa.ops import U32, U64
from emulator.machine.warp import HEADER_BYTES
from tests.engines.native.handler_harness import HANDLER, aligned, key_of
from tests.isa.examples import variant_of

KEY = cache.key_of(["a test"])
ADDRESS = Shape(U64, (64,), "address")
ENTRY = Entry(["h0", "", "h2"], b"\x7fELF\n\0 code")
RUN = """
import numpy
from emulator import ObjectCode, System, launch, LaunchConfig
from tests.engines.programs import kernel_text
with System(engine="native") as system:
    device = system.device(0)
    kernel = ObjectCode.from_ptx(kernel_text("mul.lo.u32 %r0, %i, 7; popc.b32 %r1, %r0; st.global.u32 [%mine], %r1;"))
    out = device.zeros(32, numpy.uint32)
    launch(device.default_stream, LaunchConfig(1, block=32), kernel.get_kernel("k"), out)
    print(out.numpy().tolist())
"""
EXPECTED = [bin(7 * lane).count("1") for lane in range(32)]


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv(cache.VARIABLE, str(folder))
    return folder


def test_an_entry_comes_back(where: Path) -> None:
    assert cache.load(KEY) is None
    cache.store(KEY, ENTRY)
    assert cache.load(KEY) == ENTRY
    assert cache.entries() == [where / KEY]
    assert [file.name for file in where.iterdir()] == [KEY]


@pytest.mark.parametrize("cut", [0, 1, 5, len(cache.MAGIC), len(cache.MAGIC) + 31, -1])
def test_a_truncated_entry_is_missing(where: Path, cut: int) -> None:
    cache.store(KEY, ENTRY)
    (where / KEY).write_bytes((where / KEY).read_bytes()[:cut])
    assert cache.load(KEY) is None
    cache.store(KEY, ENTRY)
    assert cache.load(KEY) == ENTRY


def test_a_flipped_bit_anywhere_is_seen(where: Path) -> None:
    cache.store(KEY, ENTRY)
    data = (where / KEY).read_bytes()
    for at in range(len(data)):
        (where / KEY).write_bytes(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
        assert cache.load(KEY) is None
    (where / KEY).write_bytes(data + b"\0")
    assert cache.load(KEY) is None


def test_an_entry_under_the_name_of_another_is_missing(where: Path) -> None:
    other = cache.key_of(["another test"])
    cache.store(KEY, ENTRY)
    (where / KEY).rename(where / other)
    assert cache.load(other) is None


def test_what_stands_in_the_way_is_no_error(where: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (where / KEY).mkdir(parents=True)
    cache.store(KEY, ENTRY)
    assert cache.load(KEY) is None
    assert [file.name for file in where.iterdir()] == [KEY]
    (tmp_path / "file").touch()
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "file"))
    cache.store(KEY, ENTRY)
    assert cache.load(KEY) is None
    assert cache.entries() == []
    assert cache.clear() == (0, 0)


@pytest.mark.parametrize("value", ["off", ""])
def test_switched_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, value)
    assert cache.folder() is None
    cache.store(KEY, ENTRY)
    assert cache.load(KEY) is None
    assert cache.entries() == []


def test_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache.folder() == tmp_path / ".cache" / "ptxemu"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache.folder() == tmp_path / "x" / "ptxemu"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache.folder() == tmp_path / "Library" / "Caches" / "ptxemu"
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache.folder() == tmp_path / "local" / "ptxemu" / "cache"


def test_without_a_home_there_is_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setattr(Path, "home", none)
    assert cache.folder() is None


def test_the_entries_used_least_lately_make_room(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"{number:064x}" for number in range(6)]
    for age, key in enumerate(keys):
        cache.store(key, ENTRY)
        os.utime(where / key, (1000 + age, 1000 + age))
    left = where / (cache.NEW + "behind")
    left.write_bytes(b"x" * 50)
    os.utime(left, (500, 500))
    assert cache.load(keys[0]) == ENTRY
    size = (where / keys[0]).stat().st_size
    monkeypatch.setattr(cache, "LIMIT", 5 * size)
    cache.store(keys[5], ENTRY)
    assert [file.name for file in cache.entries()] == [keys[0], keys[3], keys[4], keys[5]]  # four fifths
    assert not left.exists()
    cache.store(f"{6:064x}", ENTRY)
    assert len(cache.entries()) == 5  # up to the limit again before anything is deleted


def test_clear_deletes_entries_and_what_was_left_behind_and_nothing_else(where: Path) -> None:
    cache.store(KEY, ENTRY)
    (where / (cache.NEW + "behind")).write_bytes(b"xyz")
    (where / "notes.txt").touch()
    size = (where / KEY).stat().st_size
    assert cache.clear() == (2, size + 3)
    assert [file.name for file in where.iterdir()] == ["notes.txt"]


def test_many_writers_and_readers_of_one_entry(where: Path) -> None:
    cache.store(KEY, ENTRY)

    def use(number: int) -> list[Entry | None]:
        found = []
        for _ in range(40):
            if number % 2:
                cache.store(KEY, ENTRY)
            found.append(cache.load(KEY))
        return found

    with ThreadPoolExecutor(8) as threads:
        results = [entry for part in threads.map(use, range(8)) for entry in part]
    assert all(entry == ENTRY for entry in results)
    assert len(results) == 320
    assert [file.name for file in where.iterdir()] == [KEY]


def run_in_process(checkout: Path, where: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, cache.VARIABLE: str(where)}
    command = [sys.executable, "-c", RUN]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=checkout, env=environment, stdout=pipe, stderr=pipe, text=True)


def test_processes_fill_and_use_one_cache(checkout: Path, where: Path) -> None:
    """Two at once on an empty cache, then one on a cache whose entries are broken in turn."""
    for process in [run_in_process(checkout, where) for _ in range(2)]:
        assert process.communicate()[0] == f"{EXPECTED}\n"
    names = [file.name for file in cache.entries()]
    assert len(names) == 2  # the runtime, and the kernel's handlers
    whole = {name: (where / name).read_bytes() for name in names}
    for name in names:
        (where / name).write_bytes(whole[name][: len(whole[name]) // 2])
    again = run_in_process(checkout, where)
    assert again.communicate() == (f"{EXPECTED}\n", "")
    assert {name: (where / name).read_bytes() for name in names} == whole


def test_a_second_library_compiles_nothing(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    variant = variant_of("add.u32", 2)
    wanted = {(key_of(variant), mode): variant for mode in ("full", "part")}
    Library().compile(wanted)
    monkeypatch.setattr("emulator.engines.native.library.compile_object", lambda *_: pytest.fail("compiled again"))
    second = Library()
    second.compile(wanted)
    assert all(second.is_native(*pair) for pair in wanted)


def test_handlers_call_the_runtime_of_their_own_library(where: Path) -> None:
    """One library after the other, of which only the first stays: its handlers must not call what is gone."""
    first = Library()
    for _ in range(3):
        Library("")
    gc.collect()
    variant = variant_of("ld.global.u32", 1)
    key = HandlerKey("ld.global.u32", variant.entry.signature.line, (), (Shape(U32, (32,)),), (ADDRESS,))
    first.compile({(key, "full"): variant})
    records, registers, context = aligned(2 * RECORD_BYTES), aligned(HEADER_BYTES + 1024), aligned(CONTEXT.itemsize)
    records[16:24].view(np.int32)[:] = 0, 256
    everything = np.array([1 << 62, (1 << 62) + 512, 0, 0], np.uint64)
    records[48:56].view(np.uint64)[0] = everything.ctypes.data
    run, rings = new_run(), Rings()
    run["events"] = rings.address
    context[offset_of("globals") : offset_of("globals") + 8].view(np.uint64)[0] = run.ctypes.data
    place = registers[HEADER_BYTES:]
    status = HANDLER(first.address(key, "full"))(records.ctypes.data, place.ctypes.data, context.ctypes.data, -1)
    assert status == LEAVE  # no allocation holds address 0


def test_the_key_depends_on_features_and_llvmlite(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Library()
    Library("")
    first = set(cache.entries())
    assert len(first) == 2
    monkeypatch.setattr("llvmlite.__version__", "0.1")
    Library("")
    assert len(set(cache.entries()) - first) == 1


def test_threads_that_ask_at_once_get_one_library(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    class Slow(Library):
        def __init__(self, features: str | None = None) -> None:
            made.append(features)
            time.sleep(0.05)

    monkeypatch.setattr("emulator.engines.native.library.Library", Slow)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(library, ["of a test"] * 4))
    assert made == ["of a test"] and all(one is found[0] for one in found)
