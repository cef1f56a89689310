/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "evaluate/table.h"

static const struct ao_cell *cell_at(const struct ao_table *table, int m, size_t v)
{
    return &table->cells[(size_t)m * table->n_values + v];
}

/* A number that reads back to the same bits; nothing for a NaN. */
static void add_number(struct ao_page *page, double number)
{
    if (isnan(number))
        ao_page_add(page, ",");
    else
        ao_page_add(page, ",%.17g", number);
}

void ao_table_csv(const struct ao_table *table, struct ao_page *page)
{
    const struct ao_results *r = table->results;
    ao_page_add(page, "method,value,better,mean,low,high,n,done,failed,missing\n");
    for (int m = 0; m < r->n_methods; m++)
        for (size_t v = 0; v < table->n_values; v++) {
            const struct ao_cell *cell = cell_at(table, m, v);
            ao_page_add(page, "%s,%s,%s", r->methods[m], table->values[v],
                        ao_table_better(table->values[v]));
            add_number(page, cell->interval.mean);
            add_number(page, cell->interval.low);
            add_number(page, cell->interval.high);
            ao_page_add(page, ",%zu,%zu,%zu,%lld\n", cell->n, table->done[m], table->failed[m],
                        (long long)r->clips - (long long)(table->done[m] + table->failed[m]));
        }
}

void ao_table_markdown(const struct ao_table *table, struct ao_page *page)
{
    const struct ao_results *r = table->results;
    ao_page_add(page, "| method |");
    for (size_t v = 0; v < table->n_values; v++) {
        const char *better = ao_table_better(table->values[v]);
        ao_page_add(page, " %s%s |", table->values[v],
                    *better == 'l'   ? " ↓"
                    : *better == 'h' ? " ↑"
                                     : "");
    }
    ao_page_add(page, " done | failed |\n|---|");
    for (size_t v = 0; v < table->n_values + 2; v++)
        ao_page_add(page, "---|");
    for (int m = 0; m < r->n_methods; m++) {
        ao_page_add(page, "\n| %s |", r->methods[m]);
        for (size_t v = 0; v < table->n_values; v++) {
            const struct ao_cell *cell = cell_at(table, m, v);
            if (cell->n)
                ao_page_add(page, " %.4f (%.4f to %.4f) |", cell->interval.mean, cell->interval.low,
                            cell->interval.high);
            else
                ao_page_add(page, " |");
        }
        ao_page_add(page, " %zu | %zu |", table->done[m], table->failed[m]);
    }
    ao_page_add(page,
                "\n\nMeans over clips with bootstrap intervals of 95 %%; %lld clips, %lld "
                "of %lld items missing.\n",
                (long long)r->clips, (long long)r->missing, (long long)r->clips * r->n_methods);
}

static json_t *number_json(double number)
{
    return isnan(number) ? json_null() : json_real(number);
}

static json_t *method_json(const struct ao_table *table, int m)
{
    json_t *values = json_object();
    for (size_t v = 0; v < table->n_values; v++) {
        const struct ao_cell *cell = cell_at(table, m, v);
        json_object_set_new(values, table->values[v],
                            json_pack("{s:o, s:o, s:o, s:I}", "mean",
                                      number_json(cell->interval.mean), "low",
                                      number_json(cell->interval.low), "high",
                                      number_json(cell->interval.high), "n", (json_int_t)cell->n));
    }
    return json_pack("{s:s, s:I, s:I, s:o}", "name", table->results->methods[m], "done",
                     (json_int_t)table->done[m], "failed", (json_int_t)table->failed[m], "values",
                     values);
}

/* What failed and why. */
static json_t *failures_json(const struct ao_results *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->n; i++)
        if (r->results[i].reason)
            json_array_append_new(list, json_pack("{s:o, s:s, s:o}", "clip",
                                                  ao_json_text(r->results[i].clip), "method",
                                                  r->methods[r->results[i].method], "reason",
                                                  ao_json_text(r->results[i].reason)));
    return list;
}

json_t *ao_table_json(const struct ao_table *table)
{
    const struct ao_results *r = table->results;
    json_t *methods = json_array();
    for (int m = 0; m < r->n_methods; m++)
        json_array_append_new(methods, method_json(table, m));
    return json_pack("{s:i, s:O, s:I, s:I, s:o, s:o}", "aosa_table", 1, "run", r->identity, "clips",
                     (json_int_t)r->clips, "missing", (json_int_t)r->missing, "methods", methods,
                     "failures", failures_json(r));
}

/* --- curves: means over clips, of curves with the same x
 * ------------------------------------------ */

static const struct ao_metric_curve *curve_of(const struct ao_result *result, const char *name)
{
    for (size_t i = 0; i < result->answer.n_curves; i++)
        if (!strcmp(result->answer.curves[i].name, name))
            return &result->answer.curves[i];
    return NULL;
}

/* Rows of one method's curve; nothing where clips were changed in different steps. */
static aosa_status add_curve(const struct ao_table *table, struct ao_page *page, int m,
                             const struct ao_metric_curve *first)
{
    const struct ao_results *r = table->results;
    size_t n = 0;
    double *sum = ao_alloc(first->n, sizeof *sum);
    if (!sum)
        return ao_fail(AOSA_ERR_NOMEM, "table: no memory for a curve");
    for (size_t i = 0; i < r->n; i++) {
        const struct ao_metric_curve *curve = curve_of(&r->results[i], first->name);
        if (r->results[i].method != m || !curve)
            continue;
        if (curve->n != first->n || memcmp(curve->x, first->x, curve->n * sizeof *curve->x)) {
            ao_free(sum);
            return AOSA_OK;
        }
        for (size_t k = 0; k < curve->n; k++)
            sum[k] += curve->y[k];
        n++;
    }
    for (size_t k = 0; k < first->n; k++)
        ao_page_add(page, "%s,%s,%.17g,%.17g,%zu\n", r->methods[m], first->name, first->x[k],
                    sum[k] / (double)n, n);
    ao_free(sum);
    return AOSA_OK;
}

aosa_status ao_table_curves(const struct ao_table *table, struct ao_page *page)
{
    const struct ao_results *r = table->results;
    int last = -1;
    ao_page_add(page, "method,curve,x,mean,n\n");
    for (size_t i = 0; i < r->n; i++) {
        if (r->results[i].method == last || r->results[i].reason)
            continue;
        last = r->results[i].method;
        for (size_t c = 0; c < r->results[i].answer.n_curves; c++)
            AO_TRY(add_curve(table, page, last, &r->results[i].answer.curves[c]));
    }
    return AOSA_OK;
}

void ao_table_cost(const struct ao_table *table, struct ao_page *page)
{
    const struct ao_results *r = table->results;
    ao_page_add(page, "method,done,seconds,forwards,backwards,metric_forwards,peak_bytes\n");
    for (int m = 0; m < r->n_methods; m++) {
        double seconds = 0, peak = 0;
        int64_t forwards = 0, backwards = 0, metric_forwards = 0;
        for (size_t i = 0; i < r->n; i++) {
            const struct ao_result *one = &r->results[i];
            if (one->method != m || one->reason)
                continue;
            seconds += one->seconds;
            peak = fmax(peak, one->peak_bytes);
            forwards += one->forwards;
            backwards += one->backwards;
            metric_forwards += one->answer.forwards;
        }
        ao_page_add(page, "%s,%zu,%.6g,%lld,%lld,%lld,%.0f\n", r->methods[m], table->done[m],
                    seconds, (long long)forwards, (long long)backwards, (long long)metric_forwards,
                    peak);
    }
}
