// Barriers by number in inline assembly: warps that only arrive, parts of a block, votes of a part; assembly with
// labels and scopes of its own.

__device__ void wait_at(int barrier, int threads) { asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory"); }
__device__ void arrive_at(int barrier, int threads) {
    asm volatile("bar.arrive %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

// Warp 0 produces, warps 1 and 2 consume, alternating buffers: barriers 1, 2 full and 3, 4 empty.
extern "C" __global__ void pipeline(const int* in, int* out, int rounds) {
    __shared__ int buffers[2][32];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    if (warp == 0) {
        for (int round = 0; round < rounds; round++) {
            if (round >= 2) wait_at(3 + round % 2, 96);
            buffers[round % 2][lane] = in[32 * round + lane];
            arrive_at(1 + round % 2, 96);
        }
    } else {
        int sum = 0;
        for (int round = 0; round < rounds; round++) {
            wait_at(1 + round % 2, 96);
            sum += buffers[round % 2][(lane + warp) % 32] * round;
            if (round + 2 < rounds) arrive_at(3 + round % 2, 96);
        }
        out[32 * (warp - 1) + lane] = sum;
    }
}

// Two halves of a block reduce apart from each other, at barriers that are chosen at run time.
extern "C" __global__ void halves(const unsigned* in, unsigned* out) {
    __shared__ unsigned values[128];
    int half = threadIdx.x / 64, t = threadIdx.x % 64;
    values[threadIdx.x] = in[threadIdx.x];
    for (int step = 32; step > 0; step /= 2) {
        wait_at(5 + half, 64);
        if (t < step) values[threadIdx.x] += values[threadIdx.x + step];
    }
    unsigned even, big, any;
    asm volatile(
        "{ .reg .pred p, q, r;\n"
        "  setp.ne.u32 p, %3, 0;\n"
        "  setp.gt.u32 q, %4, 100;\n"
        "  bar.red.popc.u32 %0, %5, 64, p;\n"
        "  bar.red.and.pred r, %5, 64, q;\n"
        "  selp.u32 %1, 1, 0, r;\n"
        "  bar.red.or.pred r, %5, 64, !q;\n"
        "  selp.u32 %2, 1, 0, r; }"
        : "=r"(even), "=r"(big), "=r"(any)
        : "r"(in[threadIdx.x] % 2), "r"(in[threadIdx.x]), "r"(5 + half)
        : "memory");
    if (t == 0) out[4 * half] = values[threadIdx.x];
    if (t == 63) out[4 * half + 1] = even, out[4 * half + 2] = big, out[4 * half + 3] = any;
}

// The length of a Collatz sequence, in assembly: a loop with labels that nvcc copies into each use.
__device__ unsigned collatz(unsigned n) {
    unsigned steps;
    asm("{ .reg .u32 n, odd, third; .reg .pred p;\n"
        "  mov.u32 n, %1;\n"
        "  mov.u32 %0, 0;\n"
        "LOOP%=:\n"
        "  setp.le.u32 p, n, 1;\n"
        "  @p bra DONE%=;\n"
        "  and.b32 odd, n, 1;\n"
        "  setp.eq.u32 p, odd, 1;\n"
        "  mad.lo.u32 third, n, 3, 1;\n"
        "  shr.u32 n, n, 1;\n"
        "  selp.u32 n, third, n, p;\n"
        "  add.u32 %0, %0, 1;\n"
        "  bra LOOP%=;\n"
        "DONE%=: }"
        : "=r"(steps)
        : "r"(n));
    return steps;
}

extern "C" __global__ void sequences(const unsigned* in, uint2* out) {
    unsigned n = in[threadIdx.x];
    out[threadIdx.x] = make_uint2(collatz(n), collatz(n * 2 + 1));
}
