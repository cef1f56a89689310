/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "core/npy.h"
#include "core/rng.h"
#include "flow/backend.h"
#include "flow/flow.h"
#include "support/folder.h"

static struct ao_flow_options options_of(const char *source)
{
    struct ao_flow_options options = { 0 };
    assert_int_equal(ao_options_init(ao_flow_option_table, &options), AOSA_OK);
    const struct ao_option *row = ao_options_find(ao_flow_option_table, "flow");
    assert_int_equal(ao_option_set(row, &options, source), AOSA_OK);
    return options;
}

static aosa_status compute(const uint8_t *rgb, int T, int H, int W, const char *source,
                           struct ao_flow_field **flow)
{
    struct ao_flow_options options = options_of(source);
    const aosa_status status = ao_flow_compute(rgb, T, H, W, &options, false, flow);
    ao_options_fini(ao_flow_option_table, &options);
    return status;
}

/* The call fails with that status and a text that holds all of the words. */
static void assert_fails(aosa_status want, int T, int H, int W, const char *source,
                         const char *const *words)
{
    uint8_t *rgb = ao_alloc((size_t)(T * H * W * 3), 1);
    struct ao_flow_field *flow = NULL;
    assert_int_equal(compute(rgb, T, H, W, source, &flow), want);
    assert_null(flow);
    for (; *words; words++)
        if (!strstr(aosa_error_message(), *words))
            fail_msg("no '%s' in: %s", *words, aosa_error_message());
    ao_free(rgb);
}

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* Smooth texture, period 9 pixels and more, at any real position; 0..255. */
static uint8_t texture(double y, double x)
{
    const double value = sin(0.7 * x + 0.2 * y) + sin(0.55 * y - 0.3 * x + 1) +
                         sin(0.31 * x + 0.4 * y + 2) + sin(0.23 * y - 0.5 * x + 3);
    return (uint8_t)lrint(127.5 + 30 * value);
}

/* Gray clip [T][H][W][3] whose content moves by (dy, dx) a frame. */
static uint8_t *moving_clip(int T, int H, int W, double dy, double dx)
{
    uint8_t *rgb = ao_alloc((size_t)(T * H * W), 3), *p = rgb;
    for (int t = 0; t < T; t++)
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++, p += 3)
                p[0] = p[1] = p[2] = texture(y - t * dy, x - t * dx);
    return rgb;
}

static void gray_weighs_red_green_and_blue(void **state)
{
    (void)state;
    const uint8_t rgb[] = { 255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 10, 200, 30 };
    /* 9798, 19235, 3735 over 2^15 times 255, and 0.299 10 + 0.587 200 + 0.114 30 = 123.81 */
    const uint8_t right[] = { 76, 150, 29, 255, 124 };
    const uint8_t swapped[] = { 29, 150, 76, 255, 128 }; /* 127.51 */
    uint8_t gray[5];
    ao_flow_gray(rgb, 5, false, gray);
    assert_memory_equal(gray, right, sizeof gray);
    ao_flow_gray(rgb, 5, true, gray);
    assert_memory_equal(gray, swapped, sizeof gray);
}

static double worst_motion(const struct ao_flow_field *flow)
{
    double worst = 0;
    for (size_t i = 0; i < (size_t)(flow->T - 1) * (size_t)flow->H * (size_t)flow->W * 2; i++)
        worst = fmax(worst, fabs((double)flow->d[i]));
    return worst;
}

static void a_still_clip_has_no_motion(void **state)
{
    (void)state;
    uint8_t *rgb = moving_clip(3, 48, 56, 0, 0);
    for (const struct ao_flow_backend *const *row = ao_flow_backends(); *row; row++) {
        struct ao_flow_field *flow = NULL;
        if (!strcmp((*row)->name, "file"))
            continue;
        assert_int_equal(compute(rgb, 3, 48, 56, (*row)->name, &flow), AOSA_OK);
        print_message("%s on a still clip: at most %g px\n", (*row)->name, worst_motion(flow));
        /*
         * Both solve for the difference of equal frames, which is 0. But Farneback counts the last
         * row and column as outside (spec A.3, step 5), and each of its 3 iterations averages over
         * 7 pixels to either side: up to 22 from there something is left, too little for a track.
         */
        assert_true(worst_motion(flow) < 0.5);
        for (int y = 0; y < 48 - 22; y++)
            for (int x = 0; x < 56 - 22; x++)
                assert_true(ao_flow_at(flow, 1, y, x)[0] == 0 && ao_flow_at(flow, 1, y, x)[1] == 0);
        ao_flow_field_destroy(&flow);
    }
    ao_free(rgb);
}

