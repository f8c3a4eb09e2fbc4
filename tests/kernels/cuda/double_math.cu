// Double precision: division, square root, sine and cosine with large arguments, powers, roundings, Kahan's sum.

extern "C" __global__ void exact(const double* a, const double* b, double* out) {
    int t = threadIdx.x;
    double x = a[t], y = b[t];
    double* z = out + 12 * t;
    z[0] = x / y, z[1] = sqrt(fabs(x)), z[2] = fma(x, y, -x), z[3] = 1.0 / y;
    z[4] = __dadd_ru(x, y), z[5] = __dmul_rz(x, y), z[6] = __ddiv_rd(x, y), z[7] = __dsqrt_rz(fabs(y));
    z[8] = fmod(x, y), z[9] = rint(x), z[10] = fmax(x, y), z[11] = trunc(x);
}

extern "C" __global__ void functions(const double* in, double* out) {
    int t = threadIdx.x;
    double x = in[t];
    double* y = out + 12 * t;
    sincos(x * 1e5, &y[0], &y[1]);
    y[2] = exp(x), y[3] = log(fabs(x) + 1e-3), y[4] = pow(fabs(x), 2.25), y[5] = tan(x), y[6] = atan(x);
    y[7] = cosh(x / 4), y[8] = erfc(x), y[9] = cbrt(x), y[10] = rsqrt(fabs(x) + 1), y[11] = tgamma(fabs(x) / 4 + 1);
}

extern "C" __global__ void convert(const double* in, long long* longs, unsigned* uints, float* floats) {
    int t = threadIdx.x;
    double x = in[t];
    longs[3 * t] = __double2ll_rn(x), longs[3 * t + 1] = static_cast<long long>(x), longs[3 * t + 2] = __double2ll_ru(x);
    uints[3 * t] = static_cast<unsigned>(fabs(x)), uints[3 * t + 1] = __double2hiint(x), uints[3 * t + 2] = __double2loint(x);
    floats[3 * t] = static_cast<float>(x), floats[3 * t + 1] = __double2float_rz(x);
    floats[3 * t + 2] = static_cast<float>(__ll2double_rn(longs[3 * t]) - x);
}

// Compensated sum: must not be reordered or fused.
extern "C" __global__ void kahan(const float* in, float* out, int n) {
    float sum = 0, lost = 0;
    for (int i = threadIdx.x; i < n; i += 32) {
        float y = __fsub_rn(in[i], lost), next = __fadd_rn(sum, y);
        lost = __fsub_rn(__fsub_rn(next, sum), y);
        sum = next;
    }
    out[threadIdx.x] = sum;
}
