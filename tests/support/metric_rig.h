/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_SUPPORT_METRIC_RIG_H
#define AO_TESTS_SUPPORT_METRIC_RIG_H

#include "metric/metric.h"
#include "support/random_net.h"
#include "support/subject.h"

/*
 * Metrics on a linear network f(x) = sum_i w_i x_i and a clip of ones: removing voxel i takes the
 * sum of its three weights, c_i, away, so that what metrics measure has a closed form.
 */
enum { RIG_T = 3, RIG_H = 6, RIG_W = 5, RIG_VOXELS = RIG_T * RIG_H * RIG_W };

struct metric_rig {
    struct net net;
    struct subject s;
    struct ao_scorer *scorer;
    struct ao_metric_options options; /* score logit, else defaults */
    struct ao_metric_answer answer;   /* of the last run */
    struct ao_progress progress;
    const struct ao_explainer *explainer; /* NULL until a test sets them */
    const struct aosa_clip *partner;
    double c[RIG_VOXELS], total; /* their sum */
    float map[RIG_VOXELS];       /* at first: 0 .. RIG_VOXELS - 1 in a scattered order */
};
extern struct metric_rig rig;

/* Bound of a score's error: outputs are read as float, 6e-8 of at most 3 RIG_VOXELS. */
#define RIG_BOUND (6e-8 * 3 * RIG_VOXELS)

/* Setup and teardown of a cmocka test. */
int rig_set_up(void **state);
int rig_tear_down(void **state);

/* An option of metric/options.c. */
void rig_set(const char *option, const char *value);

/* Runs metrics of those names, "a,b", on the map with seed 5; rig_run fails the test on an error.
 */
aosa_status rig_try(const char *names, const struct ao_truth *truth);
void rig_run(const char *names, const struct ao_truth *truth);

/* From the answer; a missing one fails the test. */
double rig_value(const char *name);
const struct ao_metric_curve *rig_curve(const char *name);

/* Sum of c over the `n` voxels with the largest map values 0 .. RIG_VOXELS - 1. */
double rig_sum_of_largest(int n);

/* cmocka compares as float; these are doubles. */
#define assert_near(a, b, bound) assert_true(fabs((double)(a) - (double)(b)) <= (bound))

#endif
