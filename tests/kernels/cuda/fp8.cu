// Eight-bit floats: e4m3 and e5m2, saturating or not, singly and in pairs and fours, scales by blocks.
#include <cuda_fp8.h>

extern "C" __global__ void narrow(const float* in, unsigned char* e4m3, unsigned char* e5m2, unsigned char* unsaturated) {
    int t = threadIdx.x;
    e4m3[t] = __nv_cvt_float_to_fp8(in[t], __NV_SATFINITE, __NV_E4M3);
    e5m2[t] = __nv_cvt_float_to_fp8(in[t], __NV_SATFINITE, __NV_E5M2);
    unsaturated[t] = __nv_cvt_float_to_fp8(in[t], __NV_NOSAT, __NV_E5M2);
}

extern "C" __global__ void widen(const __nv_fp8_e4m3* e4m3, const __nv_fp8_e5m2* e5m2, float* a, float* b) {
    int t = threadIdx.x;
    a[t] = static_cast<float>(e4m3[t]);
    b[t] = static_cast<float>(e5m2[t]);
}

// A scale for each row of 128: its largest magnitude over 448.
extern "C" __global__ void quantise(const float4* in, __nv_fp8x4_e4m3* out, float* scales) {
    float4 x = in[blockIdx.x * 32 + threadIdx.x];
    float most = fmaxf(fmaxf(fabsf(x.x), fabsf(x.y)), fmaxf(fabsf(x.z), fabsf(x.w)));
    for (int distance = 16; distance > 0; distance /= 2) most = fmaxf(most, __shfl_xor_sync(~0u, most, distance));
    float scale = fmaxf(most, 1e-4f) / 448.0f;
    out[blockIdx.x * 32 + threadIdx.x] =
        __nv_fp8x4_e4m3(make_float4(x.x / scale, x.y / scale, x.z / scale, x.w / scale));
    if (threadIdx.x == 0) scales[blockIdx.x] = scale;
}

extern "C" __global__ void restore(const __nv_fp8x4_e4m3* in, const float* scales, float4* out) {
    float4 x = static_cast<float4>(in[blockIdx.x * 32 + threadIdx.x]);
    float scale = scales[blockIdx.x];
    out[blockIdx.x * 32 + threadIdx.x] = make_float4(x.x * scale, x.y * scale, x.z * scale, x.w * scale);
}
