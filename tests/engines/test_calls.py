"""Calls: divergent, recursive, indirect, and what the stack holds (manual, 7.1 and 9.7.12.5)."""

from functools import cache

import numpy as np
import pytest

from emulator.errors import IllegalTarget, StackOverflow, UnsupportedInstruction
from tests.engines.programs import report, run

pytestmark = pytest.mark.usefixtures("each_engine")

LANES = np.arange(32)

FIBONACCI = """
.func (.reg .u32 result) fib(.reg .u32 n)
{
    .reg .pred %p; .reg .u32 %a, %b, %m;
    setp.lt.u32 %p, n, 2;
    mov.u32 result, n;
@%p ret;
    sub.u32 %m, n, 1;
    call (%a), fib, (%m);
    sub.u32 %m, n, 2;
    call (%b), fib, (%m);
    add.u32 result, %a, %b;
    ret;
}
"""


def fibonacci(n: int) -> int:
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def test_fibonacci_with_another_argument_in_every_lane() -> None:
    body = """
        and.b32 %r0, %l, 7;
        call (%r1), fib, (%r0);
        st.global.u32 [%mine], %r1;
    """
    assert list(run(body, before=FIBONACCI)) == [fibonacci(lane & 7) for lane in range(32)]


def test_ackermann_with_parameters_in_memory() -> None:
    """Three-way divergence at every level; parameters and results go through .param."""
    before = """
    .func (.param .b32 result) ack(.param .b32 m, .param .b32 n)
    {
        .reg .pred %p; .reg .u32 %m, %n, %x;
        ld.param.u32 %m, [m];
        ld.param.u32 %n, [n];
        setp.ne.u32 %p, %m, 0;
    @%p bra MORE;
        add.u32 %x, %n, 1;
        bra END;
    MORE:
        sub.u32 %m, %m, 1;
        setp.ne.u32 %p, %n, 0;
    @%p bra BOTH;
        { .param .b32 a, b, r; st.param.b32 [a], %m; st.param.b32 [b], 1;
          call (r), ack, (a, b); ld.param.b32 %x, [r]; }
        bra END;
    BOTH:
        sub.u32 %n, %n, 1;
        { .param .b32 a, b, r; add.u32 %x, %m, 1; st.param.b32 [a], %x; st.param.b32 [b], %n;
          call (r), ack, (a, b); ld.param.b32 %n, [r]; }
        { .param .b32 a, b, r; st.param.b32 [a], %m; st.param.b32 [b], %n;
          call (r), ack, (a, b); ld.param.b32 %x, [r]; }
    END:
        st.param.b32 [result], %x;
        ret;
    }
    """
    body = """
        shr.u32 %r0, %l, 2;
        and.b32 %r1, %l, 3;
        call (%r2), ack, (%r0, %r1);
        st.global.u32 [%mine], %r2;
    """

    @cache
    def ackermann(m: int, n: int) -> int:
        if m == 0:
            return n + 1
        return ackermann(m - 1, 1 if n == 0 else ackermann(m, n - 1))

    assert list(run(body, before=before, block=12)) == [ackermann(t >> 2, t & 3) for t in range(12)]


def test_functions_that_call_each_other() -> None:
    before = """
    .func (.reg .u32 yes) is_odd(.reg .u32 n);
    .func (.reg .u32 yes) is_even(.reg .u32 n)
    {
        .reg .pred %p; .reg .u32 %m;
        setp.eq.u32 %p, n, 0;
        mov.u32 yes, 1;
    @%p ret;
        sub.u32 %m, n, 1;
        call (yes), is_odd, (%m);
        ret;
    }
    .func (.reg .u32 yes) is_odd(.reg .u32 n)
    {
        .reg .pred %p; .reg .u32 %m;
        mov.u32 yes, 0;
        setp.eq.u32 %p, n, 0;
    @%p ret;
        sub.u32 %m, n, 1;
        call (yes), is_even, (%m);
        ret;
    }
    """
    assert list(run("call (%r0), is_even, (%l); st.global.u32 [%mine], %r0;", before=before)) == [1, 0] * 16


