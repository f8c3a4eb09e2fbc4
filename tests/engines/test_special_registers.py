"""Special registers against the launch's own numbers, thread by thread (manual, chapter 10)."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from emulator import ObjectCode, System
from emulator.errors import IllegalAddress
from tests.engines.programs import kernel_text, run, start

pytestmark = pytest.mark.usefixtures("each_engine")

VECTORS = ["tid", "ntid", "ctaid", "nctaid", "clusterid", "nclusterid", "cluster_ctaid", "cluster_nctaid"]
SCALARS = [
    "laneid", "warpid", "nwarpid", "nsmid", "cluster_ctarank", "cluster_nctarank", "dynamic_smem_size",
    "total_smem_size", "lanemask_eq", "lanemask_lt", "lanemask_le", "lanemask_gt", "lanemask_ge",
]  # fmt: skip
NAMES = [f"{name}.{axis}" for name in VECTORS for axis in "xyzw"] + SCALARS
Size = tuple[int, int, int]


def linear(index: Size, size: Size) -> int:
    return index[0] + size[0] * (index[1] + size[1] * index[2])


def indices(size: Size) -> Iterator[Size]:
    """Every index of a size, x first."""
    for z, y, x in itertools.product(*(range(n) for n in reversed(size))):
        yield x, y, z


def expected(block: Size, grid: Size, cluster: Size, shared: int) -> Iterator[list[int]]:
    """The registers of every thread, CTA by CTA; the sum of static and dynamic bytes is 160, given in units of 128."""
    clusters = tuple(g // c for g, c in zip(grid, cluster, strict=True))
    for cta in indices(grid):
        inside = tuple(i % c for i, c in zip(cta, cluster, strict=True))
        of_cluster = tuple(i // c for i, c in zip(cta, cluster, strict=True))
        for tid in indices(block):
            thread = linear(tid, block)
            lane = thread % 32
            vectors = [
                (tid, 0),
                (block, 1),
                (cta, 0),
                (grid, 1),
                (of_cluster, 0),
                (clusters, 1),
                (inside, 0),
                (cluster, 1),
            ]
            masks = [
                sum(1 << n for n in range(32) if holds(n, lane))
                for holds in (int.__eq__, int.__lt__, int.__le__, int.__gt__, int.__ge__)
            ]
            ranks = [linear(inside, cluster), cluster[0] * cluster[1] * cluster[2]]
            numbers = [lane, thread // 32, 64, 132, *ranks, shared, 256, *masks]
            yield [part for parts, fourth in vectors for part in (*parts, fourth)] + numbers


@pytest.mark.parametrize(
    ("block", "grid", "cluster"),
    [((5, 3, 4), (2, 3, 2), None), ((40, 1, 2), (4, 2, 3), (2, 2, 1)), ((1, 1, 33), (3, 2, 4), (1, 1, 4))],
)
def test_threads_find_their_places(block: Size, grid: Size, cluster: Size | None) -> None:
    head = ".shared .align 4 .b8 own[64]; mov.u32 %r6, own; .reg .b64 %at;"
    where = """
        mov.u32 %r0, %ctaid.z; mov.u32 %r1, %nctaid.y; mov.u32 %r2, %ctaid.y; mad.lo.u32 %r0, %r0, %r1, %r2;
        mov.u32 %r1, %nctaid.x; mov.u32 %r2, %ctaid.x; mad.lo.u32 %r0, %r0, %r1, %r2;
        mov.u32 %r1, %ntid.z; mov.u32 %r2, %tid.z; mad.lo.u32 %r0, %r0, %r1, %r2;
        mov.u32 %r1, %ntid.y; mov.u32 %r2, %tid.y; mad.lo.u32 %r0, %r0, %r1, %r2;
        mov.u32 %r1, %ntid.x; mov.u32 %r2, %tid.x; mad.lo.u32 %r0, %r0, %r1, %r2;
    """
    stores = "".join(f"mov.u32 %r5, %{name}; st.global.u32 [%at+{4 * n}], %r5;\n" for n, name in enumerate(NAMES))
    body = f"{head} {where} mul.wide.u32 %rd1, %r0, {4 * len(NAMES)}; add.u64 %at, %out, %rd1; {stores}"
    size = cluster or (1, 1, 1)
    launched = tuple(g // c for g, c in zip(grid, size, strict=True)) if cluster else grid
    with System() as system:
        device = system.device(0)
        wanted = np.array(list(expected(block, grid, size, 96)), np.uint32)
        out = device.zeros(wanted.shape, np.uint32)
        kernel = ObjectCode.from_ptx(kernel_text(body).encode()).get_kernel("k")
        start(kernel, device, out, grid=launched, block=block, shared=96, cluster=cluster)
        found = out.numpy()
    wrong = {NAMES[column]: (found[row, column], wanted[row, column]) for row, column in np.argwhere(found != wanted)}
    assert not wrong


def test_clocks_count_instructions_and_launches_are_numbered() -> None:
    body = """
        mov.u64 %rd1, %clock64; mov.u32 %r1, %clock; mov.u64 %rd2, %globaltimer; mov.u64 %rd3, %gridid;
        sub.u64 %rd2, %rd2, %rd1; st.global.u64 [%out], %rd2; st.global.u64 [%out+8], %rd3;
        cvt.u32.u64 %r2, %rd1; sub.u32 %r1, %r1, %r2; st.global.u32 [%out+16], %r1;
    """
    with System() as system:
        device = system.device(0)
        outs = [device.zeros(3, np.uint64) for _ in range(2)]
        kernel = ObjectCode.from_ptx(kernel_text(body).encode()).get_kernel("k")
        for out in outs:
            start(kernel, device, out, block=32)
        first, second = (out.numpy().tolist() for out in outs)
    assert (first[0], first[2], second[0], second[2]) == (2, 1, 2, 1)
    assert second[1] == first[1] + 1


def test_the_second_reserved_part_of_shared_memory_can_be_accessed() -> None:
    """CUDA's cooperative groups keep the barriers of tiles of several warps there: 288 bytes, zeros at first."""
    body = """
        .shared .align 4 .b32 own[32];
        mov.u32 %r0, %reserved_smem_offset_1;
        mad.lo.u32 %r1, %l, 8, %r0;  mov.u32 %r2, own;  mad.lo.u32 %r2, %l, 4, %r2;
        cvt.u64.u32 %rd0, %r1;  cvta.shared.u64 %rd0, %rd0;
        st.shared.u32 [%r2], 5;
        atom.add.u32 %r3, [%rd0+32], %l;
        ld.shared.u32 %r4, [%r1+32];  ld.shared.u32 %r5, [%r2];
        mad.lo.u32 %r4, %r4, 1000, %r5;  mad.lo.u32 %r4, %r3, 1000000, %r4;
        st.global.u32 [%mine], %r4;
        mov.u32 %r6, %total_smem_size;
        setp.eq.u32 %p0, %l, 0;
    @%p0 st.global.u32 [%out+256], %r6;
    """
    with System() as system:
        device = system.device(0)
        out = device.zeros(65, np.uint32)
        start(ObjectCode.from_ptx(kernel_text(body).encode()).get_kernel("k"), device, out, cluster=2)
        assert out.numpy().tolist() == [1000 * lane + 5 for lane in range(32)] * 2 + [128]
    with pytest.raises(IllegalAddress, match="past the end of shared memory"):
        run("mov.u32 %r0, %reserved_smem_offset_1; st.shared.u32 [%r0+288], 1;")
