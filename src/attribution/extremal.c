/* SPDX-License-Identifier: Apache-2.0 */
#define _DEFAULT_SOURCE /* strsep */
#include "attribution/extremal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "attribution/gradients.h"
#include "attribution/mask_loss.h"
#include "attribution/pyramid.h"
#include "attribution/smooth_mask.h"
#include "core/alloc.h"
#include "core/clock.h"
#include "core/parallel.h"

enum {
    MOST_AREAS = 16,
    STEP = 7,             /* pixels from cell to cell, of the authors */
    FEWEST_CELLS = 16,    /* along the short side, for smaller frames */
    SIGMAS = 10,          /* in the short side: 11 of 112 pixels; 22 of 224, authors 23 */
    ELLIPSOID_FRAMES = 7, /* WACV 2021 */
};
#define PATH 100.0        /* rate 0.05 in 2,000 iterations */
#define MOST_RATE 1.0     /* over which a first step can end at zeros */
#define PARAMETERS 4096.0 /* 16 x 16 x 16 cells */
#define MOMENTUM 0.9F

/* The mask of one area. */
struct area {
    double asked;
    float *p, *velocity, *p_slope; /* [T][grid_h][grid_w] */
    float *mask, *sums, *slope;    /* [T][rows][cols] */
    float *scratch;                /* [T rows cols] */
    struct ao_ellipsoids ellipsoids;
    double reward, area_loss, ellipsoid_loss; /* of the last pass */
};

struct descent {
    struct ao_attribution *attribution;
    const struct ao_extremal *rule;
    struct ao_smooth_mask grid;
    struct ao_pyramid pyramid;
    struct area areas[MOST_AREAS];
    int n_areas, sides; /* clips of each mask: 2 in the dual game */
    float *scratch;     /* [threads][ao_smooth_mask_scratch] */
    int iteration;
};

static aosa_status parse_areas(const char *text, double areas[MOST_AREAS], int *n)
{
    static const struct ao_option row =
        AO_OPT_REAL(area, asked, "areas", NULL, 0.001, 0.999, "LIST", "");
    char copy[256], *rest = copy;
    struct area area;
    if (!text || strlen(text) >= sizeof copy)
        return ao_fail(AOSA_ERR_ARGUMENT, "--areas: give a list such as 0.05,0.1");
    snprintf(copy, sizeof copy, "%s", text);
    *n = 0;
    for (char *word; (word = strsep(&rest, ","));) {
        if (*n == MOST_AREAS)
            return ao_fail(AOSA_ERR_ARGUMENT, "--areas: '%s' holds more than %d", text, MOST_AREAS);
        AO_TRY(ao_option_set(&row, &area, word));
        areas[(*n)++] = area.asked;
    }
    return AOSA_OK;
}

static int sides_of(const struct ao_attribution *a)
{
    return a->options->game == AO_GAME_DUAL ? 2 : 1;
}

aosa_status ao_passes_extremal(const struct ao_attribution *a, int n_targets,
                               struct ao_passes *passes)
{
    double areas[MOST_AREAS];
    int n;
    AO_TRY(parse_areas(a->options->areas, areas, &n));
    const int64_t each = (int64_t)a->options->iterations * n * sides_of(a);
    *passes = (struct ao_passes){ 1 + n_targets * each, 1 + n_targets * each };
    return AOSA_OK;
}

/* ----------------------------------------------------------------------------- clips and scores */

/* Whether a variant hides the mask's place rather than all else. */
static bool hides(const struct descent *d, int64_t variant)
{
    const int game = d->attribution->options->game;
    return game == AO_GAME_DELETE || (game == AO_GAME_DUAL && variant % d->sides == 1);
}

/* A variant's mask without its margin. */
static struct ao_seen seen_of(const struct descent *d, int64_t variant)
{
    const struct ao_smooth_mask *grid = &d->grid;
    return (struct ao_seen){
        .values = d->areas[variant / d->sides].mask + grid->sigma * (grid->cols + 1),
        .row = (size_t)grid->cols,
        .frame = (size_t)(grid->rows * grid->cols),
        .inverse = hides(d, variant),
    };
}

static void write_variant(const void *context, const struct ao_view *input, int64_t variant,
                          int64_t previous)
{
    const struct descent *d = context;
    const struct ao_seen seen = seen_of(d, variant);
    (void)previous; /* every voxel may change */
    ao_pyramid_write(&d->pyramid, &seen, input);
}

