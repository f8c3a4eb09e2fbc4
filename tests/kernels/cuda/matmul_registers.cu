// C = A B with 4 x 4 results in the registers of a thread: 32 x 32 results a block of 8 x 8 threads, 8 steps of k at
// once, loads of four floats. Sizes are multiples of 32 and 8.

constexpr int TILE = 32, DEPTH = 8, MINE = 4;

extern "C" __global__ void __launch_bounds__(64) matmul(const float* __restrict__ a, const float* __restrict__ b,
                                                       float* __restrict__ c, int n, int k) {
    __shared__ __align__(16) float tile_a[DEPTH][TILE], tile_b[DEPTH][TILE];
    int t = threadIdx.x, x = t % 8, y = t / 8;
    float sum[MINE][MINE] = {};
    for (int start = 0; start < k; start += DEPTH) {
        int row = t / 2, part = t % 2 * 4;
        float4 four = *reinterpret_cast<const float4*>(&a[(blockIdx.y * TILE + row) * k + start + part]);
        tile_a[part][row] = four.x;
        tile_a[part + 1][row] = four.y;
        tile_a[part + 2][row] = four.z;
        tile_a[part + 3][row] = four.w;
        *reinterpret_cast<float4*>(&tile_b[y][x * 4]) =
            *reinterpret_cast<const float4*>(&b[(start + y) * n + blockIdx.x * TILE + x * 4]);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < DEPTH; i++) {
            float4 left = *reinterpret_cast<float4*>(&tile_a[i][y * MINE]);
            float4 right = *reinterpret_cast<float4*>(&tile_b[i][x * MINE]);
            float l[MINE] = {left.x, left.y, left.z, left.w}, r[MINE] = {right.x, right.y, right.z, right.w};
#pragma unroll
            for (int p = 0; p < MINE; p++)
#pragma unroll
                for (int q = 0; q < MINE; q++) sum[p][q] += l[p] * r[q];
        }
        __syncthreads();
    }
    for (int p = 0; p < MINE; p++) {
        float* line = &c[(blockIdx.y * TILE + y * MINE + p) * n + blockIdx.x * TILE + x * MINE];
        *reinterpret_cast<float4*>(line) = make_float4(sum[p][0], sum[p][1], sum[p][2], sum[p][3]);
    }
}
