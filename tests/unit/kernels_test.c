/* SPDX-License-Identifier: Apache-2.0 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/rng.h"
#include "kernels/kernels.h"
#include "kernels/x86/x86.h"

/*
 * Every slot of every instruction set this processor has, and of AVX-512 on SIMDe, against the C
 * version: all small sizes, so all tails, with guard cells around what may be written. Selection
 * and single additions must agree bit by bit. Sums of n products may differ by
 *     |a - b| <= 2 n eps sum |x_i w_i|.
 * In any order, with fused multiply-add or without, a product passes at most n roundings (its own
 * and those of n - 1 sums) of eps / 2, so to first order either sum is within
 * n (eps / 2) sum |x_i w_i| of the exact one; this is half of what is allowed.
 */

#define GUARD 12345.0f
#define MOST 40

static struct ao_rng rng;
static const struct ao_kernels *tested;
static double worst; /* error over bound */

static void randomise(float *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        values[i] = (float)ao_rng_range(&rng, -2, 2);
        if (ao_rng_below(&rng, 8) == 0)
            values[i] = 0; /* ReLU turns here */
    }
}

static void expect_bound(float a, float b, size_t terms, double magnitude)
{
    const double error = fabs((double)a - (double)b);
    const double bound = 2 * (double)terms * (double)FLT_EPSILON * magnitude + 1e-30;
    if (error / bound > worst)
        worst = error / bound;
    assert_true(error <= bound);
}

static void igemm_case(size_t n_taps, size_t depth, bool accumulate)
{
    enum { ROWS = 9, TAPS = 5, OUT_PITCH = 20 };
    static float src[ROWS * MOST], w[TAPS * MOST * AO_IGEMM_COLS];
    float want[8 * OUT_PITCH], got[8 * OUT_PITCH], start[8 * OUT_PITCH];
    uint32_t at[TAPS * AO_IGEMM_ROWS], tap[TAPS];
    const uint32_t row[AO_IGEMM_ROWS] = { 3, 0, 7, 1, 4, 6 };
    randomise(src, ROWS * MOST);
    randomise(w, TAPS * MOST * AO_IGEMM_COLS);
    randomise(start, 8 * OUT_PITCH);
    for (size_t r = 0; r < 8; r++)
        for (size_t n = AO_IGEMM_COLS; n < OUT_PITCH; n++)
            start[r * OUT_PITCH + n] = GUARD;
    for (size_t i = 0; i < n_taps * AO_IGEMM_ROWS; i++)
        at[i] = (uint32_t)ao_rng_below(&rng, ROWS);
    for (size_t i = 0; i < n_taps; i++)
        tap[i] = (uint32_t)(TAPS - 1 - i);
    memcpy(want, start, sizeof start);
    memcpy(got, start, sizeof start);
    struct ao_igemm tile = { .src = src,
                             .src_pitch = depth,
                             .at = at,
                             .tap = tap,
                             .n_taps = n_taps,
                             .depth = depth,
                             .w = w,
                             .dst = want,
                             .dst_pitch = OUT_PITCH,
                             .row = row,
                             .accumulate = accumulate };
    ao_igemm_c(&tile);
    tile.dst = got;
    tested->igemm(&tile);
    /* 2 * 2 is the largest product, 2 the largest start. */
    for (size_t i = 0; i < 8 * OUT_PITCH; i++)
        expect_bound(want[i], got[i], i % OUT_PITCH < AO_IGEMM_COLS ? n_taps * depth + 1 : 0,
                     4.0 * (double)(n_taps * depth) + 2);
}

static void check_igemm(void)
{
    for (size_t n_taps = 0; n_taps <= 5; n_taps++)
        for (size_t depth = 1; depth <= MOST; depth++) {
            igemm_case(n_taps, depth, false);
            igemm_case(n_taps, depth, true);
        }
}

