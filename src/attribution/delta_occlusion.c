/* SPDX-License-Identifier: Apache-2.0 */
#include "attribution/delta_occlusion.h"

#include <string.h>

#include "core/alloc.h"
#include "core/parallel.h"

/* Boxes and output rows of one batch; one for each thread. */
struct desk {
    struct ao_delta_mask masks[AO_DELTA_BATCH];
    int32_t *first;            /* [AO_DELTA_BATCH][T+1] */
    struct ao_box *boxes;      /* [AO_DELTA_BATCH][T][most boxes] */
    float *rows;               /* [AO_DELTA_BATCH][outputs] */
    struct ao_delta_need need; /* of the batches measured here */
    struct ao_watcher watcher;
    struct ao_poll poll;
};

struct walk {
    struct ao_delta_team *team;
    const struct ao_delta_base *base;
    const struct aosa_mask_set *masks;
    const struct ao_delta_fill *fill;
    struct desk *desks; /* [threads] */
    int max_boxes;
    float *outputs; /* [1 + M][classes]; NULL: `products` are asked for */
    const float *gradients;
    int n_gradients;
    double *products; /* [M][n_gradients] */
    struct ao_watch watch;
};

aosa_status ao_delta_team_create(const struct aosa_model *model, int32_t until, int threads,
                                 struct ao_delta_team *team)
{
    const struct ao_graph *graph = ao_model_graph(model);
    AO_TRY(ao_model_require_clip(model));
    team->model = model;
    team->threads = threads;
    AO_TRY(until < 0 ? ao_delta_create(graph, threads, &team->delta)
                     : ao_delta_create_until(graph, until, threads, &team->delta));
    ao_onnx_release(model->onnx); /* the engine has its own weights now */
    team->sessions = ao_alloc((size_t)threads, sizeof *team->sessions);
    if (!team->sessions)
        return ao_fail(AOSA_ERR_NOMEM, "delta engine: no memory for %d threads", threads);
    for (int i = 0; i < threads; i++)
        AO_TRY(ao_delta_session_create(team->delta, &team->sessions[i]));
    return AOSA_OK;
}

void ao_delta_team_destroy(struct ao_delta_team *team)
{
    for (int i = 0; team->sessions && i < team->threads; i++)
        ao_delta_session_destroy(&team->sessions[i]);
    ao_free(team->sessions);
    ao_delta_base_destroy(&team->base);
    ao_delta_destroy(&team->delta);
    *team = (struct ao_delta_team){ 0 };
}

/* n rows of the delta engine as the model's output. */
static struct ao_view rows_view(const struct aosa_model *model, const float *rows, int n)
{
    const struct ao_shape shape = { .rank = 3, .dims = { n, model->classes, model->per_class } };
    return ao_view_dense((void *)(uintptr_t)rows, AO_F32, &shape);
}

static void list_boxes(const struct walk *walk, struct desk *desk, int slot, int m)
{
    const int T = walk->masks->T;
    int32_t *first = desk->first + (size_t)slot * (size_t)(T + 1);
    struct ao_box *boxes = desk->boxes + (size_t)slot * (size_t)T * (size_t)walk->max_boxes;
    first[0] = 0;
    for (int t = 0; t < T; t++)
        first[t + 1] = first[t] + ao_mask_boxes(walk->masks, m, t, boxes + first[t]);
    desk->masks[slot] = (struct ao_delta_mask){ .boxes = boxes, .first = first };
}

/* Boxes of a batch onto the desk; answers how many masks there are. */
static int list_batch(const struct walk *walk, struct desk *desk, int64_t item)
{
    const int start = (int)item * AO_DELTA_BATCH, left = walk->masks->M - start;
    const int n = left < AO_DELTA_BATCH ? left : AO_DELTA_BATCH;
    for (int i = 0; i < n; i++)
        list_boxes(walk, desk, i, start + i);
    return n;
}

static aosa_status measure_batch(void *context, int64_t item, int thread)
{
    struct walk *walk = context;
    struct desk *desk = &walk->desks[thread];
    if (!ao_watcher_goes_on(&desk->watcher))
        return ao_fail(AOSA_ERR_CANCELLED, "stopped before the masks were measured");
    const int n = list_batch(walk, desk, item);
    return ao_delta_session_measure(walk->team->sessions[thread], desk->masks, n, &desk->need);
}

