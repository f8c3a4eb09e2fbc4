// Reductions by shuffles: butterflies within a warp, then the first warp over the warps' results.

template <typename T> __device__ T warp_sum(T value) {
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffff, value, distance);
    return value;
}

template <typename T> __device__ T block_sum(T value) {
    __shared__ T warps[32];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    value = warp_sum(value);
    if (lane == 0) warps[warp] = value;
    __syncthreads();
    if (warp == 0) {
        value = lane < (blockDim.x + 31) / 32 ? warps[lane] : T(0);
        value = warp_sum(value);
    }
    return value;
}

template <typename T> __global__ void sum(const T* in, T* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    T total = block_sum(i < n ? in[i] : T(0));
    if (threadIdx.x == 0) atomicAdd(out, total);
}

template __global__ void sum<int>(const int*, int*, int);
template __global__ void sum<unsigned long long>(const unsigned long long*, unsigned long long*, int);
template __global__ void sum<float>(const float*, float*, int);
template __global__ void sum<double>(const double*, double*, int);

struct Found {
    float value;
    int index;
};

// The place of the largest value, the first one of equals.
extern "C" __global__ void arg_max(const float* in, Found* out, int n) {
    Found best = {-INFINITY, n};
    for (int i = threadIdx.x; i < n; i += 32)
        if (in[i] > best.value) best = {in[i], i};
    for (int distance = 16; distance > 0; distance /= 2) {
        float value = __shfl_down_sync(0xffffffff, best.value, distance);
        int index = __shfl_down_sync(0xffffffff, best.index, distance);
        if (value > best.value || (value == best.value && index < best.index)) best = {value, index};
    }
    if (threadIdx.x == 0) *out = best;
}
