/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/alloc.h"
#include "model/backprop.h"
#include "ops/element.h"
#include "support/random_net.h"

/* Outputs and gradients of variants of a clip (model/backprop.h), on small networks. */

enum { T = 6, SIDE = 12, VOXELS = 3 * T * SIDE * SIDE, CLASSES = 7, ITEMS = 7 };

struct rig {
    struct net net;
    struct ao_onnx_model onnx;
    struct aosa_model model;
    int tap;
};

/* Strided stem, two residual blocks around a pooling; classes per time step if `steps`. */
static void rig_init(struct rig *rig, bool steps)
{
    const struct net_window stem = { .rank = 3,
                                     .kernel = { 3, 5, 5 },
                                     .stride = { 1, 2, 2 },
                                     .dilation = { 1, 1, 1 },
                                     .pads = { 1, 2, 2, 1, 2, 2 } };
    const int64_t two[] = { 1, 2, 2 }, plane[] = { 3, 4 };
    const struct ao_attr kernel[] = {
        { .name = "kernel_shape", .type = AO_ATTR_INTS, .n = 3, .ints = two },
        { .name = "strides", .type = AO_ATTR_INTS, .n = 3, .ints = two },
    };
    const struct ao_attr keep = { .name = "keepdims", .type = AO_ATTR_INT, .i = 0 };
    struct net *net = &rig->net;
    memset(rig, 0, sizeof *rig);
    net_init(net, 3, SHAPE(1, 3, T, SIDE, SIDE));
    int x = net_unary(net, "Relu", net_conv(net, net->graph.inputs[0], 16, 1, &stem));
    for (int i = 0; i < 2; i++) {
        const int inner = net_unary(net, "Relu", net_same_conv(net, x, 16));
        x = net_unary(net, "Relu", net_binary(net, "Add", net_same_conv(net, inner, 16), x));
        if (i == 0)
            x = net_node(net, "MaxPool", (const int32_t[]){ x, -1, -1 }, kernel, 2);
    }
    rig->tap = x;
    x = steps ? net_node(net, "ReduceMean",
                         (const int32_t[]){ net_same_conv(net, x, CLASSES),
                                            net_integers(net, 2, plane), -1 },
                         &keep, 1)
              : net_head(net, x);
    net_output(net, x);
    net_finish(net);
    rig->onnx.graph = net->graph;
    rig->model = (struct aosa_model){ .path = (char *)"test.onnx",
                                      .onnx = &rig->onnx,
                                      .T = T,
                                      .H = SIDE,
                                      .W = SIDE,
                                      .classes = CLASSES,
                                      .per_class = steps ? T : 1 };
}

static void rig_fini(struct rig *rig)
{
    ao_graph_fini(&rig->net.graph);
}

/* What the callbacks write and are told to do. */
struct log {
    float outputs[ITEMS][CLASSES];
    float gradients[ITEMS][VOXELS];
    int64_t n;         /* items read */
    atomic_int inside; /* reads going on */
    int64_t fail_read, fail_seed;
    bool bad_seed;
    int taps; /* checked if more than 0 */
};

static float voxel(int64_t item, int64_t i)
{
    return (float)((i * 7 + item * 13) % 101 - 50) / 40;
}

static void write_variant(const void *context, const struct ao_view *clip, int64_t item,
                          int64_t previous)
{
    (void)context, (void)previous;
    for (int64_t i = 0; i < VOXELS; i++)
        ((float *)clip->data)[i] = voxel(item, i);
}

static void write_baseline(const void *context, const struct ao_view *clip, int64_t item,
                           int64_t previous)
{
    (void)context, (void)item, (void)previous;
    for (int64_t i = 0; i < VOXELS; i++)
        ((float *)clip->data)[i] = 0.25F;
}

/* Class item mod CLASSES. */
static aosa_status seed_class(void *context, int64_t item, const float *outputs, float *seed)
{
    const struct log *log = context;
    (void)outputs;
    if (item == log->fail_seed)
        return ao_fail(AOSA_ERR_ARGUMENT, "no seed for item %d", (int)item);
    seed[item % CLASSES] = log->bad_seed ? NAN : 1;
    return AOSA_OK;
}

static aosa_status read_item(void *context, int64_t item, const struct ao_backprop_result *result)
{
    struct log *log = context;
    /* In order, and nobody else is here. */
    if (item != log->n || atomic_fetch_add(&log->inside, 1) != 0)
        return ao_fail(AOSA_ERR_INTERNAL, "item %d came out of turn", (int)item);
    if (item == log->fail_read)
        return ao_fail(AOSA_ERR_OUTPUT, "nobody wants item %d", (int)item);
    log->n++;
    if (item < ITEMS) {
        const struct ao_view to = ao_view_dense(log->gradients[item], AO_F32, &result->clip.shape);
        memcpy(log->outputs[item], result->outputs, sizeof log->outputs[item]);
        ao_view_convert(&to, &result->clip);
    }
    for (int i = 0; i < 2 * log->taps; i++)
        if (result->taps[i].shape.rank != 4 || result->taps[i].shape.dims[0] != 16)
            return ao_fail(AOSA_ERR_INTERNAL, "tap has rank %d", result->taps[i].shape.rank);
    atomic_fetch_sub(&log->inside, 1);
    return AOSA_OK;
}

