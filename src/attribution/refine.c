/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact occlusion from coarse to fine. The frame in the middle of the clip is covered by g x g
 * squares, which a tracker carries through the clip: the roots. Every tube is one forward; then the
 * tubes whose hiding takes most away are cut into four of half the size each, best first, until
 * --budget forwards are spent or the best tubes are as fine as FINEST. What does not matter is
 * looked at once, coarsely.
 *
 * Effects of nested tubes do not add up: a network that needs all of an object loses it with any
 * quarter, one that needs little of it with none. So a tube's own effect is taken as the sum that
 * is to be distributed, and those of its four parts as shares of it,
 *
 *     V(root)  = -X(root),
 *     V(child) = V(parent) max(s X(child), 0) / mean over the four of max(s X, 0),
 *
 * s being the sign of X(parent); all four get V(parent) when none has that sign. A voxel is worth
 * the mean of V over the leaves that hide it, 0 where there is none, then --smooth. V is in units
 * of a root's effect: its density is that of the root, and the mean of the four children's is the
 * parent's.
 *
 * Stopped by its progress function after the roots, the method answers with what it has.
 */
#include <math.h>
#include <stdio.h>

#include "attribution/heat_map.h"
#include "attribution/method.h"
#include "attribution/smooth_map.h"
#include "core/alloc.h"
#include "core/clock.h"
#include "mask/tracker.h"

enum {
    CHILDREN = 4,
    FINEST = 7,     /* side that is not cut any more, pixels where the short side is 112 */
    MOST_ROOTS = 4, /* along the short side, where --roots is 0 */
    USUAL_BUDGET = 64,
    SMOOTH = 2, /* sigma where --smooth is negative */
};

struct tube {
    double y, x, size; /* middle and side in the middle frame */
    int parent, child; /* the first of four; -1: none */
};

struct refine {
    struct ao_attribution *a;
    struct ao_tracker tracker;
    int capacity, n;
    struct tube *tree;           /* [capacity], n measured */
    struct aosa_mask_set *tubes; /* the same, tracked */
    double *effects;             /* [targets][capacity] */
    float *outputs;              /* [1 + capacity][classes] of a round */
};

static int max_int(int a, int b)
{
    return a > b ? a : b;
}

static double finest(const struct ao_attribution *a)
{
    return FINEST * (a->model->H < a->model->W ? a->model->H : a->model->W) / 112.0;
}

/* The first covering of the frame: rows x columns cells, a square root in the middle of each. */
struct roots {
    int rows, columns;
    double height, width; /* of a cell */
};

static int budget(const struct ao_attribution *a)
{
    return ao_method_budget(a->options, USUAL_BUDGET);
}

/* Roots along the short side: as many as leave half of the budget to the cuts. */
static int roots_along(const struct ao_attribution *a)
{
    const int wanted = a->options->roots;
    int g = 1;
    while (g < MOST_ROOTS && 2 * (g + 1) * (g + 1) <= budget(a))
        g++;
    return wanted ? wanted : g;
}

static struct roots find_roots(const struct ao_attribution *a)
{
    const int H = a->model->H, W = a->model->W; /* the clip's, which a plan may not have yet */
    const double side = (double)(H < W ? H : W) / roots_along(a);
    const int rows = max_int(1, (int)rint(H / side)), columns = max_int(1, (int)rint(W / side));
    return (struct roots){ rows, columns, (double)H / rows, (double)W / columns };
}

/* Tubes that the budget has room for, or all there can be: the clip itself is a forward too. */
static int count_tubes(const struct ao_attribution *a, const struct roots *roots)
{
    const int first = roots->rows * roots->columns;
    const int most = first + (budget(a) - 1 - first) / CHILDREN * CHILDREN;
    int64_t all = first, level = first;
    for (double size = fmax(roots->height, roots->width); size / 2 >= finest(a) && all < most;
         size /= 2)
        all += level *= CHILDREN;
    return all < most ? (int)all : most;
}

aosa_status ao_passes_refine(const struct ao_attribution *a, int n_targets,
                             struct ao_passes *passes)
{
    const struct roots roots = find_roots(a);
    const int n = roots.rows * roots.columns;
    (void)n_targets;
    if (n >= budget(a))
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--budget %d: the clip and %d coarse tubes take %d forwards", budget(a), n,
                       1 + n);
    *passes = (struct ao_passes){ .forwards = 1 + count_tubes(a, &roots) };
    return AOSA_OK;
}