static aosa_status run_outputs(struct walk *walk, int thread, int start, int n)
{
    struct ao_delta_team *team = walk->team;
    struct desk *desk = &walk->desks[thread];
    AO_TRY(ao_delta_run(team->delta, walk->base, team->sessions[thread], desk->masks, n, walk->fill,
                        desk->rows));
    const struct ao_view rows = rows_view(team->model, desk->rows, n);
    for (int i = 0; i < n; i++) {
        const int64_t variant = 1 + start + i;
        AO_TRY(
            ao_model_read_outputs(team->model, &rows, i, variant,
                                  walk->outputs + (size_t)variant * (size_t)team->model->classes));
    }
    return AOSA_OK;
}

static aosa_status run_batch(void *context, int64_t item, int thread)
{
    struct walk *walk = context;
    struct ao_delta_team *team = walk->team;
    struct desk *desk = &walk->desks[thread];
    const int start = (int)item * AO_DELTA_BATCH;
    const int n = list_batch(walk, desk, item);
    if (walk->outputs)
        AO_TRY(run_outputs(walk, thread, start, n));
    else
        AO_TRY(ao_delta_project(team->delta, walk->base, team->sessions[thread], desk->masks, n,
                                walk->fill, walk->gradients, walk->n_gradients,
                                walk->products + (size_t)start * (size_t)walk->n_gradients));
    atomic_fetch_add(&walk->watch.done, (size_t)n);
    return AOSA_OK;
}

static void destroy_desks(const struct ao_delta_team *team, struct desk *desks)
{
    for (int i = 0; desks && i < team->threads; i++) {
        ao_delta_session_set_poll(team->sessions[i], NULL);
        ao_free(desks[i].first);
        ao_free(desks[i].boxes);
        ao_free(desks[i].rows);
    }
    ao_free(desks);
}

static aosa_status create_desks(struct walk *walk)
{
    const struct ao_delta_team *team = walk->team;
    const size_t T = (size_t)walk->masks->T;
    const size_t row = walk->outputs ? (size_t)ao_delta_outputs(team->delta) : 1;
    walk->desks = ao_alloc((size_t)team->threads, sizeof *walk->desks);
    bool complete = walk->desks;
    for (int i = 0; complete && i < team->threads; i++) {
        struct desk *desk = &walk->desks[i];
        desk->first = ao_alloc(AO_DELTA_BATCH * (T + 1), sizeof *desk->first);
        desk->boxes = ao_alloc(AO_DELTA_BATCH * T, (size_t)walk->max_boxes * sizeof *desk->boxes);
        desk->rows = ao_alloc(AO_DELTA_BATCH, row * sizeof *desk->rows);
        complete = desk->first && desk->boxes && desk->rows;
        desk->watcher = (struct ao_watcher){ .watch = &walk->watch, .reports = i == 0 };
        desk->poll = (struct ao_poll){ .go_on = ao_watcher_goes_on, .user = &desk->watcher };
        ao_delta_session_set_poll(team->sessions[i], &desk->poll);
    }
    return complete ? AOSA_OK
                    : ao_fail(AOSA_ERR_NOMEM, "delta engine: no memory for the boxes of %d masks",
                              AO_DELTA_BATCH);
}

/* Any thread may get any batch: all sessions are made large enough for the largest. */
static aosa_status reserve_sessions(struct walk *walk, int64_t batches)
{
    const struct ao_delta_team *team = walk->team;
    struct ao_delta_need need = { 0 };
    AO_TRY(ao_parallel_for(team->threads, batches, measure_batch, walk));
    for (int i = 0; i < team->threads; i++) {
        const struct ao_delta_need *one = &walk->desks[i].need;
        need.block_bytes =
            one->block_bytes > need.block_bytes ? one->block_bytes : need.block_bytes;
        need.positions = one->positions > need.positions ? one->positions : need.positions;
    }
    for (int i = 0; i < team->threads; i++)
        AO_TRY(ao_delta_session_reserve(team->sessions[i], &need));
    return AOSA_OK;
}

