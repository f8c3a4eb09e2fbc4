// Votes: of a block, of a warp, of lanes with equal values; masks of parts of a warp; lanes that have left.

extern "C" __global__ void block_votes(const int* in, int* out) {
    int value = in[blockIdx.x * blockDim.x + threadIdx.x];
    int count = __syncthreads_count(value > 0), any = __syncthreads_or(value == 7), all = __syncthreads_and(value > -9);
    int* mine = out + 3 * (blockIdx.x * blockDim.x + threadIdx.x);
    mine[0] = count, mine[1] = any != 0, mine[2] = all != 0;
}

extern "C" __global__ void warp_votes(const int* in, unsigned* out) {
    int t = threadIdx.x, value = in[t], same_sign;
    unsigned* mine = out + 8 * t;
    mine[0] = __ballot_sync(~0u, value & 1);
    mine[1] = __any_sync(~0u, value == 7);
    mine[2] = __all_sync(~0u, value < 10);
    mine[3] = __match_any_sync(~0u, value);
    mine[4] = __match_any_sync(~0u, static_cast<unsigned long long>(value & 3) << 40);
    mine[5] = __match_all_sync(~0u, value >> 31, &same_sign);
    mine[6] = same_sign;
    unsigned mask = t & 1 ? 0xaaaaaaaau : 0x55555555u;  // odd and even lanes vote apart
    mine[7] = __ballot_sync(mask, value > 0);
}

extern "C" __global__ void early_exit(const int* in, unsigned* out) {
    int t = threadIdx.x;
    if (in[t] < 0) return;
    unsigned here = __activemask();
    __syncwarp(here);
    out[2 * t] = __ballot_sync(here, in[t] & 1);
    out[2 * t + 1] = __shfl_sync(here, in[t], __ffs(here) - 1);
    __syncthreads();
}

// Shuffles of every kind within parts of a warp, of 64-bit values too.
extern "C" __global__ void shuffles(const long long* in, long long* out) {
    int t = threadIdx.x;
    long long value = in[t];
    long long* mine = out + 5 * t;
    mine[0] = __shfl_sync(~0u, value, t * 7, 16);
    mine[1] = __shfl_up_sync(~0u, value, 3, 8);
    mine[2] = __shfl_down_sync(~0u, value, 5);
    mine[3] = __shfl_xor_sync(~0u, value, 9, 4);
    mine[4] = static_cast<long long>(__shfl_sync(~0u, static_cast<double>(value), 31 - t));
}
