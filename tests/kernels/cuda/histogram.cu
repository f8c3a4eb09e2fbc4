// Histograms of bytes: atomics on global memory, on shared memory, and a private copy for each warp.

constexpr int BINS = 64;

extern "C" __global__ void by_global_atomics(const unsigned char* data, unsigned* bins, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        atomicAdd(&bins[data[i] % BINS], 1);
}

extern "C" __global__ void by_shared_atomics(const uchar4* data, unsigned* bins, int n4) {
    __shared__ unsigned mine[BINS];
    for (int bin = threadIdx.x; bin < BINS; bin += blockDim.x) mine[bin] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n4; i += gridDim.x * blockDim.x) {
        uchar4 four = data[i];
        atomicAdd(&mine[four.x % BINS], 1);
        atomicAdd(&mine[four.y % BINS], 1);
        atomicAdd(&mine[four.z % BINS], 1);
        atomicAdd(&mine[four.w % BINS], 1);
    }
    __syncthreads();
    for (int bin = threadIdx.x; bin < BINS; bin += blockDim.x)
        if (mine[bin]) atomicAdd(&bins[bin], mine[bin]);
}

extern "C" __global__ void by_warps(const unsigned char* data, unsigned long long* bins, int n) {
    __shared__ unsigned short counts[4][BINS];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    for (int bin = lane; bin < BINS; bin += 32) counts[warp][bin] = 0;
    __syncwarp();
    for (int start = warp * 32; start < n; start += blockDim.x) {
        int bin = start + lane < n ? data[start + lane] % BINS : -1;
        for (int other = 0; other < 32; other++)  // one lane after the other: no atomics
            if (lane == other && bin >= 0) counts[warp][bin]++;
        __syncwarp();
    }
    __syncthreads();
    for (int bin = threadIdx.x; bin < BINS; bin += blockDim.x) {
        unsigned long long sum = 0;
        for (int w = 0; w < blockDim.x / 32; w++) sum += counts[w][bin];
        bins[bin] = sum;
    }
}
