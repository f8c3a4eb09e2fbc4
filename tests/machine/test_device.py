"""Which SM a CTA goes to, what is resident at once, and clusters."""

import numpy as np
import pytest

from emulator import LaunchConfig, System, launch
from emulator.machine.device import DeviceState
from emulator.machine.grid import Grid
from emulator.ptx_types import Dim3
from tests.engines.programs import kernel, start


def grid_of(system: System, *, grid: int = 8, block: int = 32, shared: int = 0, cluster: int | None = None) -> Grid:
    """A launch that has not started."""
    device = system.device(0)
    config = LaunchConfig(grid, cluster, block, shared)
    return launch(device.default_stream, config, kernel(""), device.zeros(1))


@pytest.mark.parametrize(
    ("block", "shared", "each"),
    [
        (32, 0, 32),
        (64, 0, 32),
        (65, 0, 21),
        (1024, 0, 2),
        (1000, 0, 2),
        (32, 227 << 10, 1),
        (32, 113 << 10, 2),
        (96, 20 << 10, 10),
    ],
)
def test_how_many_ctas_an_sm_holds(block: int, shared: int, each: int) -> None:
    with System(sms=3) as system:
        grid = grid_of(system, grid=200, block=block, shared=shared)
        device = system.runner.devices[0]
        assert device.most_resident(grid) == 3 * each
        placed = 0
        while device.dispatch(grid):
            placed += 1
        assert placed == 3 * each == len(grid.resident)
        assert [cta.sm for cta in grid.resident.values()] == [n % 3 for n in range(placed)]
        system.reset()


def test_a_freed_place_is_taken_again() -> None:
    device = DeviceState(0, 2, "sm_90a")
    with System() as system:
        grid = grid_of(system, grid=10, block=1024)
        ctas = [device.dispatch(grid)[0] for _ in range(4)]
        assert [cta.sm for cta in ctas] == [0, 1, 0, 1] and device.dispatch(grid) == []
        device.retire(ctas[1])
        assert 1 not in grid.resident and grid.finished_ctas == 1
        assert device.dispatch(grid)[0].sm == 1
        assert list(device.held[:, 1]) == [2048, 2048]
        system.reset()


def test_a_cluster_is_placed_as_a_whole() -> None:
    with System(sms=1) as system:
        grid = grid_of(system, grid=2, block=1024, cluster=2)
        device = system.runner.devices[0]
        first = device.dispatch(grid)
        assert [cta.linear for cta in first] == [0, 1] and [cta.rank for cta in first] == [0, 1]
        assert all(cta.cluster == first for cta in first)
        assert device.dispatch(grid) == [] and device.held[0, 0] == 2
        device.retire(first[0])
        assert device.dispatch(grid) == [] and device.held[0, 0] == 1
        device.retire(first[1])
        assert [cta.linear for cta in device.dispatch(grid)] == [2, 3]
        system.reset()


def test_members_of_clusters_in_three_dimensions() -> None:
    with System() as system:
        device = system.device(0)
        config = LaunchConfig((2, 1, 2), (2, 2, 1), 32)
        grid = launch(device.default_stream, config, kernel(""), device.zeros(1))
        assert grid.config.grid == Dim3(4, 2, 2)
        state = system.runner.devices[0]
        members = [[cta.linear for cta in state.dispatch(grid)] for _ in range(4)]
        assert members == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
        system.reset()


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_special_registers_of_clusters_and_memory_of_each_other(engine: str) -> None:
    """Each CTA writes into the shared memory of the next of its cluster, and reads what it was given."""
    body = """
        .shared .align 4 .b32 box;
        mov.u32 %r0, %cluster_ctarank;
        mov.u32 %r1, %cluster_nctarank;
        add.u32 %r2, %r0, 1;
        rem.u32 %r2, %r2, %r1;
        mov.u32 %r3, box;
        mapa.shared::cluster.u32 %r4, %r3, %r2;
        add.u32 %r5, %c, 100;
        st.shared::cluster.u32 [%r4], %r5;
    SPIN:
        ld.volatile.shared.u32 %r6, [box];
        setp.eq.u32 %p0, %r6, 0;
    @%p0 bra SPIN;
        mov.u32 %r7, %clusterid.x;
        mad.lo.u32 %r6, %r7, 1000, %r6;
        st.global.u32 [%mine], %r6;
    """
    with System(engine=engine) as system:
        device = system.device(0)
        out = device.zeros(6, np.uint32)
        start(kernel(body), device, out, grid=2, cluster=3, block=1)
        assert list(out.numpy()) == [102, 100, 101, 1105, 1103, 1104]
