/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "evaluate/table.h"

/* A number that reads back to the same bits; nothing for a NaN. */
static void add_number(struct ao_page *page, double number)
{
    if (isnan(number))
        ao_page_add(page, ",");
    else
        ao_page_add(page, ",%.17g", number);
}

static void add_interval(struct ao_page *page, const struct ao_interval *interval)
{
    add_number(page, interval->mean);
    add_number(page, interval->low);
    add_number(page, interval->high);
}

/* A label, quoted where it must be (RFC 4180). */
static void add_text(struct ao_page *page, const char *text)
{
    ao_page_add(page, ",");
    if (!strpbrk(text, ",\"\r\n")) {
        ao_page_add(page, "%s", text);
        return;
    }
    ao_page_add(page, "\"");
    for (; *text; text++)
        ao_page_add(page, *text == '"' ? "\"\"" : "%c", *text);
    ao_page_add(page, "\"");
}

void ao_table_csv(const struct ao_table *table, struct ao_page *page)
{
    const struct ao_results *r = table->results;
    ao_page_add(page, "method,value,better,mean,low,high,n,macro,classes,done,failed,missing\n");
    for (int m = 0; m < r->n_methods; m++)
        for (size_t v = 0; v < table->n_values; v++) {
            const struct ao_cell *cell = ao_table_cell(table, m, v);
            ao_page_add(page, "%s,%s,%s", r->methods[m], table->values[v],
                        ao_metric_better(table->values[v]));
            add_interval(page, &cell->interval);
            ao_page_add(page, ",%zu", cell->n);
            add_number(page, cell->macro);
            ao_page_add(page, ",%zu,%zu,%zu,%lld\n", cell->n_classes, table->done[m],
                        table->failed[m], (long long)ao_table_missing(table, m));
        }
}

void ao_table_classes_csv(const struct ao_table *table, struct ao_page *page)
{
    const struct ao_results *r = table->results;
    ao_page_add(page, "method,value,class,mean,n\n");
    for (int m = 0; m < r->n_methods; m++)
        for (size_t v = 0; v < table->n_values; v++)
            for (size_t c = 0; c < table->n_classes; c++) {
                const struct ao_class_cell *cell =
                    &table->by_class[((size_t)m * table->n_values + v) * table->n_classes + c];
                ao_page_add(page, "%s,%s", r->methods[m], table->values[v]);
                add_text(page, table->classes[c]);
                add_number(page, cell->mean);
                ao_page_add(page, ",%zu\n", cell->n);
            }
}

void ao_table_tests_csv(const struct ao_table *table, struct ao_page *page)
{
    const struct ao_results *r = table->results;
    ao_page_add(page, "value,a,b,difference,low,high,n,nonzero,w_plus,p,p_holm\n");
    for (size_t i = 0; i < table->n_tests; i++) {
        const struct ao_test *test = &table->tests[i];
        ao_page_add(page, "%s,%s,%s", table->values[test->value], r->methods[test->a],
                    r->methods[test->b]);
        add_interval(page, &test->difference);
        ao_page_add(page, ",%zu,%zu", test->n, test->wilcoxon.n);
        add_number(page, test->wilcoxon.positive);
        add_number(page, test->wilcoxon.p);
        add_number(page, test->p_holm);
        ao_page_add(page, "\n");
    }
}

void ao_table_curves_csv(const struct ao_table *table, struct ao_page *page)
{
    ao_page_add(page, "method,curve,x,mean,low,high,n\n");
    for (size_t i = 0; i < table->curves.n; i++) {
        const struct ao_mean_curve *curve = &table->curves.curves[i];
        for (size_t k = 0; k < curve->n; k++) {
            ao_page_add(page, "%s", table->results->methods[curve->method]);
            add_text(page, curve->name);
            add_number(page, curve->x[k]);
            add_interval(page, &curve->intervals[k]);
            ao_page_add(page, ",%zu\n", curve->n_clips);
        }
    }
}

/* --- costs ---------------------------------------------------------------------------------------
 */

struct cost {
    size_t n;
    double seconds, median, slowest, peak;
    int64_t forwards, backwards, metric_forwards, metric_backwards;
};

static int compare(const void *a, const void *b)
{
    const double p = *(const double *)a, q = *(const double *)b;
    return p < q ? -1 : p > q;
}

/* What the clips that method `m` has done cost; `seconds` has room for all of them. */
static struct cost sum_costs(const struct ao_results *r, int m, double *seconds)
{
    struct cost cost = { 0 };
    for (size_t i = 0; i < r->n; i++) {
        const struct ao_result *one = &r->results[i];
        if (one->method != m || one->reason)
            continue;
        seconds[cost.n++] = one->seconds;
        cost.seconds += one->seconds;
        cost.peak = fmax(cost.peak, one->peak_bytes);
        cost.forwards += one->forwards;
        cost.backwards += one->backwards;
        cost.metric_forwards += one->answer.forwards;
        cost.metric_backwards += one->answer.backwards;
    }
    if (cost.n > 0) {
        qsort(seconds, cost.n, sizeof *seconds, compare);
        cost.median = (seconds[(cost.n - 1) / 2] + seconds[cost.n / 2]) / 2;
        cost.slowest = seconds[cost.n - 1];
    }
    return cost;
}

void ao_table_cost_csv(const struct ao_table *table, struct ao_page *page)
{
    const struct ao_results *r = table->results;
    double *seconds = ao_alloc(r->n + 1, sizeof *seconds);
    if (!seconds) {
        page->failed = true;
        return;
    }
    ao_page_add(page,
                "method,done,seconds,seconds_per_clip,median_seconds,most_seconds,forwards,"
                "forwards_per_clip,backwards,backwards_per_clip,metric_forwards,metric_backwards,"
                "peak_bytes\n");
    for (int m = 0; m < r->n_methods; m++) {
        const struct cost cost = sum_costs(r, m, seconds);
        const double n = cost.n ? (double)cost.n : 1;
        ao_page_add(page, "%s,%zu,%.6g,%.6g,%.6g,%.6g,%lld,%.6g,%lld,%.6g,%lld,%lld,%.0f\n",
                    r->methods[m], cost.n, cost.seconds, cost.seconds / n, cost.median,
                    cost.slowest, (long long)cost.forwards, (double)cost.forwards / n,
                    (long long)cost.backwards, (double)cost.backwards / n,
                    (long long)cost.metric_forwards, (long long)cost.metric_backwards, cost.peak);
    }
    ao_free(seconds);
}
