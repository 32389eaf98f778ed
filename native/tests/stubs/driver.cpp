// A CUDA driver that has nothing: stands in for libcuda.so.1 in cuda_loader_test.
extern "C" __attribute__((visibility("default"))) int cuInit(unsigned) { return 100; }
