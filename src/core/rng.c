/* SPDX-License-Identifier: Apache-2.0 */
#include "core/rng.h"

#include <math.h>

#define TWO_PI 6.283185307179586476925

void ao_rng_init(struct ao_rng *rng, uint64_t seed)
{
    rng->state = seed;
}

uint64_t ao_rng_next(struct ao_rng *rng)
{
    /* The step is 2^64 / golden ratio, made odd; the multipliers are Stafford's variant 13. */
    rng->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t bits = rng->state;
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    return bits ^ (bits >> 31);
}

double ao_rng_uniform(struct ao_rng *rng)
{
    /* A double holds 53 bits exactly; the top ones, so that the conversion never rounds to 1. */
    return (double)(ao_rng_next(rng) >> 11) * 0x1p-53;
}

double ao_rng_range(struct ao_rng *rng, double lo, double hi)
{
    return lo + (hi - lo) * ao_rng_uniform(rng);
}

uint64_t ao_rng_below(struct ao_rng *rng, uint64_t n)
{
    if (n == 0)
        return 0;
    /* Drop the lowest 2^64 mod n values: what remains is a whole number of periods of n. */
    const uint64_t n_dropped = (UINT64_MAX - n + 1) % n;
    uint64_t bits = ao_rng_next(rng);
    while (bits < n_dropped)
        bits = ao_rng_next(rng);
    return bits % n;
}

double ao_rng_normal(struct ao_rng *rng)
{
    /* 1 - u lies in (0, 1], so the logarithm is finite. */
    const double radius = sqrt(-2.0 * log(1.0 - ao_rng_uniform(rng)));
    return radius * cos(TWO_PI * ao_rng_uniform(rng));
}

void ao_rng_shuffle_i32(struct ao_rng *rng, int32_t *values, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        const size_t j = (size_t)ao_rng_below(rng, i);
        const int32_t last = values[i - 1];
        values[i - 1] = values[j];
        values[j] = last;
    }
}
