"""Small kernels for the verdicts, and jobs of them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from emulator import samples
from emulator.crosscheck.case import Case
from emulator.crosscheck.cases import cases_of
from emulator.crosscheck.job import Job, Tolerance, job_of
from emulator.crosscheck.samples import sample_job
from emulator.machine.grid import LaunchShape
from emulator.parse import parse
from emulator.program import Program, link
from emulator.ptx_types import Dim3

HEAD = ".version 8.8\n.target sm_90a\n.address_size 64\n"
INDEX = """
    ld.param.u64 %out, [out];
    mov.u32 %block, %ctaid.x;
    mov.u32 %threads, %ntid.x;
    mov.u32 %thread, %tid.x;
    mad.lo.u32 %i, %block, %threads, %thread;
    mul.wide.u32 %offset, %i, 4;
    add.u64 %mine, %out, %offset;
"""
REGISTERS = """
    .reg .pred %p<4>;
    .reg .b32 %block, %threads, %thread, %i, %r<8>;
    .reg .b64 %out, %offset, %mine, %rd<8>;
    .reg .f32 %f<8>;
"""


def kernel(body: str, before: str = "") -> str:
    """A kernel `k` of one buffer `out`; %i is the thread's number, %mine its own word."""
    return f"{HEAD}{before}.visible .entry k(.param .u64 out)\n{{{REGISTERS}{INDEX}{body}\n    ret;\n}}\n"


def job(body: str, *, block: int = 64, grid: int = 1, before: str = "", out: Any = None, tolerance: float = 0.0) -> Job:
    """A launch of such a kernel, of the bits of ascending floats unless `out` is given."""
    program = link(parse(kernel(body, before), name="k.ptx"), "k")
    values = np.arange(1, block * grid + 1).astype(np.float32) if out is None else out
    shape = LaunchShape(Dim3(grid), Dim3(block))
    return job_of(program, shape, {"out": values}, tolerances={"out": Tolerance(tolerance, tolerance)})


@cache
def cases(group: str) -> tuple[Case, ...]:
    """The cases of a group, made once."""
    return tuple(cases_of(group))


def sample(name: str) -> Job:
    """A sample's launch."""
    return sample_job(samples.find(name))


def program_of(job: Job) -> Program:
    """The linked program of a job."""
    return link(parse(job.ptx, name=job.name), job.kernel)


def pc_of(job: Job, text: str) -> int:
    """The one instruction of a job that holds a text."""
    (found,) = (i.pc for i in program_of(job).instructions if text in i.text)
    return found
