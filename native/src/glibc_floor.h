// glibc 2.34 moved these functions from libdl and libpthread into libc, under a new version. The old version is still
// there, in whichever library the system has it; asking for it keeps Fettle loadable on systems older than the one that
// it was built on. tests/binary-gate.sh checks the result.
#ifndef FETTLE_GLIBC_FLOOR_H
#define FETTLE_GLIBC_FLOOR_H

#if defined(__x86_64__) && defined(__linux__)
__asm__(".symver dlopen,dlopen@GLIBC_2.2.5");
__asm__(".symver dlclose,dlclose@GLIBC_2.2.5");
__asm__(".symver dlsym,dlsym@GLIBC_2.2.5");
__asm__(".symver dlerror,dlerror@GLIBC_2.2.5");
__asm__(".symver pthread_once,pthread_once@GLIBC_2.2.5");
__asm__(".symver pthread_key_create,pthread_key_create@GLIBC_2.2.5");
__asm__(".symver pthread_setspecific,pthread_setspecific@GLIBC_2.2.5");
#endif

#endif