def test_divergent_calls_of_two_functions_with_locals() -> None:
    """Each lane calls one of two functions, from three places; .local arrays belong to the lane and the call."""
    before = """
    .func (.reg .u32 r) sum(.reg .u32 n)
    {
        .local .align 4 .b8 box[32];
        .reg .pred %p; .reg .u32 %k, %v; .reg .b64 %a, %o;
        mov.u32 %k, 0; mov.u32 r, 0;
    FILL:
        mul.wide.u32 %o, %k, 4;
        mov.u64 %a, box;
        add.u64 %a, %a, %o;
        mad.lo.u32 %v, n, %k, 1;
        st.local.u32 [%a], %v;
        add.u32 %k, %k, 1;
        setp.lt.u32 %p, %k, 8;
    @%p bra FILL;
    ADD:
        sub.u32 %k, %k, 1;
        mul.wide.u32 %o, %k, 4;
        mov.u64 %a, box;
        add.u64 %a, %a, %o;
        ld.local.u32 %v, [%a];
        add.u32 r, r, %v;
        setp.ne.u32 %p, %k, 0;
    @%p bra ADD;
        ret;
    }
    .func (.reg .u32 r) twice(.reg .u32 n)
    {
        .reg .u32 %a, %b;
        call (%a), sum, (n);
        add.u32 %b, n, 1;
        call (%b), sum, (%b);
        add.u32 r, %a, %b;
        ret;
    }
    """
    body = """
        and.b32 %r0, %l, 3;
        setp.eq.u32 %p0, %r0, 0;
        setp.eq.u32 %p1, %r0, 1;
        mov.u32 %r1, 5;
    @%p0 call (%r1), twice, (%l);
    @%p1 call (%r1), sum, (%l);
        st.global.u32 [%mine], %r1;
    """

    def total(n: int) -> int:
        return sum(n * k + 1 for k in range(8))

    expected = [(total(n) + total(n + 1), total(n), 5, 5)[n & 3] for n in range(32)]
    assert list(run(body, before=before)) == expected


TABLE = """
.func (.reg .u32 r) add_one(.reg .u32 a) { add.u32 r, a, 1; ret; }
.func (.reg .u32 r) triple(.reg .u32 a) { mul.lo.u32 r, a, 3; ret; }
.func (.reg .u32 r) square(.reg .u32 a) { mul.lo.u32 r, a, a; ret; }
.global .align 8 .u64 table[4] = {add_one, triple, square, add_one};
"""


def test_a_table_of_functions_with_a_target_a_lane() -> None:
    body = """
        and.b32 %r0, %l, 3;
        mul.wide.u32 %rd0, %r0, 8;
        mov.u64 %rd1, table;
        add.u64 %rd0, %rd0, %rd1;
        ld.global.u64 %rd2, [%rd0];
        call (%r1), %rd2, (%l), table;
    proto: .callprototype (.reg .u32 _) _ (.reg .u32 _);
        call (%r2), %rd2, (%r1), proto;
        add.u32 %r2, %r2, %r1;
        st.global.u32 [%mine], %r2;
    """
    functions = [lambda a: a + 1, lambda a: a * 3, lambda a: a * a, lambda a: a + 1]
    expected = [functions[n & 3](n) + functions[n & 3](functions[n & 3](n)) for n in range(32)]
    assert list(run(body, before=TABLE)) == expected


def test_targets_by_mov_and_calltargets() -> None:
    body = """
        setp.lt.u32 %p0, %l, 10;
        mov.u64 %rd0, triple;
    @%p0 mov.u64 %rd0, square;
    targets: .calltargets square, triple;
        call (%r1), %rd0, (%l), targets;
        st.global.u32 [%mine], %r1;
    """
    assert list(run(body, before=TABLE)) == [n * n if n < 10 else n * 3 for n in range(32)]


def test_an_indirect_call_to_nowhere_is_a_fault() -> None:
    body = """
        mov.u64 %rd0, 4660;
        mov.u64 %rd1, square;
        setp.eq.u32 %p0, %l, 3;
    @!%p0 mov.u64 %rd0, %rd1;
    proto: .callprototype (.reg .u32 _) _ (.reg .u32 _);
        call (%r1), %rd0, (%l), proto;
    """
    with pytest.raises(IllegalTarget) as caught:
        run(body, before=TABLE)
    assert "0x1234 is the address of no function" in report(caught.value)
    assert "0x00000008" in report(caught.value)


def test_a_thousand_branches_by_a_table() -> None:
    """Every lane goes its own way, 40 times; where it comes by it adds the place's number."""
    labels = [f"L{n}" for n in range(9)]
    places = "".join(f"{label}: mad.lo.u32 %r0, %r0, 31, {n}; bra NEXT;" for n, label in enumerate(labels))
    body = f"""
        mov.u32 %r0, 0; mov.u32 %r1, 0;
    table: .branchtargets {", ".join(labels)};
    AGAIN:
        mad.lo.u32 %r2, %l, 7, %r1; mul.lo.u32 %r2, %r2, %r2; rem.u32 %r2, %r2, 9;
        brx.idx %r2, table;
        {places}
    NEXT:
        add.u32 %r1, %r1, 1; setp.lt.u32 %p0, %r1, 40;
    @%p0 bra AGAIN;
        st.global.u32 [%mine], %r0;
    """
    wanted = []
    for lane in range(32):
        total = 0
        for step in range(40):
            total = (total * 31 + (lane * 7 + step) ** 2 % 9) % 2**32
        wanted.append(total)
    assert list(run(body)) == wanted


