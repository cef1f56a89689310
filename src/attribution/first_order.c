/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The score under every mask from one forward and one backward (spec A.11). With the score f, the
 * clip x, the fill v0, and O_i the voxels that mask i occludes, the first-order Taylor polynomial
 * at a clip x' gives
 *
 *     f_i = f(x') + sum over c, v of g'(c, v) (z_i - x')(c, v),    g' = df/dx at x',
 *     z_i = v0 in O_i and x elsewhere.
 *
 * With x' = x that is f(x) plus the sum over O_i of D(v) = sum_c g (v0 - x): one volume D, and for
 * every mask a sum over boxes. An expansion elsewhere is anchored at masks A: x' is the mean of
 * their z, x' = x + w (v0 - x) with w(v) the share of A that occludes v, and then
 *
 *     f_i = f(x') + sum over O_i of D' - mean over a in A of the sum over O_a of D',
 *     D' = sum_c g' (v0 - x).
 *
 * --splits n     A: all masks of one of n x n parts of the mask grid, for the masks of that part.
 *                The authors' code stops with an error; this is decision Q9 of the spec, which
 *                keeps the mean mask that their formula left out.
 * --adjust       Then the outliers of the estimates (mask_groups.h) are estimated again, at
 *                A = { e }, e the most extreme mask of a group:
 *   simple       one group for each side, in the authors' form f(x') + sum over O_i of
 *                sum_c g' (v0 - x'): the effect of hiding e and i together, not i alone (Q7). Only
 *                for masks of one track, as in their code (Q6).
 *   simple-fixed one group for each side, by the formula above.
 *   ip           one group for each connected component of the outliers of a side, by the formula
 *                above. The authors' code stops with an error (Q8).
 *
 * Every expansion is one more forward and backward. --layer begins the approximation at a layer
 * instead (cut.h).
 */
#include <math.h>

#include "attribution/box_sums.h"
#include "attribution/cut.h"
#include "attribution/detail.h"
#include "attribution/first_order.h"
#include "attribution/gradients.h"
#include "attribution/mask_groups.h"
#include "core/alloc.h"
#include "core/clock.h"
#include "ops/element.h"

struct first_order {
    struct ao_attribution *a;
    struct ao_box_list boxes;
    struct ao_box_sums sums; /* of the D that was read last */
    double *gradient;        /* [3][T][H][W] that was read last */
    bool detail;             /* is wanted from the clip's */
    double *effects;         /* [n_results][M] f_i - f(x); NULL until the clip was read */

    struct ao_mask_groups groups; /* the expansions that are being run */
    bool reference;               /* in the authors' form of `simple` */
};

static double *effects_of(const struct first_order *fo, const struct ao_map_result *result)
{
    return fo->effects + (size_t)(result - fo->a->results) * (size_t)fo->a->masks->M;
}

/* Fill and clip in row y of frame t of a channel; the fill's step is 0 for a single value. */
struct row {
    const float *clip, *fill;
    int fill_step;
};

static size_t row_offset(const struct aosa_clip *clip, int c, int t, int y)
{
    return (((size_t)c * (size_t)clip->T + (size_t)t) * (size_t)clip->H + (size_t)y) *
           (size_t)clip->W;
}

static struct row row_at(const struct ao_attribution *a, int c, int t, int y)
{
    const struct aosa_clip *clip = a->clip;
    const size_t at = row_offset(clip, c, t, y);
    const float *volume = a->fill->volume;
    return (struct row){ .clip = clip->values + at,
                         .fill = volume ? volume + at : &a->fill->value[c],
                         .fill_step = volume ? 1 : 0 };
}

/* v0 - x at column x. */
static double change(const struct row *row, int x)
{
    return (double)row->fill[x * row->fill_step] - (double)row->clip[x];
}

void ao_first_order_density(const struct ao_attribution *a, const double *gradient, int t, int y,
                            double *density)
{
    const struct aosa_clip *clip = a->clip;
    for (int x = 0; x < clip->W; x++)
        density[x] = 0;
    for (int c = 0; c < 3; c++) {
        const struct row row = row_at(a, c, t, y);
        const double *g = gradient + row_offset(clip, c, t, y);
        for (int x = 0; x < clip->W; x++)
            density[x] += g[x] * change(&row, x);
    }
}

/* D of a gradient [3][T][H][W], float or double as the backend has it, before it is integrated. */
static void write_density(const struct first_order *fo, const struct ao_view *gradient)
{
    const struct ao_view dense = ao_view_dense(fo->gradient, AO_F64, &gradient->shape);
    ao_view_convert(&dense, gradient);
    for (int t = 0; t < fo->a->clip->T; t++)
        for (int y = 0; y < fo->a->clip->H; y++)
            ao_first_order_density(fo->a, fo->gradient, t, y, ao_box_sums_row(&fo->sums, t, y));
}

/* The authors' sum_c g' (v0 - x') in place of D': x' is v0 where the anchor occludes. */
static void clear_density(const struct first_order *fo, int mask)
{
    for (int t = 0; t < fo->boxes.T; t++) {
        const size_t i = (size_t)mask * (size_t)fo->boxes.T + (size_t)t;
        for (size_t b = fo->boxes.first[i]; b < fo->boxes.first[i + 1]; b++) {
            const struct ao_box box = fo->boxes.boxes[b];
            for (int y = box.y0; y < box.y1; y++)
                for (int x = box.x0; x < box.x1; x++)
                    ao_box_sums_row(&fo->sums, t, y)[x] = 0;
        }
    }
}

/* Sum of D' over what the anchor of a group occludes, the mean over its masks. */
static double anchor_sum(const struct first_order *fo, int group)
{
    const struct ao_mask_groups *groups = &fo->groups;
    if (groups->anchor[group] != AO_ANCHOR_MEAN)
        return ao_box_sums_mask(&fo->sums, &fo->boxes, groups->anchor[group]);
    double sum = 0;
    for (int32_t i = groups->first[group]; i < groups->first[group + 1]; i++)
        sum += ao_box_sums_mask(&fo->sums, &fo->boxes, groups->members[i]);
    return sum / (groups->first[group + 1] - groups->first[group]);
}

static aosa_status read_clip(void *context, int64_t variant, struct ao_map_result *result,
                             const struct ao_backprop_result *answer)
{
    struct first_order *fo = context;
    const int M = fo->a->masks->M;
    (void)variant;
    if (!fo->effects)
        fo->effects = ao_alloc((size_t)fo->a->n_results, (size_t)M * sizeof *fo->effects);
    if (!fo->effects)
        return ao_fail(AOSA_ERR_NOMEM, "first order: no memory for %d masks", M);
    write_density(fo, &answer->clip);
    ao_box_sums_integrate(&fo->sums);
    double *effects = effects_of(fo, result);
    for (int m = 0; m < M; m++)
        effects[m] = ao_box_sums_mask(&fo->sums, &fo->boxes, m);
    return fo->detail ? ao_detail_keep(fo->a, fo->gradient, result) : AOSA_OK;
}

static aosa_status read_group(void *context, int64_t variant, struct ao_map_result *result,
                              const struct ao_backprop_result *answer)
{
    struct first_order *fo = context;
    const struct ao_attribution *a = fo->a;
    const struct ao_mask_groups *groups = &fo->groups;
    const int group = (int)variant;
    const double score = ao_score(a->score, answer->outputs, a->model->classes,
                                  a->model->probabilities, result->target);
    if (!isfinite(score))
        return ao_fail(AOSA_ERR_NUMERIC, "the score of an occluded clip is %g; try --score prob",
                       score);
    write_density(fo, &answer->clip);
    if (fo->reference)
        clear_density(fo, groups->anchor[group]);
    ao_box_sums_integrate(&fo->sums);
    /* The authors' density is 0 under the anchor, and so is this sum. */
    const double origin = score - result->base - anchor_sum(fo, group);
    double *effects = effects_of(fo, result);
    for (int32_t i = groups->first[group]; i < groups->first[group + 1]; i++) {
        const int32_t m = groups->members[i];
        effects[m] = origin + ao_box_sums_mask(&fo->sums, &fo->boxes, m);
    }
    return AOSA_OK;
}

/* Moves the voxels that a mask occludes towards the fill, by a share of the way from the clip. */
static void hide(const struct first_order *fo, const struct ao_view *clip, int mask, double share)
{
    const int64_t *strides = clip->strides;
    for (int t = 0; t < fo->boxes.T; t++) {
        const size_t i = (size_t)mask * (size_t)fo->boxes.T + (size_t)t;
        for (size_t b = fo->boxes.first[i]; b < fo->boxes.first[i + 1]; b++) {
            const struct ao_box box = fo->boxes.boxes[b];
            for (int c = 0; c < 3; c++)
                for (int y = box.y0; y < box.y1; y++) {
                    const struct row row = row_at(fo->a, c, t, y);
                    float *dst =
                        (float *)clip->data + c * strides[0] + t * strides[1] + y * strides[2];
                    for (int x = box.x0; x < box.x1; x++)
                        dst[x * strides[3]] =
                            (float)((double)dst[x * strides[3]] + share * change(&row, x));
                }
        }
    }
}

static void write_group(const void *context, const struct ao_view *clip, int64_t item,
                        int64_t previous)
{
    const struct first_order *fo = context;
    const struct ao_mask_groups *groups = &fo->groups;
    const int32_t first = groups->first[item], end = groups->first[item + 1];
    (void)previous;
    ao_gradients_write(fo->a->clip->values, clip);
    if (groups->anchor[item] != AO_ANCHOR_MEAN)
        hide(fo, clip, groups->anchor[item], 1);
    else
        for (int32_t i = first; i < end; i++)
            hide(fo, clip, groups->members[i], 1.0 / (end - first));
}

/* Estimates the groups' masks again; the groups are let go. */
static aosa_status expand(struct first_order *fo, struct ao_gradients *gradients,
                          struct ao_map_result *result)
{
    aosa_status status = AOSA_OK;
    if (fo->groups.n > 0)
        status =
            ao_gradients_variants(gradients, result, fo->groups.n, write_group, read_group, fo);
    ao_mask_groups_fini(&fo->groups);
    return status;
}

static aosa_status split(struct first_order *fo, struct ao_gradients *gradients,
                         struct ao_map_result *result)
{
    const int splits = fo->a->options->splits;
    if (splits == 0)
        return AOSA_OK;
    AO_TRY(ao_mask_groups_split(fo->a->masks, splits, &fo->groups));
    return expand(fo, gradients, result);
}

/* Also tells, for result.json, how many masks are estimated twice and in how many groups. */
static aosa_status adjust(struct first_order *fo, struct ao_gradients *gradients,
                          struct ao_map_result *result)
{
    const int kind = fo->a->options->adjust;
    if (kind == AO_ADJUST_NONE)
        return AOSA_OK;
    AO_TRY(ao_mask_groups_outliers(fo->a->masks, effects_of(fo, result), kind == AO_ADJUST_IP,
                                   &fo->groups));
    const int n = fo->groups.n;
    result->extra = json_pack("{s:i, s:i}", "outliers", (int)fo->groups.first[n], "groups", n);
    if (!result->extra)
        return ao_fail(AOSA_ERR_NOMEM, "first order: no memory");
    fo->reference = kind == AO_ADJUST_SIMPLE;
    const aosa_status status = expand(fo, gradients, result);
    fo->reference = false;
    return status;
}

static aosa_status estimate(struct first_order *fo, struct ao_gradients *gradients)
{
    AO_TRY(ao_gradients_clip(gradients, NULL, read_clip, fo));
    for (int k = 0; k < fo->a->n_results; k++) {
        AO_TRY(split(fo, gradients, &fo->a->results[k]));
        AO_TRY(adjust(fo, gradients, &fo->a->results[k]));
    }
    return AOSA_OK;
}

static aosa_status run_expansions(struct first_order *fo)
{
    struct ao_attribution *a = fo->a;
    const struct ao_backprop_options options = {
        .one_item = a->options->splits < 2, /* more parts are work for more threads */
        .clip = true,
    };
    struct ao_gradients *gradients = NULL;
    AO_TRY(ao_gradients_open(a, &options, &gradients));
    const aosa_status status = estimate(fo, gradients);
    ao_gradients_close(&gradients);
    return status;
}

static aosa_status measure(struct first_order *fo)
{
    const struct ao_attribution *a = fo->a;
    AO_TRY(ao_box_list_create(a->masks, &fo->boxes));
    AO_TRY(ao_box_sums_create(a->clip->T, a->clip->H, a->clip->W, &fo->sums));
    fo->gradient = ao_alloc_raw(3 * ao_clip_voxels(a->clip), sizeof *fo->gradient);
    if (!fo->gradient)
        return ao_fail(AOSA_ERR_NOMEM, "first order: no memory for a gradient");
    return run_expansions(fo);
}

aosa_status ao_first_order_effects(struct ao_attribution *a, double **effects)
{
    struct first_order fo = { .a = a, .detail = ao_detail_wanted(a) };
    const aosa_status status = measure(&fo);
    ao_mask_groups_fini(&fo.groups);
    ao_box_list_fini(&fo.boxes);
    ao_box_sums_fini(&fo.sums);
    ao_free(fo.gradient);
    if (status != AOSA_OK)
        ao_free(fo.effects);
    *effects = status == AOSA_OK ? fo.effects : NULL;
    return status;
}

static aosa_status explain(struct ao_attribution *a, const double *effects)
{
    double since = ao_now();
    for (int k = 0; k < a->n_results; k++)
        AO_TRY(ao_attribution_from_effects(a, effects + (size_t)k * (size_t)a->masks->M,
                                           &a->results[k]));
    ao_lap(&a->seconds_map, &since);
    return AOSA_OK;
}

aosa_status ao_run_first_order(struct ao_attribution *a)
{
    const int M = a->masks->M, n_members = a->masks->first[M];
    if (a->options->adjust == AO_ADJUST_SIMPLE && n_members > M)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--adjust simple: the authors' form is for masks of one track, these %d "
                       "masks have %d; take --adjust simple-fixed, or leave the masks unstacked",
                       M, n_members);
    double *effects = NULL;
    AO_TRY(a->options->layer ? ao_cut_effects(a, &effects) : ao_first_order_effects(a, &effects));
    const aosa_status status = explain(a, effects);
    ao_free(effects);
    return status;
}

/* The clip and, with --splits, one expansion for each part that holds masks. */
aosa_status ao_passes_first_order(const struct ao_attribution *a, int n_targets,
                                  struct ao_passes *passes)
{
    int64_t expansions = 1;
    if (a->options->layer)
        return ao_cut_passes(a, n_targets, passes);
    if (a->options->splits > 0) {
        struct ao_mask_groups groups;
        AO_TRY(ao_mask_groups_split(a->masks, a->options->splits, &groups));
        expansions += groups.n;
        ao_mask_groups_fini(&groups);
    }
    passes->forwards = passes->backwards = n_targets * expansions;
    return AOSA_OK;
}
