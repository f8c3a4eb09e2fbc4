// Single precision: libdevice's functions, their fast forms, division and square root, classification, roundings.

extern "C" __global__ void functions(const float* in, float* out) {
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    float x = in[t];
    float* y = out + 20 * t;
    y[0] = sinf(x), y[1] = cosf(x), y[2] = tanf(x), y[3] = expf(x), y[4] = logf(fabsf(x) + 0.5f);
    y[5] = powf(fabsf(x), 1.5f), y[6] = tanhf(x), y[7] = atan2f(x, 2.0f), y[8] = asinf(x / 64), y[9] = sinhf(x / 8);
    y[10] = cbrtf(x), y[11] = erff(x), y[12] = log1pf(fabsf(x)), y[13] = exp2f(x), y[14] = hypotf(x, 3.0f);
    y[15] = expm1f(x / 4), y[16] = acoshf(fabsf(x) + 1), y[17] = log10f(fabsf(x) + 1), y[18] = sinpif(x / 8);
    y[19] = lgammaf(fabsf(x) + 0.5f);
}

extern "C" __global__ void fast_functions(const float* in, float* out) {
    int t = threadIdx.x;
    float x = in[t];
    float* y = out + 8 * t;
    y[0] = __sinf(x / 16), y[1] = __cosf(x / 16), y[2] = __expf(x / 4), y[3] = __logf(fabsf(x) + 1);
    y[4] = __fdividef(x, 3.0f), y[5] = __powf(fabsf(x) + 1, 0.75f), y[6] = rsqrtf(fabsf(x) + 1), y[7] = __saturatef(x / 10);
}

extern "C" __global__ void exact(const float* a, const float* b, float* out) {
    int t = threadIdx.x;
    float x = a[t], y = b[t];
    float* z = out + 16 * t;
    z[0] = x / y, z[1] = sqrtf(fabsf(x)), z[2] = fmaf(x, y, 1.0f), z[3] = 1.0f / x;
    z[4] = __fadd_rz(x, y), z[5] = __fmul_ru(x, y), z[6] = __fdiv_rd(x, y), z[7] = __fsqrt_ru(fabsf(y));
    z[8] = fmodf(x, y), z[9] = remainderf(x, y), z[10] = floorf(x), z[11] = ceilf(x);
    z[12] = truncf(x), z[13] = rintf(x), z[14] = roundf(x), z[15] = copysignf(x, y);
}

extern "C" __global__ void parts(const float* in, int* exponents, float* fractions, unsigned* classes, float* next) {
    int t = threadIdx.x;
    float x = in[t];
    fractions[t] = frexpf(x, &exponents[t]);
    classes[t] = isnan(x) | isinf(x) << 1 | isfinite(x) << 2 | signbit(x) << 3;
    next[3 * t] = nextafterf(x, INFINITY);
    next[3 * t + 1] = ldexpf(x, -140);
    next[3 * t + 2] = fdimf(x, 1.0f);
}
