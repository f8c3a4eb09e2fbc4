// Integer intrinsics: bits, bytes, high products, dot products, averages, funnel shifts, saturation.

extern "C" __global__ void bits32(const unsigned* a, const unsigned* b, unsigned* out) {
    int t = threadIdx.x;
    unsigned x = a[t], y = b[t];
    unsigned* z = out + 16 * t;
    z[0] = __brev(x), z[1] = __clz(x), z[2] = __ffs(x), z[3] = __popc(x);
    z[4] = __byte_perm(x, y, 0x3715), z[5] = __byte_perm(x, y, y), z[6] = __funnelshift_l(x, y, y), z[7] = __funnelshift_rc(x, y, y & 63);
    z[8] = __umulhi(x, y), z[9] = __mulhi(static_cast<int>(x), static_cast<int>(y)), z[10] = __umul24(x, y), z[11] = __mul24(x, y);
    z[12] = __sad(x, y, 5u), z[13] = __usad(x, y, 7u), z[14] = __uhadd(x, y), z[15] = __rhadd(x, y);
}

extern "C" __global__ void bits64(const unsigned long long* a, const unsigned long long* b, unsigned long long* out) {
    int t = threadIdx.x;
    unsigned long long x = a[t], y = b[t];
    unsigned long long* z = out + 8 * t;
    z[0] = __brevll(x), z[1] = __clzll(x), z[2] = __ffsll(x), z[3] = __popcll(x);
    z[4] = __umul64hi(x, y), z[5] = __mul64hi(x, y), z[6] = x << (y & 63) | x >> (64 - (y & 63) & 63), z[7] = static_cast<long long>(x) >> (y & 63);
}

extern "C" __global__ void dots(const int* a, const int* b, int* out) {
    int t = threadIdx.x;
    int* z = out + 4 * t;
    z[0] = __dp4a(a[t], b[t], 100);
    z[1] = __dp4a(static_cast<unsigned>(a[t]), static_cast<unsigned>(b[t]), 200u);
    z[2] = __dp2a_lo(a[t], b[t], 300);
    z[3] = __dp2a_hi(a[t], b[t], 400);
}

extern "C" __global__ void fields(const unsigned* in, const unsigned* which, unsigned* out) {
    int t = threadIdx.x;
    unsigned x = in[t], start = which[t] & 31, size = which[t] >> 8 & 31, got;
    int extended;
    asm("bfe.u32 %0, %1, %2, %3;" : "=r"(got) : "r"(x), "r"(start), "r"(size));
    asm("bfe.s32 %0, %1, %2, %3;" : "=r"(extended) : "r"(x), "r"(start), "r"(size));
    unsigned inserted, found, logic;
    asm("bfi.b32 %0, %1, %2, %3, %4;" : "=r"(inserted) : "r"(which[t]), "r"(x), "r"(start), "r"(size));
    asm("bfind.u32 %0, %1;" : "=r"(found) : "r"(x));
    asm("lop3.b32 %0, %1, %2, %3, 0xe8;" : "=r"(logic) : "r"(x), "r"(which[t]), "r"(~x >> 3));
    unsigned* z = out + 5 * t;
    z[0] = got, z[1] = extended, z[2] = inserted, z[3] = found, z[4] = logic;
}
