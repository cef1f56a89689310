/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"
#include "onnx/onnx.h"
#include "passes/passes.h"

/*
 * The whole load of a model from hostile bytes: read, import, fold, all passes. Memory is bounded
 * below what the defaults allow, so that a leak of the bound shows as a failure of the fuzzer's own
 * limit (-rss_limit_mb=512).
 */

#define MAX_BYTES ((size_t)8 << 20)
#define MAX_FEEDS 4

/* As a classifier of clips: frames selected and turned into whatever inputs there are. */
static aosa_status make_clip_input(struct ao_graph *graph)
{
    struct ao_clip_feed feeds[MAX_FEEDS] = { { .name = NULL } };
    bool clip;
    if (graph->n_inputs > MAX_FEEDS)
        return AOSA_OK;
    for (int i = 0; i < graph->n_inputs; i++)
        feeds[i].name = graph->values[graph->inputs[i]].name;
    return ao_pass_clip_input(graph, feeds, &clip);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ao_onnx_options options = {
        .frames = 4,
        .height = 8,
        .width = 8,
        .raw = size % 2,
        .max_bytes = MAX_BYTES,
    };
    struct ao_onnx_model *model;
    if (ao_onnx_read(data, size, "fuzz.onnx", &options, &model) != AOSA_OK)
        return 0;
    struct ao_passes_report report = { 0 };
    aosa_status status = options.raw ? AOSA_OK : make_clip_input(&model->graph);
    if (status == AOSA_OK)
        status = ao_passes_run(&model->graph, &report);
    (void)status; /* either is fine: what counts is that it ends, and cleanly */
    ao_passes_report_fini(&report);
    ao_onnx_close(&model);
    return 0;
}