/* -log(1 / (1 + exp(-x))) */
static double log_loss(double x)
{
    return fmax(-x, 0) + log1p(exp(-fabs(x)));
}

double ao_extremal_reward(enum ao_score_kind kind, double score, bool hidden, double *slope)
{
    const double sign = hidden ? -1 : 1;
    if (kind != AO_SCORE_PROB) {
        *slope = -sign;
        return -sign * score;
    }
    *slope = -sign / (1 + exp(sign * score));
    return log_loss(sign * score);
}

/* The probability's losses follow from log-odds, which keep their digits near 0 and 1. */
static enum ao_score_kind inner_score(const struct ao_attribution *a)
{
    return a->score == AO_SCORE_PROB ? AO_SCORE_LOG_ODDS : a->score;
}

static double reward_at(const struct descent *d, int64_t variant,
                        const struct ao_map_result *result, const float *outputs, double *slope)
{
    const struct ao_attribution *a = d->attribution;
    const double score = ao_score(inner_score(a), outputs, a->model->classes,
                                  a->model->probabilities, result->target);
    return ao_extremal_reward(a->score, score, hides(d, variant), slope);
}

static void seed_variant(const void *context, int64_t variant, const struct ao_map_result *result,
                         const float *outputs, float *seed)
{
    const struct descent *d = context;
    const struct aosa_model *model = d->attribution->model;
    double slope;
    reward_at(d, variant, result, outputs, &slope);
    ao_score_gradient(inner_score(d->attribution), outputs, model->classes, model->probabilities,
                      result->target, seed);
    for (int k = 0; k < model->classes; k++)
        seed[k] = (float)(d->rule->reward * slope * (double)seed[k]);
}

static aosa_status read_variant(void *context, int64_t variant, struct ao_map_result *result,
                                const struct ao_backprop_result *answer)
{
    struct descent *d = context;
    struct area *area = &d->areas[variant / d->sides];
    const struct ao_seen seen = seen_of(d, variant);
    double slope;
    area->reward += d->rule->reward * reward_at(d, variant, result, answer->outputs, &slope);
    ao_pyramid_adjoint(&d->pyramid, &seen, &answer->clip, area->slope + (seen.values - area->mask));
    return AOSA_OK;
}

/* -------------------------------------------------------------------------------------- descent */

static double area_loss(const struct descent *d, const struct area *area, double weight)
{
    const int T = d->attribution->clip->T, parts = d->rule->each_frame ? T : 1;
    const size_t n = (size_t)(T / parts) * (size_t)(d->grid.rows * d->grid.cols);
    const size_t ones = n - (size_t)((double)n * (1 - area->asked));
    const double each = weight / ((double)n * parts);
    double loss = 0;
    for (int i = 0; i < parts; i++)
        loss += ao_ranked_loss(area->mask + (size_t)i * n, n, ones, each, each, area->scratch,
                               area->slope + (size_t)i * n);
    return loss;
}

static aosa_status add_losses(void *context, int64_t index, int thread)
{
    const struct descent *d = context;
    const struct ao_extremal *rule = d->rule;
    struct area *area = (struct area *)&d->areas[index];
    const double done = (double)d->iteration / d->attribution->options->iterations;
    (void)thread;
    area->area_loss = area_loss(d, area, rule->area * pow(rule->growth, done));
    if (rule->ellipsoids > 0)
        area->ellipsoid_loss =
            ao_ellipsoids_loss(&area->ellipsoids, area->mask, area->asked,
                               done < rule->ellipsoids_at ? 0 : rule->ellipsoids, area->slope);
    return AOSA_OK;
}

static void step(const struct descent *d, struct area *area, size_t first, size_t n)
{
    const size_t all = n * (size_t)d->attribution->clip->T;
    const double of_way = fmin(PATH / d->attribution->options->iterations, MOST_RATE);
    const float rate = (float)(of_way * (double)all / PARAMETERS);
    for (size_t i = first; i < first + n; i++) {
        const float slope = area->p_slope[i];
        area->velocity[i] =
            d->iteration == 0 ? slope : MOMENTUM * area->velocity[i] + (1 - MOMENTUM) * slope;
        area->p[i] = fminf(1, fmaxf(0, area->p[i] - rate * area->velocity[i]));
    }
}

