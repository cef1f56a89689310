/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/cam.h"
#include "core/alloc.h"
#include "core/clock.h"
#include "model/sessions.h"
#include "ops/element.h"

static aosa_status read_features(struct ao_attribution *a, const struct ao_session *session,
                                 const struct ao_layer *layer, float **A)
{
    const struct ao_view output = ao_session_output(session, 0);
    const struct ao_view value = ao_session_output(session, 1);
    const struct ao_view feature = ao_layer_view(layer, &value);
    AO_TRY(ao_model_read_outputs(a->model, &output, 0, 0, a->outputs));
    *A = ao_alloc((size_t)ao_shape_count(&feature.shape), sizeof **A);
    if (!*A)
        return ao_fail(AOSA_ERR_NOMEM, "layer '%s': no memory for its values", layer->name);
    const struct ao_view dense = ao_view_dense(*A, AO_F32, &feature.shape);
    ao_view_convert(&dense, &feature);
    return AOSA_OK;
}

/* One forward, stopped between layers when the user asks. */
static aosa_status forward(struct ao_attribution *a, struct ao_sessions *sessions,
                           const struct ao_layer *layer, float **A)
{
    struct ao_watch watch = { .progress = a->progress, .total = 1 };
    struct ao_session *session = sessions->of[0];
    const struct ao_view input = ao_session_input(session, 0);
    const struct ao_view values = ao_view_dense(a->clip->values, AO_F32, &input.shape);
    ao_view_convert(&input, &values);
    ao_sessions_watch(sessions, &watch);
    AO_TRY(ao_session_run(session));
    a->passes.forwards++;
    AO_TRY(ao_progress_report(a->progress, 1, 1));
    return read_features(a, session, layer, A);
}

static aosa_status run_tapped(struct ao_attribution *a, const struct ao_graph *tapped,
                              const struct ao_layer *layer, float **A)
{
    const struct ao_program_options options = {
        .backend = a->run.backend,
        .batch = 1,
        .inner_threads = 1,
    };
    struct ao_program *program;
    struct ao_sessions sessions = { 0 };
    double since = ao_now();
    AO_TRY(ao_program_create(tapped, &options, &program));
    ao_onnx_release(a->model->onnx); /* the backend has its own weights now */
    a->memory = ao_program_memory(program);
    aosa_status status = ao_sessions_init(&sessions, program, 1);
    ao_lap(&a->seconds_prepare, &since);
    if (status == AOSA_OK)
        status = forward(a, &sessions, layer, A);
    ao_lap(&a->seconds_run, &since);
    ao_sessions_fini(&sessions);
    ao_program_destroy(&program);
    return status;
}

aosa_status ao_cam_features(struct ao_attribution *a, const struct ao_layer *layer, float **A)
{
    /* The network itself, but for one more output. */
    struct ao_graph tapped = *ao_model_graph(a->model);
    int32_t outputs[2] = { tapped.outputs[0], layer->value };
    tapped.outputs = outputs;
    tapped.n_outputs = 2;
    *A = NULL;
    aosa_status status = run_tapped(a, &tapped, layer, A);
    if (status == AOSA_OK)
        status = ao_attribution_begin(a);
    if (status != AOSA_OK) {
        ao_free(*A);
        *A = NULL;
    }
    return status;
}
