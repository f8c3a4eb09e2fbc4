// Numbers of 256 bits: sums and products by chains of carries in assembly, modular powers by Montgomery, factorials.

struct Big {
    unsigned words[8];
};

__device__ unsigned add(Big& a, const Big& b) {
    unsigned carry;
    asm("add.cc.u32 %0, %0, %9;\n\taddc.cc.u32 %1, %1, %10;\n\taddc.cc.u32 %2, %2, %11;\n\taddc.cc.u32 %3, %3, %12;\n\t"
        "addc.cc.u32 %4, %4, %13;\n\taddc.cc.u32 %5, %5, %14;\n\taddc.cc.u32 %6, %6, %15;\n\taddc.cc.u32 %7, %7, %16;\n\t"
        "addc.u32 %8, 0, 0;"
        : "+r"(a.words[0]), "+r"(a.words[1]), "+r"(a.words[2]), "+r"(a.words[3]), "+r"(a.words[4]), "+r"(a.words[5]),
          "+r"(a.words[6]), "+r"(a.words[7]), "=r"(carry)
        : "r"(b.words[0]), "r"(b.words[1]), "r"(b.words[2]), "r"(b.words[3]), "r"(b.words[4]), "r"(b.words[5]),
          "r"(b.words[6]), "r"(b.words[7]));
    return carry;
}

__device__ unsigned subtract(Big& a, const Big& b) {
    unsigned borrow;
    asm("sub.cc.u32 %0, %0, %9;\n\tsubc.cc.u32 %1, %1, %10;\n\tsubc.cc.u32 %2, %2, %11;\n\tsubc.cc.u32 %3, %3, %12;\n\t"
        "subc.cc.u32 %4, %4, %13;\n\tsubc.cc.u32 %5, %5, %14;\n\tsubc.cc.u32 %6, %6, %15;\n\tsubc.cc.u32 %7, %7, %16;\n\t"
        "subc.u32 %8, 0, 0;"
        : "+r"(a.words[0]), "+r"(a.words[1]), "+r"(a.words[2]), "+r"(a.words[3]), "+r"(a.words[4]), "+r"(a.words[5]),
          "+r"(a.words[6]), "+r"(a.words[7]), "=r"(borrow)
        : "r"(b.words[0]), "r"(b.words[1]), "r"(b.words[2]), "r"(b.words[3]), "r"(b.words[4]), "r"(b.words[5]),
          "r"(b.words[6]), "r"(b.words[7]));
    return borrow;
}

// a b / 2^256 modulo an odd number; inverse is -1 / modulus modulo 2^32.
__device__ Big montgomery(const Big& a, const Big& b, const Big& modulus, unsigned inverse) {
    unsigned t[10] = {};
    for (int i = 0; i < 8; i++) {
        unsigned long long carry = 0;
        for (int j = 0; j < 8; j++) {
            carry += static_cast<unsigned long long>(a.words[j]) * b.words[i] + t[j];
            t[j] = static_cast<unsigned>(carry);
            carry >>= 32;
        }
        carry += t[8];
        t[8] = static_cast<unsigned>(carry);
        t[9] = static_cast<unsigned>(carry >> 32);
        unsigned factor = t[0] * inverse;
        carry = (static_cast<unsigned long long>(factor) * modulus.words[0] + t[0]) >> 32;
        for (int j = 1; j < 8; j++) {
            carry += static_cast<unsigned long long>(factor) * modulus.words[j] + t[j];
            t[j - 1] = static_cast<unsigned>(carry);
            carry >>= 32;
        }
        carry += t[8];
        t[7] = static_cast<unsigned>(carry);
        t[8] = t[9] + static_cast<unsigned>(carry >> 32);
    }
    Big result;
    for (int i = 0; i < 8; i++) result.words[i] = t[i];
    Big less = result;
    unsigned borrow = subtract(less, modulus);
    return t[8] != 0 || borrow == 0 ? less : result;
}

extern "C" __global__ void sums(const Big* a, const Big* b, Big* sum, Big* difference, unsigned* flags) {
    int t = threadIdx.x;
    Big x = a[t], y = a[t];
    unsigned carry = add(x, b[t]), borrow = subtract(y, b[t]);
    sum[t] = x;
    difference[t] = y;
    flags[t] = carry | (borrow & 2);
}

// power = base^exponent in Montgomery's form; one is 2^256 modulo the modulus.
extern "C" __global__ void power(const Big* base, const unsigned* exponents, Big* out, Big modulus, Big one, unsigned inverse) {
    int t = threadIdx.x;
    Big square = base[t], result = one;
    for (unsigned exponent = exponents[t]; exponent; exponent >>= 1) {
        if (exponent & 1) result = montgomery(result, square, modulus, inverse);
        square = montgomery(square, square, modulus, inverse);
    }
    out[t] = result;
}

extern "C" __global__ void factorial(Big* out) {
    Big product = {{1}};
    for (unsigned n = 2; n <= threadIdx.x; n++) {
        unsigned carry = 0;
        for (int i = 0; i < 8; i++)
            asm("{ .reg .u64 wide;\n\tmul.wide.u32 wide, %0, %2;\n\t.reg .u64 more;\n\tcvt.u64.u32 more, %1;\n\t"
                "add.u64 wide, wide, more;\n\tmov.b64 {%0, %1}, wide; }"
                : "+r"(product.words[i]), "+r"(carry)
                : "r"(n));
    }
    out[threadIdx.x] = product;
}