static void check_depthwise(void)
{
    enum { ROWS = 7, TAPS = 4 };
    float src[ROWS * MOST], w[TAPS * MOST], want[MOST + 1], got[MOST + 1];
    for (size_t n_taps = 0; n_taps <= TAPS; n_taps++)
        for (size_t channels = 1; channels <= MOST; channels++) {
            uint32_t at[TAPS], tap[TAPS];
            randomise(src, ROWS * MOST);
            randomise(w, TAPS * MOST);
            for (size_t k = 0; k < TAPS; k++) {
                at[k] = (uint32_t)ao_rng_below(&rng, ROWS);
                tap[k] = (uint32_t)ao_rng_below(&rng, TAPS);
            }
            want[channels] = got[channels] = GUARD;
            struct ao_depthwise row = { .src = src,
                                        .src_pitch = MOST,
                                        .at = at,
                                        .tap = tap,
                                        .n_taps = n_taps,
                                        .channels = channels,
                                        .w = w,
                                        .w_pitch = MOST,
                                        .dst = want };
            ao_depthwise_c(&row);
            row.dst = got;
            tested->depthwise(&row);
            for (size_t c = 0; c < channels; c++)
                expect_bound(want[c], got[c], n_taps, 4.0 * (double)n_taps);
            assert_true(got[channels] == GUARD);
        }
}

static void check_lines(void)
{
    enum { TAPS = 5, LINE = 3 * AO_LINES_WIDE, SUMS = AO_LINES_ROWS * AO_LINES_WIDE };
    float src[LINE], w[TAPS * AO_LINES_ROWS], want[SUMS + 1], got[SUMS + 1];
    for (size_t i = 0; i <= 2 * TAPS; i++) {
        const size_t n_taps = i / 2;
        uint32_t at[TAPS];
        randomise(src, LINE);
        randomise(w, TAPS * AO_LINES_ROWS);
        randomise(want, SUMS);
        for (size_t k = 0; k < n_taps; k++)
            at[k] = (uint32_t)ao_rng_below(&rng, LINE - AO_LINES_WIDE + 1);
        want[SUMS] = GUARD;
        memcpy(got, want, sizeof got);
        struct ao_lines lines = {
            .src = src, .at = at, .w = w, .n_taps = n_taps, .dst = want, .accumulate = i % 2
        };
        ao_lines_c(&lines);
        lines.dst = got;
        tested->lines(&lines);
        for (size_t s = 0; s < SUMS; s++)
            expect_bound(want[s], got[s], n_taps + 1, 4.0 * (double)n_taps + 2);
        assert_true(got[SUMS] == GUARD);
    }
}

static void check_relu_delta(void)
{
    float y[MOST], want[MOST + 1], got[MOST + 1];
    for (size_t n = 0; n <= MOST; n++) {
        randomise(y, MOST);
        randomise(want, MOST);
        want[n] = GUARD;
        memcpy(got, want, sizeof got);
        float before[MOST];
        memcpy(before, want, sizeof before);
        ao_relu_delta_c(want, y, n);
        tested->relu_delta(got, y, n);
        for (size_t i = 0; i <= n; i++)
            assert_true(want[i] == got[i]);
        for (size_t i = 0; i < n; i++) /* and both are what they should be */
            expect_bound(want[i], fmaxf(y[i] + before[i], 0) - fmaxf(y[i], 0), 1, 4);
    }
}

static void check_add(void)
{
    float a[MOST], want[MOST + 1], got[MOST + 1];
    for (size_t n = 0; n <= MOST; n++) {
        randomise(a, MOST);
        randomise(want, MOST);
        want[n] = GUARD;
        memcpy(got, want, sizeof got);
        ao_add_c(want, a, n);
        tested->add(got, a, n);
        assert_memory_equal(want, got, (n + 1) * sizeof *got);
    }
}

static void check_max_pool(void)
{
    enum { ROWS = 9, TAPS = 5 };
    static float y[ROWS * MOST], d[ROWS * MOST], want[MOST + 1], got[MOST + 1];
    uint32_t at[TAPS], row[TAPS];
    for (size_t channels = 0; channels <= MOST; channels++)
        for (size_t n_taps = 1; n_taps <= TAPS; n_taps++) {
            randomise(y, ROWS * MOST);
            randomise(d, ROWS * MOST);
            for (size_t k = 0; k < n_taps; k++) {
                at[k] = (uint32_t)ao_rng_below(&rng, ROWS);
                row[k] = (uint32_t)ao_rng_below(&rng, ROWS);
            }
            want[channels] = got[channels] = GUARD;
            struct ao_max_pool pool = { y, d, at, row, n_taps, channels, want };
            ao_max_pool_c(&pool);
            pool.dst = got;
            tested->max_pool(&pool);
            for (size_t i = 0; i <= channels; i++)
                assert_true(want[i] == got[i]);
        }
}

