/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "core/alloc.h"
#include "passes/edit.h"

/*
 * A clip is [1,3,T,H,W]. For every layout: where channels, frames, rows and columns of an input
 * lie, and the permutation that makes it of a clip.
 */
static const struct layout {
    const char *name;
    int rank, c, t, y, x;
    int64_t perm[5];
} layouts[] = {
    [AO_LAYOUT_GUESS] = { "unknown", 0, 0, 0, 0, 0, { 0 } },
    [AO_LAYOUT_NCTHW] = { "[N,3,T,H,W]", 5, 1, 2, 3, 4, { 0, 1, 2, 3, 4 } },
    [AO_LAYOUT_NTCHW] = { "[N,T,3,H,W]", 5, 2, 1, 3, 4, { 0, 2, 1, 3, 4 } },
    [AO_LAYOUT_NTHWC] = { "[N,T,H,W,3]", 5, 4, 1, 2, 3, { 0, 2, 3, 4, 1 } },
    [AO_LAYOUT_N1CTHW] = { "[N,1,3,T,H,W]", 6, 2, 3, 4, 5, { 0 } },
};
#define N_LAYOUTS (sizeof layouts / sizeof *layouts)

#define MAX_FRAMES 65536

const char *ao_clip_layout_name(enum ao_clip_layout layout)
{
    return layouts[layout].name;
}

static bool has_layout(const struct ao_value *value, const struct layout *layout)
{
    const struct ao_shape *shape = &value->shape;
    return value->dtype == AO_F32 && shape->rank == layout->rank && shape->dims[0] == 1 &&
           shape->dims[layout->c] == 3 && (layout->rank == 5 || shape->dims[1] == 1);
}

static bool find_layout(const struct ao_value *value, struct ao_clip_feed *feed)
{
    if (feed->layout != AO_LAYOUT_GUESS)
        return has_layout(value, &layouts[feed->layout]);
    for (size_t i = 1; i < N_LAYOUTS; i++) {
        if (!has_layout(value, &layouts[i]))
            continue;
        feed->layout = (enum ao_clip_layout)i;
        return true;
    }
    return false;
}

/* Shape of the clip that feeds all inputs, or false: they are no frames of one. */
static bool clip_shape(const struct ao_graph *graph, struct ao_clip_feed *feeds,
                       struct ao_shape *clip)
{
    *clip = (struct ao_shape){ .rank = 5, .dims = { 1, 3 } };
    for (int i = 0; i < graph->n_inputs; i++) {
        const struct ao_value *value = &graph->values[graph->inputs[i]];
        struct ao_clip_feed *feed = &feeds[i];
        if (!find_layout(value, feed))
            return false;
        const struct layout *layout = &layouts[feed->layout];
        const int64_t H = value->shape.dims[layout->y], W = value->shape.dims[layout->x];
        int64_t T = value->shape.dims[layout->t];
        if (i > 0 && (H != clip->dims[3] || W != clip->dims[4]))
            return false;
        if (T > MAX_FRAMES)
            return false;
        if (feed->every > 0)
            T *= feed->every;
        for (int64_t j = 0; j < feed->n_frames; j++)
            T = feed->frames[j] >= T ? feed->frames[j] + 1 : T;
        clip->dims[2] = T > clip->dims[2] ? T : clip->dims[2];
        clip->dims[3] = H;
        clip->dims[4] = W;
    }
    return graph->n_inputs > 0;
}

static aosa_status resolve_frames(struct ao_graph *graph, struct ao_clip_feed *feed, int64_t T)
{
    const int64_t n = feed->shape.dims[layouts[feed->layout].t];
    if (feed->frames && feed->n_frames != n)
        return ao_fail(AOSA_ERR_FORMAT,
                       "input '%s' takes %" PRId64 " frames, %" PRId64 " are listed for it",
                       feed->name, n, feed->n_frames);
    if (feed->frames)
        return AOSA_OK;
    feed->frames = ao_arena_alloc(&graph->arena, (size_t)n, sizeof *feed->frames);
    if (!feed->frames)
        return ao_pass_no_memory("frames");
    feed->n_frames = n;
    for (int64_t j = 0; j < n; j++)
        feed->frames[j] = feed->every > 0 ? j * feed->every : n > 1 ? j * (T - 1) / (n - 1) : 0;
    return AOSA_OK;
}

