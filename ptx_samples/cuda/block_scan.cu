//! title:     Where does each expert's block of rows begin? An exclusive scan, as nvcc compiles it
//! launch:    expert_offsets<<<1, 256>>>(counts, offsets, tile)
//! counts:    u32[256] = random(0, 100)
//! tile:      u32 = 64
//! offsets:   u32[257]
//! reference: reference.py:expert_offsets

// After routing, the rows of an expert lie side by side. An expert's first row = the rows of all experts before it,
// each rounded up to a multiple of `tile` (a matrix multiplication works on whole tiles). One thread, one expert.

__device__ unsigned scan_warp(unsigned value)       // the sum over the lanes up to and including mine
{
    const int lane = threadIdx.x % 32;
    for (int distance = 1; distance < 32; distance *= 2) {
        const unsigned left = __shfl_up_sync(0xffffffff, value, distance);
        if (lane >= distance)
            value += left;
    }
    return value;
}

extern "C" __global__ void expert_offsets(const unsigned *counts, unsigned *offsets, unsigned tile)
{
    __shared__ unsigned warp_total[8];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const unsigned rows = (counts[threadIdx.x] + tile - 1) / tile * tile;
    unsigned end = scan_warp(rows);
    if (lane == 31)
        warp_total[warp] = end;
    __syncthreads();
    for (int before = 0; before < warp; before++)
        end += warp_total[before];
    offsets[threadIdx.x + 1] = end;
    if (threadIdx.x == 0)
        offsets[0] = 0;
}
