// Barriers as objects in shared memory: arrive and wait apart, parts of a block, a barrier that counts transfers.
#include <cuda/barrier>

using Barrier = cuda::barrier<cuda::thread_scope_block>;

#pragma nv_diag_suppress static_var_with_dynamic_init

// Producers fill a buffer that consumers empty; two barriers a buffer, two buffers.
extern "C" __global__ void produce_consume(const int* in, int* out, int rounds) {
    __shared__ int buffers[2][32];
    __shared__ Barrier full[2], empty[2];
    int lane = threadIdx.x % 32;
    bool producer = threadIdx.x < 32;
    if (threadIdx.x < 2) {
        init(&full[threadIdx.x], blockDim.x);
        init(&empty[threadIdx.x], blockDim.x);
    }
    __syncthreads();
    if (producer) {
        for (int round = 0; round < rounds; round++) {
            empty[round % 2].arrive_and_wait();
            buffers[round % 2][lane] = in[round * 32 + lane] * (round + 1);
            (void)full[round % 2].arrive();
        }
    } else {
        (void)empty[0].arrive();
        (void)empty[1].arrive();
        int sum = 0;
        for (int round = 0; round < rounds; round++) {
            full[round % 2].arrive_and_wait();
            sum += buffers[round % 2][31 - lane];
            if (round + 2 < rounds) (void)empty[round % 2].arrive();
        }
        out[lane] = sum;
    }
}

// Work between arrival and waiting, several phases, threads that drop out.
extern "C" __global__ void phases(unsigned* out, int count) {
    __shared__ Barrier barrier;
    __shared__ unsigned values[64];
    if (threadIdx.x == 0) init(&barrier, blockDim.x);
    __syncthreads();
    unsigned t = threadIdx.x, seen = 0;
    for (int phase = 0; phase < count; phase++) {
        if (t >= 48 && phase == 1) {
            barrier.arrive_and_drop();
            return;
        }
        values[t] = t * 10 + phase;
        auto token = barrier.arrive();
        seen = seen * 3 + __popc(t + phase);
        barrier.wait(static_cast<Barrier::arrival_token&&>(token));
        seen += values[(t + 17) % 48];
        barrier.arrive_and_wait();
    }
    out[t] = seen;
}
