/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics against their definitions in numpy, with the demo network in float64
 * (tools/reference/metrics.py), on the demo clip in large pixels and two maps: one that falls into
 * cells of equal values, as occlusion maps do, and noise. metrics.txt has lines
 *     box T Y0 X0 Y1 X1              of the clip
 *     run MAP METRICS OPTIONS...     that the values below come from
 *     NAME VALUE                     NAME[K] is point K of a curve
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/npy.h"
#include "core/rng.h"
#include "metric/metric.h"
#include "support/subject.h"

enum { T = 16, SIDE = 112, VOXELS = T * SIDE * SIDE, LINE = 256 };

/*
 * Probabilities: logits of up to 15 err by some 1e-6 of that in float, and dp <= dz / 4. Metrics
 * that are shares of them inherit that; squares and percentages are larger by what they are larger.
 */
#define NETWORK_TOLERANCE 5e-6
/* Metrics of the map alone are sums of up to 200,704 doubles of one sign, 12 digits of which are
 * in the file. */
#define MAP_TOLERANCE 1e-10

static struct {
    struct subject s;
    struct ao_scorer *scorer;
    struct ao_metric_answer answer;
    struct ao_truth_box boxes[T];
    struct ao_truth truth;
    float maps[2][VOXELS]; /* cells, noise */
    double worst;          /* error over tolerance */
    int checked;
} rig;

static void read_npy(struct ao_npy *array, const char *name, enum ao_npy_type type)
{
    char path[128];
    snprintf(path, sizeof path, "tests/golden/reference/%s.npy", name);
    if (ao_npy_open(array, path) != AOSA_OK)
        fail_msg("%s", aosa_error_message());
    assert_int_equal(array->type, type);
}

/* Each pixel becomes 4 x 4, each cell 4 x 8 x 8. */
static void read_inputs(void)
{
    struct ao_npy clip, cells;
    struct ao_rng rng;
    read_npy(&clip, "metrics_clip", AO_NPY_U8);
    read_npy(&cells, "metrics_map", AO_NPY_F32);
    ao_rng_init(&rng, 7);
    for (size_t i = 0; i < VOXELS; i++) {
        const size_t t = i / (SIDE * SIDE), y = i / SIDE % SIDE, x = i % SIDE;
        const size_t pixel = (t * 28 + y / 4) * 28 + x / 4;
        const size_t cell = (t / 4 * 14 + y / 8) * 14 + x / 8;
        memcpy(rig.s.clip->rgb + 3 * i, (const uint8_t *)clip.data + 3 * pixel, 3);
        memcpy(&rig.maps[0][i], (const char *)cells.data + cell * sizeof(float), sizeof(float));
        rig.maps[1][i] = (float)(ao_rng_uniform(&rng) - 0.5);
    }
    ao_clip_normalise(rig.s.clip);
    ao_npy_close(&clip);
    ao_npy_close(&cells);
}

