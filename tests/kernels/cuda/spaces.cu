// State spaces: what a generic pointer points to, conversions, cache hints on loads and stores, volatile, prefetches.

__constant__ int constant[4] = {10, 20, 30, 40};
__device__ int global[4] = {1, 2, 3, 4};

__device__ __noinline__ int kind_of(const void* p) {
    return __isGlobal(p) | __isShared(p) << 1 | __isLocal(p) << 2 | __isConstant(p) << 3 | __isGridConstant(p) << 4;
}

struct Parameter {
    int values[40];
};

extern "C" __global__ void kinds(const __grid_constant__ Parameter parameter, const int* pointer, int* out) {
    __shared__ int shared[4];
    int local[4] = {static_cast<int>(threadIdx.x), 5, 6, 7};
    shared[threadIdx.x % 4] = 50;
    __syncwarp();
    const int* pointers[6] = {pointer, shared, local, constant, global, parameter.values};
    int which = threadIdx.x % 6;
    out[3 * threadIdx.x] = kind_of(pointers[which]);
    out[3 * threadIdx.x + 1] = pointers[which][which % 4];
    out[3 * threadIdx.x + 2] = parameter.values[threadIdx.x] + local[threadIdx.x % 4];
}

extern "C" __global__ void conversions(int* data, unsigned* out) {
    __shared__ int shared[64];
    int t = threadIdx.x;
    shared[t] = t * 3;
    __syncthreads();
    size_t offset = __cvta_generic_to_shared(&shared[t]), base = __cvta_generic_to_shared(shared);
    int value = 0;
    if (t < 63) asm volatile("ld.shared.s32 %0, [%1+4];" : "=r"(value) : "r"(static_cast<unsigned>(offset)));
    int* back = static_cast<int*>(__cvta_shared_to_generic(base));
    int* global = static_cast<int*>(__cvta_global_to_generic(__cvta_generic_to_global(data)));
    out[3 * t] = static_cast<unsigned>(offset - base);
    out[3 * t + 1] = value;
    out[3 * t + 2] = back[63 - t] + global[t];
}

extern "C" __global__ void hints(const float4* in, float4* out, const double* wide, const int* words, int* more) {
    int t = threadIdx.x;
    asm volatile("prefetch.global.L2 [%0];" ::"l"(in + t));
    float4 a = __ldg(in + t), b = __ldcg(in + t), c = __ldcs(in + t), d = __ldlu(in + t);
    __stcg(out + 2 * t, make_float4(a.x, b.y, c.z, d.w));
    __stwt(out + 2 * t + 1, make_float4(__ldca(in + t).w, static_cast<float>(__ldg(wide + t)), c.x, d.y));
    volatile int* line = more;
    line[t] = __ldcv(words + t);
    line[t] += __ldg(reinterpret_cast<const short*>(words) + t);
    __threadfence_system();
    __stcs(more + 32 + t, line[t] + __ldg(reinterpret_cast<const char2*>(words) + t).y);
}
