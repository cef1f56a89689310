/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "evaluate/table.h"

static json_t *number_json(double number)
{
    return isnan(number) ? json_null() : json_real(number);
}

static json_t *classes_json(const struct ao_table *table, int m, size_t v)
{
    json_t *classes = json_object();
    for (size_t c = 0; c < table->n_classes; c++) {
        const struct ao_class_cell *cell =
            &table->by_class[((size_t)m * table->n_values + v) * table->n_classes + c];
        json_t *label = ao_json_text(table->classes[c]);
        if (cell->n > 0)
            json_object_set_new(
                classes, json_string_value(label),
                json_pack("{s:f, s:I}", "mean", cell->mean, "n", (json_int_t)cell->n));
        json_decref(label);
    }
    return classes;
}

static json_t *method_json(const struct ao_table *table, int m)
{
    json_t *values = json_object();
    for (size_t v = 0; v < table->n_values; v++) {
        const struct ao_cell *cell = ao_table_cell(table, m, v);
        json_object_set_new(
            values, table->values[v],
            json_pack("{s:o, s:o, s:o, s:I, s:o, s:o}", "mean", number_json(cell->interval.mean),
                      "low", number_json(cell->interval.low), "high",
                      number_json(cell->interval.high), "n", (json_int_t)cell->n, "macro",
                      number_json(cell->macro), "classes", classes_json(table, m, v)));
    }
    return json_pack("{s:s, s:I, s:I, s:I, s:o}", "name", table->results->methods[m], "done",
                     (json_int_t)table->done[m], "failed", (json_int_t)table->failed[m], "missing",
                     (json_int_t)ao_table_missing(table, m), "values", values);
}

static json_t *tests_json(const struct ao_table *table)
{
    json_t *list = json_array();
    for (size_t i = 0; i < table->n_tests; i++) {
        const struct ao_test *test = &table->tests[i];
        json_array_append_new(
            list,
            json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:o, s:o}", "value",
                      table->values[test->value], "a", table->results->methods[test->a], "b",
                      table->results->methods[test->b], "difference",
                      number_json(test->difference.mean), "low", number_json(test->difference.low),
                      "high", number_json(test->difference.high), "n", (json_int_t)test->n, "p",
                      number_json(test->wilcoxon.p), "p_holm", number_json(test->p_holm)));
    }
    return list;
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
    return json_pack("{s:i, s:O, s:I, s:I, s:o, s:o, s:o}", "aosa_table", 1, "run", r->identity,
                     "clips", (json_int_t)r->clips, "missing", (json_int_t)r->missing, "methods",
                     methods, "tests", tests_json(table), "failures", failures_json(r));
}
