// SIMD within a word: four bytes or two halves at once.

extern "C" __global__ void fours(const unsigned* a, const unsigned* b, unsigned* out) {
    int t = threadIdx.x;
    unsigned x = a[t], y = b[t];
    unsigned* z = out + 12 * t;
    z[0] = __vadd4(x, y), z[1] = __vsub4(x, y), z[2] = __vaddus4(x, y), z[3] = __vsubss4(x, y);
    z[4] = __vabsdiffu4(x, y), z[5] = __vavgu4(x, y), z[6] = __vminu4(x, y), z[7] = __vmaxs4(x, y);
    z[8] = __vcmpgts4(x, y), z[9] = __vsetleu4(x, y), z[10] = __vsadu4(x, y), z[11] = __vneg4(x);
}

extern "C" __global__ void twos(const unsigned* a, const unsigned* b, unsigned* out) {
    int t = threadIdx.x;
    unsigned x = a[t], y = b[t];
    unsigned* z = out + 8 * t;
    z[0] = __vadd2(x, y), z[1] = __vaddss2(x, y), z[2] = __vsubus2(x, y), z[3] = __vabsdiffs2(x, y);
    z[4] = __vhaddu2(x, y), z[5] = __vmins2(x, y), z[6] = __vcmpeq2(x, x ^ y & 0xffff), z[7] = __vabs2(x);
}

// The sum of absolute differences of an 8 x 8 block at every place of a search window.
extern "C" __global__ void search(const unsigned* block, const unsigned char* window, int width, unsigned* sums) {
    int x = threadIdx.x, y = threadIdx.y;
    unsigned sum = 0;
    for (int row = 0; row < 8; row++)
        for (int part = 0; part < 2; part++) {
            const unsigned char* from = window + (y + row) * width + x + 4 * part;
            unsigned word = from[0] | from[1] << 8 | from[2] << 16 | static_cast<unsigned>(from[3]) << 24;
            sum += __vsadu4(word, block[2 * row + part]);
        }
    sums[y * blockDim.x + x] = sum;
}