/* One frame of one mask: after the first pass a step, then what the next pass starts from. */
static aosa_status move_frame(void *context, int64_t item, int thread)
{
    struct descent *d = context;
    const struct ao_smooth_mask *grid = &d->grid;
    const size_t T = (size_t)d->attribution->clip->T, t = (size_t)item % T;
    struct area *area = &d->areas[(size_t)item / T];
    const size_t cells = (size_t)(grid->grid_h * grid->grid_w);
    const size_t n = (size_t)(grid->rows * grid->cols), p = t * cells, m = t * n;
    float *scratch = d->scratch + (size_t)thread * ao_smooth_mask_scratch(grid);
    if (d->iteration >= 0) {
        ao_smooth_mask_adjoint(grid, area->p + p, area->mask + m, area->sums + m, area->slope + m,
                               scratch, area->p_slope + p);
        step(d, area, p, cells);
    }
    ao_smooth_mask_frame(grid, area->p + p, scratch, area->mask + m, area->sums + m);
    memset(area->slope + m, 0, n * sizeof *area->slope);
    return AOSA_OK;
}

static aosa_status move(struct descent *d)
{
    const struct ao_attribution *a = d->attribution;
    return ao_parallel_for(a->run.threads, (int64_t)d->n_areas * a->clip->T, move_frame, d);
}

static void start(struct descent *d)
{
    const size_t n = (size_t)(d->attribution->clip->T * d->grid.grid_h * d->grid.grid_w);
    for (int k = 0; k < d->n_areas; k++)
        for (size_t i = 0; i < n; i++)
            d->areas[k].p[i] = 1;
    d->iteration = -1;
}

static aosa_status descend(struct descent *d, struct ao_gradients *gradients,
                           struct ao_map_result *result)
{
    struct ao_attribution *a = d->attribution;
    double since = ao_now();
    start(d);
    AO_TRY(move(d));
    for (d->iteration = 0; d->iteration < a->options->iterations; d->iteration++) {
        for (int k = 0; k < d->n_areas; k++)
            d->areas[k].reward = 0;
        ao_lap(&a->seconds_map, &since);
        AO_TRY(ao_gradients_variants(gradients, result, (int64_t)d->n_areas * d->sides,
                                     write_variant, read_variant, d));
        since = ao_now();
        AO_TRY(ao_parallel_for(a->run.threads, d->n_areas, add_losses, d));
        AO_TRY(move(d));
    }
    ao_lap(&a->seconds_map, &since);
    return AOSA_OK;
}

/* --------------------------------------------------------------------------------------- result */

static void add_to_map(const struct descent *d, int index, float *map)
{
    const struct aosa_clip *clip = d->attribution->clip;
    const struct ao_seen seen = seen_of(d, (int64_t)index * d->sides);
    for (int row = 0; row < clip->T * clip->H; row++) {
        const float *m =
            seen.values + (size_t)(row / clip->H) * seen.frame + (size_t)(row % clip->H) * seen.row;
        for (int x = 0; x < clip->W; x++)
            map[row * clip->W + x] += m[x] / (float)d->n_areas;
    }
}

/* Mean of that many rows and columns of every frame of the mask. */
static double mean_of(const struct descent *d, const float *mask, int rows, int cols)
{
    const int T = d->attribution->clip->T;
    double sum = 0;
    for (int row = 0; row < T * rows; row++) {
        const float *m = mask + (row / rows * d->grid.rows + row % rows) * d->grid.cols;
        for (int x = 0; x < cols; x++)
            sum += (double)m[x];
    }
    return sum / ((double)T * rows * cols);
}

/* What became of one area, for result.json. */
static json_t *report(const struct descent *d, int index)
{
    struct ao_attribution *a = d->attribution;
    const struct area *area = &d->areas[index];
    const double measured = mean_of(d, area->mask, d->grid.rows, d->grid.cols);
    const float *clip = seen_of(d, (int64_t)index * d->sides).values;
    if (fabs(measured - area->asked) > AO_EXTREMAL_AREA_GAP && !a->warning[0])
        snprintf(a->warning, sizeof a->warning,
                 "the mask of area %g covers %.3f; give it more --iterations", area->asked,
                 measured);
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "asked", area->asked, "measured", measured,
                     "measured_in_clip", mean_of(d, clip, a->clip->H, a->clip->W), "reward_loss",
                     area->reward, "area_loss", area->area_loss, "ellipsoid_loss",
                     area->ellipsoid_loss);
}

