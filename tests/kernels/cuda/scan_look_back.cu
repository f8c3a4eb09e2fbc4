// A prefix sum over many blocks in one pass: blocks publish (state, sum) words and look back over their predecessors.

enum State : unsigned { EMPTY = 0, BLOCK_SUM = 1, PREFIX = 2 };

__device__ unsigned long long word_of(State state, unsigned sum) {
    return static_cast<unsigned long long>(state) << 32 | sum;
}

// Everything must be zero before: ticket gives blocks their place in the order in which they start.
extern "C" __global__ void scan(const unsigned* in, unsigned* out, unsigned* ticket, unsigned long long* words, int n) {
    __shared__ unsigned tile, before;
    __shared__ unsigned warps[32];
    if (threadIdx.x == 0) tile = atomicAdd(ticket, 1);
    __syncthreads();
    int i = tile * blockDim.x + threadIdx.x, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    unsigned value = i < n ? in[i] : 0;
    unsigned sum = value;
    for (int distance = 1; distance < 32; distance *= 2) {
        unsigned other = __shfl_up_sync(0xffffffff, sum, distance);
        if (lane >= distance) sum += other;
    }
    if (lane == 31) warps[warp] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
        unsigned total = 0;
        for (int w = 0; w < blockDim.x / 32; w++) {
            unsigned here = warps[w];
            warps[w] = total;
            total += here;
        }
        volatile unsigned long long* published = words;
        published[tile] = word_of(tile == 0 ? PREFIX : BLOCK_SUM, total);
        unsigned sum_before = 0;
        for (int other = static_cast<int>(tile) - 1; other >= 0;) {
            unsigned long long word = published[other];
            if (word >> 32 == EMPTY) continue;
            sum_before += static_cast<unsigned>(word);
            if (word >> 32 == PREFIX) break;
            other--;
        }
        published[tile] = word_of(PREFIX, sum_before + total);
        before = sum_before;
    }
    __syncthreads();
    if (i < n) out[i] = before + warps[warp] + sum;
}
