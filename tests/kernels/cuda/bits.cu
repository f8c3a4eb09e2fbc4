// Bits: population counts, CRC-32 by table and by bits, bit-reversal permutation, Gray codes, Morton codes.

__constant__ unsigned table[256];

extern "C" __global__ void make_table(unsigned* out) {
    unsigned crc = threadIdx.x;
    for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xedb88320u : crc >> 1;
    out[threadIdx.x] = crc;
}

// One message of `length` bytes a thread.
extern "C" __global__ void crc32(const unsigned char* messages, int length, unsigned* out) {
    const unsigned char* message = messages + (blockIdx.x * blockDim.x + threadIdx.x) * length;
    unsigned crc = ~0u;
    for (int i = 0; i < length; i++) crc = crc >> 8 ^ table[(crc ^ message[i]) & 0xff];
    out[blockIdx.x * blockDim.x + threadIdx.x] = ~crc;
}

extern "C" __global__ void population(const unsigned long long* words, unsigned char* counts, unsigned* total) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int count = __popcll(words[i]);
    counts[i] = count;
    atomicAdd(total, count);
}

extern "C" __global__ void reverse_order(const float* in, float* out, int bits) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    out[__brev(i) >> (32 - bits)] = in[i];
}

__device__ unsigned long long spread(unsigned long long x) {
    x = (x | x << 16) & 0x0000ffff0000ffffull;
    x = (x | x << 8) & 0x00ff00ff00ff00ffull;
    x = (x | x << 4) & 0x0f0f0f0f0f0f0f0full;
    x = (x | x << 2) & 0x3333333333333333ull;
    return (x | x << 1) & 0x5555555555555555ull;
}

extern "C" __global__ void morton(const uint2* points, unsigned long long* codes) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    codes[i] = spread(points[i].x) | spread(points[i].y) << 1;
}

extern "C" __global__ void gray(const unsigned* in, unsigned* codes, unsigned* back) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    unsigned code = in[i] ^ in[i] >> 1, value = code;
    for (int shift = 1; shift < 32; shift *= 2) value ^= value >> shift;
    codes[i] = code;
    back[i] = value;
}