static aosa_status finish(struct descent *d, struct ao_map_result *result)
{
    json_t *areas = json_array();
    for (int k = 0; k < d->n_areas; k++) {
        add_to_map(d, k, result->map);
        json_array_append_new(areas, report(d, k));
    }
    ao_attribution_normalise(d->attribution, result);
    result->extra = json_pack("{s:i, s:i, s:o}", "step_pixels", d->grid.step, "sigma_pixels",
                              d->grid.sigma, "areas", areas);
    return result->extra ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "report: no memory");
}

static aosa_status create_area(const struct descent *d, struct area *area)
{
    const struct aosa_clip *clip = d->attribution->clip;
    const size_t T = (size_t)clip->T, n = (size_t)(d->grid.rows * d->grid.cols);
    const size_t cells = (size_t)(d->grid.grid_h * d->grid.grid_w);
    float **const small[] = { &area->p, &area->velocity, &area->p_slope };
    float **const large[] = { &area->mask, &area->sums, &area->slope, &area->scratch };
    bool made = true;
    for (int i = 0; i < 3; i++)
        made = (*small[i] = ao_alloc(T, cells * sizeof **small[i])) && made;
    for (int i = 0; i < 4; i++)
        made = (*large[i] = ao_alloc(T, n * sizeof **large[i])) && made;
    if (!made)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for masks of %zu voxels",
                       d->attribution->method->name, T * n);
    return ao_ellipsoids_init(&area->ellipsoids, clip->T, d->grid.rows, d->grid.cols,
                              ELLIPSOID_FRAMES, d->grid.sigma);
}

static void close_area(struct area *area)
{
    float *const all[] = { area->p,    area->velocity, area->p_slope, area->mask,
                           area->sums, area->slope,    area->scratch };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        ao_free(all[i]);
    ao_ellipsoids_fini(&area->ellipsoids);
}

static aosa_status open_masks(struct descent *d)
{
    const struct ao_attribution *a = d->attribution;
    const int shorter = a->clip->H < a->clip->W ? a->clip->H : a->clip->W;
    const int step = shorter >= STEP * FEWEST_CELLS ? STEP : shorter / FEWEST_CELLS;
    const int sigma = (int)lround((double)shorter / SIGMAS);
    AO_TRY(ao_smooth_mask_init(&d->grid, a->clip->H, a->clip->W, step > 0 ? step : 1,
                               sigma > 0 ? sigma : 1));
    d->scratch =
        ao_alloc((size_t)a->run.threads, ao_smooth_mask_scratch(&d->grid) * sizeof *d->scratch);
    if (!d->scratch)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for %d threads", a->method->name,
                       a->run.threads);
    for (int k = 0; k < d->n_areas; k++)
        AO_TRY(create_area(d, &d->areas[k]));
    return ao_pyramid_init(a, &d->pyramid);
}

static aosa_status explain(struct descent *d, struct ao_gradients *gradients)
{
    struct ao_attribution *a = d->attribution;
    AO_TRY(open_masks(d));
    ao_gradients_set_seed(gradients, seed_variant);
    AO_TRY(ao_gradients_clip(gradients, NULL, NULL, NULL));
    for (int k = 0; k < a->n_results; k++) {
        AO_TRY(descend(d, gradients, &a->results[k]));
        AO_TRY(finish(d, &a->results[k]));
    }
    return AOSA_OK;
}

aosa_status ao_extremal_run(struct ao_attribution *a, const struct ao_extremal *rule)
{
    struct descent d = { .attribution = a, .rule = rule, .sides = sides_of(a) };
    double areas[MOST_AREAS];
    AO_TRY(parse_areas(a->options->areas, areas, &d.n_areas));
    for (int k = 0; k < d.n_areas; k++)
        d.areas[k].asked = areas[k];
    const struct ao_backprop_options options = { .clip = true,
                                                 .one_item = d.n_areas * d.sides == 1 };
    struct ao_gradients *gradients;
    AO_TRY(ao_gradients_open(a, &options, &gradients));
    const aosa_status status = explain(&d, gradients);
    for (int k = 0; k < d.n_areas; k++)
        close_area(&d.areas[k]);
    ao_free(d.scratch);
    ao_pyramid_fini(&d.pyramid);
    ao_smooth_mask_fini(&d.grid);
    ao_gradients_close(&gradients);
    return status;
}
