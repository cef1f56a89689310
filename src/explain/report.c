/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/report.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "core/alloc.h"
#include "explain/page.h"
#include "explain/targets.h"
#include "kernels/kernels.h"

/*
 * json_pack and json_object_set_new answer failure, and a failed piece makes the whole NULL: so
 * an object is complete or absent, and memory is the only reason.
 */

json_t *ao_report_build(enum ao_backend backend)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "aosa", aosa_version(), "backend",
                     ao_backend_version(backend), "isa", ao_backend_isa(backend), "kernels_isa",
                     ao_isa_name(ao_kernels_isa()), "flow", ao_flow_library(), "video",
                     ao_video_library());
}

json_t *ao_report_model(const struct aosa_model *model)
{
    const struct ao_onnx_model *onnx = model->onnx;
    json_t *externals = json_array();
    for (size_t i = 0; i < onnx->n_externals; i++)
        json_array_append_new(externals, json_pack("{s:o, s:s}", "location",
                                                   ao_json_text(onnx->externals[i].location),
                                                   "sha256", onnx->externals[i].sha256));
    return json_pack("{s:o, s:s, s:o, s:o, s:I, s:i, s:[i,i,i], s:b, s:f}", "path",
                     ao_json_text(model->path), "sha256", onnx->sha256, "external", externals,
                     "producer", ao_json_text(onnx->producer), "opset", (json_int_t)onnx->opset,
                     "classes", model->classes, "input", model->T, model->H, model->W,
                     "ends_in_softmax", (int)model->probabilities, "gmacs",
                     ao_model_macs(model) * 1e-9);
}

static json_t *three(const double value[3])
{
    return json_pack("[f,f,f]", value[0], value[1], value[2]);
}

json_t *ao_report_clip(const struct aosa_clip *clip)
{
    json_t *frames = json_array();
    for (int t = 0; t < clip->T; t++)
        json_array_append_new(frames, json_integer((json_int_t)clip->frames[t]));
    return json_pack("{s:o, s:s, s:[i,i,i], s:o, s:f, s:o, s:o, s:b, s:i}", "path",
                     ao_json_text(clip->path), "sha256", clip->source_sha256, "size", clip->T,
                     clip->H, clip->W, "frames", frames, "fps", clip->fps, "mean",
                     three(clip->mean), "std", three(clip->std), "bgr", (int)clip->bgr,
                     "decode_errors", clip->decode_errors);
}

json_t *ao_report_top(const struct aosa_model *model, const float *outputs)
{
    int top[5];
    const int n = model->classes < 5 ? model->classes : 5;
    json_t *list = json_array();
    ao_top_classes(outputs, model->classes, n, top);
    for (int i = 0; i < n; i++) {
        char label[300];
        const struct ao_target target = { .a = top[i], .b = -1 };
        const double p =
            ao_score(AO_SCORE_PROB, outputs, model->classes, model->probabilities, target);
        ao_model_label(model, top[i], label, sizeof label);
        json_array_append_new(list, json_pack("{s:i, s:o, s:f, s:f}", "class", top[i], "label",
                                              ao_json_text(label), "probability", p, "output",
                                              (double)outputs[top[i]]));
    }
    return list;
}

static json_t *importance_per_frame(const aosa_explanation *e, const struct ao_target_result *r)
{
    const size_t pixels = (size_t)e->clip->H * (size_t)e->clip->W;
    json_t *list = json_array();
    for (int t = 0; t < e->clip->T; t++) {
        double sum = 0;
        for (size_t i = 0; i < pixels; i++)
            sum += (double)r->map[(size_t)t * pixels + i];
        json_array_append_new(list, json_real(sum / (double)pixels));
    }
    return list;
}

/* [y, x, effect] of every mask: where its own track starts and what hiding it takes away. */
static json_t *importance_per_track(const aosa_explanation *e, const struct ao_target_result *r)
{
    const struct aosa_mask_set *masks = e->masks;
    json_t *list = json_array();
    for (int m = 0; m < masks->M; m++) {
        const struct ao_track_point *points =
            masks->points + (size_t)masks->members[masks->first[m]] * (size_t)masks->T;
        int t = 0;
        while (t < masks->T - 1 && !points[t].alive)
            t++;
        json_array_append_new(list, json_pack("[i,i,i,f]", t, points[t].y, points[t].x,
                                              r->base - (double)r->scores[m]));
    }
    return list;
}

