"""Accesses that must not happen: exact screens, in every state space, and a state in which nothing is half done.

The screens are the same on both engines. In the texts `out` is a buffer of 32 words.
"""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from emulator import LaunchConfig, ObjectCode, System, launch
from emulator.commands import main
from emulator.errors import IllegalAddress, KernelFault, MisalignedAddress
from tests.test_bad_input import OUT, Screen, kernel, name_of

ENGINES = ("reference", "native")
OUT_POINTER = "ld.param.u64 %rd1, [out];\n"
INDEX = OUT_POINTER + "mov.u32 %r1, %tid.x;\nmul.wide.u32 %rd2, %r1, 4;\nadd.u64 %rd1, %rd1, %rd2;\n"
TILE = ".shared .b32 tile[32];\n"
TABLE = ".const .b32 table[4] = {1, 2, 3, 4};\n"
SHARED_POINTER = "mov.u64 %rd1, tile;\ncvta.shared.u64 %rd1, %rd1;\n"
CONST_POINTER = "mov.u64 %rd1, table;\ncvta.const.u64 %rd1, %rd1;\n"
PARAM_POINTER = "mov.u64 %rd1, out;\ncvta.param.u64 %rd1, %rd1;\n"

SCREENS = (
    Screen(
        "a store past the end of a buffer",
        kernel(INDEX + "st.global.u32 [%rd1+80], %r1;"),
        OUT,
        1,
        """
error[PTX-M0101]: store of 4 bytes past the end of "out"
  --> k.ptx:13:19
   |
13 |     st.global.u32 [%rd1+80], %r1;
   |                   ^^^^^^^^^
   = lanes   ............!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xfffff000
   = first   lane 12, thread (12,0,0): out+128, 0 bytes after its end
   = buffer  "out", argument 1 of k, u32[32], 128 bytes at 0x700000001000
   = address [%rd1+80] = 0x700000001080 .. 0x7000000010cc
   = kernel  k
   = run     instruction 4, schedule round_robin, seed 0
   help: guard the index, or make the buffer larger
""",
    ),
    Screen(
        "a load before the start of a buffer",
        kernel(INDEX + "ld.global.u32 %r2, [%rd1+-16];"),
        OUT,
        1,
        """
error[PTX-M0101]: load of 4 bytes before the start of "out"
  --> k.ptx:13:24
   |
13 |     ld.global.u32 %r2, [%rd1+-16];
   |                        ^^^^^^^^^^
   = lanes   !!!!............................  block (0,0,0) warp 0  0x0000000f
   = first   lane 0, thread (0,0,0): out-16, 16 bytes before its start
   = buffer  "out", argument 1 of k, u32[32], 128 bytes at 0x700000001000
   = address [%rd1+-16] = 0x700000000ff0 .. 0x700000000ffc
   = kernel  k
   = run     instruction 4, schedule round_robin, seed 0
   help: guard the index, or make the buffer larger
""",
    ),
    Screen(
        "a load across the end of a buffer",
        kernel(OUT_POINTER + "ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1+112];"),
        ("--arg", "u32[30]"),
        1,
        """
error[PTX-M0101]: load of 16 bytes across the end of "out"
  --> k.ptx:10:44
   |
10 |     ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd1+112];
   |                                            ^^^^^^^^^^
   = lanes   !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffffffff
   = first   lane 0, thread (0,0,0): out+112
   = buffer  "out", argument 1 of k, u32[30], 120 bytes at 0x700000001000
   = address [%rd1+112] = 0x700000001070
   = kernel  k
   = run     instruction 1, schedule round_robin, seed 0
   help: only 8 of its 16 bytes are inside: use a narrower access at the end
""",
    ),
    Screen(
        "an atomic past the end of a buffer",
        kernel(INDEX + "atom.global.add.u32 %r2, [%rd1+80], 1;"),
        OUT,
        1,
        """
error[PTX-M0101]: atomic access of 4 bytes past the end of "out"
  --> k.ptx:13:30
   |
13 |     atom.global.add.u32 %r2, [%rd1+80], 1;
   |                              ^^^^^^^^^
   = lanes   ............!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xfffff000
   = first   lane 12, thread (12,0,0): out+128, 0 bytes after its end
   = buffer  "out", argument 1 of k, u32[32], 128 bytes at 0x700000001000
   = address [%rd1+80] = 0x700000001080 .. 0x7000000010cc
   = kernel  k
   = run     instruction 4, schedule round_robin, seed 0
   help: guard the index, or make the buffer larger
""",
    ),
    Screen(
        "a reduction past the end of a buffer",
        kernel(INDEX + "red.global.add.u32 [%rd1+80], 1;"),
        OUT,
        1,
        """
error[PTX-M0101]: atomic access of 4 bytes past the end of "out"
  --> k.ptx:13:24
   |
13 |     red.global.add.u32 [%rd1+80], 1;
   |                        ^^^^^^^^^
   = lanes   ............!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xfffff000
   = first   lane 12, thread (12,0,0): out+128, 0 bytes after its end
   = buffer  "out", argument 1 of k, u32[32], 128 bytes at 0x700000001000
   = address [%rd1+80] = 0x700000001080 .. 0x7000000010cc
   = kernel  k
   = run     instruction 4, schedule round_robin, seed 0
   help: guard the index, or make the buffer larger
""",
    ),
    Screen(
        "a guarded store",
        kernel(INDEX + "setp.gt.u32 %p1, %r1, 30;\n@%p1 st.global.u32 [%rd1+4], %r1;"),
        OUT,
        1,
        """
error[PTX-M0101]: store of 4 bytes past the end of "out"
  --> k.ptx:14:24
   |
14 |     @%p1 st.global.u32 [%rd1+4], %r1;
   |                        ^^^^^^^^
   = lanes   ...............................!  block (0,0,0) warp 0  0x80000000
   = first   lane 31, thread (31,0,0): out+128, 0 bytes after its end
   = buffer  "out", argument 1 of k, u32[32], 128 bytes at 0x700000001000
   = address [%rd1+4] = 0x700000001080
   = kernel  k
   = run     instruction 5, schedule round_robin, seed 0
   help: guard the index, or make the buffer larger
""",
    ),
    Screen(
        "a store past a variable",
        kernel("st.global.u32 [counter+4], 1;", before=".global .b32 counter;\n"),
        OUT,
        1,
        """
error[PTX-M0101]: store of 4 bytes past the end of "counter"
  --> k.ptx:10:19
   |
10 |     st.global.u32 [counter+4], 1;
   |                   ^^^^^^^^^^^
   = lanes    !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffffffff
   = first    lane 0, thread (0,0,0): counter+4, 0 bytes after its end
   = variable "counter", .global, 4 bytes at 0x700000001180
   = address  [counter+4] = 0x700000001184
   = kernel   k
   = run      instruction 0, schedule round_robin, seed 0
   help: guard the index
""",
    ),
    Screen(
        "a null pointer",
        kernel("mov.u64 %rd1, 0;\nld.u32 %r1, [%rd1+16];"),
        OUT,
        1,
        """
error[PTX-M0101]: load of 4 bytes through a null pointer
  --> k.ptx:10:17
   |
10 |     ld.u32 %r1, [%rd1+16];
   |                 ^^^^^^^^^
   = lanes   !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffffffff
   = first   lane 0, thread (0,0,0): 0x10
   = address [%rd1+16] = 0x10
   = kernel  k
   = run     instruction 1, schedule round_robin, seed 0
   help: is the pointer set, and was a buffer given for it?
""",
    ),
    Screen(
        "a pointer of the host",
        kernel("mov.u64 %rd1, 0x7fffdeadbe00;\nst.global.u32 [%rd1], 1;"),
        OUT,
        1,
        """
error[PTX-M0101]: store of 4 bytes at 0x7fffdeadbe00, far from every allocation
  --> k.ptx:10:19
   |
10 |     st.global.u32 [%rd1], 1;
   |                   ^^^^^^
   = lanes   !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffffffff
   = first   lane 0, thread (0,0,0): 0x7fffdeadbe00
   = address [%rd1] = 0x7fffdeadbe00
   = kernel  k
   = run     instruction 1, schedule round_robin, seed 0
   help: is the register that holds the address set, and is it a device address?
""",
    ),
    Screen(
        "a misaligned load",
        kernel(INDEX + "ld.global.v2.u32 {%r2, %r3}, [%rd1];"),
        OUT,
        1,
        """
error[PTX-M0102]: misaligned load of 8 bytes in global memory
  --> k.ptx:13:34
   |
13 |     ld.global.v2.u32 {%r2, %r3}, [%rd1];
   |                                  ^^^^^^
   = lanes   .!.!.!.!.!.!.!.!.!.!.!.!.!.!.!.!  block (0,0,0) warp 0  0xaaaaaaaa
   = first   lane 1, thread (1,0,0): out+4
   = buffer  "out", argument 1 of k, u32[32], 128 bytes at 0x700000001000
   = address [%rd1] = 0x700000001004 .. 0x70000000107c
   = kernel  k
   = run     instruction 4, schedule round_robin, seed 0
   help: its address has to be a multiple of 8
""",
    ),
    Screen(
        "a misaligned atomic",
        kernel(OUT_POINTER + "atom.global.add.u32 %r2, [%rd1+2], 1;"),
        OUT,
        1,
        """
error[PTX-M0102]: misaligned atomic access of 4 bytes in global memory
  --> k.ptx:10:30
   |
10 |     atom.global.add.u32 %r2, [%rd1+2], 1;
   |                              ^^^^^^^^
   = lanes   !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffffffff
   = first   lane 0, thread (0,0,0): out+2
   = buffer  "out", argument 1 of k, u32[32], 128 bytes at 0x700000001000
   = address [%rd1+2] = 0x700000001002
   = kernel  k
   = run     instruction 1, schedule round_robin, seed 0
   help: its address has to be a multiple of 4
""",
    ),
    Screen(
        "a store past shared memory",
        kernel(
            "mov.u32 %r1, %tid.x;\n"
            "shl.b32 %r1, %r1, 3;\n"
            "mov.u32 %r2, tile;\n"
            "add.u32 %r2, %r2, %r1;\n"
            "st.shared.u32 [%r2], %r1;",
            before=TILE,
        ),
        OUT,
        1,
        """
error[PTX-M0101]: store of 4 bytes past the end of shared memory
  --> k.ptx:14:19
   |
14 |     st.shared.u32 [%r2], %r1;
   |                   ^^^^^
   = lanes   ................!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffff0000
   = first   lane 16, thread (16,0,0): tile+128, 0 bytes after its end
   = shared  128 bytes static, 0 dynamic, from address 0x400 on
   = address [%r2] = 0x480 .. 0x4f8
   = kernel  k
   = run     instruction 4, schedule round_robin, seed 0
   help: guard the index
""",
    ),
    Screen(
        "a load below shared memory",
        kernel("mov.u32 %r2, 0;\nld.shared.u32 %r1, [%r2];", before=TILE),
        OUT,
        1,
        """
error[PTX-M0101]: load of 4 bytes before the start of shared memory
  --> k.ptx:11:24
   |
11 |     ld.shared.u32 %r1, [%r2];
   |                        ^^^^^
   = lanes   !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffffffff
   = first   lane 0, thread (0,0,0): 0x0
   = shared  0 bytes static, 0 dynamic, from address 0x400 on
   = address [%r2] = 0x0
   = kernel  k
   = run     instruction 1, schedule round_robin, seed 0
   help: shared memory begins at 0x400: take addresses of its variables with mov
""",
    ),
    Screen(
        "a misaligned load from shared memory",
        kernel("ld.shared.u32 %r1, [tile+2];", before=TILE),
        OUT,
        1,
        """
error[PTX-M0102]: misaligned load of 4 bytes in shared memory
  --> k.ptx:10:24
   |
10 |     ld.shared.u32 %r1, [tile+2];
   |                        ^^^^^^^^
   = lanes   !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffffffff
   = first   lane 0, thread (0,0,0): tile+2
   = shared  128 bytes static, 0 dynamic, from address 0x400 on
   = address [tile+2] = 0x402
   = kernel  k
   = run     instruction 0, schedule round_robin, seed 0
   help: its address has to be a multiple of 4
""",
    ),
    Screen(
        "a generic store past shared memory",
        kernel(SHARED_POINTER + "st.u32 [%rd1+128], 1;", before=TILE),
        OUT,
        1,
        """
error[PTX-M0101]: store of 4 bytes past the end of shared memory
  --> k.ptx:12:12
   |
12 |     st.u32 [%rd1+128], 1;
   |            ^^^^^^^^^^
   = lanes   !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffffffff
   = first   lane 0, thread (0,0,0): tile+128, 0 bytes after its end
   = shared  128 bytes static, 0 dynamic, from address 0x400 on
   = address [%rd1+128] = 0x6f0000000480
   = kernel  k
   = run     instruction 2, schedule round_robin, seed 0
   help: guard the index
""",
    ),
    Screen(
        "a generic address in a shared load",
        kernel(SHARED_POINTER + "ld.shared.u32 %r1, [%rd1];", before=TILE),
        OUT,
        1,
        """
error[PTX-M0101]: load of 4 bytes at 0x6f0000000400, no address of shared memory
  --> k.ptx:12:24
   |
12 |     ld.shared.u32 %r1, [%rd1];
   |                        ^^^^^^
   = lanes   !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffffffff
   = first   lane 0, thread (0,0,0): tile
   = shared  128 bytes static, 0 dynamic, from address 0x400 on
   = address [%rd1] = 0x6f0000000400
   = kernel  k
   = run     instruction 2, schedule round_robin, seed 0
   help: is it a generic address? cvta.to.shared makes it one of shared memory
""",
    ),
    Screen(
        "dynamic shared memory that was not given",
        kernel("ld.shared.u32 %r1, [dynamic+64];", before=".extern .shared .b32 dynamic[];\n"),
        OUT,
        1,
        """
error[PTX-M0101]: load of 4 bytes past the end of shared memory
  --> k.ptx:10:24
   |
10 |     ld.shared.u32 %r1, [dynamic+64];
   |                        ^^^^^^^^^^^^
   = lanes   !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffffffff
   = first   lane 0, thread (0,0,0): dynamic+64, 64 bytes after its end
   = shared  0 bytes static, 0 dynamic, from address 0x400 on
   = address [dynamic+64] = 0x440
   = kernel  k
   = run     instruction 0, schedule round_robin, seed 0
   help: dynamic shared memory is given at the launch: shmem_size, --shmem
""",
    ),
    Screen(
        "a CTA that the cluster does not have",
        kernel(
            "mov.u32 %r1, tile;\nmapa.shared::cluster.u32 %r2, %r1, 5;\nld.shared::cluster.u32 %r3, [%r2];", before=TILE
        ),
        OUT,
        1,
        """
error[PTX-M0101]: load of 4 bytes in shared memory of CTA 5 of the cluster
  --> k.ptx:12:33
   |
12 |     ld.shared::cluster.u32 %r3, [%r2];
   |                                 ^^^^^
   = lanes   !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffffffff
   = first   lane 0, thread (0,0,0): 0x5000400
   = cluster 1 CTA, this is number 0
   = address [%r2] = 0x5000400
   = kernel  k
   = run     instruction 2, schedule round_robin, seed 0
   help: the cluster has no such CTA
""",
    ),
    Screen(
        "a store past local memory",
        kernel(
            ".local .b32 box[4];\n"
            "mov.u32 %r1, %tid.x;\n"
            "shl.b32 %r1, %r1, 2;\n"
            "mov.u32 %r2, box;\n"
            "add.u32 %r2, %r2, %r1;\n"
            "st.local.u32 [%r2], %r1;"
        ),
        OUT,
        1,
        """
error[PTX-M0101]: store of 4 bytes past the end of local memory
  --> k.ptx:14:18
   |
14 |     st.local.u32 [%r2], %r1;
   |                  ^^^^^
   = lanes   ....!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xfffffff0
   = first   lane 4, thread (4,0,0): box+16, 0 bytes after its end
   = local   16 bytes for each lane
   = address [%r2] = 0x10 .. 0x7c
   = kernel  k
   = run     instruction 4, schedule round_robin, seed 0
   help: guard the index
""",
    ),
    Screen(
        "a generic load past local memory",
        kernel(".local .b32 box[4];\nmov.u64 %rd1, box;\ncvta.local.u64 %rd1, %rd1;\nld.u32 %r1, [%rd1+16];"),
        OUT,
        1,
        """
error[PTX-M0101]: load of 4 bytes past the end of local memory
  --> k.ptx:12:17
   |
12 |     ld.u32 %r1, [%rd1+16];
   |                 ^^^^^^^^^
   = lanes   !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffffffff
   = first   lane 0, thread (0,0,0): box+16, 0 bytes after its end
   = local   16 bytes for each lane
   = address [%rd1+16] = 0x6e0000000010
   = kernel  k
   = run     instruction 2, schedule round_robin, seed 0
   help: guard the index
""",
    ),
    Screen(
        "a load past constant memory",
        kernel("ld.const.u32 %r1, [table+16];", before=TABLE),
        OUT,
        1,
        """
error[PTX-M0101]: load of 4 bytes past the end of "table"
  --> k.ptx:10:23
   |
10 |     ld.const.u32 %r1, [table+16];
   |                       ^^^^^^^^^^
   = lanes    !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffffffff
   = first    lane 0, thread (0,0,0): table+16, 0 bytes after its end
   = variable "table", .const, 16 bytes at 0x700ffc000000
   = address  [table+16] = 0x700ffc000010
   = kernel   k
   = run      instruction 0, schedule round_robin, seed 0
   help: guard the index
""",
    ),
    Screen(
        "a store to constant memory",
        kernel(CONST_POINTER + "st.u32 [%rd1], 1;", before=TABLE),
        OUT,
        1,
        """
error[PTX-M0103]: store of 4 bytes to "table", which is read-only
  --> k.ptx:12:12
   |
12 |     st.u32 [%rd1], 1;
   |            ^^^^^^
   = lanes    !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffffffff
   = first    lane 0, thread (0,0,0): table
   = variable "table", .const, 16 bytes at 0x700ffc000000
   = address  [%rd1] = 0x700ffc000000
   = kernel   k
   = run      instruction 2, schedule round_robin, seed 0
   help: copy it to global, shared or local memory and change it there
""",
    ),
    Screen(
        "an atomic on constant memory",
        kernel(CONST_POINTER + "atom.add.u32 %r1, [%rd1+4], 1;", before=TABLE),
        OUT,
        1,
        """
error[PTX-M0103]: atomic access of 4 bytes to "table", which is read-only
  --> k.ptx:12:23
   |
12 |     atom.add.u32 %r1, [%rd1+4], 1;
   |                       ^^^^^^^^
   = lanes    !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffffffff
   = first    lane 0, thread (0,0,0): table+4
   = variable "table", .const, 16 bytes at 0x700ffc000000
   = address  [%rd1+4] = 0x700ffc000004
   = kernel   k
   = run      instruction 2, schedule round_robin, seed 0
   help: copy it to global, shared or local memory and change it there
""",
    ),
    Screen(
        "a load past the parameters",
        kernel("ld.param.u32 %r1, [out+8];"),
        OUT,
        1,
        """
error[PTX-M0101]: load of 4 bytes past the end of the kernel's parameters
 --> k.ptx:9:23
  |
9 |     ld.param.u32 %r1, [out+8];
  |                       ^^^^^^^
   = lanes   !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffffffff
   = first   lane 0, thread (0,0,0): out+8, 0 bytes after its end
   = param   8 bytes
   = address [out+8] = 0x8
   = kernel  k
   = run     instruction 0, schedule round_robin, seed 0
   help: guard the index
""",
    ),
    Screen(
        "a store to a parameter",
        kernel(PARAM_POINTER + "st.u32 [%rd1], 1;"),
        OUT,
        1,
        """
error[PTX-M0103]: store of 4 bytes to the kernel's parameters, which are read-only
  --> k.ptx:11:12
   |
11 |     st.u32 [%rd1], 1;
   |            ^^^^^^
   = lanes   !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!  block (0,0,0) warp 0  0xffffffff
   = first   lane 0, thread (0,0,0): out
   = param   8 bytes
   = address [%rd1] = 0x6d0000000000
   = kernel  k
   = run     instruction 2, schedule round_robin, seed 0
   help: copy it to global, shared or local memory and change it there
""",
    ),
)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("screen", SCREENS, ids=name_of)
def test_the_screen(screen: Screen, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("k.ptx").write_text(screen.text)
    result = CliRunner().invoke(main, ["run", "k.ptx", *screen.arguments, "--engine", engine])
    assert result.stderr.rstrip("\n") == screen.expected.strip("\n")
    assert (result.exit_code, result.stdout) == (screen.exit_code, "")


@pytest.mark.parametrize("screen", SCREENS, ids=name_of)
def test_the_text_is_legal_ptx_and_the_screen_fits_80_columns(screen: Screen, tmp_path: Path) -> None:
    assert max(len(line) for line in screen.expected.splitlines()) <= 82
    (tmp_path / "k.ptx").write_text(screen.text)
    if ptxas := shutil.which("ptxas"):
        command = [ptxas, "-arch=sm_90a", str(tmp_path / "k.ptx"), "-o", str(tmp_path / "k.cubin")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


# %rd3 is each lane's word of out, %r5 and %rd4 its word of tile (generic in %rd4); %rd6 is %rd4 for the lower lanes and
# %rd3 for the upper ones.  %r2, %r3 and %rd5 hold 77, 78 and 79.
SETUP = """
    .reg .b32 %r<9>;
    .reg .b64 %rd<9>;
    .reg .pred %p<3>;
    ld.param.u64 %rd1, [out];
    mov.u32 %r1, %tid.x;
    mov.u32 %r2, 77;
    mov.u32 %r3, 78;
    mov.u64 %rd5, 79;
    mul.wide.u32 %rd2, %r1, 4;
    mul.wide.u32 %rd7, %r1, 8;
    add.u64 %rd3, %rd1, %rd2;
    add.u64 %rd7, %rd1, %rd7;
    mov.u64 %rd4, tile;
    cvta.shared.u64 %rd4, %rd4;
    add.u64 %rd4, %rd4, %rd2;
    setp.lt.u32 %p1, %r1, 16;
    selp.b64 %rd6, %rd4, %rd3, %p1;
    cvt.u32.u64 %r4, %rd2;
    mov.u32 %r5, tile;
    add.u32 %r5, %r5, %r4;
"""
HALF_DONE = {
    "store": ("st.global.u32 [%rd3+64], %r1;", IllegalAddress),
    "vector store": ("st.global.v2.u32 [%rd7], {%r1, %r1};", IllegalAddress),
    "store to shared": ("st.shared.u32 [%r5+64], %r1;", IllegalAddress),
    "store to local": ("st.local.u32 [%r4], %r1;", IllegalAddress),
    "generic store to two spaces": ("st.u32 [%rd6+64], %r1;", IllegalAddress),
    "guarded store": ("@%p1 st.global.u32 [%rd3+124], %r1;", IllegalAddress),
    "misaligned store": ("@%p1 add.u64 %rd3, %rd3, 1;\n    st.global.u32 [%rd3], %r1;", MisalignedAddress),
    "load": ("ld.global.u32 %r2, [%rd3+64];", IllegalAddress),
    "vector load": ("ld.global.v2.u32 {%r2, %r3}, [%rd7];", IllegalAddress),
    "load over its own address": ("ld.global.u32 %rd5, [%rd3+64];", IllegalAddress),
    "generic load from two spaces": ("ld.u32 %r2, [%rd6+64];", IllegalAddress),
    "atomic": ("atom.global.add.u32 %r2, [%rd3+64], 5;", IllegalAddress),
    "atomic on shared": ("atom.shared.add.u32 %r2, [%r5+64], 5;", IllegalAddress),
    "generic atomic on two spaces": ("atom.add.u32 %r2, [%rd6+64], 5;", IllegalAddress),
    "atomic of many lanes on one word": (
        "@%p1 mov.u64 %rd3, %rd1;\n    atom.global.add.u32 %r2, [%rd3+64], 5;",
        IllegalAddress,
    ),
    "compare and swap": ("atom.global.cas.b32 %r2, [%rd3+64], 100, 5;", IllegalAddress),
    "reduction": ("red.global.add.u32 [%rd3+64], 5;", IllegalAddress),
}


def half_done_text(instruction: str) -> str:
    head = ".version 9.0\n.target sm_90a\n.address_size 64\n.shared .b32 tile[32];\n"
    body = f"    .local .b32 box[4];\n{SETUP}    {instruction}\n    ret;\n"
    return f"{head}.visible .entry k(.param .u64 out) {{\n{body}}}\n"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", HALF_DONE)
def test_a_fault_leaves_the_state_as_it_was_before_the_instruction(name: str, engine: str) -> None:
    """Some lanes are right and some are not: nothing is written for any of them, and all stand at the instruction."""
    instruction, family = HALF_DONE[name]
    system = System(engine=engine, registers="virtual")
    device = system.device(0)
    before = np.arange(100, 132, dtype=np.uint32)
    out = device.array(before, name="out")
    code = ObjectCode.from_ptx(half_done_text(instruction).encode())
    launch(device.default_stream, LaunchConfig(1, block=32), code.get_kernel("k"), out)
    with pytest.raises(family) as caught:
        system.sync()
    fault = caught.value
    assert isinstance(fault, KernelFault)
    assert system.runner.memory.view(out.address, out.nbytes).view(np.uint32).tolist() == before.tolist()
    (grid,) = system.runner.devices[0].grids
    (cta,) = grid.resident.values()
    (warp,) = cta.warps
    assert not cta.shared.any()
    assert not warp.local.any()
    for register, value in (("%r2", 77), ("%r3", 78), ("%rd5", 79)):
        assert warp.read(register).tolist() == [value] * 32
    lines = {grid.program.instructions[pc].line for pc in warp.pc.tolist()}
    assert lines == {fault.diagnostic.line}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_system_refuses_work_after_a_fault_until_it_is_reset(engine: str) -> None:
    system = System(engine=engine)
    device = system.device(0)
    kernel_of = ObjectCode.from_ptx(kernel("mov.u64 %rd1, 0;\nst.global.u32 [%rd1], 1;").encode()).get_kernel("k")
    launch(device.default_stream, LaunchConfig(1, block=32), kernel_of, device.zeros(32, np.uint32))
    for _ in range(2):
        with pytest.raises(IllegalAddress, match="through a null pointer"):
            system.sync()
    system.reset()
    system.sync()
    assert system.device(0).array(np.ones(4)).numpy().tolist() == [1, 1, 1, 1]


def test_the_first_fault_in_the_order_of_the_schedule_is_told(tmp_path: Path) -> None:
    """CTA 1 of three faults first: 20 threads each, 32 words."""
    body = (
        OUT_POINTER + "mov.u32 %r1, %ctaid.x;\nmov.u32 %r2, %tid.x;\nmad.lo.u32 %r1, %r1, 20, %r2;\n"
        "mul.wide.u32 %rd2, %r1, 4;\nadd.u64 %rd1, %rd1, %rd2;\nst.global.u32 [%rd1], %r1;"
    )
    (tmp_path / "k.ptx").write_text(kernel(body))
    result = CliRunner().invoke(main, ["run", str(tmp_path / "k.ptx"), *OUT, "-g", "3", "-b", "20"])
    assert result.exit_code == 1
    assert "   = lanes   ............!!!!!!!!xxxxxxxxxxxx  block (1,0,0) warp 0  0x000ff000\n" in result.stderr
    assert "   = first   lane 12, thread (12,0,0): out+128, 0 bytes after its end\n" in result.stderr


def test_the_device_is_named_where_there_are_several(tmp_path: Path) -> None:
    (tmp_path / "k.ptx").write_text(kernel("trap;"))
    result = CliRunner().invoke(main, ["run", str(tmp_path / "k.ptx"), *OUT, "--devices", "2"])
    assert "   = kernel k on device 0\n" in result.stderr


VPRINTF = """
.extern .func (.param .b32 status) vprintf(.param .b64 format, .param .b64 arguments);
.global .align 1 .b8 text[3] = {37, 100, 0};
"""
PRINT = """
.local .align 8 .b8 packed[8];
mov.u64 %rd1, text;
mov.u64 %rd2, {arguments};
cvta.local.u64 %rd2, %rd2;
{{
.param .b64 format;
.param .b64 arguments;
.param .b32 status;
st.param.b64 [format], %rd1;
st.param.b64 [arguments], %rd2;
call (status), vprintf, (format, arguments);
}}
"""


def test_printf_reads_its_arguments_within_bounds(tmp_path: Path) -> None:
    file = tmp_path / "k.ptx"
    file.write_text(kernel(PRINT.format(arguments="packed").strip(), before=VPRINTF))
    assert CliRunner().invoke(main, ["run", str(file), *OUT]).exit_code == 0
    file.write_text(kernel(PRINT.format(arguments="packed+4096").strip(), before=VPRINTF))
    result = CliRunner().invoke(main, ["run", str(file), *OUT])
    assert result.exit_code == 1
    assert result.stderr.startswith("error[PTX-M0101]: load of 4 bytes past the end of local memory\n")
    assert "   = address 0x6e0000001000\n" in result.stderr


def test_a_function_of_the_runtime_with_other_parameters_is_refused(tmp_path: Path) -> None:
    text = kernel(PRINT.format(arguments="packed").strip(), before=VPRINTF).replace(".b64 arguments", ".b32 arguments")
    (tmp_path / "k.ptx").write_text(text.replace("st.param.b64 [arguments], %rd2", "st.param.b32 [arguments], %r2"))
    result = CliRunner().invoke(main, ["run", str(tmp_path / "k.ptx"), *OUT])
    assert result.exit_code == 3
    message = "error[PTX-P0114]: vprintf is called with arguments of 8, 4 bytes, the runtime's takes 8, 8\n"
    assert result.stderr.startswith(message)
