"""State spaces, generic addresses, variables and parameters, as kernels see them (manual, chapter 5 and 6.4)."""

import random
import struct

import numpy as np
import pytest

from emulator import ObjectCode, System
from emulator.errors import IllegalAddress, MisalignedAddress, UsageError
from tests.engines.programs import HEAD, kernel, kernel_text, report, run, start

pytestmark = pytest.mark.usefixtures("each_engine")

WINDOWS = {"shared": 0x6F00_0000_0000, "local": 0x6E00_0000_0000, "param": 0x6D00_0000_0000}


def test_isspacep_knows_the_window_of_every_space() -> None:
    """One bit a space; the window of the parameters is part of .global (manual, 9.7.9.19)."""
    spaces = ("const", "global", "local", "shared", "shared::cluster", "param")
    tests = "\n".join(
        f"isspacep.{space} %p0, %rd0; selp.u32 %r1, {1 << n}, 0, %p0; or.b32 %r0, %r0, %r1;"
        for n, space in enumerate(spaces)
    )
    cases = "\n".join(
        f"{take} mov.u32 %r0, 0; {tests} st.global.u32 [%out+{4 * n}], %r0;"
        for n, take in enumerate(
            (
                "mov.u64 %rd0, c; cvta.const.u64 %rd0, %rd0;",
                "cvta.global.u64 %rd0, %out;",
                "cvta.local.u64 %rd0, x;",
                "cvta.shared.u64 %rd0, s;",
                "mov.u64 %rd0, s; cvta.shared::cluster.u64 %rd0, %rd0;",
                "mov.u64 %rd0, out; cvta.param.u64 %rd0, %rd0;",
                "mov.u64 %rd0, 0;",
                "mov.u64 %rd0, 0x6f0001000400;",
            )
        )
    )
    body = f".local .b32 x; .shared .b32 s; setp.ne.u32 %p1, %l, 0; @%p1 ret; {cases}"
    assert list(run(body, before=".const .b32 c;", words=8)) == [1, 2, 4, 24, 24, 34, 0, 16]


def test_generic_addresses_reach_all_spaces_and_come_back() -> None:
    body = """
        .local .align 8 .b32 x[4];
        .shared .align 8 .b32 s[32];
        cvta.local.u64 %rd0, x+8;
        st.local.u32 [x+8], %l;
        ld.u32 %r0, [%rd0];
        mov.u32 %r9, s;
        mad.lo.u32 %r9, %l, 4, %r9;
        mul.lo.u32 %r1, %l, 100;
        st.shared.u32 [%r9], %r1;
        mov.b64 %rd1, {%r9, 0};
        cvta.shared.u64 %rd1, %rd1;
        ld.u32 %r2, [%rd1];
        st.u32 [%rd1], %r2;
        cvta.to.shared.u64 %rd2, %rd1;
        mov.b64 {%r3, %r4}, %rd2;
        sub.u32 %r3, %r3, %r9;
        cvta.to.local.u64 %rd3, %rd0;
        mov.u64 %rd4, x;
        sub.u64 %rd3, %rd3, %rd4;
        mov.b64 {%r5, _}, %rd3;
        mov.u64 %rd5, number;
        cvta.param.u64 %rd5, %rd5;
        ld.u32 %r6, [%rd5];
        mov.u64 %rd6, c;
        cvta.const.u64 %rd6, %rd6;
        ld.u32 %r7, [%rd6+4];
        add.u32 %r0, %r0, %r2;  add.u32 %r0, %r0, %r3;  add.u32 %r0, %r0, %r4;
        add.u32 %r0, %r0, %r5;  add.u32 %r0, %r0, %r6;  add.u32 %r0, %r0, %r7;
        st.global.u32 [%mine], %r0;
    """
    got = run(body, 5000, parameters=".param .u32 number", before=".const .b32 c[2] = {1, 70000};")
    assert list(got) == [101 * lane + 8 + 5000 + 70000 for lane in range(32)]


OFFSETS = {"global": 0, "const": 0, "param": 0x6D << 40, "local": 0x6E << 40, "shared": 0x6F << 40}
DEVICE = 0x70 << 40, (0x70 << 40) + (64 << 30)  # of which the last 64 MiB are .const


