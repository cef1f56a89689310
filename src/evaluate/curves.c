/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/curves.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "render/chart.h"

/* --- means ---------------------------------------------------------------------------------------
 */

static bool is_finite(const struct ao_metric_curve *curve)
{
    for (size_t k = 0; k < curve->n; k++)
        if (!isfinite(curve->x[k]) || !isfinite(curve->y[k]))
            return false;
    return curve->n > 0;
}

static struct ao_mean_curve *find(const struct ao_mean_curves *curves, int method, const char *name)
{
    for (size_t i = 0; i < curves->n; i++)
        if (curves->curves[i].method == method && !strcmp(curves->curves[i].name, name))
            return &curves->curves[i];
    return NULL;
}

/* The curve of one clip that belongs to a mean, or NULL. */
static const struct ao_metric_curve *curve_of(const struct ao_result *result,
                                              const struct ao_mean_curve *mean)
{
    for (size_t i = 0; result->method == mean->method && i < result->answer.n_curves; i++) {
        const struct ao_metric_curve *curve = &result->answer.curves[i];
        if (!strcmp(curve->name, mean->name) && is_finite(curve))
            return curve;
    }
    return NULL;
}

/* One mean for each method and name, with the number of clips and the most points. */
static aosa_status collect(struct ao_mean_curves *curves, const struct ao_results *results)
{
    for (size_t i = 0; i < results->n; i++)
        for (size_t c = 0; c < results->results[i].answer.n_curves; c++) {
            const struct ao_metric_curve *curve = &results->results[i].answer.curves[c];
            if (!is_finite(curve))
                continue;
            struct ao_mean_curve *mean = find(curves, results->results[i].method, curve->name);
            if (!mean) {
                void *items = curves->curves;
                if (!ao_grow(&items, &curves->capacity, curves->n, sizeof *curves->curves))
                    return ao_fail(AOSA_ERR_NOMEM, "table: no memory for a curve");
                curves->curves = items;
                mean = &curves->curves[curves->n++];
                *mean = (struct ao_mean_curve){ .method = results->results[i].method };
                memcpy(mean->name, curve->name, sizeof mean->name);
            }
            mean->n_clips++;
            mean->n = curve->n > mean->n ? curve->n : mean->n;
        }
    return AOSA_OK;
}

/* The x of all clips where they are the same, else evenly spaced ones. */
static void choose_x(struct ao_mean_curve *mean, const struct ao_results *results)
{
    const struct ao_metric_curve *first = NULL;
    bool same = true;
    double lo = (double)INFINITY, hi = -(double)INFINITY;
    for (size_t i = 0; i < results->n; i++) {
        const struct ao_metric_curve *curve = curve_of(&results->results[i], mean);
        if (!curve)
            continue;
        first = first ? first : curve;
        same = same && curve->n == first->n &&
               !memcmp(curve->x, first->x, curve->n * sizeof *curve->x);
        lo = fmin(lo, curve->x[0]);
        hi = fmax(hi, curve->x[curve->n - 1]);
    }
    const double step = mean->n > 1 ? (hi - lo) / (double)(mean->n - 1) : 0;
    for (size_t k = 0; k < mean->n; k++)
        mean->x[k] = same ? first->x[k] : k + 1 == mean->n ? hi : lo + (double)k * step;
}

/* y at x, the point itself where x is one of the curve's; points ascend. */
static double read_at(const struct ao_metric_curve *curve, double x)
{
    size_t k = 0;
    while (k < curve->n && curve->x[k] < x)
        k++;
    if (k == curve->n)
        return curve->y[k - 1];
    if (k == 0 || curve->x[k] == x)
        return curve->y[k];
    const double w = (x - curve->x[k - 1]) / (curve->x[k] - curve->x[k - 1]);
    return curve->y[k - 1] + w * (curve->y[k] - curve->y[k - 1]);
}

static aosa_status average(struct ao_mean_curve *mean, const struct ao_results *results,
                           int resamples, uint64_t seed)
{
    size_t count, row = 0;
    mean->x = ao_alloc(mean->n, sizeof *mean->x);
    mean->intervals = ao_alloc(mean->n, sizeof *mean->intervals);
    double *y = ao_size_mul(mean->n_clips, mean->n, &count) ? ao_alloc_raw(count, sizeof *y) : NULL;
    aosa_status status = AOSA_OK;
    if (!mean->x || !mean->intervals || !y)
        status = ao_fail(AOSA_ERR_NOMEM, "table: no memory for %zu curves of %zu points",
                         mean->n_clips, mean->n);
    else
        choose_x(mean, results);
    for (size_t i = 0; status == AOSA_OK && i < results->n; i++) {
        const struct ao_metric_curve *curve = curve_of(&results->results[i], mean);
        for (size_t k = 0; curve && k < mean->n; k++)
            y[row * mean->n + k] = read_at(curve, mean->x[k]);
        row += curve != NULL;
    }
    if (status == AOSA_OK)
        status = ao_bootstrap_means(y, mean->n_clips, mean->n, resamples, seed, mean->intervals);
    ao_free(y);
    return status;
}