/* Largest end-point error at least 20 pixels from the border. */
static double shift_error(const char *source, double dy, double dx)
{
    const int T = 3, H = 96, W = 112, margin = 20;
    uint8_t *rgb = moving_clip(T, H, W, dy, dx);
    struct ao_flow_field *flow = NULL;
    double worst = 0;
    assert_int_equal(compute(rgb, T, H, W, source, &flow), AOSA_OK);
    for (int t = 0; t < T - 1; t++)
        for (int y = margin; y < H - margin; y++)
            for (int x = margin; x < W - margin; x++) {
                const float *d = ao_flow_at(flow, t, y, x);
                worst = fmax(worst, hypot((double)d[0] - dx, (double)d[1] - dy));
            }
    ao_flow_field_destroy(&flow);
    ao_free(rgb);
    return worst;
}

static void a_shifted_clip_has_that_shift(void **state)
{
    (void)state;
    const double shifts[][2] = { { 0, 1 }, { -1, 2 }, { 1.5, -0.5 }, { -2, -3 } };
    for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i++)
        for (const struct ao_flow_backend *const *row = ao_flow_backends(); *row; row++) {
            if (!(*row)->needs_gray)
                continue;
            const double error = shift_error((*row)->name, shifts[i][0], shifts[i][1]);
            print_message("%s, shift (%g, %g): off by at most %.3f px\n", (*row)->name,
                          shifts[i][0], shifts[i][1], error);
            /* Half a pixel is the most that still rounds to the right pixel of a track. */
            assert_true(error < 0.5);
        }
}

static void official_gray_changes_the_motion_of_a_coloured_clip(void **state)
{
    (void)state;
    const int T = 2, H = 48, W = 48;
    uint8_t *rgb = ao_alloc((size_t)(T * H * W), 3);
    for (int i = 0; i < T * H * W; i++) {
        rgb[3 * i] = texture(i / W % H, i % W - 2 * (i / (H * W)));     /* red moves right */
        rgb[3 * i + 2] = texture(i / W % H, i % W + 2 * (i / (H * W))); /* blue moves left */
    }
    struct ao_flow_options options = options_of("farneback");
    for (int official = 0; official < 2; official++) {
        struct ao_flow_field *flow = NULL;
        assert_int_equal(ao_flow_compute(rgb, T, H, W, &options, official, &flow), AOSA_OK);
        double sum = 0;
        for (int y = 16; y < 32; y++)
            for (int x = 16; x < 32; x++)
                sum += (double)ao_flow_at(flow, 0, y, x)[0];
        assert_true(official ? sum < 0 : sum > 0); /* the heavier channel leads */
        ao_flow_field_destroy(&flow);
    }
    ao_options_fini(ao_flow_option_table, &options);
    ao_free(rgb);
}

