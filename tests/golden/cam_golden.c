/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CAM family against pytorch-grad-cam and autograd in double (tools/reference/cams.py). The
 * demo network's references need nothing but the repository; those of the zoo need the shared
 * reference data.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/npy.h"
#include "support/subject.h"
#include "support/zoo.h"

enum { STEP = 251, MAX_METHODS = 8 };

/*
 * Relative to the largest value of the map (issue 5). Float sums of up to 14,000 terms through 50
 * layers err by some 1e-6; a value within such an error of a ReLU's corner may turn its gradient on
 * or off, which moves single cells by more.
 */
#define TOLERANCE 1e-4

#define GRADIENT_METHODS "gradcam", "gradcam_time", "gradcam_pp", "layercam", "hirescam", "xgradcam"

static const struct golden {
    const char *file, *network;
    const char *layer;                /* NULL: the default is the reference's */
    const char *methods[MAX_METHODS]; /* in the order of the file's rows */
} goldens[] = {
    { "demo", "demo", NULL, { GRADIENT_METHODS, "scorecam", "saliency_tubes" } },
    { "demo_block2", "demo", "/block2/Relu_1", { GRADIENT_METHODS, "scorecam" } },
    { "r3d_18", "r3d_18.ts18", "/layer3/layer3.1/relu/Relu", { GRADIENT_METHODS } },
    { "k3d_resnet50", "k3d_resnet50_B.ts18", NULL, { GRADIENT_METHODS } },
    { "c3d", "c3d.tsdyn17", NULL, { GRADIENT_METHODS } },
};

static double reference_at(const struct ao_npy *array, int64_t i)
{
    float value;
    memcpy(&value, (const char *)array->data + (size_t)i * sizeof value, sizeof value);
    return (double)value;
}

/* Largest difference of a sampled voxel from row `row`, over the row's largest value. */
static double compare(const struct ao_npy *want, int64_t row, const float *map)
{
    const int64_t n = want->dims[1];
    double largest = 0, worst = 0;
    for (int64_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(reference_at(want, row * n + i)));
    for (int64_t i = 0; i < n; i++) {
        const double difference =
            fabs((double)map[i * STEP] - reference_at(want, row * n + i)) / largest;
        worst = difference <= worst ? worst : difference; /* a NaN is taken, and stays */
    }
    return worst;
}

static void check_golden(void **state)
{
    const struct golden *golden = *state;
    const struct ao_fill fill = { 0 };
    struct subject s;
    struct ao_npy want;
    char path[128];
    bool failed = false;
    if (strcmp(golden->network, "demo") != 0 && !zoo_shared())
        skip();
    snprintf(path, sizeof path, "tests/golden/reference/cam_%s.npy", golden->file);
    if (ao_npy_open(&want, path) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    subject_open(&s, golden->network);
    s.a.fill = &fill;
    s.a.run.threads = 2;
    if (golden->layer)
        subject_set(&s, "layer", golden->layer);
    assert_int_equal(want.type, AO_NPY_F32);
    assert_int_equal(want.dims[1], ((int64_t)ao_clip_voxels(s.clip) + STEP - 1) / STEP);
    for (int64_t row = 0; row < want.dims[0]; row++) {
        assert_true(row < MAX_METHODS && golden->methods[row]);
        if (subject_run(&s, golden->methods[row]) != AOSA_OK)
            fail_msg("%s: %s", golden->methods[row], aosa_error_message());
        const double worst = compare(&want, row, s.a.results[0].map);
        printf("%-14s %-15s %.1e\n", golden->file, golden->methods[row], worst);
        failed |= !(worst <= TOLERANCE);
    }
    assert_false(failed);
    subject_close(&s);
    ao_npy_close(&want);
}

int main(void)
{
    enum { N = sizeof goldens / sizeof goldens[0] };
    struct CMUnitTest tests[N];
    for (int i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){ .name = goldens[i].file,
                                        .test_func = check_golden,
                                        .initial_state = (void *)(uintptr_t)&goldens[i] };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
