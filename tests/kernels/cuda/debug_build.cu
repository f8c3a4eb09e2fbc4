// nvcc -G
// Code as a debugger wants it: nothing in registers for long, every function called, every variable in memory.
#include <cstdio>

template <typename T, int N> class List {
    T items[N];
    int count = 0;

  public:
    __device__ void append(T item) { items[count++] = item; }
    __device__ T& operator[](int i) { return items[i]; }
    __device__ int size() const { return count; }
    template <typename Less> __device__ void sort(Less less) {
        for (int i = 1; i < count; i++)
            for (int j = i; j > 0 && less(items[j], items[j - 1]); j--) swap(items[j], items[j - 1]);
    }

  private:
    __device__ static void swap(T& a, T& b) {
        T keep = a;
        a = b;
        b = keep;
    }
};

struct Fraction {
    int top, bottom;
    __device__ static int divisor(int a, int b) { return b == 0 ? a : divisor(b, a % b); }
    __device__ Fraction reduced() const {
        int d = divisor(top < 0 ? -top : top, bottom);
        return {top / d, bottom / d};
    }
    __device__ Fraction operator+(Fraction other) const {
        return Fraction{top * other.bottom + other.top * bottom, bottom * other.bottom}.reduced();
    }
    __device__ Fraction operator*(const Fraction& other) const {
        return Fraction{top * other.top, bottom * other.bottom}.reduced();
    }
};

extern "C" __global__ void fractions(const Fraction* in, Fraction* out, int n) {
    Fraction sum = {0, 1}, product = {1, 1};
    for (int i = 0; i < n; i++) {
        Fraction one = in[threadIdx.x * n + i];
        sum = sum + one;
        product = product * one;
    }
    out[2 * threadIdx.x] = sum;
    out[2 * threadIdx.x + 1] = product;
}

extern "C" __global__ void sort_words(const float* in, float* out, int n, bool down) {
    __shared__ float middle[8];
    List<float, 12> list;
    for (int i = 0; i < n; i++) list.append(in[threadIdx.x * n + i]);
    if (down)
        list.sort([](float a, float b) { return a > b; });
    else
        list.sort([](float a, float b) { return a < b; });
    for (int i = 0; i < list.size(); i++) out[threadIdx.x * n + i] = list[i];
    middle[threadIdx.x] = list[n / 2];
    __syncthreads();
    if (threadIdx.x == 0) {
        double total = 0;
        for (unsigned t = 0; t < blockDim.x; t++) total += middle[t];
        printf("%d lists, medians sum to %.3f\n", blockDim.x, total);
    }
}

extern "C" __global__ void words(const int* in, int* out) {
    int value = in[threadIdx.x], result = 0;
    switch (value) {
        case 0: result = 10; break;
        case 1: result = 11; break;
        case 2:
        case 3: result = 20 + value; break;
        case 4: result = __popc(threadIdx.x); break;
        case 5: result = -5; break;
        case 6: result = value * value; [[fallthrough]];
        case 7: result += 70; break;
        default: result = value > 0 ? 1000 : -1000;
    }
    unsigned mask = __ballot_sync(0xffffffff, result > 0);
    out[threadIdx.x] = result + __shfl_xor_sync(0xffffffff, static_cast<int>(mask), 1) % 7;
}