static void small_and_odd_frames_have_finite_motion(void **state)
{
    (void)state;
    const int sizes[][2] = { { 1, 1 },   { 1, 40 },   { 3, 5 },   { 7, 2 },   { 16, 16 },
                             { 17, 16 }, { 31, 33 },  { 16, 99 }, { 65, 16 }, { 113, 97 },
                             { 32, 32 }, { 33, 200 }, { 200, 32 } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (const struct ao_flow_backend *const *row = ao_flow_backends(); *row; row++) {
            const int H = sizes[i][0], W = sizes[i][1];
            if (!(*row)->needs_gray || H < (*row)->min_side || W < (*row)->min_side)
                continue;
            uint8_t *rgb = moving_clip(2, H, W, 1, -1);
            struct ao_flow_field *flow = NULL;
            if (compute(rgb, 2, H, W, (*row)->name, &flow) != AOSA_OK)
                fail_msg("%s, %d x %d: %s", (*row)->name, H, W, aosa_error_message());
            assert_true(isfinite(worst_motion(flow)));
            ao_flow_field_destroy(&flow);
            ao_free(rgb);
        }
}

static void frames_too_small_for_dis_are_refused(void **state)
{
    (void)state;
    assert_fails(AOSA_ERR_ARGUMENT, 2, 31, 100, "dis", WORDS("dis", "32 x 32", "31 x 100"));
    assert_fails(AOSA_ERR_ARGUMENT, 2, 40, 16, "dis", WORDS("40 x 16", "farneback"));
}

static void one_frame_has_a_field_of_no_pairs(void **state)
{
    (void)state;
    uint8_t *rgb = moving_clip(1, 20, 20, 0, 0);
    struct ao_flow_field *flow = NULL;
    assert_int_equal(compute(rgb, 1, 20, 20, "farneback", &flow), AOSA_OK);
    assert_int_equal(flow->T, 1);
    ao_flow_field_destroy(&flow);
    ao_free(rgb);
}

static void the_same_clip_gives_the_same_bits(void **state)
{
    (void)state;
    uint8_t *rgb = moving_clip(3, 112, 112, 1.3, -0.7);
    for (const struct ao_flow_backend *const *row = ao_flow_backends(); *row; row++) {
        struct ao_flow_field *a = NULL, *b = NULL;
        if (!(*row)->needs_gray)
            continue;
        assert_int_equal(compute(rgb, 3, 112, 112, (*row)->name, &a), AOSA_OK);
        assert_int_equal(compute(rgb, 3, 112, 112, (*row)->name, &b), AOSA_OK);
        assert_memory_equal(a->d, b->d, 2 * 112 * 112 * 2 * sizeof *a->d);
        ao_flow_field_destroy(&a);
        ao_flow_field_destroy(&b);
    }
    ao_free(rgb);
}

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static struct ao_flow_field *random_field(int T, int H, int W, uint64_t seed)
{
    struct ao_flow_field *flow = NULL;
    struct ao_rng rng;
    ao_rng_init(&rng, seed);
    assert_int_equal(ao_flow_field_create(T, H, W, &flow), AOSA_OK);
    for (int i = 0; i < (T - 1) * H * W * 2; i++)
        flow->d[i] = (float)ao_rng_range(&rng, -9, 9);
    return flow;
}

static void median_is_the_fifth_of_nine_neighbours(void **state)
{
    (void)state;
    const int sizes[][2] = { { 1, 1 }, { 1, 6 }, { 5, 1 }, { 2, 2 }, { 7, 9 } };
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const int T = 3, H = sizes[s][0], W = sizes[s][1];
        struct ao_flow_field *flow = random_field(T, H, W, s), *got = random_field(T, H, W, s);
        assert_int_equal(ao_flow_median(got), AOSA_OK);
        for (int i = 0; i < (T - 1) * H * W; i++)
            for (int c = 0; c < 2; c++) {
                const int t = i / (H * W), y = i / W % H, x = i % W;
                float near[9];
                int n = 0;
                for (int ny = y - 1; ny <= y + 1; ny++)
                    for (int nx = x - 1; nx <= x + 1; nx++)
                        near[n++] = ao_flow_at(flow, t,
                                               ny < 0   ? 0
                                               : ny < H ? ny
                                                        : H - 1,
                                               nx < 0   ? 0
                                               : nx < W ? nx
                                                        : W - 1)[c];
                qsort(near, 9, sizeof *near, ascending);
                assert_true(near[4] == ao_flow_at(got, t, y, x)[c]);
            }
        ao_flow_field_destroy(&flow);
        ao_flow_field_destroy(&got);
    }
}

static void median_option_removes_a_spike(void **state)
{
    (void)state;
    const char *path = in_folder("spike.npy");
    float d[5 * 5 * 2] = { 0 };
    d[2 * (2 * 5 + 2)] = 7;
    const int64_t dims[] = { 1, 5, 5, 2 };
    assert_int_equal(ao_npy_write(path, AO_NPY_F32, 4, dims, d), AOSA_OK);
    struct ao_flow_options options = options_of(path);
    for (int median = 0; median < 2; median++) {
        struct ao_flow_field *flow = NULL;
        options.median = median;
        assert_int_equal(ao_flow_compute(NULL, 2, 5, 5, &options, false, &flow), AOSA_OK);
        assert_true(worst_motion(flow) == (median ? 0 : 7));
        ao_flow_field_destroy(&flow);
    }
    ao_options_fini(ao_flow_option_table, &options);
}

static void write_flo(const char *path, int H, int W, const float *d)
{
    const int32_t size[] = { W, H };
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite("PIEH", 4, 1, file), 1);
    assert_int_equal(fwrite(size, sizeof size, 1, file), 1);
    assert_int_equal(fwrite(d, sizeof *d, (size_t)(H * W * 2), file), H * W * 2);
    assert_int_equal(fclose(file), 0);
}

