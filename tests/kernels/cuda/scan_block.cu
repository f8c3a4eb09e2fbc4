// Prefix sums within a warp and within a block.

template <typename T> __device__ T warp_inclusive(T value) {
    unsigned lane = threadIdx.x % 32;
    for (int distance = 1; distance < 32; distance *= 2) {
        T other = __shfl_up_sync(0xffffffff, value, distance);
        if (lane >= distance) value += other;
    }
    return value;
}

extern "C" __global__ void warp_inclusive_s32(int* data) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    data[i] = warp_inclusive(data[i]);
}

extern "C" __global__ void warp_exclusive_s64(long long* data) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    data[i] = warp_inclusive(data[i]) - data[i];
}

// Hillis and Steele: two buffers, log2 steps of n additions.
extern "C" __global__ void block_inclusive(unsigned* data) {
    extern __shared__ unsigned buffers[];
    unsigned *from = buffers, *to = buffers + blockDim.x;
    from[threadIdx.x] = data[threadIdx.x];
    __syncthreads();
    for (unsigned distance = 1; distance < blockDim.x; distance *= 2) {
        unsigned value = from[threadIdx.x];
        if (threadIdx.x >= distance) value += from[threadIdx.x - distance];
        to[threadIdx.x] = value;
        unsigned* swap = from;
        from = to;
        to = swap;
        __syncthreads();
    }
    data[threadIdx.x] = from[threadIdx.x];
}

// Blelloch: up the tree and down again, two values a thread, padded against bank conflicts.
__device__ int padded(int i) { return i + i / 32; }

extern "C" __global__ void block_exclusive(unsigned* data, unsigned* total) {
    __shared__ unsigned tree[256 + 8];
    int n = 2 * blockDim.x, t = threadIdx.x, step = 1;
    tree[padded(2 * t)] = data[2 * t];
    tree[padded(2 * t + 1)] = data[2 * t + 1];
    for (int active = n / 2; active > 0; active /= 2, step *= 2) {
        __syncthreads();
        if (t < active) tree[padded(step * (2 * t + 2) - 1)] += tree[padded(step * (2 * t + 1) - 1)];
    }
    if (t == 0) {
        *total = tree[padded(n - 1)];
        tree[padded(n - 1)] = 0;
    }
    for (int active = 1; active < n; active *= 2) {
        step /= 2;
        __syncthreads();
        if (t < active) {
            unsigned left = tree[padded(step * (2 * t + 1) - 1)];
            tree[padded(step * (2 * t + 1) - 1)] = tree[padded(step * (2 * t + 2) - 1)];
            tree[padded(step * (2 * t + 2) - 1)] += left;
        }
    }
    __syncthreads();
    data[2 * t] = tree[padded(2 * t)];
    data[2 * t + 1] = tree[padded(2 * t + 1)];
}
