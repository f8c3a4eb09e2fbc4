"""vprintf, malloc, free and __assertfail as device code calls them."""

import numpy as np
import pytest

from emulator import System
from emulator.errors import IllegalAddress, IllegalTarget, Trap
from tests.engines.programs import every_schedule, kernel, report, run, start

pytestmark = pytest.mark.usefixtures("each_engine")

VPRINTF = ".extern .func (.param .b32 r) vprintf(.param .b64 f, .param .b64 a);"
CALL_VPRINTF = """
    { .param .b64 f, a; .param .b32 r;
      st.param.b64 [f], %rd0; st.param.b64 [a], %rd1;
      call (r), vprintf, (f, a);
      ld.param.b32 %r10, [r]; }
"""
HEAP = """
.extern .func (.param .b64 r) malloc(.param .b64 n);
.extern .func free(.param .b64 p);
"""


def text_of(name: str, text: str) -> str:
    """A C string as a global variable."""
    return f".global .align 1 .b8 {name}[] = {{{', '.join(str(byte) for byte in text.encode() + bytes(1))}}};\n"


def printed(body: str, *, before: str = "", **options: object) -> str:
    """What a kernel prints."""
    output: list[str] = []
    run(body, before=VPRINTF + before, output=output.append, **options)
    return "".join(output)


def test_every_lane_prints_its_line_in_order() -> None:
    body = f"""
        .local .align 8 .b8 args[16];
        mov.u64 %rd0, text;
        cvta.local.u64 %rd1, args;
        st.local.u32 [args], %l;
        mul.lo.u32 %r0, %l, %l;
        st.local.u32 [args+4], %r0;
        cvta.global.u64 %rd0, %rd0;
        setp.lt.u32 %p0, %l, 5;
    @!%p0 ret;
        {CALL_VPRINTF}
        st.global.u32 [%mine], %r10;
    """
    assert printed(body, before=text_of("text", "%d squared is %u\n")) == "".join(
        f"{n} squared is {n * n}\n" for n in range(5)
    )


def test_a_guard_on_the_call_prints_for_those_lanes_alone() -> None:
    body = f"""
        mov.u64 %rd0, text;
        mov.u64 %rd1, 0;
        setp.eq.u32 %p0, %l, 9;
    @%p0 bra PRINT;
        bra END;
    PRINT:
        {CALL_VPRINTF}
    END:
    """
    assert printed(body, before=text_of("text", "no arguments: 100%%\n"), grid=2) == "no arguments: 100%\n" * 2


def test_arguments_in_local_shared_global_and_constant_memory() -> None:
    before = text_of("text", "%d %s ") + ".global .align 8 .u64 args[2] = {6, word};"
    before = text_of("word", "six") + before + ".const .align 8 .u64 fixed[2] = {7, word};"
    body = f"""
        .shared .align 8 .b8 box[16];
        .local .align 8 .b8 kept[16];
        setp.ne.u32 %p0, %l, 0;
    @%p0 ret;
        mov.u64 %rd0, text;
        mov.u64 %rd1, args;
        {CALL_VPRINTF}
        mov.u64 %rd1, fixed;
        cvta.const.u64 %rd1, %rd1;
        {CALL_VPRINTF}
        mov.u64 %rd2, word;
        st.shared.u32 [box], 8;
        st.shared.u64 [box+8], %rd2;
        mov.u64 %rd1, box;
        cvta.shared.u64 %rd1, %rd1;
        {CALL_VPRINTF}
        mov.u32 %r0, 0x636261;
        st.local.u32 [kept+12], %r0;
        st.local.u32 [kept], 9;
        cvta.local.u64 %rd1, kept;
        add.u64 %rd2, %rd1, 12;
        .local .align 8 .b8 pair[16];
        st.local.u32 [pair], 9;
        st.local.u64 [pair+8], %rd2;
        cvta.local.u64 %rd1, pair;
        {CALL_VPRINTF}
    """
    assert printed(body, before=before) == "6 six 7 six 8 six 9 abc "


def test_the_result_is_the_number_of_arguments_and_minus_one_for_no_format() -> None:
    body = f"""
        .local .align 8 .b8 args[16];
        setp.eq.u32 %p0, %l, 0;
        mov.u64 %rd0, 0;
        mov.u64 %rd2, text;
    @%p0 mov.u64 %rd0, %rd2;
        cvta.local.u64 %rd1, args;
        {CALL_VPRINTF}
        st.global.u32 [%mine], %r10;
    """
    output: list[str] = []
    got = run(body, block=2, before=VPRINTF + text_of("text", "%d %f"), dtype=np.int32, output=output.append)
    assert list(got) == [2, -1] and output == ["0 0.000000"]


@pytest.mark.parametrize(
    "pointer", ["0x1000", "0x6e0000000ff8", "0x6f0000000400", "0x6d0000000010", "0x7fffffffffff0000"]
)
def test_a_wild_argument_pointer_is_a_fault_of_the_call(pointer: str) -> None:
    body = f"""
        mov.u64 %rd0, text;
        mov.u64 %rd1, {pointer};
        {CALL_VPRINTF}
    """
    with pytest.raises(IllegalAddress) as caught:
        printed(body, before=text_of("text", "%d"))
    assert "call (r), vprintf" in str(caught.value)


