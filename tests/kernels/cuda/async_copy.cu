// Asynchronous copies from global to shared memory: two stages, copies of 4, 8 and 16 bytes, zero fill.
#include <cuda_pipeline.h>

constexpr int TILE = 64;

// A running maximum over tiles; the next tile is under way while one is used.
extern "C" __global__ void staged(const float* in, float* out, int tiles) {
    __shared__ __align__(16) float stages[2][TILE];
    auto fetch = [&](int tile) {
        if (tile < tiles && threadIdx.x < TILE / 4)
            __pipeline_memcpy_async(&stages[tile % 2][4 * threadIdx.x], &in[tile * TILE + 4 * threadIdx.x], 16);
        __pipeline_commit();
    };
    fetch(0);
    float most = -1e30f;
    for (int tile = 0; tile < tiles; tile++) {
        fetch(tile + 1);
        __pipeline_wait_prior(1);
        __syncthreads();
        most = fmaxf(most, stages[tile % 2][threadIdx.x] * (tile + 1));
        __syncthreads();
    }
    out[threadIdx.x] = most;
}

// Sizes of 4 and 8 bytes, and copies whose end is filled with zeros.
extern "C" __global__ void sizes(const unsigned* in, unsigned* out, int n) {
    __shared__ __align__(16) unsigned words[32], pairs[64], filled[128];
    int t = threadIdx.x;
    for (int i = t; i < 128; i += 32) filled[i] = 0xffffffff;
    __syncthreads();
    __pipeline_memcpy_async(&words[t], &in[t], 4);
    __pipeline_memcpy_async(&pairs[2 * t], &in[2 * t], 8);
    __pipeline_memcpy_async(&filled[4 * t], &in[4 * t], 16, 4 * (t % 4));
    __pipeline_commit();
    __pipeline_wait_prior(0);
    __syncthreads();
    unsigned sum = words[31 - t] + 2 * pairs[63 - t] + 3 * pairs[t];
    for (int i = 0; i < 4; i++) sum += 5 * filled[4 * (31 - t) + i];
    out[t] = sum + n;
}