/* Transforms are additions in a fixed order: bit by bit. */
static void winograd_case(const size_t *n, size_t channels, bool out)
{
    enum { ROWS = AO_WINOGRAD_MOST, PITCH = MOST + 3 };
    static float src[ROWS * PITCH], want[ROWS * PITCH], got[ROWS * PITCH];
    uint32_t at[AO_WINOGRAD_MOST];
    randomise(src, ROWS * PITCH);
    for (size_t i = 0; i < ROWS * PITCH; i++)
        want[i] = got[i] = GUARD;
    for (size_t i = 0; i < AO_WINOGRAD_MOST; i++)
        at[i] = out ? (uint32_t)(i % 3 == 1 ? UINT32_MAX : i) : (uint32_t)ao_rng_below(&rng, ROWS);
    struct ao_winograd tile = { .n = { n[0], n[1], n[2] },
                                .src = src,
                                .src_pitch = PITCH,
                                .at = at,
                                .dst = want,
                                .dst_pitch = PITCH,
                                .channels = channels };
    (out ? ao_winograd_out_c : ao_winograd_in_c)(&tile);
    tile.dst = got;
    (out ? tested->winograd_out : tested->winograd_in)(&tile);
    assert_memory_equal(want, got, sizeof want);
}

static void winograd_cases(bool out)
{
    static const size_t sizes[] = { 1, 3, 4, 6 };
    for (size_t form = 1; form < 64; form++) {
        const size_t n[3] = { sizes[form & 3], sizes[form >> 2 & 3], sizes[form >> 4] };
        for (size_t channels = 1; channels <= MOST && n[0] * n[1] * n[2] <= AO_WINOGRAD_MOST;
             channels++)
            winograd_case(n, channels, out);
    }
}

static void check_winograd_in(void)
{
    winograd_cases(false);
}

static void check_winograd_out(void)
{
    winograd_cases(true);
}

/* The components of one filter by the formulas of kernels.h, axis by axis. */
static double component(const size_t *n, const double *g, const size_t *j, const size_t *extent)
{
    const double p = (double)AO_WINOGRAD_A, q = (double)AO_WINOGRAD_B;
    const double P = 2 * p * p * (p * p - q * q), Q = 2 * q * q * (q * q - p * p);
    const double one[][3] = { { 1 } };
    const double three[][3] = { { 0, 1, 0 }, { 0, -1, 1 }, { 1, -1, 0 } };
    const double four[][3] = { { 1, 0, 0 }, { .5, .5, .5 }, { .5, -.5, .5 }, { 0, 0, 1 } };
    const double six[][3] = { { 1 / (p * p * q * q), 0, 0 }, { 1 / P, p / P, p * p / P },
                              { 1 / P, -p / P, p * p / P },  { 1 / Q, q / Q, q * q / Q },
                              { 1 / Q, -q / Q, q * q / Q },  { 0, 0, 1 } };
    const double(*rows[3])[3];
    double sum = 0;
    for (int d = 0; d < 3; d++)
        rows[d] = n[d] == 1 ? one : n[d] == 3 ? three : n[d] == 4 ? four : six;
    for (size_t t = 0; t < extent[0]; t++)
        for (size_t y = 0; y < extent[1]; y++)
            for (size_t x = 0; x < extent[2]; x++)
                sum += rows[0][j[0]][t] * rows[1][j[1]][y] * rows[2][j[2]][x] *
                       g[(t * extent[1] + y) * extent[2] + x];
    return sum;
}

