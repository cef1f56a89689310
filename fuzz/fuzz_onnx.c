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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ao_onnx_options options = {
        .frames = 4,
        .height = 8,
        .width = 8,
        .max_bytes = MAX_BYTES,
    };
    struct ao_onnx_model *model;
    if (ao_onnx_read(data, size, "fuzz.onnx", &options, &model) != AOSA_OK)
        return 0;
    struct ao_passes_report report = { 0 };
    const aosa_status status = ao_passes_run(&model->graph, &report);
    (void)status; /* either is fine: what counts is that it ends, and cleanly */
    ao_passes_report_fini(&report);
    ao_onnx_close(&model);
    return 0;
}