static json_t *report_target(const aosa_explanation *e, const struct ao_target_result *r)
{
    char name[600];
    ao_target_name(e->model, r->target, name, sizeof name);
    json_t *object =
        json_pack("{s:i, s:o, s:f, s:f, s:f, s:f, s:o, s:o}", "class", r->target.a, "name",
                  ao_json_text(name), "score", r->base, "probability", r->probability,
                  "largest_drop", r->most, "smallest_drop", r->least, "importance_per_frame",
                  importance_per_frame(e, r), "importance_per_track", importance_per_track(e, r));
    if (r->target.b >= 0 && json_object_set_new(object, "against", json_integer(r->target.b))) {
        json_decref(object);
        return NULL;
    }
    return object;
}

json_t *ao_report_stages(const struct ao_occluder *occluder)
{
    json_t *list = json_array();
    for (int i = 0; i < ao_occluder_stages(occluder); i++) {
        const struct ao_delta_stage s = ao_occluder_stage(occluder, i);
        json_array_append_new(list, json_pack("{s:o, s:s, s:f, s:f}", "node", ao_json_text(s.node),
                                              "what", s.what, "gmacs", 1e-9 * s.macs_done,
                                              "thread_seconds", s.seconds));
    }
    return list;
}

static json_t *report_cost(const aosa_explanation *e)
{
    const struct ao_occluder_cost cost = ao_occluder_cost(e->occluder);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return json_pack(
        "{s:s, s:o, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:o}",
        "engine", cost.engine, "why_dense", ao_json_text(cost.why), "forwards", 1 + e->masks->M,
        "batch", cost.batch, "threads", e->settings->run.threads, "gmacs_dense",
        1e-9 * cost.macs_dense, "gmacs_done", 1e-9 * cost.macs_done, "seconds_flow",
        e->seconds[AO_STAGE_FLOW], "seconds_masks", e->seconds[AO_STAGE_MASKS], "seconds_prepare",
        e->seconds[AO_STAGE_PREPARE], "seconds_forward", e->seconds[AO_STAGE_FORWARD],
        "seconds_map", e->seconds[AO_STAGE_MAP], "weight_bytes", (json_int_t)cost.weight_bytes,
        "base_bytes", (json_int_t)cost.base_bytes, "bytes_per_thread",
        (json_int_t)cost.thread_bytes, "peak_memory_bytes", (json_int_t)usage.ru_maxrss * 1024,
        "stages", ao_report_stages(e->occluder));
}

json_t *ao_report_explanation(const aosa_explanation *e)
{
    const struct ao_method *method = ao_settings_method(e->settings);
    json_t *targets = json_array();
    for (int k = 0; k < e->n_targets; k++)
        if (json_array_append_new(targets, report_target(e, &e->targets[k]))) {
            json_decref(targets);
            return NULL;
        }
    return json_pack("{s:i, s:{s:s, s:s, s:s}, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:o, s:o}",
                     "aosa_result", AO_RESULT_SCHEMA, "method", "name", method->name, "summary",
                     method->summary, "source", method->source, "build",
                     ao_report_build((enum ao_backend)e->settings->run.backend), "model",
                     ao_report_model(e->model), "input", ao_report_clip(e->clip), "options",
                     ao_settings_json(e->settings), "targets", targets, "masks", e->masks->M,
                     "mask_size", e->masks->size, "tracks", e->masks->N, "top5",
                     ao_report_top(e->model, e->outputs), "cost", report_cost(e));
}

aosa_status ao_report_text(json_t *value, char **text)
{
    char *dump = value ? json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(value);
    *text = ao_strdup(dump);
    free(dump); /* jansson's allocation, not ours */
    return *text ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "report: no memory for its text");
}

/* "CliffDiving p = 0.985, falls by at most 0.41 under a mask; most in frame 7 of 16" */
static aosa_status summary(const aosa_explanation *e, char **text)
{
    struct ao_page page = { 0 };
    for (int k = 0; k < e->n_targets; k++) {
        const struct ao_target_result *r = &e->targets[k];
        char name[600];
        ao_page_add(&page, "%s: p = %.3f, score %.4g; hiding the right place takes away %.4g\n",
                    ao_target_name(e->model, r->target, name, sizeof name), r->probability, r->base,
                    r->most);
    }
    return ao_page_take(&page, text);
}

aosa_status aosa_explanation_text(const aosa_explanation *explanation, bool json, char **text)
{
    if (json)
        return ao_report_text(ao_report_explanation(explanation), text);
    return summary(explanation, text);
}
