// Blocks of memory: copies and fills of sizes that only run time knows, unaligned ones, bit casts,
// volatile structures, arrays of arrays, a stack that grows by alloca.
#include <cstdint>
#include <cstring>

extern "C" __global__ void copies(const unsigned char* in, unsigned char* out, const int* sizes) {
    __shared__ unsigned char shared[32][48];
    unsigned char local[48];
    int t = threadIdx.x, size = sizes[t];
    memset(local, t, sizeof local);
    memcpy(local + t % 7, in + 48 * t, size);
    memcpy(shared[t], local, 40);
    memset(shared[t] + 40, 0xee, t % 8);
    for (int i = 19; i >= 0; i--) shared[t][i + 3] = shared[t][i];  // an overlapping move
    memcpy(out + 48 * t, shared[t], 40 + t % 8);
}

struct Packed {
    uint8_t kind;
    uint16_t length;
    uint32_t value;
    uint64_t big;
} __attribute__((packed));

extern "C" __global__ void unaligned(const unsigned char* in, uint64_t* out) {
    const unsigned char* from = in + 15 * threadIdx.x;
    Packed record;
    memcpy(&record, from, 15);
    uint32_t middle;
    memcpy(&middle, from + 5, 4);
    float number;
    memcpy(&number, from + 9, 4);
    out[threadIdx.x] = record.kind + record.length * 3ull + record.value * 5ull + record.big * 7 + middle * 11ull + __float_as_uint(number);
}

struct Matrix {
    short rows[4][4];
};

extern "C" __global__ void matrices(const Matrix* a, Matrix* out, int power) {
    Matrix base = a[threadIdx.x], result = {};
    for (int i = 0; i < 4; i++) result.rows[i][i] = 1;
    for (; power; power /= 2) {
        Matrix next;
        if (power % 2) {
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 4; j++) {
                    int sum = 0;
                    for (int k = 0; k < 4; k++) sum += result.rows[i][k] * base.rows[k][j];
                    next.rows[i][j] = sum;
                }
            result = next;
        }
        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++) {
                int sum = 0;
                for (int k = 0; k < 4; k++) sum += base.rows[i][k] * base.rows[k][j];
                next.rows[i][j] = sum;
            }
        base = next;
    }
    out[threadIdx.x] = result;
}

// A sieve in memory that each call takes from its stack.
__device__ __noinline__ int primes_below(int n) {
    unsigned char* composite = static_cast<unsigned char*>(alloca(n));
    for (int i = 0; i < n; i++) composite[i] = i < 2;
    int count = 0;
    for (int i = 2; i < n; i++) {
        if (composite[i]) continue;
        count++;
        for (int j = i * i; j < n; j += i) composite[j] = 1;
    }
    return count;
}

extern "C" __global__ void sieve(int* out) { out[threadIdx.x] = primes_below(2 + 3 * threadIdx.x) * 1000 + primes_below(2 + threadIdx.x); }
