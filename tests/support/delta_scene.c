/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/engine.h"
#include "support/delta_scene.h"

void scene_draw(struct scene *scene, struct ao_rng *rng)
{
    for (int i = 0; i < 3 * NET_P; i++)
        scene->clip[i] = (float)ao_rng_normal(rng);
    for (int m = 0; m < SCENE_MASKS; m++) {
        const int y0 = (int)ao_rng_below(rng, NET_H), x0 = (int)ao_rng_below(rng, NET_W);
        int32_t n = 0;
        for (int t = 0; t < NET_T; t++) {
            struct ao_box box = { y0 - 3 + t, x0 - 2 + t % 2, y0 + 2 + t, x0 + 2 + t % 2 };
            bool alive = m > 4 || t != 2;
            scene->first[m][t] = n;
            if (m == 1)
                box = (struct ao_box){ 0, 0, NET_H, NET_W };
            if (m == 2)
                box = (struct ao_box){ NET_H - 1, NET_W - 1, NET_H, NET_W };
            if (m == 2 || m == 3)
                alive = t == NET_T - 1;
            box.y0 = box.y0 < 0 ? 0 : box.y0;
            box.x0 = box.x0 < 0 ? 0 : box.x0;
            box.y1 = box.y1 > NET_H ? NET_H : box.y1;
            box.x1 = box.x1 > NET_W ? NET_W : box.x1;
            if (m > 0 && alive)
                scene->boxes[m][n++] = box;
            if (m % 3 == 2 && m > 4 && box.x1 + 2 < NET_W)
                scene->boxes[m][n++] = (struct ao_box){ 0, NET_W - 1, 2, NET_W };
        }
        scene->first[m][NET_T] = n;
        scene->masks[m] = (struct ao_delta_mask){ scene->boxes[m], scene->first[m] };
    }
}

static void occlude(const struct scene *scene, int m, const struct ao_delta_fill *fill,
                    double *clip)
{
    for (int i = 0; i < 3 * NET_P; i++)
        clip[i] = (double)scene->clip[i];
    for (int t = 0; m >= 0 && t < NET_T; t++)
        for (int32_t b = scene->first[m][t]; b < scene->first[m][t + 1]; b++) {
            const struct ao_box *box = &scene->boxes[m][b];
            for (int y = box->y0; y < box->y1; y++)
                for (int x = box->x0; x < box->x1; x++)
                    for (int c = 0; c < 3; c++) {
                        const int i = c * NET_P + (t * NET_H + y) * NET_W + x;
                        clip[i] = (double)(fill->volume ? fill->volume[i] : fill->value[c]);
                    }
        }
}

static void run_oracle(struct ao_session *session, const double *clip, double *row)
{
    const struct ao_view input = ao_session_input(session, 0);
    memcpy(input.data, clip, 3 * NET_P * sizeof *clip);
    assert_int_equal(ao_session_run(session), AOSA_OK);
    const struct ao_view output = ao_session_output(session, 0);
    memcpy(row, output.data, NET_CLASSES * sizeof *row);
}

/* Largest error of a score difference over the largest difference. */
static double compare(const struct ao_graph *graph, const struct scene *scene,
                      const struct ao_delta_fill *fill, const float *base, const float *outputs)
{
    const struct ao_program_options options = { .backend = AO_BACKEND_REFERENCE_F64,
                                                .batch = 1,
                                                .inner_threads = 1 };
    static double clip[3 * NET_P];
    struct ao_program *program = NULL;
    struct ao_session *session = NULL;
    double plain[NET_CLASSES], row[NET_CLASSES], largest = 0, worst = 0;
    assert_int_equal(ao_program_create(graph, &options, &program), AOSA_OK);
    assert_int_equal(ao_session_create(program, &session), AOSA_OK);
    occlude(scene, -1, fill, clip);
    run_oracle(session, clip, plain);
    for (int m = 0; m < SCENE_MASKS; m++) {
        occlude(scene, m, fill, clip);
        run_oracle(session, clip, row);
        for (int c = 0; c < NET_CLASSES; c++) {
            const double truth = row[c] - plain[c];
            const double delta = (double)outputs[m * NET_CLASSES + c] - (double)base[c];
            largest = fmax(largest, fabs(truth));
            worst = fmax(worst, fabs(delta - truth));
        }
    }
    ao_session_destroy(&session);
    ao_program_destroy(&program);
    return largest > 0 ? worst / largest : worst;
}

/* Batches in another order, in another session: the bits of a batch must not depend on it. */
static void expect_same_bits(const struct ao_delta *delta, const struct ao_delta_base *base,
                             const struct scene *scene, const struct ao_delta_fill *fill,
                             const float *outputs)
{
    struct ao_delta_session *session = NULL;
    float again[AO_DELTA_BATCH * NET_CLASSES];
    assert_int_equal(ao_delta_session_create(delta, &session), AOSA_OK);
    for (int m = SCENE_MASKS / AO_DELTA_BATCH * AO_DELTA_BATCH; m >= 0; m -= AO_DELTA_BATCH) {
        const int n = SCENE_MASKS - m < AO_DELTA_BATCH ? SCENE_MASKS - m : AO_DELTA_BATCH;
        assert_int_equal(ao_delta_run(delta, base, session, scene->masks + m, n, fill, again),
                         AOSA_OK);
        assert_memory_equal(again, outputs + m * NET_CLASSES,
                            (size_t)(n * NET_CLASSES) * sizeof *again);
    }
    ao_delta_session_destroy(&session);
}

double scene_check(struct net *net, uint64_t seed)
{
    static struct scene scene;
    static float volume[3 * NET_P];
    struct wire file;
    struct ao_delta *delta = NULL;
    struct ao_delta_base *base = NULL;
    struct ao_delta_session *session = NULL;
    float outputs[SCENE_MASKS * NET_CLASSES];
    struct ao_onnx_model *model = net_load(net, &file);
    scene_draw(&scene, &net->rng);
    for (int i = 0; i < 3 * NET_P; i++)
        volume[i] = (float)ao_rng_normal(&net->rng);
    const struct ao_delta_fill fill = { { 0.1f, -0.2f, 0.3f }, seed % 2 ? volume : NULL };
    if (ao_delta_create(&model->graph, 1, &delta) != AOSA_OK ||
        ao_delta_base_create(delta, scene.clip, NULL, &base) != AOSA_OK ||
        ao_delta_session_create(delta, &session) != AOSA_OK ||
        ao_delta_run(delta, base, session, scene.masks, SCENE_MASKS, &fill, outputs) != AOSA_OK)
        fail_msg("seed %d: %s", (int)seed, aosa_error_message());
    assert_int_equal(ao_delta_outputs(delta), NET_CLASSES);
    const float *plain = ao_delta_base_output(base);
    const double error = compare(&model->graph, &scene, &fill, plain, outputs);
    if (!(error <= SCENE_TOLERANCE))
        for (size_t k = 0; k < model->graph.n_nodes; k++)
            printf("  %s\n", model->graph.nodes[k].name);
    /* An empty mask changes nothing; what runs in double may round the base differently. */
    for (int c = 0; c < NET_CLASSES; c++)
        assert_true(fabsf(outputs[c] - plain[c]) <= 1e-5f);
    expect_same_bits(delta, base, &scene, &fill, outputs);
    ao_delta_session_destroy(&session);
    ao_delta_base_destroy(&base);
    ao_delta_destroy(&delta);
    ao_onnx_close(&model);
    wire_free(&file);
    return error;
}