static void add_tube(struct refine *r, int at, struct tube tube)
{
    const int size = max_int(1, (int)rint(tube.size));
    r->tree[at] = tube;
    r->tubes->sizes[at] = size;
    ao_tracker_walk(&r->tracker, tube.y, tube.x, size, (r->tubes->T - 1) / 2,
                    r->tubes->points + (size_t)at * (size_t)r->tubes->T);
}

/* Runs tubes n to n + more, which were added. */
static aosa_status measure(struct refine *r, int more)
{
    struct ao_attribution *a = r->a;
    struct aosa_mask_set some = *r->tubes; /* shares the arrays, has fewer masks */
    some.points += (size_t)r->n * (size_t)some.T;
    some.sizes += r->n;
    some.N = some.M = more;
    struct ao_progress_part part = { a->progress, (size_t)r->n, (size_t)r->capacity + 1 };
    const struct ao_progress progress = ao_progress_of_part(&part, a->method->name);
    AO_TRY(ao_occluder_run(a->occluder, a->clip, &some, a->fill, &progress, r->outputs));
    for (int k = 0; k < a->n_results; k++)
        AO_TRY(ao_attribution_effects(a, &a->results[k], r->outputs + a->model->classes, more, r->n,
                                      r->effects + (size_t)k * (size_t)r->capacity + r->n));
    r->n += more;
    a->passes.forwards += more;
    return AOSA_OK;
}

static aosa_status measure_roots(struct refine *r)
{
    const struct roots roots = find_roots(r->a);
    int n = 0;
    for (int i = 0; i < roots.rows; i++)
        for (int j = 0; j < roots.columns; j++)
            add_tube(r, n++,
                     (struct tube){ .y = (i + 0.5) * roots.height - 0.5,
                                    .x = (j + 0.5) * roots.width - 0.5,
                                    .size = fmax(roots.height, roots.width),
                                    .parent = -1,
                                    .child = -1 });
    return measure(r, n);
}

/* Largest drop under a tube, over the targets. */
static double drop(const struct refine *r, int i)
{
    double most = -HUGE_VAL;
    for (int k = 0; k < r->a->n_results; k++)
        most = fmax(most, -r->effects[(size_t)k * (size_t)r->capacity + (size_t)i]);
    return most;
}

/* The leaf of the largest drop that can be cut; -1: none. */
static int best_leaf(const struct refine *r)
{
    int best = -1;
    for (int i = 0; i < r->n; i++)
        if (r->tree[i].child < 0 && r->tree[i].size / 2 >= finest(r->a) &&
            (best < 0 || drop(r, i) > drop(r, best)))
            best = i;
    return best;
}

static void cut(struct refine *r, int leaf, int first)
{
    const struct tube parent = r->tree[leaf];
    const double half = parent.size / 2;
    r->tree[leaf].child = first;
    for (int c = 0; c < CHILDREN; c++) {
        struct tube child = parent;
        child.y += (c / 2 - 0.5) * half;
        child.x += (c % 2 - 0.5) * half;
        child.size = half;
        child.parent = leaf;
        add_tube(r, first + c, child);
    }
}

/* Cuts the best leaves, two and one more for every 32 tubes there are; answers how many children
 * that makes. More at once keep more threads busy, fewer are chosen better. */
static int cut_leaves(struct refine *r)
{
    const int room = (r->capacity - r->n) / CHILDREN, wanted = 2 + r->n / 32;
    int n = 0, leaf;
    for (; n < wanted && n < room && (leaf = best_leaf(r)) >= 0; n++)
        cut(r, leaf, r->n + CHILDREN * n);
    return CHILDREN * n;
}

/* Leaves of a round that was stopped have no children after all. */
static void undo_cuts(struct refine *r)
{
    for (int i = 0; i < r->n; i++)
        if (r->tree[i].child >= r->n)
            r->tree[i].child = -1;
}

static aosa_status refine(struct refine *r)
{
    AO_TRY(measure_roots(r));
    for (int more; (more = cut_leaves(r)) > 0;) {
        const aosa_status status = measure(r, more);
        if (status == AOSA_ERR_CANCELLED) {
            undo_cuts(r);
            r->a->stopped = true;
            snprintf(r->a->warning, sizeof r->a->warning,
                     "stopped after %d of %d forwards; the map is what they tell", 1 + r->n,
                     1 + r->capacity);
            return AOSA_OK;
        }
        AO_TRY(status);
    }
    return AOSA_OK;
}

