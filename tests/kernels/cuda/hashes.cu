// Hashes: SHA-256 of short messages, MurmurHash3's finaliser, FNV-1a, SipHash-like 64-bit mixing, Philox random numbers.

__constant__ unsigned rounds[64];

__device__ __forceinline__ unsigned turned(unsigned x, int n) { return __funnelshift_r(x, x, n); }

// One message of up to 55 bytes a thread, so one block of SHA-256 each.
extern "C" __global__ void sha256(const unsigned char* messages, int length, unsigned* digests) {
    unsigned w[64], h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    const unsigned char* message = messages + threadIdx.x * length;
    for (int i = 0; i < 16; i++) {
        unsigned word = 0;
        for (int j = 4 * i; j < 4 * i + 4; j++) word = word << 8 | (j < length ? message[j] : j == length ? 0x80 : 0);
        w[i] = word;
    }
    w[15] = 8 * length;
    for (int i = 16; i < 64; i++) {
        unsigned s0 = turned(w[i - 15], 7) ^ turned(w[i - 15], 18) ^ w[i - 15] >> 3;
        unsigned s1 = turned(w[i - 2], 17) ^ turned(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    unsigned v[8];
    for (int i = 0; i < 8; i++) v[i] = h[i];
    for (int i = 0; i < 64; i++) {
        unsigned s1 = turned(v[4], 6) ^ turned(v[4], 11) ^ turned(v[4], 25);
        unsigned choice = (v[4] & v[5]) ^ (~v[4] & v[6]);
        unsigned t1 = v[7] + s1 + choice + rounds[i] + w[i];
        unsigned s0 = turned(v[0], 2) ^ turned(v[0], 13) ^ turned(v[0], 22);
        unsigned majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        for (int j = 7; j > 0; j--) v[j] = v[j - 1];
        v[4] += t1;
        v[0] = t1 + s0 + majority;
    }
    for (int i = 0; i < 8; i++) digests[8 * threadIdx.x + i] = h[i] + v[i];
}

extern "C" __global__ void murmur_mix(unsigned long long* words) {
    unsigned long long x = words[threadIdx.x];
    x = (x ^ x >> 33) * 0xff51afd7ed558ccdull;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ull;
    words[threadIdx.x] = x ^ x >> 33;
}

// Philox 4x32-10: four random words from a counter and a key.
extern "C" __global__ void philox(uint4* out, unsigned key0, unsigned key1) {
    uint4 c = make_uint4(threadIdx.x, 0, 0, 0);
    for (int round = 0; round < 10; round++) {
        unsigned low0 = c.x * 0xd2511f53u, high0 = __umulhi(c.x, 0xd2511f53u);
        unsigned low1 = c.z * 0xcd9e8d57u, high1 = __umulhi(c.z, 0xcd9e8d57u);
        c = make_uint4(high1 ^ c.y ^ key0, low1, high0 ^ c.w ^ key1, low0);
        key0 += 0x9e3779b9u;
        key1 += 0xbb67ae85u;
    }
    out[threadIdx.x] = c;
}
