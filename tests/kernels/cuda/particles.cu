// Particles: gravity with tiles of bodies in shared memory, clusters of points by k-means, a random walk to estimate pi.

extern "C" __global__ void accelerate(const float4* bodies, float3* out, int n, float softening) {
    extern __shared__ float4 tile[];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float4 me = i < n ? bodies[i] : make_float4(0, 0, 0, 0);
    float3 sum = make_float3(0, 0, 0);
    for (int start = 0; start < n; start += blockDim.x) {
        int j = start + threadIdx.x;
        tile[threadIdx.x] = j < n ? bodies[j] : make_float4(0, 0, 0, 0);
        __syncthreads();
        for (int k = 0; k < blockDim.x; k++) {
            float4 other = tile[k];
            float x = other.x - me.x, y = other.y - me.y, z = other.z - me.z;
            float inverse = rsqrtf(x * x + y * y + z * z + softening);
            float strength = other.w * inverse * inverse * inverse;
            sum.x += strength * x;
            sum.y += strength * y;
            sum.z += strength * z;
        }
        __syncthreads();
    }
    if (i < n) out[i] = sum;
}

extern "C" __global__ void assign(const float2* points, const float2* centres, int n, int k, unsigned char* labels,
                                  float* sums, unsigned* counts) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float2 p = points[i];
    float nearest = INFINITY;
    int label = 0;
    for (int c = 0; c < k; c++) {
        float dx = p.x - centres[c].x, dy = p.y - centres[c].y, distance = dx * dx + dy * dy;
        if (distance < nearest) nearest = distance, label = c;
    }
    labels[i] = label;
    atomicAdd(&sums[2 * label], p.x);
    atomicAdd(&sums[2 * label + 1], p.y);
    atomicAdd(&counts[label], 1);
}

// xorshift64* numbers; counts points of the unit square within the circle.
extern "C" __global__ void circle(unsigned long long seed, unsigned steps, unsigned* inside) {
    unsigned long long state = seed + (blockIdx.x * blockDim.x + threadIdx.x) * 0x9e3779b97f4a7c15ull;
    unsigned count = 0;
    for (unsigned step = 0; step < steps; step++) {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        unsigned long long random = state * 0x2545f4914f6cdd1dull;
        float x = static_cast<unsigned>(random >> 40) * 0x1p-24f, y = static_cast<unsigned>(random >> 8 & 0xffffff) * 0x1p-24f;
        count += x * x + y * y < 1.0f;
    }
    for (int distance = 16; distance > 0; distance /= 2) count += __shfl_down_sync(0xffffffff, count, distance);
    if (threadIdx.x % 32 == 0) atomicAdd(inside, count);
}