static aosa_status run_masks(struct walk *walk)
{
    const int64_t batches = (walk->masks->M + AO_DELTA_BATCH - 1) / AO_DELTA_BATCH;
    AO_TRY(create_desks(walk));
    AO_TRY(reserve_sessions(walk, batches));
    AO_TRY(ao_parallel_for(walk->team->threads, batches, run_batch, walk));
    return ao_progress_report(walk->watch.progress, walk->watch.total, walk->watch.total);
}

/* The pass over a clip; its outputs become row 0. */
static aosa_status make_base(struct ao_delta_team *team, const struct aosa_clip *clip,
                             struct ao_watch *watch, struct ao_delta_base **base)
{
    struct ao_watcher watcher = { .watch = watch, .reports = true };
    const struct ao_poll poll = { .go_on = ao_watcher_goes_on, .user = &watcher };
    AO_TRY(ao_delta_base_create(team->delta, clip->values, &poll, base));
    team->base_bytes = ao_delta_base_bytes(*base);
    return AOSA_OK;
}

static aosa_status read_base(const struct ao_delta_team *team, const struct ao_delta_base *base,
                             float *outputs)
{
    const struct ao_view own = rows_view(team->model, ao_delta_base_output(base), 1);
    return ao_model_read_outputs(team->model, &own, 0, 0, outputs);
}

aosa_status ao_delta_team_keep(struct ao_delta_team *team, const struct aosa_clip *clip,
                               const struct ao_progress *progress, float *outputs)
{
    struct ao_watch watch = { .progress = progress, .total = 1 };
    team->kept = NULL;
    ao_delta_base_destroy(&team->base);
    AO_TRY(make_base(team, clip, &watch, &team->base));
    team->kept = clip;
    return read_base(team, team->base, outputs);
}

/* A walk over these masks, without what it is to give. */
static struct walk walk_of(struct ao_delta_team *team, const struct aosa_mask_set *masks,
                           const struct ao_delta_fill *fill)
{
    return (struct walk){
        .team = team,
        .masks = masks,
        .fill = fill,
        .max_boxes = masks->M ? ao_mask_set_max_boxes(masks) : 1,
    };
}

static struct ao_delta_fill filling_of(const struct ao_fill *fill)
{
    struct ao_delta_fill filling = { .volume = fill->volume };
    memcpy(filling.value, fill->value, sizeof filling.value);
    return filling;
}

static aosa_status run(struct walk *walk, const struct aosa_clip *clip,
                       const struct ao_progress *progress)
{
    struct ao_delta_team *team = walk->team;
    struct ao_delta_base *own = NULL;
    walk->watch.progress = progress;
    walk->watch.total = 1 + (size_t)walk->masks->M;
    if (team->kept != clip)
        AO_TRY(make_base(team, clip, &walk->watch, &own));
    walk->base = own ? own : team->base;
    atomic_store(&walk->watch.done, 1);
    aosa_status status = walk->outputs ? read_base(team, walk->base, walk->outputs) : AOSA_OK;
    if (status == AOSA_OK)
        status = run_masks(walk);
    destroy_desks(team, walk->desks);
    ao_delta_base_destroy(&own);
    return status;
}

aosa_status ao_delta_occlusion(struct ao_delta_team *team, const struct aosa_clip *clip,
                               const struct aosa_mask_set *masks, const struct ao_fill *fill,
                               const struct ao_progress *progress, float *outputs)
{
    const struct ao_delta_fill filling = filling_of(fill);
    struct walk walk = walk_of(team, masks, &filling);
    walk.outputs = outputs;
    return run(&walk, clip, progress);
}

aosa_status ao_delta_projections(struct ao_delta_team *team, const struct aosa_clip *clip,
                                 const struct aosa_mask_set *masks, const struct ao_fill *fill,
                                 const struct ao_progress *progress, const float *gradients, int n,
                                 double *products)
{
    const struct ao_delta_fill filling = filling_of(fill);
    struct walk walk = walk_of(team, masks, &filling);
    walk.gradients = gradients;
    walk.n_gradients = n;
    walk.products = products;
    return run(&walk, clip, progress);
}