aosa_status ao_mean_curves_init(struct ao_mean_curves *curves, const struct ao_results *results,
                                int resamples, uint64_t seed)
{
    *curves = (struct ao_mean_curves){ 0 };
    AO_TRY(collect(curves, results));
    for (size_t i = 0; i < curves->n; i++)
        AO_TRY(average(&curves->curves[i], results, resamples, seed));
    return AOSA_OK;
}

void ao_mean_curves_fini(struct ao_mean_curves *curves)
{
    for (size_t i = 0; i < curves->n; i++) {
        ao_free(curves->curves[i].x);
        ao_free(curves->curves[i].intervals);
    }
    ao_free(curves->curves);
    *curves = (struct ao_mean_curves){ 0 };
}

/* --- pictures ------------------------------------------------------------------------------------
 */

/* A line for each method that has the curve; answers how many. */
static int gather_lines(const struct ao_mean_curves *curves, const struct ao_results *results,
                        const char *name, struct ao_chart_line *lines)
{
    int n = 0;
    for (size_t i = 0; i < curves->n; i++) {
        const struct ao_mean_curve *mean = &curves->curves[i];
        if (strcmp(mean->name, name))
            continue;
        lines[n++] = (struct ao_chart_line){
            .name = results->methods[mean->method],
            .n = mean->n,
            .x = mean->x,
            .middle = &mean->intervals[0].mean,
            .low = &mean->intervals[0].low,
            .high = &mean->intervals[0].high,
            .stride = sizeof *mean->intervals / sizeof(double),
        };
    }
    return n;
}

/* What stands below a picture's title: "means of 12 clips". */
static void describe(const struct ao_mean_curves *curves, const char *name, char text[96])
{
    size_t least = SIZE_MAX, most = 0;
    for (size_t i = 0; i < curves->n; i++) {
        const struct ao_mean_curve *mean = &curves->curves[i];
        if (strcmp(mean->name, name))
            continue;
        least = mean->n_clips < least ? mean->n_clips : least;
        most = mean->n_clips > most ? mean->n_clips : most;
    }
    if (least == most)
        snprintf(text, 96, "means of %zu clips, bands of 95 %%", most);
    else
        snprintf(text, 96, "means of %zu to %zu clips, bands of 95 %%", least, most);
}

/* Names come from files. */
static void file_name(const char *name, char file[AO_METRIC_NAME + 16])
{
    char safe[AO_METRIC_NAME];
    snprintf(safe, sizeof safe, "%s", name);
    for (char *p = safe; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '.' && *p != '_' && *p != '-')
            *p = '_';
    snprintf(file, AO_METRIC_NAME + 16, "curve.%s.png", safe);
}

static aosa_status draw(const struct ao_mean_curves *curves, const struct ao_results *results,
                        const char *name, struct ao_outdir *dir, struct ao_chart_line *lines)
{
    char file[AO_METRIC_NAME + 16], note[96];
    describe(curves, name, note);
    file_name(name, file);
    const struct ao_chart chart = {
        .title = name,
        .note = note,
        .x_label = "fraction changed",
        .y_label = "mean",
        .lines = lines,
        .n = gather_lines(curves, results, name, lines),
    };
    char *path = ao_outdir_file(dir, file);
    if (!path)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its path", file);
    const aosa_status status = ao_render_chart(&chart, path);
    ao_free(path);
    return status;
}

static bool is_first(const struct ao_mean_curves *curves, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (!strcmp(curves->curves[k].name, curves->curves[i].name))
            return false;
    return true;
}

aosa_status ao_mean_curves_draw(const struct ao_mean_curves *curves,
                                const struct ao_results *results, struct ao_outdir *dir)
{
    struct ao_chart_line *lines = ao_alloc((size_t)results->n_methods, sizeof *lines);
    aosa_status status =
        lines ? AOSA_OK : ao_fail(AOSA_ERR_NOMEM, "table: no memory for its pictures");
    for (size_t i = 0; status == AOSA_OK && i < curves->n; i++)
        if (is_first(curves, i))
            status = draw(curves, results, curves->curves[i].name, dir, lines);
    ao_free(lines);
    return status;
}
