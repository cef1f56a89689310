/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/report.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "core/alloc.h"
#include "explain/page.h"
#include "kernels/kernels.h"

/*
 * json_pack and json_object_set_new answer failure, and a failed piece makes the whole NULL: so
 * an object is complete or absent, and memory is the only reason.
 */

static json_t *needs_json(unsigned needs)
{
    static const char *const names[] = { "scores", "gradient", "features", "flow", "masks" };
    json_t *list = json_array();
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (needs & (1U << i))
            json_array_append_new(list, json_string(names[i]));
    return list;
}

json_t *ao_report_method(const struct ao_method *method)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "name", method->name, "family", method->family,
                     "summary", method->summary, "source", method->source, "needs",
                     needs_json(method->needs));
}

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
        json_array_append_new(externals,
                              json_pack("{s:o, s:s}", "location",
                                        ao_json_text(onnx->externals[i].location), "sha256",
                                        ao_onnx_hash_text(onnx->externals[i].hash)));
    return json_pack("{s:o, s:s, s:o, s:o, s:I, s:i, s:[i,i,i], s:b, s:f}", "path",
                     ao_json_text(model->path), "sha256", ao_onnx_hash_text(onnx->hash), "external",
                     externals, "producer", ao_json_text(onnx->producer), "opset",
                     (json_int_t)onnx->opset, "classes", model->classes, "input", model->T,
                     model->H, model->W, "ends_in_softmax", (int)model->probabilities, "gmacs",
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

/* Puts a key into an object; NULL, and everything released, if either is NULL or memory ends. */
static json_t *with(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) == 0)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *importance_per_frame(const struct aosa_clip *clip, const float *map)
{
    const size_t pixels = (size_t)clip->H * (size_t)clip->W;
    json_t *list = json_array();
    for (int t = 0; t < clip->T; t++) {
        double sum = 0;
        for (size_t i = 0; i < pixels; i++)
            sum += (double)map[(size_t)t * pixels + i];
        json_array_append_new(list, json_real(sum / (double)pixels));
    }
    return list;
}

