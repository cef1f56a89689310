/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_SUPPORT_MASKED_RIG_H
#define AO_TESTS_SUPPORT_MASKED_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/random_net.h"
#include "support/subject.h"

/*
 * For tests of methods that look at masked clips: a small network, linear or not, with a random
 * clip, target class 1, and a fill that the test may change.
 */

/* cmocka compares as float; these are doubles. */
#define assert_near(a, b, bound) assert_true(fabs((double)(a) - (double)(b)) <= (bound))

enum { T = 4, H = 10, W = 12, VOXELS = T * H * W, CLASSES = 7 };

#define FLOAT_EPS 6e-8 /* of one rounding */

struct rig {
    struct net net;
    struct subject s;
    struct ao_fill fill;
    int weights; /* value of the linear network's matrix [3 T H W][classes] */
};

enum network { LINEAR, RELU };

static inline void set_up(struct rig *rig, enum network network)
{
    struct ao_rng rng;
    *rig = (struct rig){ 0 };
    net_init(&rig->net, 12, SHAPE(1, 3, T, H, W));
    if (network == LINEAR) {
        rig->weights = net_constant(&rig->net, SHAPE(3 * VOXELS, CLASSES), -1, 1);
        net_output(&rig->net, net_binary(&rig->net, "MatMul", net_unary(&rig->net, "Flatten", 0),
                                         rig->weights));
    } else {
        const int x = net_unary(&rig->net, "Relu", net_same_conv(&rig->net, 0, 3));
        net_output(&rig->net, net_head(&rig->net, net_unary(&rig->net, "Relu",
                                                            net_same_conv(&rig->net, x, 3))));
    }
    net_finish(&rig->net);
    subject_init(&rig->s, &rig->net.graph);
    rig->s.a.run.backend = AO_BACKEND_REFERENCE_F64;
    rig->s.a.target = "1";
    rig->s.a.fill = &rig->fill;
    ao_rng_init(&rng, 8);
    for (int i = 0; i < 3 * VOXELS; i++)
        rig->s.clip->values[i] = (float)ao_rng_range(&rng, -2, 2);
    ao_clip_denormalise(rig->s.clip);
}

static inline void tear_down(struct rig *rig)
{
    subject_close(&rig->s);
    ao_graph_fini(&rig->net.graph);
}

static const float *run(struct rig *rig, const char *method)
{
    if (subject_run(&rig->s, method) != AOSA_OK)
        fail_msg("%s: %s", method, aosa_error_message());
    return rig->s.a.results[0].map;
}

/* A copy for the caller to free. */
static inline float *run_copy(struct rig *rig, const char *method)
{
    float *map = malloc(VOXELS * sizeof *map);
    assert_non_null(map);
    return memcpy(map, run(rig, method), VOXELS * sizeof *map);
}

static inline json_t *extra(const struct rig *rig, const char *key)
{
    json_t *value = json_object_get(rig->s.a.results[0].extra, key);
    assert_non_null(value);
    return value;
}

/* What voxel v adds to the linear network's score of class 1, beside the fill. */
static inline double term(const struct rig *rig, int v)
{
    const float *weights = rig->net.graph.values[rig->weights].data;
    double sum = 0;
    for (int c = 0; c < 3; c++)
        sum += ((double)rig->s.clip->values[c * VOXELS + v] - (double)rig->fill.value[c]) *
               (double)weights[(c * VOXELS + v) * CLASSES + 1];
    return sum;
}

#endif
