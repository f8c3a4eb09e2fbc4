"""Kernels as PTX text, and running them through the public API.

`kernel_text` puts a body between a head and an end.  In a body the registers %r0.. %rd0.. %p0.. %h0.. %f0.. %d0..
are free, and these are set:

    %out    the parameter `out`                 %t     %tid.x
    %mine   &out[index of the thread, linear]   %i     the linear index of the thread in the grid
    %c      %ctaid.x                            %w     the warp in its CTA
    %l      %laneid
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from emulator import Device, Kernel, LaunchConfig, ObjectCode, System, launch
from emulator.errors import DiagnosedError

HEAD = ".version 8.8\n.target sm_90a\n.address_size 64\n"
REGISTERS = """
    .reg .pred %p<16>;  .reg .b16 %h<8>;  .reg .b32 %r<64>;  .reg .b64 %rd<32>;  .reg .f32 %f<8>;  .reg .f64 %d<8>;
"""
PROLOGUE = """
    .reg .b64 %out, %mine;  .reg .b32 %t, %i, %c, %w, %l;
    ld.param.u64 %out, [out];
    mov.u32 %t, %tid.x;
    mov.u32 %c, %ctaid.x;
    mov.u32 %l, %laneid;
    shr.u32 %w, %t, 5;
    mov.u32 %i, %ntid.x;
    mad.lo.u32 %i, %i, %c, %t;
    mul.wide.u32 %mine, %i, 4;
    add.u64 %mine, %mine, %out;
"""
SCHEDULES = ["round_robin", "round_robin:256", *(f"random:{seed}" for seed in range(20))]
QUICK = 10  # the rest of them run with the slow tests
every_schedule = pytest.mark.parametrize(
    "schedule", [*SCHEDULES[:QUICK], *(pytest.param(name, marks=pytest.mark.slow) for name in SCHEDULES[QUICK:])]
)


def kernel_text(body: str, *, before: str = "", parameters: str = "") -> str:
    """A module with one kernel `k`; before: declarations at module scope; parameters: those behind `out`."""
    more = f", {parameters}" if parameters else ""
    return f"{HEAD}{before}\n.visible .entry k(.param .u64 out{more})\n{{{REGISTERS}{PROLOGUE}{body}\n    ret;\n}}\n"


def kernel(body: str, *, before: str = "", parameters: str = "") -> Kernel:
    """The kernel of `kernel_text`."""
    return ObjectCode.from_ptx(kernel_text(body, before=before, parameters=parameters)).get_kernel("k")


def start(
    code: Kernel, device: Device, *arguments: Any, grid: int = 1, block: int = 32, shared: int = 0, **more: Any
) -> None:
    """Launch on the default stream."""
    launch(device.default_stream, LaunchConfig(grid, block=block, shmem_size=shared, **more), code, *arguments)


def lanes_that_wait(before: str = "", meanwhile: str = "", *, rounds: int, last: int) -> str:
    """A body for 64 threads: lanes 0-15 only arrive and do something in rounds, lanes 16-31 wait; warp 1 comes last."""
    return f"""
        setp.ge.u32 %p0, %t, 32;
    @%p0 bra LAST;
        setp.ge.u32 %p1, %t, 16;
    @%p1 bra WAIT;
        barrier.arrive 1, 64;
        {before}
        mov.u32 %r1, 0;
    RUN:
        {meanwhile}
        add.u32 %r1, %r1, 1;
        setp.lt.u32 %p2, %r1, {rounds};
    @%p2 bra RUN;
        bra.uni DONE;
    WAIT:
        barrier.sync 1, 64;
        bra.uni DONE;
    LAST:
        add.u32 %r1, %r1, 1;
        setp.lt.u32 %p2, %r1, {last};
    @%p2 bra LAST;
        barrier.sync 1, 64;
    DONE:
        st.global.u32 [%mine], %i;
    """


def run(
    body: str,
    *arguments: Any,
    grid: int = 1,
    block: int = 32,
    words: int | None = None,
    shared: int = 0,
    before: str = "",
    parameters: str = "",
    dtype: npt.DTypeLike = np.uint32,
    **options: Any,
) -> npt.NDArray[Any]:
    """What a kernel leaves in `out`, a word a thread unless told; options as of System."""
    with System(**options) as system:
        device = system.device(0)
        out = device.zeros(grid * block if words is None else words, dtype)
        code = kernel(body, before=before, parameters=parameters)
        start(code, device, out, *arguments, grid=grid, block=block, shared=shared)
        return out.numpy()


def report(error: DiagnosedError) -> str:
    """Headline, facts and help of a diagnostic, a line each and without the text."""
    found = error.diagnostics[0]
    return "\n".join([found.message, *(" ".join(fact).strip() for fact in found.facts), found.help])
