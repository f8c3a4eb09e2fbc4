"""Bad texts, files, arguments and launches: each gives a code, the place, a caret and a likely fix, and nothing runs.

The screens are exact, as `ptxemu run k.ptx` shows them. Where ptxas is there, it refuses the same texts.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from emulator.commands import main

HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"
REGISTERS = "    .reg .b32 %r<5>;\n    .reg .b64 %rd<5>;\n    .reg .f32 %f<5>;\n    .reg .pred %p<3>;\n"
OUT = ("--arg", "u32[32]")


def kernel(
    body: str = "", parameters: str = ".param .u64 out", before: str = "", after: str = "", head: str = HEAD
) -> str:
    """A module with the kernel k; the body begins at line 9, behind `before`."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"{head}{before}.visible .entry k({parameters}) {after}{{\n{REGISTERS}{lines}    ret;\n}}\n"


class Screen(NamedTuple):
    """What is wrong, the text, the command line, the exit code, and what stderr shows."""

    name: str
    text: str
    arguments: tuple[str, ...]
    exit_code: int
    expected: str


TEXTS = (
    Screen(
        "a missing comma",
        kernel("add.u32 %r1 %r2, %r3;"),
        (),
        3,
        """
error[PTX-P0001]: expected `,` or `;`, found `%r2`
 --> k.ptx:9:17
  |
9 |     add.u32 %r1 %r2, %r3;
  |                 ^^^
""",
    ),
    Screen(
        "a missing semicolon",
        kernel("add.u32 %r1, %r2, %r3\nmov.u32 %r1, 5;"),
        (),
        3,
        """
error[PTX-P0001]: expected `;`, found `mov`
 --> k.ptx:9:26
  |
9 |     add.u32 %r1, %r2, %r3
  |                          ^
   help: end the statement with `;`
""",
    ),
    Screen(
        "an unknown instruction",
        kernel("fadd.f32 %f1, %f2, %f3;"),
        (),
        3,
        """
error[PTX-P0101]: unknown instruction fadd
 --> k.ptx:9:5
  |
9 |     fadd.f32 %f1, %f2, %f3;
  |     ^^^^^^^^
   help: did you mean add?
""",
    ),
    Screen(
        "a modifier that is not there",
        kernel("ld.globl.u32 %r1, [%rd1];"),
        (),
        3,
        """
error[PTX-P0102]: ld has no modifier .globl
 --> k.ptx:9:7
  |
9 |     ld.globl.u32 %r1, [%rd1];
  |       ^^^^^^
   = forms ld.sem.scope{.ss}{.evict}{.L2::cache_hint}{.prefetch}{.vec}.type d,
           [a]{, policy}
           ld{.weak}{.ss}{.cop}{.evict}{.L2::cache_hint}{.prefetch}{.vec}.type
           d, [a]{, policy}
   help: did you mean .global?
""",
    ),
    Screen(
        "a modifier of other types",
        kernel("add.rz.u32 %r1, %r2, %r3;"),
        (),
        3,
        """
error[PTX-P0102]: add does not take .rz with .u32
 --> k.ptx:9:8
  |
9 |     add.rz.u32 %r1, %r2, %r3;
  |        ^^^
   = form add.type d, a, b
   help: write add.u32
""",
    ),
    Screen(
        "a modifier too few",
        kernel("cvt.f32.u32 %f1, %r1;"),
        (),
        3,
        """
error[PTX-P0102]: cvt.f32.u32 lacks a modifier: one of .rn .rz .rm .rp
 --> k.ptx:9:5
  |
9 |     cvt.f32.u32 %f1, %r1;
  |     ^^^^^^^^^^^
   = form cvt.rnd{.ftz}{.sat}.dtype.atype d, a
   help: such as cvt.rn.f32.u32
""",
    ),
    Screen(
        "an operand too few",
        kernel("mad.lo.u32 %r1, %r2, %r3;"),
        (),
        3,
        """
error[PTX-P0112]: mad.lo.u32 takes 4 operands, found 3
 --> k.ptx:9:29
  |
9 |     mad.lo.u32 %r1, %r2, %r3;
  |                             ^ `, c` is missing
   = form mad.mode.type d, a, b, c
""",
    ),
    Screen(
        "an operand too many",
        kernel("mov.u32 %r1, %r2, %r3;"),
        (),
        3,
        """
error[PTX-P0112]: mov.u32 takes 2 operands, found 3
 --> k.ptx:9:23
  |
9 |     mov.u32 %r1, %r2, %r3;
  |                       ^^^ too many
   = form mov.type d, a
""",
    ),
    Screen(
        "an operand of another size",
        kernel("add.u64 %rd1, %rd2, %r1;"),
        (),
        3,
        """
error[PTX-P0114]: %r1 is .b32, operand b of add.u64 is .u64
 --> k.ptx:9:25
  |
9 |     add.u64 %rd1, %rd2, %r1;
  |                         ^^^
   = form add.type d, a, b
   help: convert it first: cvt.u64.u32
""",
    ),
    Screen(
        "an operand of another class",
        kernel(".reg .u32 %n;\nadd.f32 %f1, %f2, %n;"),
        (),
        3,
        """
error[PTX-P0114]: %n is .u32, operand b of add.f32 is .f32
  --> k.ptx:10:23
   |
10 |     add.f32 %f1, %f2, %n;
   |                       ^^
   = form add{.rnd}{.ftz}{.sat}.type d, a, b
   help: copy the bits first: mov.b32
""",
    ),
    Screen(
        "a special register as operand",
        kernel("add.u32 %r1, %r1, %tid.x;"),
        (),
        3,
        """
error[PTX-P0113]: the special register %tid.x cannot be operand b of add.u32
 --> k.ptx:9:23
  |
9 |     add.u32 %r1, %r1, %tid.x;
  |                       ^^^^^^
   = form add.type d, a, b
   help: copy it first: mov.u32 %r, %tid.x;
""",
    ),
    Screen(
        "no brackets",
        kernel("ld.global.u32 %r1, %rd1;"),
        (),
        3,
        """
error[PTX-P0113]: operand a of ld.global.u32 is an address in brackets
 --> k.ptx:9:24
  |
9 |     ld.global.u32 %r1, %rd1;
  |                        ^^^^
   = form ld{.weak}{.ss}{.cop}{.evict}{.L2::cache_hint}{.prefetch}{.vec}.type d,
          [a]{, policy}
   help: write [%rd1]
""",
    ),
    Screen(
        "a vector too short",
        kernel("ld.global.v4.u32 {%r1, %r2}, [%rd1];"),
        (),
        3,
        """
error[PTX-P0113]: a vector of 4 is needed, found 2 elements
 --> k.ptx:9:22
  |
9 |     ld.global.v4.u32 {%r1, %r2}, [%rd1];
  |                      ^^^^^^^^^^
   = form ld{.weak}{.ss}{.cop}{.evict}{.L2::cache_hint}{.prefetch}{.vec}.type d,
          [a]{, policy}
   help: name one register for each element
""",
    ),
    Screen(
        "another state space",
        kernel("ld.global.u32 %r1, [tile];", before=".shared .b32 tile[32];\n"),
        (),
        3,
        """
error[PTX-P0113]: tile is in .shared, ld.global.u32 accesses .global
  --> k.ptx:10:24
   |
10 |     ld.global.u32 %r1, [tile];
   |                        ^^^^^^
   = form ld{.weak}{.ss}{.cop}{.evict}{.L2::cache_hint}{.prefetch}{.vec}.type d,
          [a]{, policy}
   help: use .shared
""",
    ),
    Screen(
        "a constant out of range",
        kernel("bar.sync 16;"),
        (),
        3,
        """
error[PTX-P0115]: operand a of bar.sync cannot be 16
 --> k.ptx:9:14
  |
9 |     bar.sync 16;
  |              ^^
   = form bar.sync a{, b}
   help: it is 0 to 15
""",
    ),
    Screen(
        "an undefined register",
        kernel("add.u32 %r1, %r2, %r9;"),
        (),
        3,
        """
error[PTX-P0121]: undefined register %r9
 --> k.ptx:9:23
  |
9 |     add.u32 %r1, %r2, %r9;
  |                       ^^^
   help: %r<5> declares %r0 to %r4: raise the number
""",
    ),
    Screen(
        "an undefined label",
        kernel("LOOP:\nbra LOPP;"),
        (),
        3,
        """
error[PTX-P0122]: undefined label LOPP
  --> k.ptx:10:9
   |
10 |     bra LOPP;
   |         ^^^^
   help: did you mean LOOP?
""",
    ),
    Screen(
        "an undefined guard",
        kernel("@%q bra LOOP;\nLOOP:"),
        (),
        3,
        """
error[PTX-P0121]: undefined predicate %q
 --> k.ptx:9:6
  |
9 |     @%q bra LOOP;
  |      ^^
   help: declare it: .reg .pred %q;
""",
    ),
    Screen(
        "a name twice",
        kernel(".reg .b32 %x;\n.reg .f32 %x;"),
        (),
        3,
        """
error[PTX-P0123]: %x is declared twice in one block
  --> k.ptx:10:5
   |
10 |     .reg .f32 %x;
   |     ^^^^^^^^^^^^^
""",
    ),
    Screen(
        "two errors",
        kernel("bra LOOP;\nadd.f32 %f1, %f2, 1;"),
        (),
        3,
        """
error[PTX-P0122]: undefined label LOOP
 --> k.ptx:9:9
  |
9 |     bra LOOP;
  |         ^^^^
   help: write LOOP: where it goes on

error[PTX-P0114]: an integer constant for a .f32 operand
  --> k.ptx:10:23
   |
10 |     add.f32 %f1, %f2, 1;
   |                       ^
   = form add{.rnd}{.ftz}{.sat}.type d, a, b
   help: write it as a float: 1.0
""",
    ),
    Screen(
        "a foreign target",
        kernel(head=HEAD.replace("sm_90a", "sm_100a")),
        (),
        3,
        """
error[PTX-P0131]: a module for sm_100a does not run on an sm_90a device
 --> k.ptx:2:1
  |
2 | .target sm_100a
  | ^^^^^^^^^^^^^^^
   help: compile it for sm_90a
""",
    ),
    Screen(
        "an unknown target",
        kernel(head=HEAD.replace("sm_90a", "sm_9o")),
        (),
        3,
        """
error[PTX-P0131]: unknown target sm_9o
 --> k.ptx:2:1
  |
2 | .target sm_9o
  | ^^^^^^^^^^^^^
   help: did you mean sm_90?
""",
    ),
    Screen(
        "too old a target",
        kernel("redux.sync.add.u32 %r1, %r2, -1;", head=HEAD.replace("sm_90a", "sm_60")),
        (),
        3,
        """
error[PTX-P0132]: redux.sync.add.u32 needs .target sm_80, this module is for sm_60
 --> k.ptx:9:5
  |
9 |     redux.sync.add.u32 %r1, %r2, -1;
  |     ^^^^^^^^^^^^^^^^^^
   help: write .target sm_80
""",
    ),
    Screen(
        "too old a version",
        kernel("discard.global.L2 [%rd1], 128;", head=HEAD.replace("9.0", "7.3").replace("sm_90a", "sm_80")),
        (),
        3,
        """
error[PTX-P0133]: discard.global.L2 needs .version 7.4, this module says 7.3
 --> k.ptx:9:5
  |
9 |     discard.global.L2 [%rd1], 128;
  |     ^^^^^^^^^^^^^^^^^
   help: write .version 7.4
""",
    ),
    Screen(
        "a version older than the target",
        kernel(head=HEAD.replace("9.0", "7.8")),
        (),
        3,
        """
error[PTX-P0133]: .target sm_90a needs .version 8.0, this module says 7.8
 --> k.ptx:2:1
  |
2 | .target sm_90a
  | ^^^^^^^^^^^^^^
   help: write .version 8.0
""",
    ),
    Screen(
        "32-bit addresses",
        kernel(head=HEAD.replace("64", "32")),
        (),
        3,
        """
error[PTX-P0135]: 32-bit addresses: the emulated devices have 64-bit addresses only
 --> k.ptx:3:1
  |
3 | .address_size 32
  | ^^^^^^^^^^^^^^^^
   help: write .address_size 64
""",
    ),
    Screen(
        "no version",
        kernel(head=HEAD.partition("\n")[2]),
        (),
        3,
        """
error[PTX-P0001]: a module begins with `.version`, found `.target`
 --> k.ptx:1:1
  |
1 | .target sm_90a
  | ^^^^^^^
   help: begin with `.version 9.0`, `.target sm_90a` and `.address_size 64`
""",
    ),
    Screen(
        "a version that never was",
        kernel(head=HEAD.replace("9.0", "0.9")),
        (),
        3,
        """
error[PTX-P0134]: there is no .version 0.9
 --> k.ptx:1:1
  |
1 | .version 0.9
  | ^^^^^^^^^^^^
   help: the newest is 9.4; nvcc writes the version that its instructions need
""",
    ),
    Screen(
        "a newer version",
        kernel(head=HEAD.replace("9.0", "99.0")),
        OUT,
        0,
        """
warning[PTX-P0134]: .version 99.0 is newer than 9.4, the newest known here
 --> k.ptx:1:1
  |
1 | .version 99.0
  | ^^^^^^^^^^^^^
""",
    ),
    Screen(
        "not executed yet",
        kernel("tcgen05.relinquish_alloc_permit.cta_group::1.sync.aligned;"),
        (),
        5,
        """
error[PTX-P0201]: tcgen05.relinquish_alloc_permit.cta_group::1.sync.aligned is not executed yet
 --> k.ptx:9:5
  |
9 |     tcgen05.relinquish_alloc_permit.cta_group::1.sync.aligned;
  |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   note: the manual describes it in section 9.7.16.7.1
""",
    ),
)

