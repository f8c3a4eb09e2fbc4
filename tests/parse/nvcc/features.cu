// What nvcc makes of calls, tables, switches, inline assembly and debug information: text for the parser.
#include <cassert>
#include <cstdio>

typedef int (*Operation)(int, int);

struct alignas(16) Settings {
    int a;
    float b[5];
    long long c;
};

__device__ int table[4][3] = {{1, 2, 3}, {4, 5, 6}};
__device__ int *middle = &table[1][2];
__constant__ float weights[8] = {1.5f, -2.25f};
__managed__ double total = 3.5;
__device__ __noinline__ int add(int a, int b) { return a + b; }
__device__ __noinline__ int multiply(int a, int b) { return a * b; }
__device__ Operation operations[2] = {add, multiply};
extern __shared__ __align__(16) unsigned char dynamic[];

__global__ void __launch_bounds__(256, 2) indirect(Settings s, int *out, int which) {
    out[threadIdx.x] = operations[which](s.a, out[threadIdx.x]);
    if (s.b[2] > weights[which]) printf("value %d %f\n", s.a, s.b[1]);
    assert(s.c != 0);
}

__device__ __noinline__ int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

__global__ void __cluster_dims__(2, 1, 1) switches(int *out, int n) {
    switch (n) {
        case 0: out[0] = 5; break;
        case 1: out[1] = fibonacci(3); break;
        case 2: out[2] = *middle; break;
        case 3: out[n * 2] = 8; break;
        case 4: out[4] = fibonacci(n); break;
        case 5: out[5] = 9; break;
        default: out[9] = 1;
    }
}

__global__ void inline_assembly(unsigned long long *out, unsigned phase) {
    unsigned a = (unsigned)__cvta_generic_to_shared(dynamic);
#pragma unroll
    for (int i = 0; i < 2; ++i)
        asm volatile(
            "{\n.reg .pred P1;\nWAIT:\nmbarrier.try_wait.parity.shared::cta.b64 P1, [%0], %1;\n"
            "@P1 bra.uni DONE;\nbra.uni WAIT;\nDONE:\n}\n" ::"r"(a + 8 * i), "r"(phase));
    asm volatile("{ .reg .b32 t; // one more\n mov.b32 t , %1 ;add.u32 %0,t,1; }" : "=r"(phase) : "r"(phase));
    out[0] = phase + atomicAdd((int *)out, 1) + __shfl_xor_sync(~0u, (int)phase, 1);
    out[1] = __ballot_sync(~0u, phase > 3) + (unsigned long long)sqrt((double)phase);
    total += 1.0;
}
