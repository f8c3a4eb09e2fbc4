// nvcc -rdc=true -lineinfo
// Code for a linker: functions that others may call, weak templates, variables of several linkages, line numbers.

__device__ int counters[4] = {1, 2, 3, 4};
__constant__ float factor = 1.5f;
static __device__ unsigned hidden = 7;

namespace shared_code {
__device__ __noinline__ float scaled(float x) { return x * factor; }
template <typename T> __device__ __noinline__ T clamp(T x, T low, T high) { return x < low ? low : x > high ? high : x; }
}  // namespace shared_code

__device__ __noinline__ int count(int which) { return atomicAdd(&counters[which & 3], 1 << which); }

struct Pair {
    float first;
    int second;
};

__device__ __noinline__ Pair both(float x, int which, Pair* keep) {
    Pair result = {shared_code::scaled(x), count(which)};
    keep->first += result.first;
    return result;
}

extern __shared__ float dynamic[];

extern "C" __global__ void run(const float* in, float* out, int* ranks, unsigned* total) {
    int t = threadIdx.x;
    Pair keep = {0, 0};
    Pair pair = both(in[t], t % 4, &keep);
    dynamic[t] = shared_code::clamp(pair.first, -3.0f, 3.0f);
    __syncthreads();
    out[2 * t] = dynamic[blockDim.x - 1 - t];
    out[2 * t + 1] = keep.first;
    ranks[t] = shared_code::clamp(pair.second, 0, 20);
    if (t == 0) *total = atomicAdd(&hidden, 5);
}
