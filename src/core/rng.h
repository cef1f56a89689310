/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_CORE_RNG_H
#define AO_CORE_RNG_H

#include <stddef.h>
#include <stdint.h>

/**
 * Seeded random numbers: the same seed gives the same sequence on every machine and build.
 *
 * The generator is splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
 * generators", OOPSLA 2014). It passes BigCrush, has period 2^64 and one word of state, and
 * neighbouring seeds give unrelated sequences, so `seed + i` is a sound way to seed item i.
 * It is not for cryptography.
 *
 * The struct is a plain value: copying it forks a generator that repeats the original.
 * Confined: one thread at a time per struct.
 */
struct ao_rng {
    uint64_t state;
};

/** Starts the sequence of `seed`; every value, 0 included, is a good seed. */
void ao_rng_init(struct ao_rng *rng, uint64_t seed);

/** Next 64 bits, uniform over all values. */
uint64_t ao_rng_next(struct ao_rng *rng);

/** Uniform over the multiples of 2^-53 in [0, 1). */
double ao_rng_uniform(struct ao_rng *rng);

/** lo + (hi - lo) * ao_rng_uniform(): uniform in [lo, hi) up to rounding. */
double ao_rng_range(struct ao_rng *rng, double lo, double hi);

/** Uniform over the integers 0 .. n-1, without modulo bias. Returns 0 when n is 0. */
uint64_t ao_rng_below(struct ao_rng *rng, uint64_t n);

/**
 * Normal with mean 0 and variance 1: sqrt(-2 ln u1) cos(2 pi u2), Box and Muller (1958).
 *
 * Each call uses two uniform numbers and drops the sine twin, so the state stays one word and
 * the sequence does not depend on how calls of different kinds are mixed. The value goes
 * through libm, hence it may differ in the last bit between C libraries.
 */
double ao_rng_normal(struct ao_rng *rng);

/** Puts values[0 .. n-1] in random order, each order equally likely (Fisher-Yates). */
void ao_rng_shuffle_i32(struct ao_rng *rng, int32_t *values, size_t n);

#endif
