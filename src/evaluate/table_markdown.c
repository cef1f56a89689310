/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "evaluate/table.h"

/* A difference that is at most that likely without one is marked. */
#define LEVEL 0.05

/* Whether two values are of one metric: "deletion.auc" and "deletion.normalised". */
static bool same_metric(const char *a, const char *b)
{
    const size_t n = strcspn(a, ".");
    return n == strcspn(b, ".") && !memcmp(a, b, n);
}

static bool starts_metric(const struct ao_table *table, size_t v)
{
    for (size_t i = 0; i < v; i++)
        if (same_metric(table->values[i], table->values[v]))
            return false;
    return true;
}

static const char *arrow(const char *value)
{
    const char *better = ao_metric_better(value);
    return *better == 'l' ? " ↓" : *better == 'h' ? " ↑" : "";
}

/* "method | auc ↓ | normalised ↓" and the rule below, for the values of one metric. */
static void add_head(const struct ao_table *table, struct ao_page *page, size_t first,
                     const char *last)
{
    int columns = *last ? 1 : 0;
    ao_page_add(page, "\n| method |");
    for (size_t v = first; v < table->n_values; v++)
        if (same_metric(table->values[v], table->values[first])) {
            const char *part = strchr(table->values[v], '.');
            ao_page_add(page, " %s%s |", part ? part + 1 : table->values[v],
                        arrow(table->values[v]));
            columns++;
        }
    ao_page_add(page, "%s\n|---|", last);
    while (columns-- > 0)
        ao_page_add(page, "---:|");
    ao_page_add(page, "\n");
}

/* Whether the tests tell a method from the best one. */
static bool is_apart(const struct ao_table *table, size_t v, int m)
{
    const int best = ao_table_best(table, v);
    const struct ao_test *test = best < 0 || best == m ? NULL : ao_table_test(table, v, m, best);
    return test && test->p_holm <= LEVEL;
}

static void add_number(struct ao_page *page, double number, bool bold)
{
    ao_page_add(page, bold ? " **%.4f**" : " %.4f", number);
}

static void add_cell(const struct ao_table *table, struct ao_page *page, int m, size_t v)
{
    const struct ao_cell *cell = ao_table_cell(table, m, v);
    const int best = ao_table_best(table, v);
    if (cell->n > 0) {
        add_number(page, cell->interval.mean,
                   best >= 0 &&
                       cell->interval.mean == ao_table_cell(table, best, v)->interval.mean);
        ao_page_add(page, "%s (%.4f to %.4f)", is_apart(table, v, m) ? "\\*" : "",
                    cell->interval.low, cell->interval.high);
    }
    ao_page_add(page, " |");
}

/* Clips that the values of a metric are means of: "12", or "9 to 12". */
static void add_counts(const struct ao_table *table, struct ao_page *page, int m, size_t first)
{
    size_t least = SIZE_MAX, most = 0;
    for (size_t v = first; v < table->n_values; v++)
        if (same_metric(table->values[v], table->values[first])) {
            const size_t n = ao_table_cell(table, m, v)->n;
            least = n < least ? n : least;
            most = n > most ? n : most;
        }
    if (least == most)
        ao_page_add(page, " %zu |\n", most);
    else
        ao_page_add(page, " %zu to %zu |\n", least, most);
}

static void add_means(const struct ao_table *table, struct ao_page *page, size_t first)
{
    add_head(table, page, first, " clips |");
    for (int m = 0; m < table->results->n_methods; m++) {
        ao_page_add(page, "| %s |", table->results->methods[m]);
        for (size_t v = first; v < table->n_values; v++)
            if (same_metric(table->values[v], table->values[first]))
                add_cell(table, page, m, v);
        add_counts(table, page, m, first);
    }
}

static double best_macro(const struct ao_table *table, size_t v)
{
    const char *better = ao_metric_better(table->values[v]);
    double best = (double)NAN;
    for (int m = 0; *better && m < table->results->n_methods; m++) {
        const double macro = ao_table_cell(table, m, v)->macro;
        best = *better == 'l' ? fmin(best, macro) : fmax(best, macro);
    }
    return best;
}

static void add_macros(const struct ao_table *table, struct ao_page *page, size_t first)
{
    ao_page_add(page, "\nMeans over classes:\n");
    add_head(table, page, first, "");
    for (int m = 0; m < table->results->n_methods; m++) {
        ao_page_add(page, "| %s |", table->results->methods[m]);
        for (size_t v = first; v < table->n_values; v++) {
            const double macro = ao_table_cell(table, m, v)->macro;
            if (!same_metric(table->values[v], table->values[first]))
                continue;
            if (!isnan(macro))
                add_number(page, macro, macro == best_macro(table, v));
            ao_page_add(page, " |");
        }
        ao_page_add(page, "\n");
    }
}

static void add_metric(const struct ao_table *table, struct ao_page *page, size_t first)
{
    char name[AO_METRIC_NAME];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(table->values[first], "."),
             table->values[first]);
    const struct ao_metric *metric = ao_metric_find(name);
    ao_page_add(page, "\n## %s\n", name);
    if (metric)
        ao_page_add(page, "\n%s (%s)\n", metric->summary, metric->source);
    add_means(table, page, first);
    if (table->n_classes > 1)
        add_macros(table, page, first);
}

static void add_items(const struct ao_table *table, struct ao_page *page)
{
    const struct ao_results *r = table->results;
    ao_page_add(page, "| method | done | failed | missing |\n|---|---:|---:|---:|\n");
    for (int m = 0; m < r->n_methods; m++)
        ao_page_add(page, "| %s | %zu | %zu | %lld |\n", r->methods[m], table->done[m],
                    table->failed[m], (long long)ao_table_missing(table, m));
}

void ao_table_markdown(const struct ao_table *table, struct ao_page *page)
{
    const struct ao_results *r = table->results;
    ao_page_add(page,
                "# %lld clips of %zu classes, %d methods\n\n"
                "Means over clips with bootstrap intervals of 95 %%. ↓ lower and ↑ higher is "
                "better, the best mean is **bold**. \\* marks what differs from it by Wilcoxon's "
                "signed-rank test over the clips that both have, p ≤ %g after Holm's correction "
                "for all pairs of methods. A value that is not defined for a clip is left out; "
                "*clips* counts the others.\n\n",
                (long long)r->clips, table->n_classes, r->n_methods, LEVEL);
    add_items(table, page);
    for (size_t v = 0; v < table->n_values; v++)
        if (starts_metric(table, v))
            add_metric(table, page, v);
}
