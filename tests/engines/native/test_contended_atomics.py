"""Several threads change the same words: no update is lost, of any kind and width; fences and release-acquire order."""

from __future__ import annotations

import numpy as np
import pytest

from emulator import System
from tests.engines.programs import kernel, start

SPACES = pytest.mark.parametrize("space", [".global", ""], ids=["global", "generic"])
JOBS = pytest.mark.parametrize("jobs", [2, 3])
ROUNDS = 4
COUNTS = """
    mov.u32 %r9, 0;
more:
    atom{space}.add.u32 %r1, [%out], 1;
    atom{space}.add.s32 %r2, [%out+4], -3;
    atom{space}.add.u64 %rd2, [%out+8], 0x100000001;
    red{space}.add.f32 [%out+16], 0f3F800000;
    red{space}.add.f64 [%out+24], 0d3FF8000000000000;
    atom{space}.inc.u32 %r3, [%out+32], 999;
    atom{space}.dec.u32 %r4, [%out+36], 999;
    red{space}.inc.u32 [%out+40], 0xffffffff;
    add.u32 %r9, %r9, 1;
    setp.lt.u32 %p1, %r9, 4;
@%p1 bra more;
"""
BITS = """
    shr.u32 %r1, %c, 6;
    mad.lo.u32 %r1, %r1, 64, %t;
    mul.wide.u32 %rd1, %r1, 32;
    add.u64 %rd1, %rd1, %out;
    and.b32 %r2, %c, 63;
    mov.u64 %rd2, 1;
    shl.b64 %rd2, %rd2, %r2;
    cvt.u32.u64 %r3, %rd2;
    not.b64 %rd3, %rd2;
    not.b32 %r4, %r3;
    red{space}.or.b64 [%rd1], %rd2;
    atom{space}.xor.b64 %rd4, [%rd1+8], %rd2;
    red{space}.and.b64 [%rd1+16], %rd3;
    red{space}.or.b32 [%rd1+24], %r3;
    atom{space}.and.b32 %r5, [%rd1+28], %r4;
"""
EXTREMES = """
    mul.lo.u32 %r1, %i, 0x9E3779B1;
    cvt.u64.u32 %rd1, %r1;
    mul.lo.u64 %rd1, %rd1, 0x9E3779B97F4A7C15;
    atom{space}.max.u32 %r2, [%out], %r1;
    red{space}.min.u32 [%out+4], %r1;
    red{space}.max.s32 [%out+8], %r1;
    atom{space}.min.s32 %r3, [%out+12], %r1;
    atom{space}.max.u64 %rd2, [%out+16], %rd1;
    red{space}.min.u64 [%out+24], %rd1;
    red{space}.max.s64 [%out+32], %rd1;
    red{space}.min.s64 [%out+40], %rd1;
"""
SWAPS = """
    add.u32 %r1, %i, 1;
    cvt.u64.u32 %rd1, %r1;
    mul.wide.u32 %rd3, %i, 16;
    add.u64 %rd3, %rd3, %out;
    atom{space}.exch.b32 %r2, [%out], %r1;
    atom{space}.exch.b64 %rd2, [%out+8], %rd1;
    atom{space}.add.u32 %r3, [%out+16], 1;
    st.global.u32 [%rd3+64], %r2;
    st.global.u32 [%rd3+68], %r3;
    st.global.u64 [%rd3+72], %rd2;
    ld.global.u32 %r4, [%out+20];
again:
    mov.u32 %r5, %r4;
    add.u32 %r6, %r5, 3;
    atom{space}.cas.b32 %r4, [%out+20], %r5, %r6;
    setp.ne.u32 %p1, %r4, %r5;
@%p1 bra again;
    ld.global.u64 %rd4, [%out+24];
once_more:
    mov.u64 %rd5, %rd4;
    add.u64 %rd6, %rd5, 0x300000005;
    atom{space}.cas.b64 %rd4, [%out+24], %rd5, %rd6;
    setp.ne.u64 %p1, %rd4, %rd5;
@%p1 bra once_more;
"""
WITH_128_BITS = """
    .reg .b128 %q, %old;
    mov.b32 %r1, 0x3C003C00;
    red.global.add.noftz.f16x2 [%out], %r1;
    red.global.add.v2.f32 [%out+8], {0f3F800000, 0f40000000};
    red.global.add.u32 [%out+4], 1;
    cvt.u64.u32 %rd1, %i;
    add.u64 %rd1, %rd1, 1;
    mov.b128 %q, {%rd1, %rd1};
    atom.global.exch.b128 %old, [%out+16], %q;
    mov.b128 {%rd2, %rd3}, %old;
    mul.wide.u32 %rd4, %i, 16;
    add.u64 %rd4, %rd4, %out;
    st.global.v2.u64 [%rd4+32], {%rd2, %rd3};
"""
PAIRS = """
    mov.b32 %r1, 0x3C003C00;
    mov.b32 %r3, 0xBC00BC00;
    mov.b32 %r2, 0;
again:
    red{space}.add.noftz.f16x2 [%out], %r1;
    red{space}.add.v4.f32 [%out+16], {{0f3F800000, 0f40000000, 0f40400000, 0f40800000}};
    red{space}.add.noftz.f16x2 [%out], %r3;
    add.u32 %r2, %r2, 1; setp.lt.u32 %p1, %r2, 200;
@%p1 bra again;
    red{space}.add.noftz.f16x2 [%out], %r1;
"""
SHARED = """
    .shared .align 8 .b32 box[4];
    setp.eq.u32 %p0, %t, 0;
@%p0 st.shared.v2.u32 [box], {0, 0};
    bar.sync 0;
    atom.shared.add.u32 %r1, [box], 1;
    mov.u64 %rd1, box;
    cvta.shared.u64 %rd1, %rd1;
    red.add.u32 [%rd1+4], %t;
    bar.sync 0;
    ld.shared.v2.u32 {%r2, %r3}, [box];
    add.u32 %r2, %r2, %r3;
    mad.lo.u32 %r2, %r1, 10000, %r2;
    st.global.u32 [%mine], %r2;
"""
BUFFERS = """
    xor.b32 %r0, %c, 1;
    mul.wide.u32 %rd1, %t, 8;
    add.u64 %rd1, %rd1, %out;
    mul.wide.u32 %rd2, %c, 4;
    mul.wide.u32 %rd3, %r0, 4;
    red.global.add.u32 [%out+1048576], 1;
come:
    ld.relaxed.gpu.global.u32 %r1, [%out+1048576];
    setp.lt.u32 %p1, %r1, 64;
@%p1 bra come;
    mov.u32 %r9, 0;
more:
    add.u64 %rd4, %rd1, %rd2;
    add.u64 %rd5, %rd1, %rd3;
    st.relaxed.gpu.global.u32 [%rd4], 1;
    fence.sc.gpu;
    ld.relaxed.gpu.global.u32 %r2, [%rd5];
    st.global.u32 [%rd4+524288], %r2;
    add.u64 %rd1, %rd1, 256;
    add.u32 %r9, %r9, 1;
    setp.lt.u32 %p1, %r9, 2000;
@%p1 bra more;
"""
MESSAGES = """
    setp.eq.u32 %p0, %c, 0;
    mul.wide.u32 %rd1, %t, 256;
    add.u64 %rd1, %rd1, %out;
    mov.u32 %r9, 1;
@!%p0 bra READ;
WRITE:
    st.global.u32 [%rd1], %r9;
    st.release.gpu.global.u32 [%rd1+64], %r9;
    add.u32 %r9, %r9, 1;
    setp.lt.u32 %p1, %r9, 5000;
@%p1 bra WRITE;
    bra.uni DONE;
READ:
    ld.acquire.gpu.global.u32 %r2, [%rd1+64];
    ld.global.u32 %r3, [%rd1];
    setp.lt.u32 %p2, %r3, %r2;
@%p2 st.global.u32 [%rd1+128], %r2;
    setp.lt.u32 %p1, %r2, 4999;
@%p1 bra READ;
    st.global.u32 [%rd1+132], %r2;
DONE:
"""


