// printf: every conversion with flags, widths and precisions, %s of every kind of memory, results, many threads.
#include <cstdio>

__device__ char name[8] = "global";
__constant__ char constant[16] = "constant";

extern "C" __global__ void integers(int a, unsigned b, long long c, unsigned long long d) {
    printf("%d|%5d|%-5d|%05d|%+d|% d\n", a, a, a, a, a, a);
    printf("%u|%x|%X|%#x|%o|%#o|%08x\n", b, b, b, b, b, b, b);
    printf("%lld|%llu|%llx|%20lld|%-20llu|\n", c, d, d, c, d);
    printf("%hd|%hu|%hhd|%hhu|%i\n", (short)a, (unsigned short)b, (signed char)a, (unsigned char)b, -1);
    printf("%*d|%-*d|%.3d|%.*d\n", 6, a, 6, a, 7, 2, 9);
    printf("%c%c%c %5c|%-5c|%%\n", 'a', 'b', 'c', 'd', 'e');
}

extern "C" __global__ void numbers(float f, double d) {
    printf("%f|%.2f|%8.3f|%-9.1f|%+.0f|%010.4f\n", f, f, f, f, f, f);
    printf("%e|%.3E|%g|%G|%.10g|%#.3g\n", d, d, d, d, d, d);
    printf("%f %f %e %g\n", 1.0 / 0.0, -1.0 / 0.0, -0.0, 1e100);
    printf("%a %.1f %.15g\n", d, 0.25, 0.1);
}

extern "C" __global__ void texts(const char* given) {
    __shared__ char shared[4];
    char local[8] = "local";
    shared[0] = 's', shared[1] = 'h', shared[2] = 0;
    local[threadIdx.x] = 'L';
    printf("%s %s %s %s %s %s\n", "literal", name, constant, shared, local, given);
    printf("[%10s] [%-10s] [%.3s] [%s]\n", name, name, name, "");
    int printed = printf("no arguments\n"), more = printf("%d %d\n", 1, 2);
    printf("results %d %d\n", printed, more);
}

struct Point {
    float x;
    short y;
};

extern "C" __global__ void threads(const Point* points) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i % 2 == 0) printf("%d: (%g, %d) %s\n", i, points[i].x, points[i].y, i % 4 ? "odd" : "even");
}
