// Grid-wide barriers of cooperative groups: a reduction without a second launch, and a wave over rings.
#include <cooperative_groups.h>

namespace cg = cooperative_groups;

extern "C" __global__ void normalise(const float* in, float* out, float* partial, int n) {
    cg::grid_group grid = cg::this_grid();
    __shared__ float sum;
    if (threadIdx.x == 0) sum = 0;
    __syncthreads();
    for (unsigned long long i = grid.thread_rank(); i < n; i += grid.size()) atomicAdd(&sum, in[i]);
    __syncthreads();
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
    grid.sync();
    float total = 0;
    for (unsigned block = 0; block < gridDim.x; block++) total += partial[block];
    for (unsigned long long i = grid.thread_rank(); i < n; i += grid.size()) out[i] = in[i] / total;
}

// Each step, an element becomes the sum of its neighbours on a ring; a barrier between steps.
extern "C" __global__ void waves(unsigned* a, unsigned* b, int n, int steps) {
    cg::grid_group grid = cg::this_grid();
    for (int step = 0; step < steps; step++) {
        for (int i = grid.thread_rank(); i < n; i += grid.num_threads()) b[i] = a[(i + n - 1) % n] + a[(i + 1) % n];
        grid.sync();
        unsigned* swap = a;
        a = b;
        b = swap;
    }
}

// Arrive early, wait late: work that needs no other block stands between.
extern "C" __global__ void split(unsigned* data, unsigned* out) {
    cg::grid_group grid = cg::this_grid();
    unsigned rank = grid.thread_rank();
    data[rank] = rank * rank;
    auto token = grid.barrier_arrive();
    unsigned local = __brev(rank);
    grid.barrier_wait(static_cast<cg::grid_group::arrival_token&&>(token));
    out[rank] = local ^ data[grid.size() - 1 - rank];
    if (rank == 0 && !grid.is_valid()) out[0] = 0xdead;
}