def left_by(body: str, jobs: int, grid: int, block: int = 64, words: int = 64) -> np.ndarray:
    """What a kernel leaves in `out` when several threads have run it."""
    with System(engine="native", jobs=jobs) as system:
        out = system.device(0).zeros(words, np.uint32)
        start(kernel(body), system.device(0), out, grid=grid, block=block)
        found: np.ndarray = out.numpy()
        assert system.runner.threaded
        return found


@JOBS
@SPACES
def test_sums_and_counters(space: str, jobs: int) -> None:
    out = left_by(COUNTS.format(space=space), jobs, grid=1000)
    times = ROUNDS * 64_000
    assert out[[0, 2, 3, 10]].tolist() == [times] * 4
    assert out[1:2].view(np.int32)[0] == -3 * times
    assert out[4:5].view(np.float32)[0] == times
    assert out[6:8].view(np.float64)[0] == 1.5 * times
    assert out[8:10].tolist() == [times % 1000, -times % 1000]


@SPACES
def test_bits_of_one_word_from_many_ctas(space: str) -> None:
    """64 CTAs change a bit each of a word, and 64 words of them at a time."""
    grid = 64 * 16
    with System(engine="native", jobs=2) as system:
        first = np.tile(np.array([0, 0, -1, -1 << 32], np.int64), 64 * 16)
        out = system.device(0).array(first)
        start(kernel(BITS.format(space=space)), system.device(0), out, grid=grid, block=64)
        found = out.numpy().reshape(-1, 4)
    assert (found[:, 0] == -1).all()
    assert (found[:, 1] == -1).all()
    assert (found[:, 2] == 0).all()
    assert (found[:, 3] == 0xFFFF_FFFF).all()


