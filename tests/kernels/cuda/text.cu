// Text as bytes: case folding by byte and by word, words, occurrences of a needle, edit distance.

extern "C" __global__ void fold_bytes(char* text, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n && text[i] >= 'A' && text[i] <= 'Z') text[i] |= 0x20;
}

// Four characters at once: bytes of 0x80 and more stay.
extern "C" __global__ void upper_words(unsigned* text, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned word = text[i];
    unsigned at_least_a = __vcmpgeu4(word, 0x61616161), at_most_z = __vcmpleu4(word, 0x7a7a7a7a);
    text[i] = word ^ (at_least_a & at_most_z & 0x20202020);
}

__device__ bool is_letter(unsigned char c) { return (c | 0x20) - 'a' < 26u && (c | 0x20) >= 'a'; }

extern "C" __global__ void count_words(const unsigned char* text, int n, int* count) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    bool starts = i < n && is_letter(text[i]) && (i == 0 || !is_letter(text[i - 1]));
    int here = __syncthreads_count(starts);
    if (threadIdx.x == 0) atomicAdd(count, here);
}

extern "C" __global__ void find(const char* text, int n, const char* needle, int length, unsigned* bitmap, int* count) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    bool found = i + length <= n;
    for (int j = 0; found && j < length; j++) found = text[i + j] == needle[j];
    unsigned ballot = __ballot_sync(0xffffffff, found);
    if (threadIdx.x % 32 == 0) {
        bitmap[i / 32] = ballot;
        atomicAdd(count, __popc(ballot));
    }
}

// Levenshtein's distance of two strings of up to 63 characters, diagonal by diagonal.
extern "C" __global__ void edit_distance(const char* a, int na, const char* b, int nb, int* distance) {
    __shared__ short diagonals[3][64];
    int row = threadIdx.x;
    for (int sum = 0; sum <= na + nb; sum++) {
        int column = sum - row;
        if (row <= na && column >= 0 && column <= nb) {
            int best;
            if (row == 0 || column == 0) {
                best = sum;
            } else {
                const short *one = diagonals[(sum + 2) % 3], *two = diagonals[(sum + 1) % 3];
                best = min(one[row], one[row - 1]) + 1;
                best = min(best, two[row - 1] + (a[row - 1] != b[column - 1]));
            }
            diagonals[sum % 3][row] = best;
            if (sum == na + nb) *distance = best;
        }
        __syncthreads();
    }
}