static struct log *new_log(void)
{
    struct log *log = calloc(1, sizeof *log);
    assert_non_null(log);
    log->fail_read = log->fail_seed = -1;
    return log;
}

static aosa_status run(const struct rig *rig, struct ao_backprop_options options, int64_t n,
                       const struct ao_progress *progress, struct log *log)
{
    struct ao_backprop *backprop = NULL;
    const struct ao_backprop_job job = { .n = n,
                                         .write = write_variant,
                                         .baseline = options.rescale ? write_baseline : NULL,
                                         .seed = seed_class,
                                         .read = read_item,
                                         .context = log };
    options.clip = true;
    options.taps = &rig->tap;
    options.n_taps = log->taps;
    if (ao_backprop_create(&rig->model, &options, &backprop) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    const struct ao_program_memory memory = ao_backprop_memory(backprop);
    assert_true(memory.activation_bytes > VOXELS * sizeof(float));
    const aosa_status status = ao_backprop_run(backprop, &job, progress);
    ao_backprop_destroy(&backprop);
    return status;
}

#define ONEDNN(n, one) \
    ((struct ao_backprop_options){ .backend = AO_BACKEND_ONEDNN, .threads = n, .one_item = one })

static void threads_do_not_change_a_bit(void **state)
{
    const struct ao_backprop_options ways[] = { ONEDNN(1, false), ONEDNN(2, false),
                                                ONEDNN(3, false), ONEDNN(1, true),
                                                ONEDNN(2, true),  ONEDNN(3, true) };
    struct log *logs[6];
    struct rig rig;
    (void)state;
    rig_init(&rig, false);
    for (int i = 0; i < 6; i++) {
        logs[i] = new_log();
        logs[i]->taps = 1;
        if (run(&rig, ways[i], ITEMS, NULL, logs[i]) != AOSA_OK)
            fail_msg("%s", aosa_error_message());
        assert_int_equal(logs[i]->n, ITEMS);
        assert_memory_equal(logs[i]->outputs, logs[0]->outputs, sizeof logs[0]->outputs);
        assert_memory_equal(logs[i]->gradients, logs[0]->gradients, sizeof logs[0]->gradients);
    }
    for (int i = 0; i < 6; i++)
        free(logs[i]);
    rig_fini(&rig);
}

/* Mean of the class's values in double. */
static double score(const struct rig *rig, int64_t item, const float *direction, double h)
{
    const struct net_setting oracle = { AO_BACKEND_REFERENCE_F64, 1, 1 };
    const int n = rig->model.per_class;
    float *x = malloc(VOXELS * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < VOXELS; i++)
        x[i] = (float)((double)voxel(item, i) + h * (double)direction[i]);
    int64_t count;
    double *y = net_run(&rig->net, oracle, x, 0, &count), sum = 0;
    assert_int_equal(count, CLASSES * n);
    for (int i = 0; i < n; i++)
        sum += y[item % CLASSES * n + i];
    free(x);
    free(y);
    return sum / n;
}

/*
 * (f(x + h u) - f(x - h u)) / 2h for u of whole numbers and h = 2^-10, so that x +- h u is exact in
 * float. ReLU and maxima switch at a few places within h, which moves the quotient by h of the
 * slope: allowed is 1 % of |g| |u|, the largest a slope can be.
 */
static void gradients_agree_with_differences(void **state)
{
    (void)state;
    for (int steps = 0; steps < 2; steps++) {
        struct rig rig;
        struct log *log = new_log();
        float u[VOXELS];
        double worst = 0;
        rig_init(&rig, steps);
        for (int64_t i = 0; i < VOXELS; i++)
            u[i] = (float)((i * 5) % 7 - 3);
        if (run(&rig, ONEDNN(2, false), ITEMS, NULL, log) != AOSA_OK)
            fail_msg("%s", aosa_error_message());
        for (int64_t item = 0; item < ITEMS; item++) {
            double slope = 0, g2 = 0, u2 = 0;
            for (int64_t i = 0; i < VOXELS; i++) {
                slope += (double)log->gradients[item][i] * (double)u[i];
                g2 += pow((double)log->gradients[item][i], 2);
                u2 += pow((double)u[i], 2);
            }
            const double h = 0x1p-10;
            const double quotient = (score(&rig, item, u, h) - score(&rig, item, u, -h)) / (2 * h);
            worst = fmax(worst, fabs(slope - quotient) / sqrt(g2 * u2));
            assert_true(g2 > 0);
        }
        print_message("%s: worst difference %.2g of |g| |u|\n",
                      steps ? "classes per time step" : "one row of classes", worst);
        assert_true(worst < 0.01);
        free(log);
        rig_fini(&rig);
    }
}

/*
 * DeepLIFT's contributions add up: sum (x - x') m = f(x) - f(x'). Each of the ten layers rounds
 * its multipliers, of some 2000 terms, by 2^-24: 1e-4 of the sum of sizes is far above.
 */
static void rescaled_gradients_add_up(void **state)
{
    struct rig rig;
    struct log *log = new_log();
    struct ao_backprop_options options = ONEDNN(2, false);
    float base[VOXELS];
    (void)state;
    rig_init(&rig, false);
    options.rescale = true;
    if (run(&rig, options, ITEMS, NULL, log) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    double worst = 0;
    for (int64_t item = 0; item < ITEMS; item++) {
        double sum = 0, size = 0;
        for (int64_t i = 0; i < VOXELS; i++) {
            const double change = (double)voxel(item, i) - 0.25;
            base[i] = (float)-change;
            sum += change * (double)log->gradients[item][i];
            size += fabs(change * (double)log->gradients[item][i]);
        }
        const double want = score(&rig, item, base, 0) - score(&rig, item, base, 1);
        worst = fmax(worst, fabs(sum - want) / size);
    }
    print_message("completeness: worst difference %.2g of the sum of sizes\n", worst);
    assert_true(worst < 1e-4);
    free(log);
    rig_fini(&rig);
}

static void a_failure_ends_the_run_and_frees_the_waiting(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig, false);
    for (int threads = 1; threads <= 3; threads++)
        for (int where = 0; where < 3; where++) {
            struct log *log = new_log();
            log->fail_read = where == 0 ? 4 : -1;
            log->fail_seed = where == 1 ? 5 : -1;
            log->bad_seed = where == 2;
            const aosa_status status = run(&rig, ONEDNN(threads, false), 40, NULL, log);
            static const aosa_status wants[] = { AOSA_ERR_OUTPUT, AOSA_ERR_ARGUMENT,
                                                 AOSA_ERR_NUMERIC };
            static const char *const texts[] = { "nobody wants item 4", "no seed for item 5",
                                                 "gradient of variant 0 of the clip has a nan" };
            assert_int_equal(status, wants[where]);
            if (where < 2 || threads == 1) /* any item may be the first with a bad seed */
                assert_non_null(strstr(aosa_error_message(), texts[where]));
            assert_true(log->n <= (where == 0 ? 4 : where == 1 ? 5 : 0));
            free(log);
        }
    rig_fini(&rig);
}

static bool stop_later(void *user, const char *stage, size_t done, size_t total)
{
    int *left = user;
    (void)stage, (void)done, (void)total;
    return --*left > 0;
}

static void a_run_can_be_cancelled_at_any_time(void **state)
{
    struct rig rig;
    (void)state;
    rig_init(&rig, false);
    for (int threads = 1; threads <= 3; threads++)
        for (int calls = 1; calls < 200; calls += 37) {
            struct log *log = new_log();
            int left = calls;
            const struct ao_progress progress = { stop_later, &left, "clips" };
            const aosa_status status = run(&rig, ONEDNN(threads, false), 40, &progress, log);
            /* Only the calling thread asks; where others took its items it may never stop. */
            assert_int_equal(status, left > 0 ? AOSA_OK : AOSA_ERR_CANCELLED);
            assert_true(threads > 1 || (left <= 0 && log->n < 40));
            free(log);
        }
    rig_fini(&rig);
}

static void every_failed_allocation_is_reported(void **state)
{
    struct rig rig;
    int failures = 0;
    (void)state;
    rig_init(&rig, false);
    for (long k = 1;; k += 1 + k / 8) {
        const struct ao_backprop_options options = {
            .backend = AO_BACKEND_ONEDNN, .threads = 2, .clip = true, .taps = &rig.tap, .n_taps = 1
        };
        struct ao_backprop *backprop = NULL;
        ao_alloc_fail_at(k);
        const aosa_status status = ao_backprop_create(&rig.model, &options, &backprop);
        const bool failed = ao_alloc_has_failed();
        ao_alloc_fail_at(0);
        assert_int_equal(status, failed ? AOSA_ERR_NOMEM : AOSA_OK);
        ao_backprop_destroy(&backprop);
        if (!failed)
            break;
        failures++;
    }
    print_message("%d allocations failed in turn\n", failures);
    assert_true(failures > 10);
    rig_fini(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(gradients_agree_with_differences),
        cmocka_unit_test(rescaled_gradients_add_up),
        cmocka_unit_test(a_failure_ends_the_run_and_frees_the_waiting),
        cmocka_unit_test(a_run_can_be_cancelled_at_any_time),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