@SPACES
def test_extremes(space: str) -> None:
    grid = 1000
    with System(engine="native", jobs=2) as system:
        narrow, wide = np.iinfo(np.int32), np.iinfo(np.int64)
        first = np.zeros(6, np.uint64)
        first[:2].view(np.uint32)[:] = 0, 2**32 - 1, narrow.min % 2**32, narrow.max
        first[2:] = 0, 2**64 - 1, wide.min % 2**64, wide.max
        out = system.device(0).array(first)
        start(kernel(EXTREMES.format(space=space)), system.device(0), out, grid=grid, block=64)
        found = out.numpy()
    values = np.arange(64 * grid, dtype=np.uint64) * np.uint64(0x9E3779B1) & np.uint64(2**32 - 1)
    short = values.astype(np.uint32)
    signed = short.view(np.int32)
    assert found[0:1].view(np.uint32).tolist() == [short.max(), short.min()]
    assert found[1:2].view(np.int32).tolist() == [signed.max(), signed.min()]
    values *= np.uint64(0x9E3779B97F4A7C15)
    assert found[2:4].tolist() == [values.max(), values.min()]
    assert found[4:6].view(np.int64).tolist() == [values.view(np.int64).max(), values.view(np.int64).min()]


@JOBS
@SPACES
def test_what_is_exchanged_is_there_once(space: str, jobs: int) -> None:
    """Every token is the old value of one lane, or what remains; tickets are drawn once."""
    grid = 500
    threads = 64 * grid
    out = left_by(SWAPS.format(space=space), jobs, grid, words=16 + 4 * threads)
    rows = out[16:].reshape(threads, 4)
    tokens = list(range(threads + 1))
    assert sorted([*rows[:, 0].tolist(), int(out[0])]) == tokens
    assert sorted([*rows[:, 2:].copy().view(np.uint64)[:, 0].tolist(), int(out[2:4].view(np.uint64)[0])]) == tokens
    assert sorted(rows[:, 1].tolist()) == tokens[:-1]
    assert out[5] == 3 * threads
    assert out[6:8].view(np.uint64)[0] == 0x3_0000_0005 * threads


@SPACES
def test_pairs_and_vectors(space: str) -> None:
    """Sums that f16 and f32 hold exactly."""
    threads = 60 * 32
    out = left_by(PAIRS.format(space=space), 2, 60, 32, words=8)
    assert out[:1].view(np.float16).tolist() == [threads, threads]
    assert out[4:8].view(np.float32).tolist() == [200 * threads * n for n in (1, 2, 3, 4)]


def test_pairs_and_vectors_beside_128_bits() -> None:
    grid, block = 20, 32
    threads = grid * block
    out = left_by(WITH_128_BITS, 2, grid, block, words=8 + 4 * threads)
    assert out[:1].view(np.float16).tolist() == [threads, threads]
    assert out[1] == threads
    assert out[2:4].view(np.float32).tolist() == [threads, 2 * threads]
    olds = out[8:].view(np.uint64).reshape(threads, 2)
    last = out[4:8].view(np.uint64)
    assert (olds[:, 0] == olds[:, 1]).all()
    assert sorted([*olds[:, 0].tolist(), int(last[0])]) == list(range(threads + 1))


def test_atomics_on_shared_memory() -> None:
    out = left_by(SHARED, 2, grid=500, words=500 * 64).reshape(500, 64)
    assert (out % 10000 == 64 + 64 * 63 // 2).all()
    assert (np.sort(out // 10000, axis=1) == np.arange(64)).all()


def test_fence_sc_keeps_a_write_before_a_read() -> None:
    """Two CTAs write a word each and read the other's: one of them at least sees it."""
    out = left_by(BUFFERS, 2, grid=2, block=32, words=262_145)
    seen = out[131_072 : 131_072 + 2000 * 64].reshape(-1, 2)
    assert seen.any(axis=1).all()


def test_release_and_acquire_carry_what_was_written_before() -> None:
    out = left_by(MESSAGES, 2, grid=2, block=32, words=32 * 64).reshape(32, 64)
    assert not out[:, 32].any()
    assert (out[:, 33] == 4999).all()


@pytest.mark.slow
def test_sums_and_counters_two_hundred_times() -> None:
    for number in range(200):
        grid = 300 + number
        out = left_by(COUNTS.format(space=".global" if number % 2 else ""), 2 + number % 3, grid)
        times = ROUNDS * 64 * grid
        assert out[[0, 2, 3, 10]].tolist() == [times] * 4
        assert out[4:5].view(np.float32)[0] == times
