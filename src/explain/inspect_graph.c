/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "explain/inspect.h"
#include "explain/report.h"
#include "ops/op.h"

json_t *ao_feeds_json(const struct aosa_model *model)
{
    json_t *list = json_array();
    for (int i = 0; i < model->n_feeds; i++) {
        const struct ao_clip_feed *feed = &model->feeds[i];
        json_t *dims = json_array(), *frames = json_array();
        for (int a = 0; a < feed->shape.rank; a++)
            json_array_append_new(dims, json_integer((json_int_t)feed->shape.dims[a]));
        for (int64_t j = 0; j < feed->n_frames; j++)
            json_array_append_new(frames, json_integer((json_int_t)feed->frames[j]));
        json_array_append_new(list, json_pack("{s:o, s:o, s:s, s:o}", "name",
                                              ao_json_text(feed->name), "shape", dims, "layout",
                                              ao_clip_layout_name(feed->layout), "frames", frames));
    }
    return list;
}

static bool is_every_frame(const json_t *frames)
{
    size_t j;
    json_t *frame;
    json_array_foreach(frames, j, frame)
    {
        if (json_integer_value(frame) != (json_int_t)j)
            return false;
    }
    return true;
}

void ao_page_feeds(struct ao_page *page, const json_t *feeds)
{
    size_t i, j;
    json_t *feed, *frame;
    json_array_foreach(feeds, i, feed)
    {
        const json_t *frames = json_object_get(feed, "frames");
        ao_page_add(page, "%-10s %s looks like %s, ", i ? "" : "layout",
                    json_string_value(json_object_get(feed, "name")),
                    json_string_value(json_object_get(feed, "layout")));
        if (is_every_frame(frames)) {
            ao_page_add(page, "%zu frames\n", json_array_size(frames));
            continue;
        }
        ao_page_add(page, "frames");
        json_array_foreach(frames, j, frame)
        {
            if (j < 12)
                ao_page_add(page, " %lld", (long long)json_integer_value(frame));
        }
        ao_page_add(page, "%s of the clip\n", json_array_size(frames) > 12 ? " ..." : "");
    }
}

/* "16x56x56" of [N,C,T,H,W], "56x56" of [N,C,H,W]; anything else has no positions. */
static void name_extents(const struct ao_shape *shape, char *text, size_t bytes)
{
    const int64_t *d = shape->dims;
    if (shape->rank == 5)
        snprintf(text, bytes, "%lldx%lldx%lld", (long long)d[2], (long long)d[3], (long long)d[4]);
    else if (shape->rank == 4)
        snprintf(text, bytes, "%lldx%lld", (long long)d[2], (long long)d[3]);
    else
        snprintf(text, bytes, "other");
}

static json_t *find_extents(const json_t *list, const char *extents)
{
    size_t i;
    json_t *row;
    json_array_foreach(list, i, row)
    {
        if (!strcmp(json_string_value(json_object_get(row, "extents")), extents))
            return row;
    }
    return NULL;
}

json_t *ao_resolutions_json(const struct ao_graph *graph)
{
    json_t *list = json_array();
    for (size_t k = 0; k < graph->n_nodes; k++) {
        const struct ao_node *node = &graph->nodes[k];
        char extents[80];
        if (!node->op->macs || node->out[0] < 0)
            continue;
        name_extents(&graph->values[node->out[0]].shape, extents, sizeof extents);
        json_t *row = find_extents(list, extents);
        const double before = json_number_value(json_object_get(row, "gmacs"));
        const double gmacs = before + 1e-9 * node->op->macs(graph, node);
        const json_int_t nodes = 1 + json_integer_value(json_object_get(row, "nodes"));
        if (!row)
            json_array_append_new(list, json_pack("{s:s, s:I, s:f}", "extents", extents, "nodes",
                                                  nodes, "gmacs", gmacs));
        if (row)
            json_object_set_new(row, "nodes", json_integer(nodes));
        if (row)
            json_object_set_new(row, "gmacs", json_real(gmacs));
    }
    return list;
}

void ao_page_resolutions(struct ao_page *page, const json_t *resolutions)
{
    size_t i;
    json_t *row;
    json_array_foreach(resolutions, i, row)
    {
        ao_page_add(page, "           at %-21s %5lld nodes          %10.3f GMAC\n",
                    json_string_value(json_object_get(row, "extents")),
                    (long long)json_integer_value(json_object_get(row, "nodes")),
                    json_number_value(json_object_get(row, "gmacs")));
    }
}
