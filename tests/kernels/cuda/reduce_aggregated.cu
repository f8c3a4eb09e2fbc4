// Fewer atomics: the lanes that stand together elect one of them, and the last block finishes the work.

__device__ unsigned next_slots(unsigned* counter) {
    unsigned here = __activemask();
    unsigned below = here & ((1u << (threadIdx.x & 31)) - 1);
    int leader = __ffs(here) - 1;
    unsigned first = 0;
    if ((threadIdx.x & 31) == leader) first = atomicAdd(counter, __popc(here));
    return __shfl_sync(here, first, leader) + __popc(below);
}

// Keeps the odd values, in any order; *count must be 0 before.
extern "C" __global__ void keep_odd(const unsigned* in, unsigned* out, unsigned* count, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n && in[i] % 2 == 1) out[next_slots(count)] = in[i];
}

// One atomic a warp; reductions over lanes by one instruction where the architecture has it.
extern "C" __global__ void totals(const int* in, int* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int value = i < n ? in[i] : 0;
#if __CUDA_ARCH__ >= 800
    int sum = __reduce_add_sync(0xffffffff, value);
    int least = __reduce_min_sync(0xffffffff, value);
    int most = __reduce_max_sync(0xffffffff, value);
    unsigned any = __reduce_or_sync(0xffffffff, static_cast<unsigned>(value));
    unsigned all = __reduce_and_sync(0xffffffff, static_cast<unsigned>(value));
    unsigned parity = __reduce_xor_sync(0xffffffff, static_cast<unsigned>(value));
#else
    int sum = value, least = value, most = value;
    unsigned any = value, all = value, parity = value;
    for (int distance = 1; distance < 32; distance *= 2) {
        sum += __shfl_xor_sync(0xffffffff, sum, distance);
        least = min(least, __shfl_xor_sync(0xffffffff, least, distance));
        most = max(most, __shfl_xor_sync(0xffffffff, most, distance));
        any |= __shfl_xor_sync(0xffffffff, any, distance);
        all &= __shfl_xor_sync(0xffffffff, all, distance);
        parity ^= __shfl_xor_sync(0xffffffff, parity, distance);
    }
#endif
    if (threadIdx.x % 32 == 0) {
        atomicAdd(&out[0], sum);
        atomicMin(&out[1], least);
        atomicMax(&out[2], most);
        atomicOr(reinterpret_cast<unsigned*>(&out[3]), any);
        atomicAnd(reinterpret_cast<unsigned*>(&out[4]), all);
        atomicXor(reinterpret_cast<unsigned*>(&out[5]), parity);
    }
}

__device__ unsigned blocks_done;

// The block that is last adds what all have written; blocks_done is 0 again afterwards.
extern "C" __global__ void last_block_sum(const int* in, volatile int* partial, int* out, int n) {
    __shared__ int sum;
    __shared__ bool last;
    if (threadIdx.x == 0) sum = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&sum, in[i]);
    __syncthreads();
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = sum;
        __threadfence();
        last = atomicInc(&blocks_done, gridDim.x - 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (last && threadIdx.x == 0) {
        int total = 0;
        for (unsigned block = 0; block < gridDim.x; block++) total += partial[block];
        *out = total;
    }
}
