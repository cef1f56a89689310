/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic behind the gradient alone: with the authors' own gradient and tracks, integral
 * images give their estimates on all three clips. (explain_golden.c compares the whole way.)
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attribution/box_sums.h"
#include "core/npy.h"
#include "data/clip.h"
#include "support/shared.h"

enum { T = 16, SIDE = 112, VOXELS = T * SIDE * SIDE, MASK = 16 };

static struct ao_npy open_array(const char *folder, const char *file)
{
    const char *shared = getenv("AOSA_SHARED");
    struct ao_npy array;
    char path[1024];
    snprintf(path, sizeof path, "%s/data/goldens/%s/%s", shared ? shared : "../shared", folder,
             file);
    if (ao_npy_open(&array, path) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    return array;
}

static struct aosa_clip *open_clip(const char *folder)
{
    static const double mean[] = { 0.4345, 0.4051, 0.3775 }, std[] = { 0.2768, 0.2713, 0.2737 };
    struct aosa_clip *clip;
    struct ao_npy rgb = open_array(folder, "clip/clip_u8.npy");
    assert_int_equal(ao_clip_create(T, SIDE, SIDE, &clip), AOSA_OK);
    memcpy(clip->rgb, rgb.data, 3 * VOXELS);
    memcpy(clip->mean, mean, sizeof mean);
    memcpy(clip->std, std, sizeof std);
    ao_clip_normalise(clip);
    ao_npy_close(&rgb);
    return clip;
}

/* Tracks of the authors' masks; -1 is dead. */
static struct aosa_mask_set *open_masks(const char *folder)
{
    struct aosa_mask_set *masks;
    struct ao_npy y = open_array(folder, "flow_one_n1/track_y.npy");
    struct ao_npy x = open_array(folder, "flow_one_n1/track_x.npy");
    const int N = (int)y.dims[0];
    assert_int_equal(ao_mask_set_create(T, SIDE, SIDE, MASK, N, false, &masks), AOSA_OK);
    for (size_t i = 0; i < (size_t)N * T; i++) {
        int16_t at[2];
        memcpy(&at[0], (const int16_t *)y.data + i, sizeof at[0]);
        memcpy(&at[1], (const int16_t *)x.data + i, sizeof at[1]);
        masks->points[i] = (struct ao_track_point){ at[0] >= 0, at[0], at[1] };
    }
    assert_int_equal(ao_mask_set_single(masks), AOSA_OK);
    ao_npy_close(&y);
    ao_npy_close(&x);
    return masks;
}

static float element(const struct ao_npy *array, size_t i)
{
    float value; /* the mapped data may be unaligned */
    memcpy(&value, (const char *)array->data + i * sizeof value, sizeof value);
    return value;
}

/* D(v) = sum_c g (0 - x), integrated. */
static struct ao_box_sums density(const char *folder, const struct aosa_clip *clip)
{
    struct ao_box_sums sums;
    struct ao_npy gradient = open_array(folder, "approx_none_n1/grad_prob.npy");
    assert_int_equal(ao_box_sums_create(T, SIDE, SIDE, &sums), AOSA_OK);
    for (size_t i = 0; i < 3 * VOXELS; i++) {
        const int v = (int)(i % VOXELS);
        ao_box_sums_row(&sums, v / (SIDE * SIDE), v / SIDE % SIDE)[v % SIDE] -=
            (double)element(&gradient, i) * (double)clip->values[i];
    }
    ao_npy_close(&gradient);
    ao_box_sums_integrate(&sums);
    return sums;
}

static void check(const char *folder)
{
    struct aosa_clip *clip = open_clip(folder);
    struct aosa_mask_set *masks = open_masks(folder);
    struct ao_box_sums sums = density(folder, clip);
    struct ao_npy scores = open_array(folder, "approx_none_n1/scores.npy");
    struct ao_npy org = open_array(folder, "approx_none_n1/org.npy");
    struct ao_box_list list;
    double worst = 0;
    assert_int_equal(scores.dims[0], masks->M);
    assert_int_equal(ao_box_list_create(masks, &list), AOSA_OK);
    for (int m = 0; m < masks->M; m++) {
        const double ours = (double)element(&org, 0) + ao_box_sums_mask(&sums, &list, m);
        worst = fmax(worst, fabs(ours - (double)element(&scores, (size_t)m)));
    }
    print_message("%s: %d masks, worst score %.1e\n", folder, masks->M, worst);
    /* Their sums over some 10000 products below 1e-4 are in float: 6e-8 of up to 1 at each of a
     * few levels. */
    assert_true(worst <= 1e-6);
    ao_box_list_fini(&list);
    ao_box_sums_fini(&sums);
    ao_npy_close(&scores);
    ao_npy_close(&org);
    ao_mask_set_destroy(&masks);
    ao_clip_destroy(&clip);
}

static void estimates_from_the_authors_gradient_are_theirs(void **state)
{
    (void)state;
    check("asl_milk_r3d10");
    check("cliff37_r3d10_real12");
    check("cliff_r3d10rnd");
}

int main(void)
{
    if (shared_is_missing())
        return EXIT_SKIPPED;
    const struct CMUnitTest tests[] = { cmocka_unit_test(
        estimates_from_the_authors_gradient_are_theirs) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