static void run(const char *line)
{
    char map[LINE], names[LINE], *rest;
    const struct ao_metric *metrics[8];
    struct ao_metric_options options = { 0 };
    struct ao_progress progress = { 0 };
    int n_rows, n = 0, used = 0;
    assert_int_equal(sscanf(line, "run %255s %255s %n", map, names, &used), 2);
    assert_int_equal(ao_options_init(ao_metric_option_table, &options), AOSA_OK);
    char text[LINE];
    snprintf(text, sizeof text, "%s", line + used);
    for (char *word = strtok_r(text, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        char *value = strchr(word, '=');
        assert_non_null(value);
        *value = '\0';
        const struct ao_option *row = ao_options_find(ao_metric_option_table, word);
        assert_non_null(row);
        assert_int_equal(ao_option_set(row, &options, value + 1), AOSA_OK);
    }
    const struct ao_metric *rows = ao_metrics(&n_rows);
    for (int i = 0; i < n_rows; i++)
        if (ao_list_has(names, ',', rows[i].name))
            metrics[n++] = &rows[i];
    struct ao_metric_call call = {
        .model = &rig.s.model,
        .scorer = rig.scorer,
        .clip = rig.s.clip,
        .map = rig.maps[strcmp(map, "cells") != 0],
        .target = { .a = 3, .b = -1 }, /* "down" */
        .truth = &rig.truth,
        .options = &options,
        .seed = 5,
        .progress = &progress,
        .answer = &rig.answer,
    };
    ao_metric_answer_fini(&rig.answer);
    if (ao_metrics_run(&call, metrics, n) != AOSA_OK)
        fail_msg("%s: %s", line, aosa_error_message());
    ao_options_fini(ao_metric_option_table, &options);
}

/* A value, or a point of a curve. */
static double find(const char *name)
{
    const char *bracket = strchr(name, '[');
    for (size_t i = 0; !bracket && i < rig.answer.n_values; i++)
        if (!strcmp(rig.answer.values[i].name, name))
            return rig.answer.values[i].value;
    for (size_t i = 0; bracket && i < rig.answer.n_curves; i++) {
        const struct ao_metric_curve *curve = &rig.answer.curves[i];
        const size_t k = strtoul(bracket + 1, NULL, 10);
        if (strlen(curve->name) == (size_t)(bracket - name) &&
            !strncmp(curve->name, name, strlen(curve->name)) && k < curve->n)
            return curve->y[k];
    }
    fail_msg("no value %s", name);
    return 0;
}

static void check(const char *line)
{
    char name[LINE], metric[LINE];
    double want;
    assert_int_equal(sscanf(line, "%255s %lf", name, &want), 2);
    snprintf(metric, sizeof metric, "%.*s", (int)strcspn(name, ".["), name);
    const double got = find(name);
    const struct ao_metric *row = ao_metric_find(metric);
    const bool network = !row || (row->needs & AO_METRIC_NEEDS_SCORES);
    const double tolerance = (network ? NETWORK_TOLERANCE : MAP_TOLERANCE) * fmax(1, fabs(want));
    rig.checked++;
    if (isnan(want) && isnan(got))
        return;
    const double error = fabs(got - want) / tolerance;
    rig.worst = error <= rig.worst ? rig.worst : error;
    if (!(error <= 1))
        fail_msg("%s: %.12g, the reference has %.12g", name, got, want);
}

static void read_box(const char *line)
{
    struct ao_truth_box box;
    int v[5];
    assert_int_equal(sscanf(line, "box %d %d %d %d %d", &v[0], &v[1], &v[2], &v[3], &v[4]), 5);
    box = (struct ao_truth_box){ v[0], { .y0 = v[1], .x0 = v[2], .y1 = v[3], .x1 = v[4] } };
    assert_true(rig.truth.n < T);
    rig.boxes[rig.truth.n++] = box;
}

static void metrics_are_those_of_an_independent_implementation(void **state)
{
    (void)state;
    char line[LINE];
    subject_open(&rig.s, "demo");
    read_inputs();
    rig.truth = (struct ao_truth){ .T = T, .H = SIDE, .W = SIDE, .boxes = rig.boxes };
    const struct ao_scorer_options options = { AO_BACKEND_ONEDNN, 2, 1 };
    assert_int_equal(ao_scorer_create(&rig.s.model, &options, &rig.scorer), AOSA_OK);
    FILE *file = fopen("tests/golden/reference/metrics.txt", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (!strncmp(line, "box ", 4))
            read_box(line);
        else if (!strncmp(line, "run ", 4))
            run(line);
        else
            check(line);
    fclose(file);
    printf("%d values, the worst off by %.2f of its tolerance\n", rig.checked, rig.worst);
    assert_true(rig.checked > 200);
    ao_metric_answer_fini(&rig.answer);
    ao_scorer_destroy(&rig.scorer);
    subject_close(&rig.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_are_those_of_an_independent_implementation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