LAUNCHES = (
    Screen(
        "a missing argument",
        kernel(parameters=".param .u64 x, .param .u32 n"),
        OUT,
        2,
        """
error[PTX-L0102]: k takes 2 arguments, found 1
 --> k.ptx:4:17
  |
4 | .visible .entry k(.param .u64 x, .param .u32 n) {
  |                 ^
   = takes   .u64 x
             .u32 n
   = missing n
   help: give the others too, such as
         --arg n=7
""",
    ),
    Screen(
        "an argument too many",
        kernel(),
        (*OUT, "--arg", "7"),
        2,
        """
error[PTX-L0102]: k takes 1 argument, found 2
 --> k.ptx:4:17
  |
4 | .visible .entry k(.param .u64 out) {
  |                 ^
   = takes .u64 out
""",
    ),
    Screen(
        "an argument of another class",
        kernel(parameters=".param .u64 x, .param .u32 n"),
        (*OUT, "--arg", "f32=1.5"),
        2,
        """
error[PTX-L0103]: argument 2 of k (.u32 n): a numpy.float32 does not fit .u32
 --> k.ptx:4:46
  |
4 | .visible .entry k(.param .u64 x, .param .u32 n) {
  |                                              ^
   help: give a numpy.uint32, on the command line u32=1
""",
    ),
    Screen(
        "an argument of another size",
        kernel(parameters=".param .u64 x, .param .u32 n"),
        (*OUT, "--arg", "u64=7"),
        2,
        """
error[PTX-L0103]: argument 2 of k (.u32 n): a numpy.uint64 has 8 bytes, .u32 has 4
 --> k.ptx:4:46
  |
4 | .visible .entry k(.param .u64 x, .param .u32 n) {
  |                                              ^
   help: give a numpy.uint32, on the command line u32=1
""",
    ),
    Screen(
        "a number out of range",
        kernel(parameters=".param .u8 n"),
        ("--arg", "256"),
        2,
        """
error[PTX-L0103]: 256 does not fit u8: 0 to 255
 --> --arg n:1:1
  |
1 | 256
  | ^^^
""",
    ),
    Screen(
        "a struct of another size",
        kernel(parameters=".param .align 8 .b8 s[16]"),
        ("--arg", "u8[12]"),
        2,
        """
error[PTX-L0103]: argument 1 of k (.b8 s[16]): 12 bytes for a struct of 16
 --> k.ptx:4:39
  |
4 | .visible .entry k(.param .align 8 .b8 s[16]) {
  |                                       ^
   help: give 16 bytes, on the command line u8[16]
""",
    ),
    Screen(
        "a missing kernel",
        kernel(),
        ("-k", "kk"),
        2,
        """
error[PTX-L0101]: no kernel kk in this file
  --> k.ptx
   = kernels k
   help: did you mean k?
""",
    ),
    Screen(
        "too many threads",
        kernel(),
        (*OUT, "-b", "32,64"),
        2,
        """
error[PTX-L0104]: launch of k: a block of (32,64,1) has 2,048 threads, 1,024 at most
 --> k.ptx:4:17
  |
4 | .visible .entry k(.param .u64 out) {
  |                 ^
   help: launch more CTAs with fewer threads each
""",
    ),
    Screen(
        "no threads",
        kernel(),
        (*OUT, "-b", "0"),
        2,
        """
error[PTX-L0104]: launch of k: block.x = 0, 1 at least
 --> k.ptx:4:17
  |
4 | .visible .entry k(.param .u64 out) {
  |                 ^
""",
    ),
    Screen(
        "too many CTAs",
        kernel(),
        (*OUT, "-g", "1,65536"),
        2,
        """
error[PTX-L0104]: launch of k: grid.y = 65,536, 65,535 at most
 --> k.ptx:4:17
  |
4 | .visible .entry k(.param .u64 out) {
  |                 ^
""",
    ),
    Screen(
        "too large a cluster",
        kernel(),
        (*OUT, "-g", "32", "--cluster", "32"),
        2,
        """
error[PTX-L0104]: launch of k: a cluster of (32,1,1) has 32 CTAs, 16 at most
 --> k.ptx:4:17
  |
4 | .visible .entry k(.param .u64 out) {
  |                 ^
""",
    ),
    Screen(
        "too much shared memory",
        kernel("st.shared.u8 [tile], %r1;", before=".shared .b8 tile[1024];\n"),
        (*OUT, "--shmem", "232448"),
        2,
        """
error[PTX-L0104]: launch of k: 233,472 bytes of shared memory, 232,448 at most
 --> k.ptx:5:17
  |
5 | .visible .entry k(.param .u64 out) {
  |                 ^
   = static  1,024 bytes
   = dynamic 232,448 bytes
""",
    ),
    Screen(
        "too much local memory",
        kernel(".local .b8 big[600000];"),
        OUT,
        2,
        """
error[PTX-L0104]: launch of k: 600,000 bytes of local memory a thread, 524,288 at most
 --> k.ptx:4:17
  |
4 | .visible .entry k(.param .u64 out) {
  |                 ^
   help: use .global memory
""",
    ),
    Screen(
        "another block than .reqntid",
        kernel(after=".reqntid 64, 2 "),
        (*OUT, "-b", "64"),
        2,
        """
error[PTX-L0104]: launch of k: a block of (64,1,1), but .reqntid says (64,2,1)
 --> k.ptx:4:17
  |
4 | .visible .entry k(.param .u64 out) .reqntid 64, 2 {
  |                 ^
   help: give the block (64,2,1)
""",
    ),
    Screen(
        "a larger block than .maxntid",
        kernel(after=".maxntid 64 "),
        (*OUT, "-b", "96"),
        2,
        """
error[PTX-L0104]: launch of k: 96 threads a block, but .maxntid allows 64
 --> k.ptx:4:17
  |
4 | .visible .entry k(.param .u64 out) .maxntid 64 {
  |                 ^
   help: use a smaller block
""",
    ),
)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["run", *arguments])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of every test, so that screens show bare file names."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def name_of(screen: Any) -> str:
    return str(screen.name)


