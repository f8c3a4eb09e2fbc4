// Clusters and distributed shared memory where there are any (sm_90); one global copy instead elsewhere.
#include <cooperative_groups.h>

namespace cg = cooperative_groups;

constexpr int BLOCKS = 4, BINS = 64;

#if __CUDA_ARCH__ >= 900

// A histogram whose bins are spread over the blocks of a cluster.
extern "C" __global__ void __cluster_dims__(BLOCKS, 1, 1) histogram(const unsigned char* in, unsigned* bins, int n) {
    __shared__ unsigned mine[BINS / BLOCKS];
    cg::cluster_group cluster = cg::this_cluster();
    if (threadIdx.x < BINS / BLOCKS) mine[threadIdx.x] = 0;
    cluster.sync();
    for (int i = cluster.thread_rank() + blockIdx.x / BLOCKS * cluster.num_threads(); i < n; i += gridDim.x * blockDim.x) {
        unsigned bin = in[i] % BINS;
        atomicAdd(cluster.map_shared_rank(&mine[bin % (BINS / BLOCKS)], bin / (BINS / BLOCKS)), 1);
    }
    cluster.sync();
    if (threadIdx.x < BINS / BLOCKS) atomicAdd(&bins[cluster.block_rank() * (BINS / BLOCKS) + threadIdx.x], mine[threadIdx.x]);
}

// Each block hands its row to the next one, round the ring.
extern "C" __global__ void __cluster_dims__(BLOCKS, 1, 1) ring(const int* in, int* out) {
    __shared__ int row[32], received[32];
    cg::cluster_group cluster = cg::this_cluster();
    row[threadIdx.x] = in[blockIdx.x * 32 + threadIdx.x] + cluster.dim_blocks().x;
    cluster.sync();
    unsigned next = (cluster.block_rank() + 1) % cluster.num_blocks();
    cluster.map_shared_rank(received, next)[31 - threadIdx.x] = row[threadIdx.x];
    cluster.sync();
    out[blockIdx.x * 32 + threadIdx.x] = received[threadIdx.x] + cluster.query_shared_rank(cluster.map_shared_rank(row, next));
}

#else

extern "C" __global__ void histogram(const unsigned char* in, unsigned* bins, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&bins[in[i] % BINS], 1);
}

extern "C" __global__ void ring(const int* in, int* out) {
    unsigned rank = blockIdx.x % BLOCKS, before = blockIdx.x - rank + (rank + BLOCKS - 1) % BLOCKS;
    out[blockIdx.x * 32 + threadIdx.x] = in[before * 32 + 31 - threadIdx.x] + BLOCKS + (rank + 1) % BLOCKS;
}

#endif
