/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/metric.h"

#include <stdio.h>
#include <string.h>

#include "core/alloc.h"

static const struct ao_metric metrics[] = {
#define METRIC(run, name, needs, better, options, summary, source) \
    { name, needs, better, options, summary, source, ao_metric_##run },
#include "metric/metrics.def"
#undef METRIC
};

const struct ao_metric *ao_metrics(int *n)
{
    *n = (int)(sizeof metrics / sizeof metrics[0]);
    return metrics;
}

const struct ao_metric *ao_metric_find(const char *name)
{
    for (size_t i = 0; i < sizeof metrics / sizeof metrics[0]; i++)
        if (!strcmp(metrics[i].name, name))
            return &metrics[i];
    return NULL;
}

aosa_status ao_metric_add_value(struct ao_metric_answer *answer, const char *metric,
                                const char *part, double value)
{
    void *items = answer->values;
    if (!ao_grow(&items, &answer->values_capacity, answer->n_values, sizeof *answer->values))
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for its value", metric);
    answer->values = items;
    struct ao_metric_value *added = &answer->values[answer->n_values++];
    added->value = value;
    snprintf(added->name, sizeof added->name, "%s%s%s", metric, part ? "." : "", part ? part : "");
    return AOSA_OK;
}

aosa_status ao_metric_add_curve(struct ao_metric_answer *answer, const char *name, size_t n,
                                const double *x, const double *y)
{
    void *items = answer->curves;
    struct ao_metric_curve added = { .n = n };
    if (ao_grow(&items, &answer->curves_capacity, answer->n_curves, sizeof *answer->curves)) {
        answer->curves = items;
        added.x = ao_alloc(n, sizeof *x);
        added.y = ao_alloc(n, sizeof *y);
    }
    if (!added.x || !added.y) {
        ao_free(added.x);
        ao_free(added.y);
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for a curve of %zu points", name, n);
    }
    memcpy(added.x, x, n * sizeof *x);
    memcpy(added.y, y, n * sizeof *y);
    snprintf(added.name, sizeof added.name, "%s", name);
    answer->curves[answer->n_curves++] = added;
    return AOSA_OK;
}

void ao_metric_answer_fini(struct ao_metric_answer *answer)
{
    for (size_t i = 0; i < answer->n_curves; i++) {
        ao_free(answer->curves[i].x);
        ao_free(answer->curves[i].y);
    }
    ao_free(answer->curves);
    ao_free(answer->values);
    *answer = (struct ao_metric_answer){ 0 };
}
