// bfloat16: arithmetic, pairs, rounding, a layer normalisation that keeps its sums in single precision.
#include <cuda_bf16.h>

extern "C" __global__ void arithmetic(const __nv_bfloat16* a, const __nv_bfloat16* b, __nv_bfloat16* out) {
    int t = threadIdx.x;
    __nv_bfloat16 x = a[t], y = b[t];
    out[6 * t] = x + y;
    out[6 * t + 1] = x - y;
    out[6 * t + 2] = x * y;
#if __CUDA_ARCH__ >= 800
    out[6 * t + 3] = __hfma(x, y, x);
#else
    out[6 * t + 3] = __float2bfloat16_rn(fmaf(__bfloat162float(x), __bfloat162float(y), __bfloat162float(x)));
#endif
    out[6 * t + 4] = __hmax(x, y);
    out[6 * t + 5] = __hmin(-x, __habs(y));
}

extern "C" __global__ void round_floats(const float* in, __nv_bfloat16* out, __nv_bfloat162* pairs) {
    int t = threadIdx.x;
    out[4 * t] = __float2bfloat16_rn(in[t]);
    out[4 * t + 1] = __float2bfloat16_rz(in[t]);
    out[4 * t + 2] = __float2bfloat16_ru(in[t]);
    out[4 * t + 3] = __float2bfloat16_rd(in[t]);
    pairs[t] = __floats2bfloat162_rn(in[t], -2.0f * in[t]);
}

extern "C" __global__ void normalise(const __nv_bfloat162* in, __nv_bfloat162* out, int n2, float epsilon) {
    const __nv_bfloat162* row = in + blockIdx.x * n2;
    float sum = 0, squares = 0;
    for (int i = threadIdx.x; i < n2; i += 32) {
        float2 x = __bfloat1622float2(row[i]);
        sum += x.x + x.y;
        squares += x.x * x.x + x.y * x.y;
    }
    for (int distance = 16; distance > 0; distance /= 2) {
        sum += __shfl_xor_sync(0xffffffff, sum, distance);
        squares += __shfl_xor_sync(0xffffffff, squares, distance);
    }
    float mean = sum / (2 * n2), scale = rsqrtf(squares / (2 * n2) - mean * mean + epsilon);
    for (int i = threadIdx.x; i < n2; i += 32) {
        float2 x = __bfloat1622float2(row[i]);
        out[blockIdx.x * n2 + i] = __floats2bfloat162_rn((x.x - mean) * scale, (x.y - mean) * scale);
    }
}
