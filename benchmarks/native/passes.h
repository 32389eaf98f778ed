/* The memory ceiling: passes that move the bytes of an optimizer step and compute next to nothing.
 *
 * A pass streams over arrays of 4-, 2- and 1-byte elements, each read and written in place, only read, or only written.
 * Every vector of all arrays is loaded before the first store; one fma (or integer sum) per output. The factor is 0:
 * what is updated in place keeps its finite values, what is only written becomes 0.
 */
#ifndef FETTLE_BENCHMARKS_PASSES_H
#define FETTLE_BENCHMARKS_PASSES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The number of a shape in shapes.def, by its name there; -1 if there is none. */
int32_t fettle_pass_find(const char* name);

/* Runs elements first .. last - 1 of tensors firstTensor .. lastTensor - 1.
 * \param[in] pass   from fettle_pass_find
 * \param[in] tier   3 or 4: x86-64-v3 or -v4; the caller knows that the CPU has it
 * \param[in] table  per tensor one address per array: all 4-byte arrays (in place, read, written), then all 2-byte ones,
 *                   then all 1-byte ones
 * \param[in] ahead  bytes by which every array is prefetched ahead, for writing where it is written; 0: not at all
 * \param[in] past   not 0: what is only written goes past the caches, if it is aligned to vectors; then nothing is prefetched
 * \return a number that depends on everything that was read
 */
double fettle_pass_run(int32_t pass, int32_t tier, const int64_t* table, int64_t firstTensor, int64_t lastTensor,
                       int64_t first, int64_t last, int64_t ahead, int32_t past);

/* Does arithmetic on registers or the nearest cache.
 * \param[in] kind    0: multiply-adds in f32; 1: a division and a square root per element; 2: products of bytes (AVX-512 VNNI)
 * \param[in] tier    3 or 4, as above
 * \param[in] rounds  how often
 * \return how many operations (kinds 0 and 2; a multiply-add is two) or elements (kind 1); 0 where the tier has no such kind
 */
int64_t fettle_peak_run(int32_t kind, int32_t tier, int64_t rounds);

#ifdef __cplusplus
}
#endif
#endif