@pytest.mark.parametrize("screen", (*TEXTS, *LAUNCHES), ids=name_of)
def test_the_screen(screen: Screen) -> None:
    Path("k.ptx").write_text(screen.text)
    result = run("k.ptx", *screen.arguments)
    assert result.stderr.rstrip("\n") == screen.expected.strip("\n")
    assert result.exit_code == screen.exit_code
    assert (result.stdout == "") is (screen.exit_code != 0)


@pytest.mark.parametrize("screen", (*TEXTS, *LAUNCHES), ids=name_of)
def test_everything_but_long_headlines_and_source_fits_80_columns(screen: Screen) -> None:
    long = [line for line in screen.expected.splitlines() if len(line) > 80]
    assert all(line.startswith("error[") for line in long)
    assert max((len(line) for line in long), default=0) <= 100


@pytest.mark.parametrize("screen", TEXTS, ids=name_of)
def test_ptxas_refuses_what_is_refused_here(screen: Screen) -> None:
    """A newer version runs here, with a warning; ptxas knows no version newer than itself."""
    Path("k.ptx").write_text(screen.text)
    assert run("k.ptx", *OUT).exit_code == screen.exit_code
    if ptxas := shutil.which("ptxas"):
        command = [ptxas, "-arch=sm_90a", "k.ptx", "-o", "k.cubin"]
        assert subprocess.run(command, capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize("screen", LAUNCHES, ids=name_of)
def test_ptxas_takes_the_text_where_only_the_launch_is_wrong(screen: Screen) -> None:
    Path("k.ptx").write_text(screen.text)
    assert CliRunner().invoke(main, ["check", "k.ptx"]).exit_code == 0
    if ptxas := shutil.which("ptxas"):
        command = [ptxas, "-arch=sm_90a", "k.ptx", "-o", "k.cubin"]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("content", "message", "help"),
    [
        (b"", "the text holds no PTX", "begin with `.version 9.0`, `.target sm_90a` and"),
        (b"// only a comment\n", "the text holds no PTX", "begin with `.version 9.0`, `.target sm_90a` and"),
        (b"\x7fELF\x02\x01\x01\x00", "the file is machine code (ELF), not PTX", "extract PTX with `cuobjdump -ptx`"),
        (HEAD.encode("utf-16"), "the file is UTF-16, not UTF-8", "save it as UTF-8"),
        (b"\x00\x01\x02", "the file is binary: it has zero bytes", None),
        (HEAD.encode() + b"// caf\xe9\n", "the file is not UTF-8 text: byte 51 cannot be read", None),
    ],
)
def test_what_is_no_ptx_text(content: bytes, message: str, help: str | None) -> None:
    Path("k.ptx").write_bytes(content)
    result = run("k.ptx")
    assert result.exit_code == 3
    assert result.stderr.startswith(f"error[PTX-P0002]: {message}\n")
    assert "--> k.ptx\n" in result.stderr
    assert help is None or f"help: {help}" in result.stderr


