// Stencils: heat in a plane with a halo in shared memory, life on a torus, a 3-D average with one plane a step.

constexpr int TILE = 16;

extern "C" __global__ void heat(const float* in, float* out, int width, int height, float rate) {
    __shared__ float tile[TILE + 2][TILE + 2];
    int x = blockIdx.x * TILE + threadIdx.x, y = blockIdx.y * TILE + threadIdx.y;
    auto at = [&](int column, int row) {
        column = min(max(column, 0), width - 1);
        row = min(max(row, 0), height - 1);
        return in[row * width + column];
    };
    int tx = threadIdx.x + 1, ty = threadIdx.y + 1;
    tile[ty][tx] = at(x, y);
    if (tx == 1) tile[ty][0] = at(x - 1, y);
    if (tx == TILE) tile[ty][TILE + 1] = at(x + 1, y);
    if (ty == 1) tile[0][tx] = at(x, y - 1);
    if (ty == TILE) tile[TILE + 1][tx] = at(x, y + 1);
    __syncthreads();
    if (x >= width || y >= height) return;
    float around = tile[ty][tx - 1] + tile[ty][tx + 1] + tile[ty - 1][tx] + tile[ty + 1][tx];
    out[y * width + x] = tile[ty][tx] + rate * (around - 4 * tile[ty][tx]);
}

extern "C" __global__ void life(const unsigned char* in, unsigned char* out, unsigned width, unsigned height) {
    unsigned cell = blockIdx.x * blockDim.x + threadIdx.x;
    if (cell >= width * height) return;
    unsigned x = cell % width, y = cell / width;
    int neighbours = 0;
    for (unsigned dy = 0; dy < 3; dy++)
        for (unsigned dx = 0; dx < 3; dx++)
            if (dx != 1 || dy != 1) neighbours += in[(y + height + dy - 1) % height * width + (x + width + dx - 1) % width];
    out[cell] = neighbours == 3 || (neighbours == 2 && in[cell]);
}

// Inner points only; below, here and above go through registers as the planes pass.
extern "C" __global__ void average(const double* in, double* out, int nx, int ny, int nz) {
    int x = 1 + threadIdx.x, y = 1 + threadIdx.y, plane = nx * ny;
    if (x >= nx - 1 || y >= ny - 1) return;
    const double* point = in + y * nx + x;
    double below = point[0], here = point[plane];
    for (int z = 1; z < nz - 1; z++) {
        double above = point[(z + 1) * plane];
        double flat = point[z * plane - 1] + point[z * plane + 1] + point[z * plane - nx] + point[z * plane + nx];
        out[z * plane + y * nx + x] = (below + above + flat) / 6.0 - here;
        below = here;
        here = above;
    }
}
