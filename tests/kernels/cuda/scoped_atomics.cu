// The C++ memory model on a device: orders and scopes, messages by release and acquire, small and wide atomics.
#include <cuda/atomic>

using Counter = cuda::atomic_ref<unsigned, cuda::thread_scope_device>;

// Block 0 writes a message and then a flag; the others spin on the flag and read.
extern "C" __global__ void message(const int* in, int* data, unsigned* flag, int* out) {
    cuda::atomic_ref<unsigned, cuda::thread_scope_device> ready(*flag);
    if (blockIdx.x == 0) {
        data[threadIdx.x] = in[threadIdx.x] * 7;
        __syncthreads();
        if (threadIdx.x == 0) ready.store(1, cuda::memory_order_release);
    } else {
        if (threadIdx.x == 0)
            while (ready.load(cuda::memory_order_acquire) == 0) {
            }
        __syncthreads();
        out[(blockIdx.x - 1) * blockDim.x + threadIdx.x] = data[blockDim.x - 1 - threadIdx.x];
    }
}

extern "C" __global__ void operations(unsigned* words, unsigned long long* wide, unsigned char* bytes) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    Counter(words[0]).fetch_add(i, cuda::memory_order_relaxed);
    Counter(words[1]).fetch_max(i * 37 % 101, cuda::memory_order_acq_rel);
    Counter(words[2]).fetch_xor(i << 3, cuda::memory_order_seq_cst);
    cuda::atomic_ref<unsigned, cuda::thread_scope_system>(words[3]).fetch_sub(2);
    unsigned expected = words[4];
    while (!Counter(words[4]).compare_exchange_weak(expected, expected * 3 + 1, cuda::memory_order_acq_rel)) {
    }
    cuda::atomic_ref<unsigned long long, cuda::thread_scope_device>(wide[0]).fetch_or(1ull << (i % 64));
    cuda::atomic_ref<unsigned long long, cuda::thread_scope_block>(wide[1 + blockIdx.x]).fetch_add(i);
    cuda::atomic_ref<unsigned char, cuda::thread_scope_device>(bytes[i % 4]).fetch_add(3);
    double* sum = reinterpret_cast<double*>(&wide[7]);
    cuda::atomic_ref<double, cuda::thread_scope_device>(*sum).fetch_add(0.25 * i, cuda::memory_order_relaxed);
}

// A ticket lock: tickets are drawn, and served in order.
struct TicketLock {
    cuda::atomic<unsigned, cuda::thread_scope_device> next, serving;
    __device__ void lock() {
        unsigned mine = next.fetch_add(1, cuda::memory_order_relaxed);
        while (serving.load(cuda::memory_order_acquire) != mine) {
        }
    }
    __device__ void unlock() { serving.store(serving.load(cuda::memory_order_relaxed) + 1, cuda::memory_order_release); }
};

extern "C" __global__ void in_turn(TicketLock* lock, unsigned long long* state) {
    if (threadIdx.x % 8) return;
    lock->lock();
    state[0] = state[0] * 6364136223846793005ull + 1442695040888963407ull;
    state[1] += 1;
    lock->unlock();
}
