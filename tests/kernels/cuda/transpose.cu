// Transposes of a rows x columns matrix: naive, and by tiles padded against bank conflicts.

template <typename T> __device__ void naive(const T* in, T* out, int rows, int columns) {
    int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row < rows && column < columns) out[column * rows + row] = in[row * columns + column];
}

template <typename T, int TILE> __device__ void tiled(const T* in, T* out, int rows, int columns) {
    __shared__ T tile[TILE][TILE + 1];
    int column = blockIdx.x * TILE + threadIdx.x;
    for (int dy = threadIdx.y; dy < TILE; dy += blockDim.y) {
        int row = blockIdx.y * TILE + dy;
        if (row < rows && column < columns) tile[dy][threadIdx.x] = in[row * columns + column];
    }
    __syncthreads();
    int out_column = blockIdx.y * TILE + threadIdx.x;
    for (int dy = threadIdx.y; dy < TILE; dy += blockDim.y) {
        int out_row = blockIdx.x * TILE + dy;
        if (out_row < columns && out_column < rows) out[out_row * rows + out_column] = tile[threadIdx.x][dy];
    }
}

struct __align__(4) Pixel {
    unsigned char r, g, b, a;
};

extern "C" __global__ void naive_f32(const float* in, float* out, int rows, int columns) {
    naive(in, out, rows, columns);
}

extern "C" __global__ void tiled_f32(const float* in, float* out, int rows, int columns) {
    tiled<float, 32>(in, out, rows, columns);
}

extern "C" __global__ void tiled_f64x2(const double2* in, double2* out, int rows, int columns) {
    tiled<double2, 16>(in, out, rows, columns);
}

extern "C" __global__ void tiled_u16(const unsigned short* in, unsigned short* out, int rows, int columns) {
    tiled<unsigned short, 32>(in, out, rows, columns);
}

extern "C" __global__ void naive_pixels(const Pixel* in, Pixel* out, int rows, int columns) {
    naive(in, out, rows, columns);
}