/* V of every tube; parents stand before their children. */
static void share(const struct refine *r, const double *effects, double *values)
{
    for (int i = 0; i < r->n; i++) {
        const struct tube *tube = &r->tree[i];
        if (tube->parent < 0)
            values[i] = -effects[i];
        if (tube->child < 0)
            continue;
        const double sign = effects[i] < 0 ? -1 : 1;
        const double *parts = effects + tube->child;
        double sum = 0;
        for (int c = 0; c < CHILDREN; c++)
            sum += fmax(sign * parts[c], 0);
        for (int c = 0; c < CHILDREN; c++)
            values[tube->child + c] =
                values[i] * (sum > 0 ? CHILDREN * fmax(sign * parts[c], 0) / sum : 1);
    }
}

/* The mean over the leaves; `values` of all tubes become those of the leaves. */
static aosa_status draw(const struct refine *r, double *values, float *map)
{
    struct aosa_mask_set leaves = *r->tubes; /* shares the arrays but for the list of masks */
    leaves.members = ao_alloc_raw((size_t)r->n, sizeof *leaves.members);
    if (!leaves.members)
        return ao_fail(AOSA_ERR_NOMEM, "aosa-refine: no memory for %d leaves", r->n);
    leaves.M = 0;
    for (int i = 0; i < r->n; i++)
        if (r->tree[i].child < 0) {
            values[leaves.M] = values[i];
            leaves.members[leaves.M++] = i;
        }
    const aosa_status status = ao_heat_map_mean(&leaves, values, map);
    ao_free(leaves.members);
    return status;
}

static aosa_status make_map(const struct refine *r, struct ao_map_result *result)
{
    const struct ao_attribution *a = r->a;
    const struct aosa_clip *clip = a->clip;
    double *values = ao_alloc((size_t)r->n, sizeof *values);
    if (!values)
        return ao_fail(AOSA_ERR_NOMEM, "aosa-refine: no memory for %d values", r->n);
    share(r, r->effects + (size_t)(result - a->results) * (size_t)r->capacity, values);
    const aosa_status status = draw(r, values, result->map);
    ao_free(values);
    AO_TRY(status);
    AO_TRY(ao_smooth_map(result->map, clip->T, clip->H, clip->W,
                         ao_method_smooth(a->options, SMOOTH), a->run.threads));
    ao_attribution_normalise(a, result);
    result->extra = json_pack("{s:i, s:b}", "tubes", r->n, "stopped", (int)a->stopped);
    return result->extra ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "aosa-refine: no memory");
}

static aosa_status allocate(struct refine *r)
{
    const struct ao_attribution *a = r->a;
    const struct aosa_clip *clip = a->clip;
    const size_t n = (size_t)r->capacity;
    AO_TRY(ao_tracker_create(a->flow, &r->tracker));
    AO_TRY(ao_mask_set_create(clip->T, clip->H, clip->W, 1, r->capacity, false, &r->tubes));
    AO_TRY(ao_mask_set_single(r->tubes));
    r->tubes->sizes = ao_alloc(n, sizeof *r->tubes->sizes);
    r->tree = ao_alloc(n, sizeof *r->tree);
    r->outputs = ao_alloc(1 + n, (size_t)a->model->classes * sizeof *r->outputs);
    return r->tubes->sizes && r->tree && r->outputs
               ? AOSA_OK
               : ao_fail(AOSA_ERR_NOMEM, "aosa-refine: no memory for %d tubes", r->capacity);
}

static aosa_status explain(struct refine *r)
{
    struct ao_attribution *a = r->a;
    double since = ao_now();
    AO_TRY(allocate(r));
    AO_TRY(ao_occluder_create(a->model, &a->run, &a->occluder));
    ao_lap(&a->seconds_prepare, &since);
    AO_TRY(ao_occluder_keep(a->occluder, a->clip, a->progress, a->outputs));
    a->passes.forwards = 1;
    AO_TRY(ao_attribution_begin(a));
    r->effects = ao_alloc((size_t)a->n_results, (size_t)r->capacity * sizeof *r->effects);
    if (!r->effects)
        return ao_fail(AOSA_ERR_NOMEM, "aosa-refine: no memory for %d effects", r->capacity);
    AO_TRY(refine(r));
    ao_lap(&a->seconds_run, &since);
    for (int k = 0; k < a->n_results; k++)
        AO_TRY(make_map(r, &a->results[k]));
    ao_lap(&a->seconds_map, &since);
    return AOSA_OK;
}

aosa_status ao_run_refine(struct ao_attribution *a)
{
    struct ao_passes passes;
    struct refine r = { .a = a };
    AO_TRY(ao_passes_refine(a, 0, &passes));
    r.capacity = (int)passes.forwards - 1;
    const aosa_status status = explain(&r);
    ao_tracker_fini(&r.tracker);
    ao_mask_set_destroy(&r.tubes);
    ao_free(r.tree);
    ao_free(r.effects);
    ao_free(r.outputs);
    return status;
}
