// Tree reductions in dynamic shared memory: one template, four types and operations.

struct Sum {
    template <typename T> __device__ T operator()(T a, T b) const { return a + b; }
};

struct Largest {
    template <typename T> __device__ T operator()(T a, T b) const { return a > b ? a : b; }
};

template <typename T, typename Op> __device__ void reduce(const T* in, T* out, int n, T identity, Op op) {
    extern __shared__ __align__(16) unsigned char raw[];
    T* partial = reinterpret_cast<T*>(raw);
    T mine = identity;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) mine = op(mine, in[i]);
    partial[threadIdx.x] = mine;
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) partial[threadIdx.x] = op(partial[threadIdx.x], partial[threadIdx.x + half]);
        __syncthreads();
    }
    if (threadIdx.x == 0) out[blockIdx.x] = partial[0];
}

extern "C" __global__ void sum_u32(const unsigned* in, unsigned* out, int n) { reduce(in, out, n, 0u, Sum()); }

extern "C" __global__ void sum_f64(const double* in, double* out, int n) { reduce(in, out, n, 0.0, Sum()); }

extern "C" __global__ void max_s64(const long long* in, long long* out, int n) {
    reduce(in, out, n, -0x7fffffffffffffffLL - 1, Largest());
}

extern "C" __global__ void max_s8(const signed char* in, signed char* out, int n) {
    reduce(in, out, n, static_cast<signed char>(-128), Largest());
}