def test_a_string_that_does_not_end_is_a_fault() -> None:
    body = f"""
        mov.u64 %rd0, endless;
        {CALL_VPRINTF}
    """
    with pytest.raises(IllegalAddress):
        printed(body, before=".global .align 1 .b8 endless[3] = {65, 66, 67};")


@every_schedule
def test_malloc_and_free(schedule: str) -> None:
    """Each lane gets memory of its own, 16-byte aligned and zero, another lane reads it, a third frees it."""
    body = """
        .shared .align 8 .b64 box[32];
        mul.lo.u32 %r0, %l, 24;
        add.u32 %r0, %r0, 8;
        mov.b64 %rd0, {%r0, 0};
        { .param .b64 n, p; st.param.b64 [n], %rd0; call (p), malloc, (n); ld.param.b64 %rd1, [p]; }
        mov.b64 {%r20, _}, %rd1;
        and.b32 %r20, %r20, 15;
        ld.u32 %r21, [%rd1];
        st.u32 [%rd1+4], %l;
        mov.u32 %r1, box;
        mad.lo.u32 %r2, %l, 8, %r1;
        st.shared.u64 [%r2], %rd1;
        bar.warp.sync -1;
        xor.b32 %r3, %l, 21;
        mad.lo.u32 %r4, %r3, 8, %r1;
        ld.shared.u64 %rd2, [%r4];
        ld.u32 %r5, [%rd2+4];
        bar.warp.sync -1;
        { .param .b64 p; st.param.b64 [p], %rd2; call free, (p); }
        { .param .b64 p; mov.u64 %rd3, 0; st.param.b64 [p], %rd3; call free, (p); }
        add.u32 %r5, %r5, %r20;
        add.u32 %r5, %r5, %r21;
        st.global.u32 [%mine], %r5;
    """
    with System(schedule=schedule) as system:
        device = system.device(0)
        out = device.zeros(32, np.uint32)
        start(kernel(body, before=HEAP), device, out)
        assert list(out.numpy()) == [n ^ 21 for n in range(32)]
        assert [a.kind for a in system.runner.memory.allocations()] == ["buffer"]


def test_malloc_gives_null_when_there_is_no_room() -> None:
    body = """
        { .param .b64 n, p; mov.u64 %rd0, 0x100000; st.param.b64 [n], %rd0;
          call (p), malloc, (n); ld.param.b64 %rd1, [p]; }
        setp.eq.u64 %p0, %rd1, 0;
        selp.u32 %r0, 1, 2, %p0;
        st.global.u32 [%mine], %r0;
    """
    assert list(run(body, before=HEAP, memory=5 << 20)) == [2] * 4 + [1] * 28


@pytest.mark.parametrize("times", [1, 2])
def test_free_of_what_is_not_there_is_a_fault(times: int) -> None:
    free = "{ .param .b64 p; st.param.b64 [p], %rd1; call free, (p); }"
    allocate = "{ .param .b64 n, p; mov.u64 %rd0, 8; st.param.b64 [n], %rd0; call (p), malloc, (n); "
    body = "add.u64 %rd1, %out, 0;" if times == 1 else allocate + "ld.param.b64 %rd1, [p]; }"
    with pytest.raises(Trap, match="which malloc did not return or which is free already"):
        run(body + free * times, before=HEAP, block=1)


def test_heap_memory_after_free_is_gone() -> None:
    body = """
        { .param .b64 n, p; mov.u64 %rd0, 8; st.param.b64 [n], %rd0; call (p), malloc, (n); ld.param.b64 %rd1, [p]; }
        { .param .b64 p; st.param.b64 [p], %rd1; call free, (p); }
        st.u32 [%rd1], 1;
    """
    with pytest.raises(IllegalAddress):
        run(body, before=HEAP)


def test_a_failed_assertion_says_what_and_where() -> None:
    before = text_of("message", "n < 5") + text_of("file", "a.cu") + text_of("function", "void k(int)")
    before += """
    .extern .func __assertfail(.param .b64 m, .param .b64 f, .param .b32 l, .param .b64 n, .param .b64 s);
    """
    body = """
        setp.lt.u32 %p0, %t, 37;
    @%p0 ret;
        mov.u64 %rd0, message;  cvta.global.u64 %rd0, %rd0;
        mov.u64 %rd1, file;     cvta.global.u64 %rd1, %rd1;
        mov.u64 %rd2, function; cvta.global.u64 %rd2, %rd2;
        { .param .b64 m, f, n, s; .param .b32 l;
          st.param.b64 [m], %rd0; st.param.b64 [f], %rd1; st.param.b32 [l], 12; st.param.b64 [n], %rd2;
          st.param.b64 [s], 1;
          call __assertfail, (m, f, l, n, s); }
    """
    with pytest.raises(Trap) as caught:
        run(body, before=before, block=64, grid=3)
    expected = "a.cu:12: void k(int): block (0,0,0), thread (37,0,0) Assertion `n < 5` failed"
    assert expected in report(caught.value)


def test_an_address_of_a_runtime_function_that_takes_other_arguments_is_a_fault() -> None:
    """What a kernel does with an address cannot be an error of the module."""
    body = """
        mov.u64 %rd0, vprintf;
        { .param .b32 p; .param .b32 q;
    PROTOTYPE: .callprototype (.param .b32 _) _ (.param .b32 _);
        call (q), %rd0, (p), PROTOTYPE; }
    """
    with pytest.raises(IllegalTarget, match="vprintf is called with arguments of 4 bytes, the runtime's takes 8, 8"):
        run(body, before=VPRINTF)
