// Functions as values: tables in global and constant memory, pointers from one kernel to another, callbacks, members.

typedef float (*Binary)(float, float);

__device__ __noinline__ float add(float a, float b) { return a + b; }
__device__ __noinline__ float subtract(float a, float b) { return a - b; }
__device__ __noinline__ float larger(float a, float b) { return a > b ? a : b; }
__device__ __noinline__ float first(float a, float) { return a; }
__device__ __noinline__ float product(float a, float b) { return a * b; }  // in no table

__device__ Binary table[4] = {add, subtract, larger, first};
__constant__ Binary fixed = larger;

extern "C" __global__ void by_table(const int* which, const float* a, const float* b, float* out) {
    int t = threadIdx.x;
    out[t] = table[which[t]](a[t], b[t]);
}

extern "C" __global__ void choose(unsigned long long* chosen, int which) {
    Binary functions[3] = {subtract, add, product};
    *chosen = reinterpret_cast<unsigned long long>(functions[which]);
}

extern "C" __global__ void call(const unsigned long long* chosen, const float* a, const float* b, float* out) {
    int t = threadIdx.x;
    Binary function = reinterpret_cast<Binary>(*chosen);
    out[t] = function(a[t], b[t]) + fixed(a[t], 0.0f);
}

extern "C" __global__ void swap_entries(int i, int j) {
    Binary keep = table[i];
    table[i] = table[j];
    table[j] = keep;
}

struct Big {
    int values[6];
    long long sum;
};

typedef Big (*Maker)(Big, int);

__device__ __noinline__ Big shifted(Big big, int by) {
    big.sum = 0;
    for (int i = 0; i < 6; i++) {
        big.values[i] += by * i;
        big.sum += big.values[i];
    }
    return big;
}

__device__ __noinline__ Big turned(Big big, int by) {
    Big out;
    out.sum = big.sum + by;
    for (int i = 0; i < 6; i++) out.values[i] = big.values[(i + by) % 6];
    return out;
}

__device__ __noinline__ Big twice(Maker maker, Big big, int by) { return maker(maker(big, by), by + 1); }

// Structures by value through pointers, and a function that calls its argument.
extern "C" __global__ void makers(const Big* in, Big* out) {
    int t = threadIdx.x;
    Maker maker = t % 2 ? shifted : turned;
    out[t] = t % 3 ? twice(maker, in[t], t) : maker(in[t], t);
}
