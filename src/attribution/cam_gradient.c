/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/cam.h"
#include "attribution/gradients.h"
#include "core/alloc.h"
#include "ops/element.h"

/* One run of a formula; its buffers are reused for every target. */
struct run {
    const struct ao_attribution *attribution;
    ao_cam_fn formula;
    struct ao_cam cam;
    float *A, *G;
    double *map;
};

static aosa_status explain(void *context, int64_t variant, struct ao_map_result *result,
                           const struct ao_backprop_result *answer)
{
    const struct run *run = context;
    const struct ao_cam *cam = &run->cam;
    (void)variant;
    const struct ao_view value = ao_layer_view(&cam->layer, &answer->taps[0]);
    const struct ao_view gradient = ao_layer_view(&cam->layer, &answer->taps[1]);
    const struct ao_view A = ao_view_dense(run->A, AO_F32, &value.shape);
    const struct ao_view G = ao_view_dense(run->G, AO_F32, &gradient.shape);
    ao_view_convert(&A, &value);
    ao_view_convert(&G, &gradient);
    for (size_t i = 0; i < cam->cells; i++)
        run->map[i] = 0;
    run->formula(cam, run->map);
    return ao_cam_finish(run->attribution, cam, run->map, result);
}

static aosa_status run_formula(struct ao_attribution *a, struct run *run)
{
    const struct ao_backprop_options options = {
        .one_item = true,
        .taps = &run->cam.layer.value,
        .n_taps = 1,
    };
    struct ao_gradients *gradients;
    AO_TRY(ao_gradients_open(a, &options, &gradients));
    const aosa_status status = ao_gradients_clip(gradients, NULL, explain, run);
    ao_gradients_close(&gradients);
    return status;
}

aosa_status ao_cam_run(struct ao_attribution *a, ao_cam_fn formula)
{
    struct run run = { .attribution = a, .formula = formula };
    struct ao_layer *layer = &run.cam.layer;
    AO_TRY(ao_layer_find(a->model, a->options->layer, layer));
    run.cam.cells = (size_t)(layer->t * layer->h * layer->w);
    run.cam.A = run.A = ao_alloc(run.cam.cells, (size_t)layer->C * sizeof *run.A);
    run.cam.G = run.G = ao_alloc(run.cam.cells, (size_t)layer->C * sizeof *run.G);
    run.map = ao_alloc(run.cam.cells, sizeof *run.map);
    const aosa_status status =
        run.A && run.G && run.map
            ? run_formula(a, &run)
            : ao_fail(AOSA_ERR_NOMEM, "layer '%s': no memory for its gradient", layer->name);
    ao_free(run.A);
    ao_free(run.G);
    ao_free(run.map);
    return status;
}
