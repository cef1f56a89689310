/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/alloc.h"
#include "dataset/layout.h"

/* Number of labels before `label` in the alphabet. */
static size_t place(const struct ao_dataset *dataset, const char *label)
{
    size_t lo = 0, hi = dataset->n_labels;
    while (lo < hi) {
        const size_t middle = lo + (hi - lo) / 2;
        if (strcmp(dataset->labels[dataset->sorted[middle]], label) < 0)
            lo = middle + 1;
        else
            hi = middle;
    }
    return lo;
}

size_t ao_dataset_find_label(const struct ao_dataset *dataset, const char *label)
{
    const size_t p = place(dataset, label);
    const bool found = p < dataset->n_labels && !strcmp(dataset->labels[dataset->sorted[p]], label);
    return found ? dataset->sorted[p] : dataset->n_labels;
}

static bool has_room(struct ao_dataset *dataset)
{
    void *labels = dataset->labels, *sorted = dataset->sorted;
    const size_t n = dataset->n_labels;
    const bool grown = ao_grow(&labels, &dataset->labels_capacity, n, sizeof *dataset->labels) &&
                       ao_grow(&sorted, &dataset->sorted_capacity, n, sizeof *dataset->sorted);
    dataset->labels = labels;
    dataset->sorted = sorted;
    return grown;
}

aosa_status ao_dataset_add_label(struct ao_dataset *dataset, const char *label)
{
    const size_t n = dataset->n_labels, p = place(dataset, label);
    if (ao_dataset_find_label(dataset, label) < n)
        return ao_fail(AOSA_ERR_FORMAT, "the label '%.80s' is there twice", label);
    if (n == AO_MAX_LABELS)
        return ao_fail(AOSA_ERR_FORMAT, "more than %d labels", AO_MAX_LABELS);
    char *copy = has_room(dataset) ? ao_strdup(label) : NULL;
    if (!copy)
        return ao_fail(AOSA_ERR_NOMEM, "dataset: no memory for label %zu", n);
    memmove(dataset->sorted + p + 1, dataset->sorted + p, (n - p) * sizeof *dataset->sorted);
    dataset->sorted[p] = n;
    dataset->labels[n] = copy;
    dataset->n_labels++;
    return AOSA_OK;
}