/* A folder of that name with one file for each pair, numbered from `start`. */
static void write_flos(const char *name, const char *suffix, int start,
                       const struct ao_flow_field *flow)
{
    const char *path = in_folder(name);
    char full[256 + 32];
    mkdir(path, 0700);
    for (int t = 0; t < flow->T - 1; t++) {
        snprintf(full, sizeof full, "%s/%s%05d.flo", path, suffix, start + t);
        write_flo(full, flow->H, flow->W, ao_flow_at(flow, t, 0, 0));
    }
}

static void assert_reads(const char *source, const struct ao_flow_field *want)
{
    struct ao_flow_field *got = NULL;
    if (compute(NULL, want->T, want->H, want->W, source, &got) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    assert_memory_equal(got->d, want->d,
                        (size_t)(want->T - 1) * (size_t)want->H * (size_t)want->W * 8);
    ao_flow_field_destroy(&got);
}

static void flow_files_are_read_bit_for_bit(void **state)
{
    (void)state;
    const char *path = in_folder("flow.npy");
    struct ao_flow_field *flow = random_field(4, 5, 7, 1), *pair = random_field(2, 5, 7, 2);
    const int64_t dims[] = { 3, 5, 7, 2 };
    assert_int_equal(ao_npy_write(path, AO_NPY_F32, 4, dims, flow->d), AOSA_OK);
    assert_reads(path, flow);
    write_flos("from0", "", 0, flow);
    assert_reads(in_folder("from0"), flow);
    write_flos("from1", "", 1, flow);
    assert_reads(in_folder("from1"), flow);
    write_flos("pattern", "frame_", 1, flow);
    assert_reads(in_folder("pattern/frame_%05d.flo"), flow);
    path = in_folder("pair.flo");
    write_flo(path, 5, 7, pair->d);
    assert_reads(path, pair);
    ao_flow_field_destroy(&flow);
    ao_flow_field_destroy(&pair);
}

static void flow_files_of_another_size_are_refused_with_both(void **state)
{
    (void)state;
    const char *path = in_folder("sizes.npy");
    struct ao_flow_field *flow = random_field(4, 5, 7, 1);
    const int64_t dims[] = { 3, 5, 7, 2 };
    ao_npy_write(path, AO_NPY_F32, 4, dims, flow->d);
    assert_fails(AOSA_ERR_SHAPE, 4, 5, 8, path, WORDS("3 pairs of 5 x 7", "3 of 5 x 8", "--save"));
    assert_fails(AOSA_ERR_SHAPE, 5, 5, 7, path, WORDS("3 pairs", "4 of"));
    write_flos("sizes", "", 0, flow);
    path = in_folder("sizes");
    assert_fails(AOSA_ERR_SHAPE, 4, 6, 7, path, WORDS("5 x 7", "6 x 7", "--save"));
    assert_fails(AOSA_ERR_SHAPE, 5, 5, 7, path, WORDS("00003.flo", "4 pairs", "3 were found"));
    assert_fails(AOSA_ERR_SHAPE, 3, 5, 7, path, WORDS("00002.flo", "2 pairs"));
    path = in_folder("one.flo");
    write_flo(path, 5, 7, flow->d);
    assert_fails(AOSA_ERR_SHAPE, 4, 5, 7, path, WORDS("1 pair", "have 3"));
    ao_flow_field_destroy(&flow);
}

static void flow_files_of_another_kind_are_refused(void **state)
{
    (void)state;
    const char *path = in_folder("double.npy");
    const double d[2 * 2 * 2] = { 0 };
    const int64_t dims[] = { 1, 2, 2, 2 }, flat[] = { 8 };
    ao_npy_write(path, AO_NPY_F64, 4, dims, d);
    assert_fails(AOSA_ERR_SHAPE, 2, 2, 2, path, WORDS("float64", "float32"));
    path = in_folder("flat.npy");
    ao_npy_write(path, AO_NPY_F32, 1, flat, d);
    assert_fails(AOSA_ERR_SHAPE, 2, 2, 2, path, WORDS("1 axes", "[T-1][H][W][2]"));
    path = in_folder("junk.flo");
    assert_int_equal(ao_file_write(path, "JUNKJUNKJUNK", 12), AOSA_OK);
    assert_fails(AOSA_ERR_FORMAT, 2, 2, 2, path, WORDS("junk.flo", "PIEH"));
    path = in_folder("short.flo");
    assert_int_equal(ao_file_write(path, "PIEH\2\0\0\0\2\0\0\0abcd", 16), AOSA_OK);
    assert_fails(AOSA_ERR_FORMAT, 2, 2, 2, path, WORDS("16 bytes", "44"));
    path = in_folder("stub.flo");
    assert_int_equal(ao_file_write(path, "PIEH", 4), AOSA_OK);
    assert_fails(AOSA_ERR_FORMAT, 2, 2, 2, path, WORDS("stub.flo"));
    path = in_folder("text.npy");
    assert_int_equal(ao_file_write(path, "hello", 5), AOSA_OK);
    assert_fails(AOSA_ERR_FORMAT, 2, 2, 2, path, WORDS("text.npy"));
}

static void unknown_motion_is_refused_with_its_place(void **state)
{
    (void)state;
    const char *path = in_folder("unknown.flo");
    const float bad[] = { NAN, INFINITY, -INFINITY, 1.6666667e9f };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        float d[2 * 3 * 2] = { 0 };
        d[2 * (1 * 3 + 2) + i % 2] = bad[i];
        write_flo(path, 2, 3, d);
        assert_fails(AOSA_ERR_NUMERIC, 2, 2, 3, path,
                     WORDS("unknown.flo", "pair 0", "row 1, column 2"));
    }
}

