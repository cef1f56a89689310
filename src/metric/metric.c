/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/metric.h"

#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "metric/removal.h"

static const struct ao_metric rows[] = {
#define METRIC(run, name, needs, better, options, summary, source) \
    { name, needs, better, options, summary, source, ao_metric_##run },
#include "metric/metrics.def"
#undef METRIC
};

const struct ao_metric *ao_metrics(int *n)
{
    *n = (int)(sizeof rows / sizeof rows[0]);
    return rows;
}

const struct ao_metric *ao_metric_find(const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!strcmp(rows[i].name, name))
            return &rows[i];
    return NULL;
}

const char *ao_metric_better(const char *value)
{
    static const char *const answers[] = { "higher", "lower", "" };
    char metric[AO_METRIC_NAME];
    const char *part = strchr(value, '.');
    snprintf(metric, sizeof metric, "%.*s", (int)strcspn(value, "."), value);
    const struct ao_metric *found = ao_metric_find(metric);
    const char *better = found ? found->better : "";
    for (const char *word = strchr(better, ' '); part && word; word = strchr(word, ' ')) {
        const size_t length = strcspn(++word, ":");
        if (!strncmp(word, part + 1, length) && part[1 + length] == '\0')
            better = word + length + 1;
    }
    for (int i = 0; i < 2; i++)
        if (!strncmp(better, answers[i], strlen(answers[i])))
            return answers[i];
    return answers[2];
}

aosa_status ao_metrics_run(struct ao_metric_call *call, const struct ao_metric *const *metrics,
                           int n)
{
    struct ao_removals removals = { 0 };
    const bool has_truth = call->truth && call->truth->n > 0;
    aosa_status status = AOSA_OK;
    call->removals = &removals;
    for (int i = 0; status == AOSA_OK && i < n; i++) {
        call->metric = metrics[i];
        if (has_truth || !(metrics[i]->needs & AO_METRIC_NEEDS_TRUTH))
            status = metrics[i]->run(call);
    }
    ao_removals_fini(&removals);
    call->removals = NULL;
    return status;
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
