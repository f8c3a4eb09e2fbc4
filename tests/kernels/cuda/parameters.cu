// Parameters by value: nested structures, arrays, bit fields, templates, lambdas; shared memory of every kind at once.

struct Inner {
    char tag;
    double weights[3];
    short small;
};

struct __align__(16) Outer {
    Inner inner[2];
    float4 vector;
    unsigned low : 5, middle : 20, high : 7;
    unsigned char bytes[5];
    const int* pointer;
};

extern "C" __global__ void nested(char head, Outer outer, short tail, double* out) {
    int t = threadIdx.x;
    double sum = head + tail;
    for (int i = 0; i < 3; i++) sum += outer.inner[t & 1].weights[i] * (i + 1);
    sum += outer.inner[1].tag + outer.inner[0].small + outer.bytes[t % 5] + outer.pointer[t];
    sum += outer.vector.x * outer.vector.y - outer.vector.z * outer.vector.w;
    out[t] = sum + outer.low + outer.middle * 32.0 + outer.high * 1024.0;
}

template <typename F> __global__ void apply(int* data, F function) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    data[i] = function(data[i], i);
}

struct Polynomial {
    int coefficients[4];
    __device__ int operator()(int x, int) const {
        int value = 0;
        for (int i = 3; i >= 0; i--) value = value * x + coefficients[i];
        return value;
    }
};

template __global__ void apply<Polynomial>(int*, Polynomial);

template <int N, typename T> struct Vector {
    T parts[N];
    __device__ Vector<N, T> operator+(const Vector& other) const {
        Vector sum;
        for (int i = 0; i < N; i++) sum.parts[i] = parts[i] + other.parts[i];
        return sum;
    }
    template <typename F> __device__ T fold(T start, F function) const {
        for (int i = 0; i < N; i++) start = function(start, parts[i]);
        return start;
    }
};

extern "C" __global__ void vectors(const Vector<5, short> a, Vector<3, long long> b, long long* out) {
    Vector<5, short> twice = a + a;
    long long scale = threadIdx.x;
    auto weigh = [=](auto sum, auto part) { return static_cast<decltype(sum)>(sum * 2 + part * scale); };
    out[threadIdx.x] = twice.fold(static_cast<short>(0), weigh) + (b + b).fold(1ll, weigh);
}

// Static arrays of several types and a dynamic one that is cut in two.
extern "C" __global__ void shared_layout(const unsigned char* in, unsigned long long* out, int n) {
    __shared__ unsigned char bytes[33];
    __shared__ unsigned long long words[32];
    __shared__ unsigned short halves[3];
    extern __shared__ float dynamic[];
    float* floats = dynamic;
    int* ints = reinterpret_cast<int*>(dynamic + n);
    int t = threadIdx.x;
    bytes[t] = in[t];
    words[t] = in[t] * 0x100000001ull;
    if (t < 3) halves[t] = 1000 * t;
    if (t == 0) bytes[32] = 99;
    floats[t] = in[t] * 0.5f;
    ints[t] = -in[t];
    __syncthreads();
    int u = 31 - t;
    out[t] = bytes[u + 1] + words[u] + halves[u % 3] + static_cast<long long>(floats[u] * 2) + ints[u];
}