def test_words_that_are_no_ptx() -> None:
    Path("k.ptx").write_text("hello world\n")
    assert run("k.ptx").stderr == (
        "error[PTX-P0001]: a module begins with `.version`, found `hello`\n"
        " --> k.ptx:1:1\n"
        "  |\n"
        "1 | hello world\n"
        "  | ^^^^^\n"
        "   help: begin with `.version 9.0`, `.target sm_90a` and `.address_size 64`\n"
    )


def test_a_folder_and_files_that_are_not_there() -> None:
    Path("folder").mkdir()
    Path("kernel.ptx").write_text(kernel())
    for target, screen in (
        ("folder", "error[PTX-L0106]: this is a folder: name one of its .ptx files\n  --> folder\n"),
        ("kernal.ptx", "error[PTX-L0106]: no such file\n  --> kernal.ptx\n   help: did you mean kernel.ptx?\n"),
        ("./gone.ptx", "error[PTX-L0106]: no such file\n  --> ./gone.ptx\n"),
        ("gone", "error[PTX-L0107]: no sample is called 'gone'\n   help: `ptxemu samples` lists them\n"),
    ):
        result = run(target)
        assert (result.exit_code, result.stdout, result.stderr) == (2, "", screen)


def test_a_file_that_may_not_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    Path("k.ptx").write_text(kernel())
    monkeypatch.setattr(Path, "read_bytes", refuse)
    result = run("k.ptx")
    assert result.exit_code == 2
    assert result.stderr == "error[PTX-L0106]: cannot read k.ptx: Permission denied\n"


