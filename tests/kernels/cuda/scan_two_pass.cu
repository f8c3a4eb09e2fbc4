// A prefix sum over many blocks by three kernels: scan blocks, scan their sums, add. float2 halves go separately.

__device__ float2 operator+(float2 a, float2 b) { return make_float2(a.x + b.x, a.y + b.y); }

__device__ float2 block_scan(float2 value, float2* buffer) {
    for (int distance = 1; distance < blockDim.x; distance *= 2) {
        buffer[threadIdx.x] = value;
        __syncthreads();
        if (threadIdx.x >= distance) value = value + buffer[threadIdx.x - distance];
        __syncthreads();
    }
    return value;
}

extern "C" __global__ void scan_blocks(float2* data, float2* sums, int n) {
    __shared__ float2 buffer[128];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float2 value = block_scan(i < n ? data[i] : make_float2(0, 0), buffer);
    if (i < n) data[i] = value;
    if (threadIdx.x == blockDim.x - 1) sums[blockIdx.x] = value;
}

extern "C" __global__ void scan_sums(float2* sums, int blocks) {
    __shared__ float2 buffer[128];
    float2 value = block_scan(threadIdx.x < blocks ? sums[threadIdx.x] : make_float2(0, 0), buffer);
    if (threadIdx.x < blocks) sums[threadIdx.x] = value;
}

extern "C" __global__ void add_sums(float2* data, const float2* __restrict__ sums, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (blockIdx.x > 0 && i < n) data[i] = data[i] + sums[blockIdx.x - 1];
}
