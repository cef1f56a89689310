/* SPDX-License-Identifier: Apache-2.0 */
#include "model/feeds.h"

#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"

#define MAX_EVERY 4096

static aosa_status refuse(const struct aosa_model *model, const char *name, const char *what)
{
    return ao_fail(AOSA_ERR_FORMAT, "%s: input '%s': %s", model->card_source, name, what);
}

static aosa_status read_frame_list(struct aosa_model *model, const json_t *list,
                                   struct ao_clip_feed *feed)
{
    const size_t n = json_array_size(list);
    feed->frames = ao_arena_alloc(&model->onnx->graph.arena, n, sizeof *feed->frames);
    if (!feed->frames)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for %zu frames", model->card_source, n);
    feed->n_frames = (int64_t)n;
    for (size_t i = 0; i < n; i++) {
        const json_t *number = json_array_get(list, i);
        if (!json_is_integer(number) || json_integer_value(number) < 0 ||
            json_integer_value(number) >= MAX_EVERY)
            return refuse(model, feed->name, "'frames' lists something that is no frame number");
        feed->frames[i] = json_integer_value(number);
    }
    return AOSA_OK;
}

/* "every 4", "every 4th". */
static bool read_every(const char *text, int *every)
{
    static const char *const ends[] = { "", "st", "nd", "rd", "th" };
    if (strncmp(text, "every ", 6) != 0)
        return false;
    char *end;
    const long number = strtol(text + 6, &end, 10);
    if (end == text + 6 || number < 1 || number > MAX_EVERY)
        return false;
    *every = (int)number;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strcmp(end, ends[i]) == 0)
            return true;
    return false;
}

static aosa_status read_frames(struct aosa_model *model, const json_t *frames,
                               struct ao_clip_feed *feed)
{
    const char *text = json_string_value(frames);
    if (!frames || json_is_null(frames) || (text && strcmp(text, "spread") == 0))
        return AOSA_OK;
    if (json_is_array(frames))
        return read_frame_list(model, frames, feed);
    if (!text || !read_every(text, &feed->every))
        return refuse(model, feed->name,
                      "'frames' is none of \"spread\", \"every 4th\" and a list of frame numbers");
    return AOSA_OK;
}

static aosa_status read_layout(const struct aosa_model *model, const json_t *layout,
                               struct ao_clip_feed *feed)
{
    static const char *const names[] = {
        [AO_LAYOUT_NCTHW] = "NCTHW",
        [AO_LAYOUT_NTCHW] = "NTCHW",
        [AO_LAYOUT_NTHWC] = "NTHWC",
        [AO_LAYOUT_N1CTHW] = "N1CTHW",
    };
    const char *text = json_string_value(layout);
    if (!layout || json_is_null(layout))
        return AOSA_OK;
    for (size_t i = 1; text && i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) != 0)
            continue;
        feed->layout = (enum ao_clip_layout)i;
        return AOSA_OK;
    }
    return refuse(model, feed->name, "'layout' is none of NCTHW, NTCHW, NTHWC and N1CTHW");
}

static aosa_status read_entry(struct aosa_model *model, const json_t *entry)
{
    const char *name = json_string_value(json_object_get(entry, "name")), *key;
    json_t *value;
    struct ao_clip_feed *feed = NULL;
    if (!name)
        return ao_fail(AOSA_ERR_FORMAT, "%s: 'inputs' has an entry without a name",
                       model->card_source);
    for (int i = 0; i < model->n_feeds; i++)
        if (strcmp(model->feeds[i].name, name) == 0)
            feed = &model->feeds[i];
    if (!feed)
        return refuse(model, name, "the model has none of that name");
    json_object_foreach(
        (json_t *)(uintptr_t)entry, key,
        value) if (strcmp(key, "name") != 0 && strcmp(key, "frames") != 0 &&
                   strcmp(key, "layout") !=
                       0) return refuse(model, name,
                                        "has a key that is none of name, frames and layout");
    AO_TRY(read_frames(model, json_object_get(entry, "frames"), feed));
    return read_layout(model, json_object_get(entry, "layout"), feed);
}

aosa_status ao_feeds_apply(struct aosa_model *model)
{
    struct ao_graph *graph = &model->onnx->graph;
    const json_t *inputs = json_object_get(model->card, "inputs");
    bool clip;
    model->feeds = ao_alloc((size_t)graph->n_inputs, sizeof *model->feeds);
    if (!model->feeds)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its inputs", model->path);
    model->n_feeds = graph->n_inputs;
    for (int i = 0; i < model->n_feeds; i++)
        model->feeds[i].name = graph->values[graph->inputs[i]].name;
    for (size_t i = 0; i < json_array_size(inputs); i++)
        AO_TRY(read_entry(model, json_array_get(inputs, i)));
    const int32_t first = graph->n_inputs > 0 ? graph->inputs[0] : -1;
    const aosa_status status = ao_pass_clip_input(graph, model->feeds, &clip);
    if (status != AOSA_OK)
        return ao_fail_in(status, "%s", model->path);
    model->fed = clip && graph->inputs[0] != first;
    if (!clip && inputs)
        return ao_fail(AOSA_ERR_FORMAT,
                       "%s: 'inputs' does not make the model's inputs frames of one clip",
                       model->card_source);
    return AOSA_OK;
}
