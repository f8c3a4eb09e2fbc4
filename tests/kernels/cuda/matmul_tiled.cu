// C = A B: one thread an element, and with tiles of A and B in shared memory; row-major, any sizes.

extern "C" __global__ void naive(const float* a, const float* b, float* c, int m, int n, int k) {
    int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row >= m || column >= n) return;
    float sum = 0;
    for (int i = 0; i < k; i++) sum += a[row * k + i] * b[i * n + column];
    c[row * n + column] = sum;
}

constexpr int TILE = 8;

template <typename T> __device__ void tiled(const T* a, const T* b, T* c, int m, int n, int k) {
    __shared__ T tile_a[TILE][TILE], tile_b[TILE][TILE];
    int x = threadIdx.x, y = threadIdx.y, column = blockIdx.x * TILE + x, row = blockIdx.y * TILE + y;
    T sum = 0;
    for (int start = 0; start < k; start += TILE) {
        tile_a[y][x] = row < m && start + x < k ? a[row * k + start + x] : T(0);
        tile_b[y][x] = column < n && start + y < k ? b[(start + y) * n + column] : T(0);
        __syncthreads();
#pragma unroll
        for (int i = 0; i < TILE; i++) sum += tile_a[y][i] * tile_b[i][x];
        __syncthreads();
    }
    if (row < m && column < n) c[row * n + column] = sum;
}

extern "C" __global__ void tiled_f64(const double* a, const double* b, double* c, int m, int n, int k) {
    tiled(a, b, c, m, n, k);
}

extern "C" __global__ void tiled_s32(const int* a, const int* b, int* c, int m, int n, int k) {
    tiled(a, b, c, m, n, k);
}
