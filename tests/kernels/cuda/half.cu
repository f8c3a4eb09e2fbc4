// Half precision: scalars and pairs, arithmetic, comparisons, functions, conversions, a dot product.
#include <cuda_fp16.h>

struct Results {
    __half sum, difference, product, quotient, fused, smaller, larger, absolute;
};

extern "C" __global__ void arithmetic(const __half* a, const __half* b, const __half* c, Results* out) {
    int t = threadIdx.x;
    out[t] = {a[t] + b[t],           a[t] - b[t],        a[t] * b[t],        a[t] / b[t],
              __hfma(a[t], b[t], c[t]), __hmin(a[t], b[t]), __hmax(a[t], b[t]), __habs(a[t])};
}

extern "C" __global__ void pairs(const __half2* a, const __half2* b, __half2* out) {
    int t = threadIdx.x;
    __half2 x = a[t], y = b[t];
    out[4 * t] = __hfma2(x, y, __hneg2(y));
    out[4 * t + 1] = __hadd2_sat(x, y);
    out[4 * t + 2] = __lowhigh2highlow(__hmul2(x, y));
    out[4 * t + 3] = __halves2half2(__low2half(x), __high2half(y));
}

extern "C" __global__ void compare(const __half* a, const __half* b, unsigned* out) {
    int t = threadIdx.x;
    __half x = a[t], y = b[t];
    out[t] = (x < y) | (x <= y) << 1 | (x == y) << 2 | (x != y) << 3 | (x > y) << 4 | (x >= y) << 5 |
             __hisnan(x) << 6 | (__hisinf(x) != 0) << 7 | __hltu(x, y) << 8 | __hneu(x, y) << 9;
    __half2 mask = __hge2(__half2half2(x), __halves2half2(y, x));
    out[t] |= (__low2float(mask) != 0) << 10 | (__high2float(mask) != 0) << 11;
}

extern "C" __global__ void convert(const __half* in, int* ints, unsigned* uints, float* floats, __half* back) {
    int t = threadIdx.x;
    ints[4 * t] = __half2int_rn(in[t]);
    ints[4 * t + 1] = __half2int_rz(in[t]);
    ints[4 * t + 2] = __half2int_rd(in[t]);
    ints[4 * t + 3] = __half2int_ru(in[t]);
    uints[t] = __half2uint_rz(in[t]);
    floats[t] = __half2float(in[t]);
    back[4 * t] = __float2half_rn(floats[t] * 1.0003f);
    back[4 * t + 1] = __float2half_rz(floats[t] * 1.0003f);
    back[4 * t + 2] = __int2half_rn(ints[4 * t] * 3);
    back[4 * t + 3] = __ushort2half_rn(__half_as_ushort(in[t]));
}

extern "C" __global__ void functions(const __half* in, __half* out) {
    int t = threadIdx.x;
    __half x = in[t];
    out[8 * t] = hsqrt(x);
    out[8 * t + 1] = hrsqrt(x);
    out[8 * t + 2] = hrcp(x);
    out[8 * t + 3] = hexp2(x);
    out[8 * t + 4] = hlog2(x);
    out[8 * t + 5] = hfloor(x);
    out[8 * t + 6] = hrint(x);
    out[8 * t + 7] = hsin(x);
}

extern "C" __global__ void dot(const __half2* a, const __half2* b, float* out, int n2) {
    float sum = 0;
    for (int i = threadIdx.x; i < n2; i += 32) {
        float2 x = __half22float2(a[i]), y = __half22float2(b[i]);
        sum += x.x * y.x + x.y * y.y;
    }
    for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_xor_sync(0xffffffff, sum, distance);
    if (threadIdx.x == 0) *out = sum;
}

extern "C" __global__ void sum_pairs(const __half2* in, __half2* sum) {
    __half2 value = in[threadIdx.x];
    for (int distance = 8; distance > 0; distance /= 2)
        value = __hadd2(value, __shfl_xor_sync(0xffffffff, value, distance));
    if (threadIdx.x % 16 == 0) atomicAdd(sum, value);
}
