// Division: 32, 64 and 128 bits, signed and not, by constants; modular powers, Miller-Rabin, decimal digits.

extern "C" __global__ void divide32(const int* a, const int* b, int* out) {
    int t = threadIdx.x, x = a[t], y = b[t];
    int* z = out + 8 * t;
    z[0] = x / y, z[1] = x % y, z[2] = static_cast<unsigned>(x) / static_cast<unsigned>(y);
    z[3] = static_cast<unsigned>(x) % static_cast<unsigned>(y), z[4] = x / 7, z[5] = x % 10, z[6] = static_cast<unsigned>(x) / 1000000007u, z[7] = x / 16;
}

extern "C" __global__ void divide64(const long long* a, const long long* b, long long* out) {
    int t = threadIdx.x;
    long long x = a[t], y = b[t];
    unsigned long long ux = x, uy = y;
    long long* z = out + 6 * t;
    z[0] = x / y, z[1] = x % y, z[2] = ux / uy, z[3] = ux % uy, z[4] = x / 1000000007, z[5] = ux % 10;
}

extern "C" __global__ void divide128(const unsigned long long* a, const unsigned long long* b, unsigned long long* out) {
    int t = threadIdx.x;
    unsigned __int128 x = static_cast<unsigned __int128>(a[2 * t + 1]) << 64 | a[2 * t];
    unsigned __int128 y = static_cast<unsigned __int128>(b[2 * t + 1]) << 64 | b[2 * t];
    unsigned __int128 results[4] = {x / y, x % y, x * y, x - y};
    for (int i = 0; i < 4; i++) {
        out[8 * t + 2 * i] = static_cast<unsigned long long>(results[i]);
        out[8 * t + 2 * i + 1] = static_cast<unsigned long long>(results[i] >> 64);
    }
}

__device__ unsigned power(unsigned long long base, unsigned exponent, unsigned modulus) {
    unsigned long long result = 1;
    for (base %= modulus; exponent; exponent /= 2) {
        if (exponent & 1) result = result * base % modulus;
        base = base * base % modulus;
    }
    return static_cast<unsigned>(result);
}

// Miller and Rabin's test with the bases 2, 7 and 61, which is exact below 2^32.
extern "C" __global__ void primes(const unsigned* numbers, unsigned char* prime) {
    unsigned n = numbers[threadIdx.x];
    bool answer = n > 1 && (n % 2 || n == 2);
    unsigned bases[3] = {2, 7, 61};
    for (int i = 0; answer && i < 3; i++) {
        if (n % bases[i] == 0) {
            answer = n == bases[i];
            if (answer) break;
            continue;
        }
        unsigned twos = __ffs(n - 1) - 1, x = power(bases[i], n - 1 >> twos, n);
        bool passes = x == 1 || x == n - 1;
        for (unsigned s = 1; !passes && s < twos; s++) {
            x = static_cast<unsigned long long>(x) * x % n;
            passes = x == n - 1;
        }
        answer = passes;
    }
    prime[threadIdx.x] = answer;
}

extern "C" __global__ void digits(const long long* numbers, char* texts) {
    char* text = texts + 24 * threadIdx.x;
    char reversed[24];
    int length = 0;
    long long number = numbers[threadIdx.x];
    unsigned long long rest = number < 0 ? -static_cast<unsigned long long>(number) : number;
    do reversed[length++] = '0' + rest % 10;
    while (rest /= 10);
    if (number < 0) reversed[length++] = '-';
    for (int i = 0; i < 24; i++) text[i] = i < length ? reversed[length - 1 - i] : 0;
}
