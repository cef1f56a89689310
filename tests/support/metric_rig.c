/* SPDX-License-Identifier: Apache-2.0 */
#include "support/metric_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct metric_rig rig;

int rig_set_up(void **state)
{
    (void)state;
    struct net *net = &rig.net;
    net_init(net, 3, SHAPE(1, 3, RIG_T, RIG_H, RIG_W));
    const int weights = net_constant(net, SHAPE(3 * RIG_VOXELS, 2), 0, 1);
    const int flat = net_unary(net, "Flatten", 0);
    net_output(net, net_binary(net, "MatMul", flat, weights));
    net_finish(net);
    subject_init(&rig.s, &net->graph);
    const float *w = net->graph.values[weights].data;
    for (int i = 0; i < RIG_VOXELS; i++) {
        for (int k = 0; k < 3; k++)
            rig.c[i] += (double)w[2 * (k * RIG_VOXELS + i)];
        rig.total += rig.c[i];
        rig.map[i] = (float)(i * 37 % RIG_VOXELS); /* 37 and 90 have no common divisor */
    }
    for (int i = 0; i < 3 * RIG_VOXELS; i++)
        rig.s.clip->values[i] = 1;
    const struct ao_scorer_options options = { .backend = AO_BACKEND_REFERENCE_F64,
                                               .threads = 2,
                                               .batch = 1 };
    assert_int_equal(ao_scorer_create(&rig.s.model, &options, &rig.scorer), AOSA_OK);
    assert_int_equal(ao_options_init(ao_metric_option_table, &rig.options), AOSA_OK);
    rig.options.score = AO_SCORE_LOGIT;
    return 0;
}

int rig_tear_down(void **state)
{
    (void)state;
    ao_metric_answer_fini(&rig.answer);
    ao_options_fini(ao_metric_option_table, &rig.options);
    ao_scorer_destroy(&rig.scorer);
    subject_close(&rig.s);
    ao_graph_fini(&rig.net.graph);
    memset(&rig, 0, sizeof rig);
    return 0;
}

void rig_set(const char *option, const char *value)
{
    const struct ao_option *row = ao_options_find(ao_metric_option_table, option);
    assert_non_null(row);
    assert_int_equal(ao_option_set(row, &rig.options, value), AOSA_OK);
}

aosa_status rig_try(const char *names, const struct ao_truth *truth)
{
    enum { MANY = 8 };
    const struct ao_metric *metrics[MANY];
    int n_rows, n = 0;
    const struct ao_metric *rows = ao_metrics(&n_rows);
    for (int i = 0; i < n_rows; i++)
        if (ao_list_has(names, ',', rows[i].name)) {
            assert_true(n < MANY);
            metrics[n++] = &rows[i];
        }
    assert_true(n > 0);
    struct ao_metric_call call = {
        .model = &rig.s.model,
        .scorer = rig.scorer,
        .explainer = rig.explainer,
        .clip = rig.s.clip,
        .partner = rig.partner,
        .map = rig.map,
        .target = { .a = 0, .b = -1 },
        .truth = truth,
        .options = &rig.options,
        .seed = 5,
        .progress = &rig.progress,
        .answer = &rig.answer,
    };
    ao_metric_answer_fini(&rig.answer);
    return ao_metrics_run(&call, metrics, n);
}

void rig_run(const char *names, const struct ao_truth *truth)
{
    if (rig_try(names, truth) != AOSA_OK)
        fail_msg("%s: %s", names, aosa_error_message());
}

double rig_value(const char *name)
{
    for (size_t i = 0; i < rig.answer.n_values; i++)
        if (!strcmp(rig.answer.values[i].name, name))
            return rig.answer.values[i].value;
    fail_msg("no value %s", name);
    return 0;
}

const struct ao_metric_curve *rig_curve(const char *name)
{
    for (size_t i = 0; i < rig.answer.n_curves; i++)
        if (!strcmp(rig.answer.curves[i].name, name))
            return &rig.answer.curves[i];
    fail_msg("no curve %s", name);
    return NULL;
}

double rig_sum_of_largest(int n)
{
    double sum = 0;
    for (int i = 0; i < RIG_VOXELS; i++)
        if (rig.map[i] >= (float)(RIG_VOXELS - n))
            sum += rig.c[i];
    return sum;
}
