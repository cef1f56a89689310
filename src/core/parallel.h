/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_CORE_PARALLEL_H
#define AO_CORE_PARALLEL_H

#include <stdint.h>

#include "core/status.h"

/*
 * One item of a parallel loop. `thread` is in [0, threads) and no two calls run at once with the
 * same one, so it can index per-thread state. Which thread gets an item is not fixed: an item's
 * result must not depend on it.
 */
typedef aosa_status (*ao_loop_fn)(void *context, int64_t item, int thread);

/*
 * Runs fn for items 0 .. n-1 on up to `threads` threads of the one OpenMP pool, in dynamic order.
 * After a failure no new item starts; the status and the text of the failed item with the
 * smallest index among those that ran reach the caller. With threads = 1 the loop runs in the
 * calling thread and in order.
 */
aosa_status ao_parallel_for(int threads, int64_t n, ao_loop_fn fn, void *context);

/* Processors this process may use: its affinity, at least 1. */
int ao_default_threads(void);

/* Threads a library underneath (oneDNN, on OpenMP too) uses in this thread from now on. */
void ao_set_inner_threads(int threads);

#endif
