// Atomics: compare-and-swap loops, spin locks, tickets, counters that wrap, 16-bit and 64-bit ones, scopes.

__device__ double add_by_cas(double* where, double value) {
    unsigned long long* bits = reinterpret_cast<unsigned long long*>(where);
    unsigned long long seen = *bits, expected;
    do {
        expected = seen;
        seen = atomicCAS(bits, expected, __double_as_longlong(__longlong_as_double(expected) + value));
    } while (seen != expected);
    return __longlong_as_double(seen);
}

__device__ void max_by_cas(float* where, float value) {
    int* bits = reinterpret_cast<int*>(where);
    int seen = *bits;
    while (__int_as_float(seen) < value) {
        int before = atomicCAS(bits, seen, __float_as_int(value));
        if (before == seen) break;
        seen = before;
    }
}

extern "C" __global__ void loops(const double* in, double* sum, float* most, unsigned long long* longs) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    add_by_cas(sum, in[i]);
    max_by_cas(most, static_cast<float>(in[i]));
    long long value = static_cast<long long>(in[i] * 16);
    atomicMax(reinterpret_cast<long long*>(&longs[0]), value);
    atomicMin(&longs[1], static_cast<unsigned long long>(value));
    atomicXor(&longs[2], static_cast<unsigned long long>(value) * 0x123456789abull);
    atomicAdd(reinterpret_cast<double*>(&longs[3]), in[i]);
    atomicExch(&longs[4], 42ull);
}

__device__ int lock;

// Each lane takes the lock, alone, to change two plain words; one lane of a warp after the other.
extern "C" __global__ void locked(int* words) {
    for (int lane = 0; lane < 32; lane++) {
        if (threadIdx.x % 32 != lane) continue;
        while (atomicCAS(&lock, 0, 1) != 0) {
        }
        __threadfence();
        volatile int* shared = words;
        int value = shared[0];
        shared[0] = value + 1;
        shared[1] = shared[1] + value;
        __threadfence();
        atomicExch(&lock, 0);
    }
}

// The loop that needs independent lanes: every lane spins by itself.
extern "C" __global__ void locked_by_lanes(int* words) {
    bool done = false;
    while (!done) {
        if (atomicCAS(&lock, 0, 1) == 0) {
            __threadfence();
            volatile int* shared = words;
            shared[0] = shared[0] + 1;
            __threadfence();
            atomicExch(&lock, 0);
            done = true;
        }
    }
}

extern "C" __global__ void counters(unsigned* wrap, unsigned* down, unsigned* seen, unsigned short* word, float* shared_sum) {
    __shared__ float sum;
    if (threadIdx.x == 0) sum = 0;
    __syncthreads();
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    seen[i] = atomicInc(wrap, 6) << 16 | atomicDec(down, 9);
    unsigned short expected = *static_cast<volatile unsigned short*>(word), before;
    while ((before = atomicCAS(word, expected, static_cast<unsigned short>(expected + 3))) != expected) expected = before;
    atomicAdd_block(&sum, 0.5f);
    __syncthreads();
    if (threadIdx.x == 0) atomicAdd_system(shared_sum, sum);
    atomicSub(reinterpret_cast<int*>(&seen[gridDim.x * blockDim.x]), i);
}