def test_a_branch_beyond_its_table_is_a_fault() -> None:
    body = """
        mov.u32 %r0, 2;
    table: .branchtargets A, B;
        brx.idx %r0, table;
    A:
    B:
    """
    with pytest.raises(IllegalTarget, match="an index beyond the 2 targets"):
        run(body)


def test_recursion_without_end_fills_the_stack() -> None:
    before = """
    .func forever(.reg .u32 n)
    {
        .local .align 8 .b8 box[512];
        .reg .u32 %m;
        st.local.u32 [box], n;
        add.u32 %m, n, 1;
        call forever, (%m);
        ret;
    }
    """
    with pytest.raises(StackOverflow) as caught:
        run("call forever, (%l);", before=before)
    assert "the call stack is full" in report(caught.value) and "into forever" in report(caught.value)


def test_a_function_without_a_body_says_so_when_it_is_called() -> None:
    before = ".extern .func (.param .b32 r) elsewhere(.param .b32 a);"
    body = """
        setp.eq.u32 %p0, %c, 1;
    @%p0 call (%r0), elsewhere, (%l);
        st.global.u32 [%mine], 3;
    """
    assert set(run(body, before=before)) == {3}
    with pytest.raises(UnsupportedInstruction, match="elsewhere is declared but has no body in this module"):
        run(body, before=before, grid=2)


def test_a_return_in_the_middle_lets_the_other_lanes_go_on() -> None:
    before = """
    .func (.reg .u32 r) steps(.reg .u32 n)
    {
        .reg .pred %p;
        mov.u32 r, 0;
    LOOP:
        setp.ge.u32 %p, r, n;
    @%p ret;
        add.u32 r, r, 1;
        bra LOOP;
    }
    """
    body = """
        call (%r0), steps, (%l);
        activemask.b32 %r1;
        setp.ne.u32 %p0, %r1, 0xffffffff;
    @%p0 add.u32 %r0, %r0, 1000;
        st.global.u32 [%mine], %r0;
    """
    assert list(run(body, before=before)) == list(LANES)


def test_a_struct_by_value_whose_address_is_taken() -> None:
    """mov of a function's parameter gives an address in .local (manual, 5.1.6.4); ld.param takes it too."""
    before = """
    .func (.reg .u32 r) pick(.param .align 8 .b8 s[40], .reg .u32 n)
    {
        .reg .b64 %a, %o, %g; .reg .u32 %x, %y, %z;
        mov.u64 %a, s;
        mul.wide.u32 %o, n, 4;
        add.u64 %a, %a, %o;
        ld.local.u32 %x, [%a];
        ld.param.u32 %y, [%a];
        cvta.local.u64 %g, %a;
        ld.u32 %z, [%g];
        add.u32 r, %x, %y;
        add.u32 r, r, %z;
        st.u32 [%g], 0;
        ld.local.u32 %x, [%a];
        add.u32 r, r, %x;
        ret;
    }
    """
    stores = "\n".join(f"add.u32 %r1, %l, {100 * n}; st.param.b32 [s+{4 * n}], %r1;" for n in range(10))
    body = f"""
        and.b32 %r0, %l, 7;
        {{ .param .align 8 .b8 s[40]; {stores}
        call (%r2), pick, (s, %r0); }}
        st.global.u32 [%mine], %r2;
    """
    assert list(run(body, before=before)) == [3 * (n + 100 * (n & 7)) for n in range(32)]


def test_results_of_several_parameters_and_a_narrow_one() -> None:
    before = """
    .func (.param .align 8 .b8 pair[16]) both(.param .b64 a, .param .b32 b)
    {
        .reg .b64 %a; .reg .b32 %b;
        ld.param.b64 %a, [a];
        ld.param.b32 %b, [b];
        st.param.b64 [pair], %a;
        st.param.b32 [pair+8], %b;
        st.param.b8 [pair+12], 255;
        ret;
    }
    """
    body = """
        mul.wide.u32 %rd0, %l, 0x10000000;
        { .param .align 8 .b8 got[16]; .param .b64 a; .param .b32 b;
          st.param.b64 [a], %rd0; st.param.b32 [b], %l;
          call (got), both, (a, b);
          ld.param.b64 %rd1, [got]; ld.param.b32 %r0, [got+8]; ld.param.u8 %r1, [got+12]; ld.param.s8 %r2, [got+12]; }
        shr.u64 %rd1, %rd1, 28;
        mov.b64 {%r3, _}, %rd1;
        add.u32 %r0, %r0, %r3;
        add.u32 %r0, %r0, %r1;
        add.u32 %r0, %r0, %r2;
        st.global.u32 [%mine], %r0;
    """
    assert list(run(body, before=before)) == [2 * n + 254 for n in range(32)]
