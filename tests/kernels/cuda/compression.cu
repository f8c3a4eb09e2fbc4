// Compression: run lengths by a scan, literals and matches of LZ77 unpacked by one thread a block, Huffman codes.

// Runs of equal bytes, by one block; out: (byte, length) in order.
extern "C" __global__ void run_lengths(const unsigned char* in, int n, unsigned char* bytes, unsigned* lengths, int* count) {
    __shared__ int warps[32];
    __shared__ unsigned starts[257];
    int t = threadIdx.x, lane = t % 32, warp = t / 32;
    bool head = t < n && (t == 0 || in[t] != in[t - 1]);
    unsigned heads = __ballot_sync(~0u, head);
    if (lane == 0) warps[warp] = __popc(heads);
    __syncthreads();
    int before = 0, all = 0;
    for (int w = 0; w < blockDim.x / 32; w++) {
        before += w < warp ? warps[w] : 0;
        all += warps[w];
    }
    int place = before + __popc(heads & ((1u << lane) - 1));
    if (head) starts[place] = t, bytes[place] = in[t];
    if (t == 0) starts[all] = n, *count = all;
    __syncthreads();
    if (t < all) lengths[t] = starts[t + 1] - starts[t];
}

// Tokens: 0nnnnnnn: n + 1 literals follow; 1nnnnnnn dd: n + 3 bytes from dd + 1 back, which may overlap.
extern "C" __global__ void unpack(const unsigned char* in, const int* starts, unsigned char* out, int room) {
    if (threadIdx.x) return;
    unsigned char* to = out + blockIdx.x * room;
    const unsigned char *from = in + starts[blockIdx.x], *end = in + starts[blockIdx.x + 1];
    while (from < end) {
        unsigned token = *from++;
        if (token < 128) {
            for (unsigned i = 0; i <= token; i++) *to++ = *from++;
        } else {
            unsigned distance = *from++ + 1;
            for (unsigned i = 0; i < token - 128 + 3; i++, to++) *to = *(to - distance);
        }
    }
}

struct Branch {
    short child[2];  // negative: ~symbol
};

// A code tree in constant memory; each thread unpacks one text of `symbols` symbols.
__constant__ Branch tree[64];

extern "C" __global__ void huffman(const unsigned* bits, const int* first_bit, unsigned char* out, int symbols) {
    int at = first_bit[threadIdx.x];
    for (int i = 0; i < symbols; i++) {
        int node = 0;
        while (node >= 0) {
            node = tree[node].child[bits[at / 32] >> at % 32 & 1];
            at++;
        }
        out[threadIdx.x * symbols + i] = ~node;
    }
}
