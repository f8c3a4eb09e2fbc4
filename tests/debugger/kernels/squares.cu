// What squares.ptx was compiled from: the debugger shows it beside the PTX.
extern "C" __global__ void squares(unsigned *out)
{
    unsigned i = threadIdx.x;
    unsigned square = i * i;
    if (square > 100)
        square = 100;
    out[i] = square;
}
