/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_CORE_BUDGET_H
#define AO_CORE_BUDGET_H

#include <stdatomic.h>
#include <stddef.h>

#include "core/status.h"

/*
 * Memory that a network and what runs it may take: weights, activations, changes. Large blocks are
 * booked before they are allocated, so that too large a network ends in one line of text and not in
 * a killed process. Mapped files are not booked: the system takes their pages back by itself.
 * Thread class: any.
 */
struct ao_budget {
    size_t limit; /* bytes */
    atomic_size_t taken;
};

/* `limit` 0 stands for three quarters of what ao_memory_size tells. */
void ao_budget_init(struct ao_budget *budget, size_t limit);

/*
 * Books bytes that are about to be allocated for `what`. AOSA_ERR_NOMEM with the sizes and the
 * remedy when they are not left; then nothing is booked. No budget (NULL) has no limit.
 */
aosa_status ao_budget_take(struct ao_budget *budget, size_t bytes, const char *what);
void ao_budget_give(struct ao_budget *budget, size_t bytes);

/* Memory of the machine, or of the control group (container, batch job) if that is less. */
size_t ao_memory_size(void);

#endif