def test_a_missing_address_size_means_64_bits_as_for_ptxas() -> None:
    Path("k.ptx").write_text(kernel(head=HEAD.partition(".address_size")[0]))
    assert run("k.ptx", *OUT).exit_code == 0


def test_many_errors_show_the_first_ten() -> None:
    Path("k.ptx").write_text(kernel("\n".join(f"bra L{n};" for n in range(25))))
    result = run("k.ptx", *OUT)
    assert result.exit_code == 3
    assert result.stderr.count("error[PTX-P0122]") == 10
    assert result.stderr.endswith("\n\n... and 15 more errors\n")


def test_an_unsupported_instruction_beside_an_error_is_rejected_and_alone_is_five() -> None:
    unsupported = "tcgen05.relinquish_alloc_permit.cta_group::1.sync.aligned;\n"
    for body, code in ((unsupported, 5), (unsupported + "bra L;", 3)):
        Path("k.ptx").write_text(kernel(body))
        assert run("k.ptx", *OUT).exit_code == code


def test_a_rejected_kernel_does_not_stop_the_others() -> None:
    Path("k.ptx").write_text(kernel() + ".visible .entry other() {\n    bra L;\n}\n")
    assert run("k.ptx", "-k", "k", *OUT).exit_code == 0
    assert run("k.ptx", "-k", "other").exit_code == 3


def test_nothing_runs_before_everything_is_known_to_be_right() -> None:
    """The first kernel of two lines would fault; the launch is refused before that."""
    Path("k.ptx").write_text(kernel("trap;\nadd.u32 %r1, %r2, %r9;"))
    assert run("k.ptx", *OUT).exit_code == 3
    Path("k.ptx").write_text(kernel("trap;"))
    assert run("k.ptx", *OUT, "-b", "2048").exit_code == 2
    assert run("k.ptx", *OUT).exit_code == 1