def spaces_of(address: int) -> set[str]:
    """The spaces whose windows hold a generic address, on a system of one device and in a CTA without a cluster."""
    window, offset = address >> 32, address & 0xFFFF_FFFF
    if DEVICE[0] <= address < DEVICE[1]:
        return {"const"} if address >= DEVICE[1] - (64 << 20) else {"global"}
    if window == 0x6F00:
        return {"shared", "shared::cluster"} if offset < 1 << 24 else {"shared::cluster"}
    if window == 0x6D00:
        return {"param", "global"}
    return {"local"} if window == 0x6E00 else {"global"} if address >> 40 == 0x6C else set()


def test_a_thousand_addresses_of_all_windows() -> None:
    """isspacep tells the windows apart; cvta adds a window's start, and takes it away again."""
    spaces = ["const", "global", "local", "shared", "shared::cluster", "param"]
    choice = random.Random(1)
    borders = [at << 40 for at in range(0x6B, 0x72)] + [n + (1 << 32) for n in OFFSETS.values()] + list(DEVICE)
    borders += [DEVICE[1] - (64 << 20), (0x6F << 40) + (1 << 24), 0, 1 << 63]
    addresses = [(border + step) % 2**64 for border in borders for step in (-1, 0, 1, 4096)]
    while len(addresses) < 1024:
        addresses.append((choice.choice(borders) + choice.getrandbits(choice.randrange(1, 40))) % 2**64)
    tests = "".join(
        f"isspacep.{s} %p0, %a; selp.u32 %r1, {1 << n}, 0, %p0; or.b32 %r0, %r0, %r1;\n" for n, s in enumerate(spaces)
    )
    moves = "".join(
        f"cvta.{s}.u64 %b, %a; st.global.u64 [%out+{16 * n + 8}], %b;\n"
        f"cvta.to.{s}.u64 %b, %a; st.global.u64 [%out+{16 * n + 16}], %b;\n"
        for n, s in enumerate(OFFSETS)
    )
    text = f"""
        .version 8.8
        .target sm_90a
        .address_size 64
        .visible .entry k (.param .u64 in, .param .u64 out)
        {{
            .reg .b64 %in, %out, %a, %b; .reg .b32 %r<4>; .reg .pred %p<2>;
            ld.param.u64 %in, [in]; ld.param.u64 %out, [out];
            mov.u32 %r2, %ctaid.x; mov.u32 %r3, %tid.x; mad.lo.u32 %r2, %r2, 32, %r3;
            mad.wide.u32 %in, %r2, 8, %in; mad.wide.u32 %out, %r2, 88, %out;
            ld.global.u64 %a, [%in]; mov.u32 %r0, 0;
            {tests} st.global.u32 [%out], %r0;
            {moves} ret;
        }}"""
    out = np.zeros((len(addresses), 11), np.uint64)
    with System() as system:
        kernel = ObjectCode.from_ptx(text).get_kernel("k")
        kernel[len(addresses) // 32, 32](np.array(addresses, np.uint64), out, device=system.device(0))
    for address, (mask, *moved) in zip(addresses, out.tolist(), strict=True):
        assert {s for n, s in enumerate(spaces) if mask >> n & 1} == spaces_of(address), hex(address)
        assert moved == [(address + step) % 2**64 for n in OFFSETS.values() for step in (n, -n)], hex(address)


def test_each_lane_of_a_generic_access_may_reach_another_space() -> None:
    body = """
        .local .align 4 .b32 x;
        .shared .align 4 .b32 s;
        st.local.u32 [x], 100;
        st.shared.u32 [s], 200;
        and.b32 %r0, %l, 3;
        cvta.local.u64 %rd0, x;
        setp.eq.u32 %p1, %r0, 1;
        cvta.shared.u64 %rd1, s;
    @%p1 mov.u64 %rd0, %rd1;
        setp.eq.u32 %p2, %r0, 2;
    @%p2 mov.u64 %rd0, %mine;
        setp.eq.u32 %p3, %r0, 3;
        mov.u64 %rd2, number;
        cvta.param.u64 %rd2, %rd2;
    @%p3 mov.u64 %rd0, %rd2;
        ld.u32 %r1, [%rd0];
    @!%p3 st.u32 [%rd0], 7;
        ld.u32 %r2, [%rd0];
        mad.lo.u32 %r1, %r2, 1000, %r1;
        st.global.u32 [%mine], %r1;
    """
    got = run(body, 9, parameters=".param .u32 number")
    assert list(got) == [7100, 7200, 7000, 9009] * 8


def test_local_arrays_indexed_by_register_belong_to_the_lane() -> None:
    body = """
        .local .align 16 .b8 box[64];
        mov.u32 %r0, 0;
    FILL:
        mul.wide.u32 %rd0, %r0, 4;
        mov.u64 %rd1, box;
        add.u64 %rd1, %rd1, %rd0;
        mad.lo.u32 %r1, %l, 1000, %r0;
        st.local.u32 [%rd1], %r1;
        add.u32 %r0, %r0, 1;
        setp.lt.u32 %p0, %r0, 16;
    @%p0 bra FILL;
        and.b32 %r2, %l, 15;
        mul.wide.u32 %rd0, %r2, 4;
        add.u64 %rd2, %rd0, box;
        ld.local.u32 %r3, [%rd2];
        ld.local.v4.u32 {%r4, %r5, %r6, %r7}, [box+48];
        add.u32 %r3, %r3, %r7;
        st.global.u32 [%mine], %r3;
    """.replace("add.u64 %rd2, %rd0, box;", "mov.u64 %rd2, box; add.u64 %rd2, %rd2, %rd0;")
    assert list(run(body)) == [2000 * lane + (lane & 15) + 15 for lane in range(32)]


def test_structs_by_value_and_aligned_parameters() -> None:
    parameters = (
        ".param .u8 tiny, .param .align 128 .b8 s[136], .param .u16 h, .param .align 64 .b8 t[8], .param .f64 d,"
        " .param .align 4 .b8 u[12]"
    )
    body = """
        ld.param.u8 %r0, [tiny];
        ld.param.u32 %r1, [s+132];
        ld.param.u16 %r2, [h];
        ld.param.v2.u32 {%r3, %r4}, [t];
        ld.param.b64 %rd0, [d];
        ld.param.u32 %r5, [u+8];
        mov.u64 %rd1, s;
        mul.wide.u32 %rd2, %l, 4;
        add.u64 %rd1, %rd1, %rd2;
        ld.param.u32 %r6, [%rd1];
        cvta.param.u64 %rd3, %rd1;
        ld.u32 %r7, [%rd3+4];
        mov.b64 {%r8, %r9}, %rd0;
        mov.u64 %rd4, s;
        mov.b64 {%r10, _}, %rd4;
        mov.u64 %rd5, t;
        mov.b64 {%r11, _}, %rd5;
        setp.eq.u32 %p0, %l, 0;
    @%p0 st.global.v4.u32 [%out], {%r0, %r1, %r2, %r3};
    @%p0 st.global.v4.u32 [%out+16], {%r4, %r5, %r9, %r10};
    @%p0 st.global.u32 [%out+32], %r11;
        add.u32 %r6, %r6, %r7;
        st.global.u32 [%mine+64], %r6;
    """
    struct_s, struct_t, struct_u = (np.arange(n, dtype=np.uint32) + base for n, base in ((34, 10), (2, 500), (3, 900)))
    values = (np.uint8(200), struct_s, np.uint16(60000), struct_t.tobytes(), 1.0, struct_u)
    got = run(body, *values, parameters=parameters, words=48)
    # out at 0, tiny at 8, s at 128, h at 264, t at 320
    assert list(got[:9]) == [200, 43, 60000, 500, 501, 902, 0x3FF00000, 128, 320]
    assert list(got[16:48]) == [10 + n + 11 + n for n in range(32)]


def test_dynamic_shared_memory_follows_the_static_one() -> None:
    """All extern arrays start at one place, aligned to the strictest of them; the size is that of the launch."""
    before = (
        ".extern .shared .align 8 .b8 dyn[]; .extern .shared .align 128 .b32 other[]; .shared .align 4 .b8 fixed[20];"
    )
    body = """
        mov.u32 %r0, fixed;
        mov.u32 %r1, dyn;
        mov.u32 %r2, other;
        mov.u32 %r3, %dynamic_smem_size;
        mov.u32 %r4, %total_smem_size;
        st.shared.u32 [fixed+16], %l;
        mad.lo.u32 %r5, %l, 4, %r2;
        st.shared.u32 [%r5], %l;
        ld.shared.u32 %r6, [dyn+124];
        ld.shared.u32 %r7, [fixed+16];
        setp.eq.u32 %p0, %l, 0;
    @%p0 st.global.v4.u32 [%out], {%r0, %r1, %r2, %r3};
    @%p0 st.global.v4.u32 [%out+16], {%r4, %r6, %r7, %r7};
    """
    got = run(body, before=before, shared=128, words=8)
    assert list(got[:7]) == [0x400, 0x480, 0x480, 128, 256, 31, 31]
    with pytest.raises(IllegalAddress, match="past the end of shared memory"):
        run(body, before=before, shared=124, words=8)


def test_shared_variables_of_one_name_in_two_functions_are_two() -> None:
    before = """
    .func (.reg .u32 r) f(.reg .u32 a)
    {
        .shared .align 4 .b32 box[32];
        .reg .u32 %at;
        mov.u32 %at, box;
        mad.lo.u32 %at, a, 4, %at;
        st.shared.u32 [%at], 77;
        ld.shared.u32 r, [%at];
        ret;
    }
    """
    body = """
        .shared .align 4 .b32 box[32];
        mov.u32 %r0, box;
        mad.lo.u32 %r0, %l, 4, %r0;
        st.shared.u32 [%r0], %l;
        call (%r1), f, (%l);
        ld.shared.u32 %r2, [%r0];
        mad.lo.u32 %r1, %r1, 1000, %r2;
        st.global.u32 [%mine], %r1;
    """
    assert list(run(body, before=before)) == [77000 + lane for lane in range(32)]


def test_frames_of_functions_keep_the_alignment_of_their_variables() -> None:
    before = """
    .func (.reg .u32 r) inner(.reg .u32 a)
    {
        .local .align 64 .b8 box[64];
        .reg .b64 %a; .reg .u32 %x;
        mov.u64 %a, box;
        mov.b64 {r, %x}, %a;
        and.b32 r, r, 63;
        st.local.u32 [box+60], a;
        ld.local.u32 %x, [box+60];
        mad.lo.u32 r, r, 1000, %x;
        ret;
    }
    .func (.reg .u32 r) outer(.reg .u32 a)
    {
        .local .b32 small;
        st.local.u32 [small], a;
        call (r), inner, (a);
        ld.local.u32 a, [small];
        add.u32 r, r, a;
        ret;
    }
    """
    body = ".local .b32 y; st.local.u32 [y], 1; call (%r0), outer, (%l); st.global.u32 [%mine], %r0;"
    assert list(run(body, before=before)) == [2 * lane for lane in range(32)]


VARIABLES = """
.const .align 4 .u32 numbers[4] = {1, 2, 3};
.const .f32 half = 0.5;
.global .align 8 .f64 doubles[] = {1.5, -2.0, 0d7ff0000000000000};
.global .s32 grid[3][2] = {{1, 2}, {3}};
.global .v4 .u32 vector = {1, 2, 3, 4};
.global .v2 .u16 pairs[3] = {{1, 2}, {3, 4}};
.global .align 1 .s8 small[6] = {-1, 127, -128, 255};
.global .u64 here = generic(grid)+8;
.global .u64 table[3] = {numbers, generic(numbers)+4, grid};
.global .u8 parts[4] = {0xff(grid), 0xff00(grid), 0xff0000(grid), 0xff000000(grid)};
.global .u64 functions[2] = {f, g};
.global .u32 empty[5];
.extern .global .align 4 .b8 outside[16];
.extern .const .align 4 .u32 scale[2];
.extern .global .b8 unsized[];
.func f() { ret; }
.func g() { ret; }
"""


def test_initial_values_of_variables() -> None:
    code = ObjectCode.from_ptx(kernel_text("mov.u64 %rd0, f; mov.u64 %rd1, g; st.global.u64 [%out], %rd0;"
                                           " st.global.u64 [%out+8], %rd1;", before=VARIABLES))  # fmt: skip
    with System(devices=2) as system:
        device = system.device(1)
        out = device.zeros(4, np.uint32)
        start(code.get_kernel("k"), device, out)
        addresses = out.numpy().view(np.uint64)

        def value(name: str, dtype: object) -> list[object]:
            return list(code.get_global(name, device).numpy().view(dtype))  # type: ignore[call-overload]

        assert value("numbers", np.uint32) == [1, 2, 3, 0]
        assert value("half", np.float32) == [0.5]
        assert value("doubles", np.float64) == [1.5, -2.0, np.inf]
        assert value("grid", np.int32) == [1, 2, 3, 0, 0, 0]
        assert value("vector", np.uint32) == [1, 2, 3, 4]
        assert value("pairs", np.uint16) == [1, 2, 3, 4, 0, 0]
        assert value("small", np.int8) == [-1, 127, -128, -1, 0, 0]
        grid, numbers = code.get_global("grid", device).address, code.get_global("numbers", device).address
        assert value("here", np.uint64) == [grid + 8]
        assert value("table", np.uint64) == [numbers, numbers + 4, grid]
        assert value("parts", np.uint8) == list(struct.pack("<I", grid & 0xFFFFFFFF))
        assert value("functions", np.uint64) == list(addresses)
        assert not any(value("empty", np.uint32))
        assert code.get_global("grid", system.device(0)).address != grid


def test_variables_that_the_host_fills() -> None:
    body = """
        and.b32 %r0, %l, 3;
        mov.u64 %rd0, outside;
        mul.wide.u32 %rd1, %r0, 4;
        add.u64 %rd0, %rd0, %rd1;
        ld.global.u32 %r1, [%rd0];
        ld.const.u32 %r2, [scale+4];
        mul.lo.u32 %r1, %r1, %r2;
        st.global.u32 [%mine], %r1;
    """
    code = ObjectCode.from_ptx(kernel_text(body, before=VARIABLES))
    with System() as system:
        device = system.device(0)
        code.get_global("outside", device).write(np.arange(1, 5, dtype=np.uint32).view(np.uint8))
        code.get_global("scale", device).write(np.array([0, 50], np.uint32).view(np.uint8))
        out = device.zeros(32, np.uint32)
        start(code.get_kernel("k"), device, out)
        assert list(out.numpy()) == [50, 100, 150, 200] * 8
        with pytest.raises(UsageError, match="no variable scales") as caught:
            code.get_global("scales", device)
        assert "did you mean scale?" in report(caught.value)
        with pytest.raises(UsageError, match="the size of unsized is not known"):
            code.get_global("unsized", device)


def test_variables_of_blocks_are_one_for_all_kernels_and_apart_from_others() -> None:
    """.global and .const variables may be declared in functions; equal names in two blocks are two variables."""
    text = f"""{HEAD}
    .global .u32 count = 1000;
    .func (.reg .u32 r) next()
    {{
        .global .u32 count = 5;
        .const .u32 step = 3;
        .reg .u32 %s;
        ld.const.u32 %s, [step];
        atom.global.add.u32 r, [count], %s;
        {{ .global .u32 count = 70; .global .u64 where = limit; .global .u32 limit; .reg .u32 %x;
           atom.global.add.u32 %x, [count], 1; add.u32 r, r, %x; }}
        ret;
    }}
    .visible .entry a(.param .u64 out) {{ .reg .b64 %p; .reg .u32 %r; ld.param.u64 %p, [out]; call (%r), next;
        st.global.u32 [%p], %r; ret; }}
    .visible .entry b(.param .u64 out) {{ .reg .b64 %p; .reg .u32 %r, %c; ld.param.u64 %p, [out]; call (%r), next;
        ld.global.u32 %c, [count]; add.u32 %r, %r, %c; st.global.u32 [%p], %r; ret; }}
    """
    code = ObjectCode.from_ptx(text)
    with System() as system:
        device = system.device(0)
        out = device.zeros(2, np.uint32)
        start(code.get_kernel("a"), device, out.address, block=1)
        start(code.get_kernel("b"), device, out.address + 4, block=1)
        assert list(out.numpy()) == [5 + 70, 8 + 71 + 1000]


@pytest.mark.parametrize(
    ("code", "fault", "words"),
    [
        ("mov.u32 %r0, 0x3fc; ld.shared.u32 %r1, [%r0];", IllegalAddress, "shared memory"),
        ("mov.u32 %r0, 0x440; ld.shared.u32 %r1, [%r0];", IllegalAddress, "past the end of shared memory"),
        ("mov.u64 %rd0, 0x6f0000000400; ld.shared.u32 %r1, [%rd0];", IllegalAddress, "no address of shared memory"),
        ("mov.u32 %r0, 0x1000400; ld.shared.u32 %r1, [%r0];", IllegalAddress, "CTA 1 of the cluster"),
        ("mov.u64 %rd0, 0x6f0001000400; ld.u32 %r1, [%rd0];", IllegalAddress, "CTA 1 of the cluster"),
        ("mov.u32 %r0, 64; ld.local.u32 %r1, [%r0];", IllegalAddress, "past the end of local memory"),
        ("mov.u64 %rd0, 0x6e0000000000; st.local.u32 [%rd0], 1;", IllegalAddress, "no address of local memory"),
        ("mov.u64 %rd0, 0x6d0000000009; ld.u8 %r1, [%rd0];", IllegalAddress, "the kernel's parameters"),
        ("ld.param.u32 %r1, [out+8];", IllegalAddress, "past the end of the kernel's parameters"),
        ("mov.u64 %rd0, out; cvta.param.u64 %rd0, %rd0; st.u32 [%rd0], 1;", IllegalAddress, "read-only"),
        ("mov.u64 %rd0, out; cvta.param.u64 %rd0, %rd0; ld.param.u32 %r1, [%rd0];", IllegalAddress, "parameters"),
        ("mov.u64 %rd0, c; st.global.u32 [%rd0], 1;", IllegalAddress, "read-only"),
        ("mov.u64 %rd0, c; atom.add.u32 %r0, [%rd0], 1;", IllegalAddress, "read-only"),
        ("mov.u64 %rd0, c; ld.const.u32 %r0, [%rd0+4];", IllegalAddress, 'past the end of "c"'),
        ("mov.u64 %rd0, 0; ld.global.u32 %r0, [%rd0];", IllegalAddress, "null pointer"),
        ("cvta.local.u64 %rd0, x; atom.add.u32 %r0, [%rd0], 1;", IllegalAddress, "no other thread sees"),
        ("cvta.local.u64 %rd0, x; red.or.b32 [%rd0], 1;", IllegalAddress, "no other thread sees"),
        ("ld.global.u32 %r0, [%out+2];", MisalignedAddress, "misaligned"),
        ("ld.global.v4.u32 {%r0, %r1, %r2, %r3}, [%out+8];", MisalignedAddress, "multiple of 16"),
        ("mov.u64 %rd0, -4; ld.u32 %r0, [%rd0];", IllegalAddress, "far from every allocation"),
        ("mov.u64 %rd0, 0x7fffffffffffff00; st.u32 [%rd0], 1;", IllegalAddress, "far from every allocation"),
    ],
)
def test_what_must_not_be_accessed(code: str, fault: type[Exception], words: str) -> None:
    body = f".shared .align 4 .b8 s[64]; .local .align 4 .b32 x[16]; st.shared.u32 [s], 1; st.local.u32 [x], 1; {code}"
    with pytest.raises(fault) as caught:
        run(body, before=".const .b32 c;", words=64)
    assert words in report(caught.value)  # type: ignore[arg-type]


def test_a_fault_leaves_memory_and_registers_as_they_were() -> None:
    body = "mad.lo.u32 %r0, %l, 8, 0; mov.b64 %rd0, {%r0, 0}; add.u64 %rd0, %rd0, %out; st.global.u32 [%rd0], 5;"
    with System() as system:
        device = system.device(0)
        out = device.zeros(40, np.uint32)
        start(kernel(body), device, out)
        with pytest.raises(IllegalAddress) as caught:
            device.sync()
        assert "0xfff00000" in report(caught.value)
        assert not system.runner.memory.view(out.address, out.nbytes).any()


def test_a_name_of_a_window_is_its_address() -> None:
    body = """
        .shared .b32 s; .local .b32 x;
        cvta.shared.u64 %rd0, s; cvta.local.u64 %rd1, x; mov.u64 %rd2, out; cvta.param.u64 %rd2, %rd2;
        st.global.u64 [%out], %rd0; st.global.u64 [%out+8], %rd1; st.global.u64 [%out+16], %rd2;
    """
    got = run(body, words=3, dtype=np.uint64)
    assert list(got) == [WINDOWS["shared"] + 0x400, WINDOWS["local"], WINDOWS["param"]]
