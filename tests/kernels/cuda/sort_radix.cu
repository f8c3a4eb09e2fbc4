// Least significant digit radix sort, 4 bits a pass: count, scan, scatter in order.

constexpr int DIGITS = 16;

__device__ unsigned digit_of(unsigned key, int shift) { return key >> shift & (DIGITS - 1); }

extern "C" __global__ void count(const unsigned* keys, unsigned* counts, int n, int shift) {
    __shared__ unsigned mine[DIGITS];
    if (threadIdx.x < DIGITS) mine[threadIdx.x] = 0;
    __syncthreads();
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) atomicAdd(&mine[digit_of(keys[i], shift)], 1);
    __syncthreads();
    if (threadIdx.x < DIGITS) counts[threadIdx.x * gridDim.x + blockIdx.x] = mine[threadIdx.x];
}

// Exclusive, in place, by one warp.
extern "C" __global__ void scan_counts(unsigned* counts, int n) {
    unsigned carry = 0;
    for (int start = 0; start < n; start += 32) {
        int i = start + threadIdx.x;
        unsigned value = i < n ? counts[i] : 0, sum = value;
        for (int distance = 1; distance < 32; distance *= 2) {
            unsigned other = __shfl_up_sync(0xffffffff, sum, distance);
            if (threadIdx.x >= distance) sum += other;
        }
        if (i < n) counts[i] = carry + sum - value;
        carry += __shfl_sync(0xffffffff, sum, 31);
    }
}

// A key's place: those before it in its block with the same digit, by ballots within warps and counts between them.
extern "C" __global__ void scatter(const unsigned* keys, unsigned* sorted, const unsigned* starts, int n, int shift) {
    __shared__ unsigned in_warp[32][DIGITS];
    int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    if (lane < DIGITS) in_warp[warp][lane] = 0;
    __syncwarp();
    bool inside = i < n;
    unsigned key = inside ? keys[i] : 0, digit = digit_of(key, shift);
    unsigned peers = __ballot_sync(0xffffffff, inside);
    for (int bit = 0; bit < 4; bit++) {
        unsigned ones = __ballot_sync(0xffffffff, digit >> bit & 1);
        peers &= digit >> bit & 1 ? ones : ~ones;
    }
    unsigned rank = __popc(peers & ((1u << lane) - 1));
    if (inside && rank == 0) in_warp[warp][digit] = __popc(peers);
    __syncthreads();
    if (!inside) return;
    for (int w = 0; w < warp; w++) rank += in_warp[w][digit];
    sorted[starts[digit * gridDim.x + blockIdx.x] + rank] = key;
}
