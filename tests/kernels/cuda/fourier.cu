// Fourier transforms: radix 2 in shared memory, and Mandelbrot's set by complex numbers of a template.

template <typename T> struct Complex {
    T re, im;
    __device__ Complex operator+(Complex o) const { return {re + o.re, im + o.im}; }
    __device__ Complex operator-(Complex o) const { return {re - o.re, im - o.im}; }
    __device__ Complex operator*(Complex o) const { return {re * o.re - im * o.im, re * o.im + im * o.re}; }
    __device__ T norm() const { return re * re + im * im; }
};

// n = 2^bits points, n/2 threads; forward has sign -1.
extern "C" __global__ void transform(Complex<float>* data, int bits, float sign) {
    __shared__ Complex<float> line[128];
    int n = 1 << bits, t = threadIdx.x;
    for (int i = t; i < n; i += n / 2) line[__brev(i) >> (32 - bits)] = data[i];
    for (int half = 1; half < n; half *= 2) {
        __syncthreads();
        int k = t % half, low = 2 * t - k;
        float s, c;
        sincospif(sign * k / half, &s, &c);
        Complex<float> a = line[low], b = line[low + half] * Complex<float>{c, s};
        line[low] = a + b;
        line[low + half] = a - b;
    }
    __syncthreads();
    for (int i = t; i < n; i += n / 2) data[i] = line[i];
}

extern "C" __global__ void mandelbrot(unsigned char* out, int width, int height, int most) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height) return;
    Complex<double> c = {x * 3.0 / width - 2.0, y * 2.0 / height - 1.0}, z = {0, 0};
    int steps = 0;
    while (steps < most && z.norm() <= 4) z = z * z + c, steps++;
    out[y * width + x] = steps;
}