/* [t, y, x, effect] of every mask: where its own track starts and what hiding it takes away. */
static json_t *importance_per_track(const struct aosa_mask_set *masks,
                                    const struct ao_map_result *r)
{
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

static json_t *report_target(const aosa_explanation *e, const struct ao_map_result *r)
{
    char name[600];
    ao_target_name(e->attribution.model, r->target, name, sizeof name);
    json_t *object = json_pack("{s:i, s:o, s:f, s:f, s:f, s:o}", "class", r->target.a, "name",
                               ao_json_text(name), "score", r->base, "probability", r->probability,
                               "zero", r->zero, "importance_per_frame",
                               importance_per_frame(e->attribution.clip, r->map));
    if (r->target.b >= 0)
        object = with(object, "against", json_integer(r->target.b));
    if (r->scores) {
        object = with(object, "largest_drop", json_real(r->most));
        object = with(object, "smallest_drop", json_real(r->least));
        object = with(object, "importance_per_track", importance_per_track(e->masks, r));
    }
    return r->extra ? with(object, "extra", json_incref(r->extra)) : object;
}

static json_t *report_targets(const aosa_explanation *e)
{
    json_t *list = json_array();
    for (int k = 0; list && k < e->attribution.n_results; k++)
        if (json_array_append_new(list, report_target(e, &e->attribution.results[k]))) {
            json_decref(list);
            list = NULL;
        }
    return list;
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

/* What the occluding engine adds to the cost. */
static json_t *add_occluder(json_t *object, const struct ao_occluder *occluder)
{
    const struct ao_occluder_cost cost = ao_occluder_cost(occluder);
    object = with(object, "engine", json_string(cost.engine));
    object = with(object, "why_dense", ao_json_text(cost.why));
    object = with(object, "dense_from", ao_json_text(cost.dense_from));
    object = with(object, "why_dense_from", json_string(cost.why_dense_from));
    object = with(object, "batch", json_integer(cost.batch));
    object = with(object, "gmacs_dense", json_real(1e-9 * cost.macs_dense));
    object = with(object, "gmacs_done", json_real(1e-9 * cost.macs_done));
    object = with(object, "weight_bytes", json_integer((json_int_t)cost.weight_bytes));
    object = with(object, "base_bytes", json_integer((json_int_t)cost.base_bytes));
    object = with(object, "bytes_per_thread", json_integer((json_int_t)cost.thread_bytes));
    return with(object, "stages", ao_report_stages(occluder));
}

static json_t *add_memory(json_t *object, struct ao_program_memory memory)
{
    const size_t bytes = memory.activation_bytes + memory.scratch_bytes;
    object = with(object, "weight_bytes", json_integer((json_int_t)memory.weight_bytes));
    return with(object, "bytes_per_thread", json_integer((json_int_t)bytes));
}

static json_t *report_cost(const aosa_explanation *e)
{
    const struct ao_attribution *a = &e->attribution;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    json_t *object = json_pack(
        "{s:I, s:I, s:i, s:f, s:f, s:f, s:f, s:f, s:I}", "forwards", (json_int_t)a->passes.forwards,
        "backwards", (json_int_t)a->passes.backwards, "threads", a->run.threads, "seconds_flow",
        e->seconds_flow, "seconds_masks", e->seconds_masks, "seconds_prepare", a->seconds_prepare,
        "seconds_run", a->seconds_run, "seconds_map", a->seconds_map, "peak_memory_bytes",
        (json_int_t)usage.ru_maxrss * 1024);
    return a->occluder ? add_occluder(object, a->occluder) : add_memory(object, a->memory);
}

static json_t *report_warnings(const struct ao_attribution *a)
{
    json_t *list = json_array();
    if (*a->warning)
        json_array_append_new(list, ao_json_text(a->warning));
    return list;
}

json_t *ao_report_explanation(const aosa_explanation *e)
{
    const struct ao_attribution *a = &e->attribution;
    json_t *object =
        json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "aosa_result",
                  AO_RESULT_SCHEMA, "method", ao_report_method(a->method), "build",
                  ao_report_build(a->run.backend), "model", ao_report_model(a->model), "input",
                  ao_report_clip(a->clip), "options", ao_settings_json(e->settings, a->method),
                  "targets", report_targets(e), "top5", ao_report_top(a->model, a->outputs), "cost",
                  report_cost(e), "warnings", report_warnings(a));
    if (!e->masks)
        return object;
    object = with(object, "masks", json_integer(e->masks->M));
    object = with(object, "mask_size", json_integer(e->masks->size));
    return with(object, "tracks", json_integer(e->masks->N));
}

aosa_status ao_report_text(json_t *value, char **text)
{
    char *dump = value ? json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(value);
    *text = ao_strdup(dump);
    free(dump); /* jansson's allocation, not ours */
    return *text ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "report: no memory for its text");
}

/* Frame and place of the largest value of a map. */
static size_t find_peak(const struct aosa_clip *clip, const float *map)
{
    const size_t n = ao_clip_voxels(clip);
    size_t peak = 0;
    for (size_t i = 1; i < n; i++)
        if (map[i] > map[peak])
            peak = i;
    return peak;
}

/* "CliffDiving: p = 0.985, score 0.985; hiding the right place takes away 0.41" */
static aosa_status summary(const aosa_explanation *e, char **text)
{
    const struct ao_attribution *a = &e->attribution;
    const size_t W = (size_t)a->clip->W, pixels = (size_t)a->clip->H * W;
    struct ao_page page = { 0 };
    for (int k = 0; k < a->n_results; k++) {
        const struct ao_map_result *r = &a->results[k];
        const size_t peak = find_peak(a->clip, r->map);
        char name[600];
        ao_page_add(&page, "%s: p = %.3f, score %.4g; ",
                    ao_target_name(a->model, r->target, name, sizeof name), r->probability,
                    r->base);
        if (r->scores)
            ao_page_add(&page, "hiding the right place takes away %.4g\n", r->most);
        else
            ao_page_add(&page, "strongest in frame %zu at x = %zu, y = %zu\n", peak / pixels + 1,
                        peak % W, peak % pixels / W);
    }
    return ao_page_take(&page, text);
}

aosa_status aosa_explanation_text(const aosa_explanation *explanation, bool json, char **text)
{
    if (json)
        return ao_report_text(ao_report_explanation(explanation), text);
    return summary(explanation, text);
}