static void unknown_sources_are_refused(void **state)
{
    (void)state;
    const char *path = in_folder("nothing%d.flo");
    assert_fails(AOSA_ERR_ARGUMENT, 2, 2, 2, "farnebeck", WORDS("farnebeck", "farneback, dis"));
    assert_fails(AOSA_ERR_ARGUMENT, 2, 2, 2, "file", WORDS("'file'"));
    assert_fails(AOSA_ERR_ARGUMENT, 2, 2, 2, "a%sb", WORDS("a%sb", "%05d"));
    assert_fails(AOSA_ERR_ARGUMENT, 2, 2, 2, "a%d%n", WORDS("a%d%n"));
    assert_fails(AOSA_ERR_ARGUMENT, 2, 2, 2, "a%999999999d", WORDS("a%999999999d"));
    assert_fails(AOSA_ERR_SHAPE, 2, 2, 2, path, WORDS("nothing1.flo", "1 pairs"));
}

static void an_allocation_that_fails_is_reported_and_leaks_nothing(void **state)
{
    (void)state;
    uint8_t *rgb = moving_clip(2, 20, 20, 0, 0);
    struct ao_flow_options options = options_of("farneback");
    options.median = true;
    struct ao_flow_field *flow = NULL;
    for (long n = 1;; n++) {
        ao_alloc_fail_at(n);
        const aosa_status status = ao_flow_compute(rgb, 2, 20, 20, &options, false, &flow);
        const bool failed = ao_alloc_has_failed();
        ao_alloc_fail_at(0);
        assert_int_equal(status, failed ? AOSA_ERR_NOMEM : AOSA_OK);
        if (!failed)
            break;
        assert_null(flow);
    }
    ao_flow_field_destroy(&flow);
    ao_options_fini(ao_flow_option_table, &options);
    ao_free(rgb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gray_weighs_red_green_and_blue),
        cmocka_unit_test(a_still_clip_has_no_motion),
        cmocka_unit_test(a_shifted_clip_has_that_shift),
        cmocka_unit_test(official_gray_changes_the_motion_of_a_coloured_clip),
        cmocka_unit_test(small_and_odd_frames_have_finite_motion),
        cmocka_unit_test(frames_too_small_for_dis_are_refused),
        cmocka_unit_test(one_frame_has_a_field_of_no_pairs),
        cmocka_unit_test(the_same_clip_gives_the_same_bits),
        cmocka_unit_test(median_is_the_fifth_of_nine_neighbours),
        cmocka_unit_test(median_option_removes_a_spike),
        cmocka_unit_test(flow_files_are_read_bit_for_bit),
        cmocka_unit_test(flow_files_of_another_size_are_refused_with_both),
        cmocka_unit_test(flow_files_of_another_kind_are_refused),
        cmocka_unit_test(unknown_motion_is_refused_with_its_place),
        cmocka_unit_test(unknown_sources_are_refused),
        cmocka_unit_test(an_allocation_that_fails_is_reported_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