static bool takes_all(const struct ao_clip_feed *feed, int64_t T)
{
    if (feed->n_frames != T)
        return false;
    for (int64_t j = 0; j < T; j++)
        if (feed->frames[j] != j)
            return false;
    return true;
}

/* Nodes that make an input of the clip; `value` is the input's own, which they now make. */
static aosa_status make_input(struct ao_graph *graph, const struct ao_clip_feed *feed, int32_t clip,
                              int32_t value)
{
    int32_t selected = clip;
    if (!takes_all(feed, graph->values[clip].shape.dims[2])) {
        int32_t in[] = { clip, -1 };
        const struct ao_attr axis = { .name = "axis", .type = AO_ATTR_INT, .i = 2 };
        AO_TRY(ao_pass_new_ints(graph, feed->name, (int)feed->n_frames, feed->frames, &in[1]));
        selected = feed->layout == AO_LAYOUT_NCTHW ? value : -1;
        AO_TRY(ao_pass_append(graph, feed->name, "Gather", 2, in, &axis, &selected));
        if (feed->layout == AO_LAYOUT_NCTHW)
            return AOSA_OK;
    }
    if (feed->layout == AO_LAYOUT_NCTHW)
        return ao_pass_append(graph, feed->name, "Identity", 1, &selected, NULL, &value);
    if (feed->layout == AO_LAYOUT_N1CTHW) {
        const int64_t one = 1;
        int32_t in[] = { selected, -1 };
        AO_TRY(ao_pass_new_ints(graph, feed->name, 1, &one, &in[1]));
        return ao_pass_append(graph, feed->name, "Unsqueeze", 2, in, NULL, &value);
    }
    const struct ao_attr perm = {
        .name = "perm", .type = AO_ATTR_INTS, .n = 5, .ints = layouts[feed->layout].perm
    };
    return ao_pass_append(graph, feed->name, "Transpose", 1, &selected, &perm, &value);
}

static aosa_status make_inputs(struct ao_graph *graph, const struct ao_clip_feed *feeds,
                               const struct ao_shape *shape)
{
    int clip;
    AO_TRY(ao_graph_add_value(graph, graph->n_inputs == 1 ? feeds[0].name : "clip", &clip));
    graph->values[clip].dtype = AO_F32;
    graph->values[clip].shape = *shape;
    for (int i = 0; i < graph->n_inputs; i++)
        AO_TRY(make_input(graph, &feeds[i], clip, graph->inputs[i]));
    graph->inputs[0] = clip;
    graph->n_inputs = 1;
    return AOSA_OK;
}

/* Puts the nodes that make the inputs before those of the network. */
static aosa_status rewrite(struct ao_graph *graph, const struct ao_clip_feed *feeds,
                           const struct ao_shape *shape)
{
    struct ao_node *nodes = graph->nodes;
    const size_t n = graph->n_nodes;
    int index;
    graph->nodes = NULL;
    graph->n_nodes = graph->cap_nodes = 0;
    aosa_status status = make_inputs(graph, feeds, shape);
    for (size_t k = 0; k < n && status == AOSA_OK; k++)
        status = ao_graph_add_node(graph, &nodes[k], &index);
    ao_free(nodes);
    return status;
}

aosa_status ao_pass_clip_input(struct ao_graph *graph, struct ao_clip_feed *feeds, bool *clip)
{
    struct ao_shape shape;
    for (int i = 0; i < graph->n_inputs; i++)
        feeds[i].shape = graph->values[graph->inputs[i]].shape;
    *clip = clip_shape(graph, feeds, &shape);
    if (!*clip)
        return AOSA_OK;
    for (int i = 0; i < graph->n_inputs; i++)
        AO_TRY(resolve_frames(graph, &feeds[i], shape.dims[2]));
    if (graph->n_inputs == 1 && feeds[0].layout == AO_LAYOUT_NCTHW &&
        takes_all(&feeds[0], shape.dims[2]))
        return AOSA_OK;
    return rewrite(graph, feeds, &shape);
}