/* Every instruction set has the bits of the C version; that is right to a rounding of float. */
static void filter_case(const size_t *n)
{
    enum { PITCH = AO_IGEMM_COLS + 3, FLOATS = AO_WINOGRAD_MOST * PITCH };
    static float want[FLOATS], got[FLOATS];
    double taps[AO_WINOGRAD_TAPS][AO_IGEMM_COLS], g[AO_WINOGRAD_TAPS];
    const size_t extent[3] = { n[0] > 1 ? 3 : 1, n[1] > 1 ? 3 : 1, n[2] > 1 ? 3 : 1 };
    for (size_t k = 0; k < AO_WINOGRAD_TAPS; k++)
        for (size_t i = 0; i < AO_IGEMM_COLS; i++)
            taps[k][i] = ao_rng_uniform(&rng) - .5;
    for (size_t i = 0; i < FLOATS; i++)
        want[i] = got[i] = GUARD;
    struct ao_winograd_filter filter = { { n[0], n[1], n[2] }, taps, want, PITCH };
    ao_winograd_filter_c(&filter);
    filter.dst = got;
    tested->winograd_filter(&filter);
    assert_memory_equal(want, got, sizeof want);
    for (size_t k = 0; k < AO_WINOGRAD_TAPS; k++)
        g[k] = taps[k][1];
    for (size_t j = 0; j < n[0] * n[1] * n[2]; j++) {
        const size_t at[3] = { j / n[2] / n[1], j / n[2] % n[1], j % n[2] };
        /* Rows sum to at most 2, taps are at most 1/2: below 4, where half an ulp is 2^-23. */
        const double exact = component(n, g, at, extent);
        assert_true(fabs((double)want[j * PITCH + 1] - exact) < 0x1p-23 + 1e-14);
    }
}

static void check_winograd_filter(void)
{
    static const size_t sizes[] = { 1, 3, 4, 6 };
    for (size_t form = 1; form < 64; form++) {
        const size_t n[3] = { sizes[form & 3], sizes[form >> 2 & 3], sizes[form >> 4] };
        if (n[0] * n[1] * n[2] <= AO_WINOGRAD_MOST)
            filter_case(n);
    }
}

static void check_table(const struct ao_kernels *kernels, const char *name)
{
    tested = kernels;
    ao_rng_init(&rng, 7);
    worst = 0;
#define AO_KERNEL(slot, parameters) check_##slot();
#include "kernels/kernels.def"
#undef AO_KERNEL
    printf("%s: worst error %.3g of its bound\n", name, worst);
}

static void every_kernel_agrees_with_its_c_version(void **state)
{
    (void)state;
    for (int isa = AO_ISA_C; isa <= (int)ao_kernels_isa(); isa++)
        check_table(ao_kernels_of((enum ao_isa)isa), ao_isa_name((enum ao_isa)isa));
}

static void avx512_kernels_agree_on_any_processor(void **state)
{
    (void)state;
#ifdef AO_KERNELS_SIMDE
    check_table(&ao_kernels_avx512_simde, "avx512 on SIMDe");
#else
    printf("skipped: built without SIMDe (libsimde-dev)\n");
    skip();
#endif
}

static void the_choice_can_be_lowered(void **state)
{
    (void)state;
    const enum ao_isa best = ao_kernels_isa();
    ao_kernels_limit(AO_ISA_C);
    assert_int_equal(ao_kernels_isa(), AO_ISA_C);
    assert_ptr_equal(ao_kernels(), ao_kernels_of(AO_ISA_C));
    ao_kernels_limit(best);
    assert_int_equal(ao_kernels_isa(), best);
}

static void the_environment_lowers_the_choice(void **state)
{
    const enum ao_isa best = ao_kernels_isa();
    enum ao_isa isa;
    (void)state;
    for (int i = AO_ISA_C; i <= (int)best; i++) {
        assert_int_equal(setenv("AOSA_ISA", ao_isa_name((enum ao_isa)i), 1), 0);
        assert_int_equal(ao_kernels_isa(), i);
    }
    assert_int_equal(setenv("AOSA_ISA", "sse9", 1), 0);
    assert_int_equal(ao_kernels_isa(), best);
    assert_false(ao_isa_parse(ao_isa_asked(), &isa));
    assert_int_equal(unsetenv("AOSA_ISA"), 0);
    assert_null(ao_isa_asked());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kernel_agrees_with_its_c_version),
        cmocka_unit_test(avx512_kernels_agree_on_any_processor),
        cmocka_unit_test(the_choice_can_be_lowered),
        cmocka_unit_test(the_environment_lowers_the_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
