// Base 64 in both directions, and the code points of UTF-8 text with its first error.

__constant__ char alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

extern "C" __global__ void encode(const unsigned char* in, int n, char* out) {
    int group = blockIdx.x * blockDim.x + threadIdx.x, left = n - 3 * group;
    if (left <= 0) return;
    const unsigned char* bytes = in + 3 * group;
    unsigned word = bytes[0] << 16 | (left > 1 ? bytes[1] << 8 : 0) | (left > 2 ? bytes[2] : 0);
    char* four = out + 4 * group;
    four[0] = alphabet[word >> 18];
    four[1] = alphabet[word >> 12 & 63];
    four[2] = left > 1 ? alphabet[word >> 6 & 63] : '=';
    four[3] = left > 2 ? alphabet[word & 63] : '=';
}

__device__ int value_of(char c) {
    switch (c) {
        case '+': return 62;
        case '/': return 63;
        case '=': return 0;
        default: return c >= 'a' ? c - 'a' + 26 : c >= 'A' ? c - 'A' : c - '0' + 52;
    }
}

extern "C" __global__ void decode(const uchar4* in, int groups, unsigned char* out) {
    int group = blockIdx.x * blockDim.x + threadIdx.x;
    if (group >= groups) return;
    uchar4 c = in[group];
    int word = value_of(c.x) << 18 | value_of(c.y) << 12 | value_of(c.z) << 6 | value_of(c.w);
    out[3 * group] = word >> 16;
    out[3 * group + 1] = word >> 8;
    out[3 * group + 2] = word;
}

struct Result {
    int code_points;
    int first_error;
};

// Each thread looks at the sequence that starts at its byte; continuation bytes must belong to one.
extern "C" __global__ void utf8(const unsigned char* text, int n, Result* result) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    bool starts = false, bad = false;
    if (i < n) {
        unsigned first = text[i];
        starts = (first & 0xc0) != 0x80;
        int length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
        if (starts) {
            bad = length == 0 || i + length > n;
            for (int k = 1; !bad && k < length; k++) bad = (text[i + k] & 0xc0) != 0x80;
            if (!bad && length == 3) bad = (first == 0xe0 && text[i + 1] < 0xa0) || (first == 0xed && text[i + 1] >= 0xa0);
            if (!bad && length == 4) bad = (first == 0xf0 && text[i + 1] < 0x90) || (first == 0xf4 && text[i + 1] >= 0x90);
        } else {
            bad = true;
            for (int back = 1; back < 4 && back <= i; back++) {
                unsigned before = text[i - back];
                if ((before & 0xc0) == 0x80) continue;
                bad = before < 0xc0 || (before >= 0xf0 ? 4 : before >= 0xe0 ? 3 : 2) <= back;
                break;
            }
        }
    }
    unsigned starting = __ballot_sync(0xffffffff, starts), failing = __ballot_sync(0xffffffff, bad);
    if (threadIdx.x % 32) return;
    atomicAdd(&result->code_points, __popc(starting));
    if (failing) atomicMin(&result->first_error, i + __ffs(failing) - 1);
}
