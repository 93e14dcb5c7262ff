// How the CPU kernels get vectorised.
//
// The program is built for any x86-64. A kernel marked LONGHAUL_CLONES is compiled three times (AVX-512,
// AVX2, baseline) and the loader picks one when the program starts. Inside it, loops marked with `#pragma omp
// simd` become vector code, with everything they call inlined (LONGHAUL_INLINE). Two things to keep in mind:
// a lambda within a marked kernel is *not* cloned, so `parallel_for` calls the kernel and not the other way
// round; and files named *_cpu.cpp are compiled with -O3.
#pragma once

#define LONGHAUL_INLINE inline __attribute__((always_inline))

// The sanitizers' run-time isn't up yet when the loader picks clones.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LONGHAUL_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LONGHAUL_CLONES
#endif
