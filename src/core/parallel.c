/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE /* sched_getaffinity */
#include "core/parallel.h"

#include <omp.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

struct loop {
    ao_loop_fn fn;
    void *context;
    aosa_status status;
    int64_t failed_item;
    omp_lock_t lock; /* of what a failure writes; a named critical would be an exported symbol */
    char text[AO_ERROR_TEXT];
};

int ao_default_threads(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    return 1;
}

void ao_set_inner_threads(int threads)
{
    omp_set_num_threads(threads);
}

static void run_item(struct loop *loop, int64_t item, int thread)
{
    aosa_status status;
#pragma omp atomic read
    status = loop->status;
    if (status != AOSA_OK)
        return;
    status = loop->fn(loop->context, item, thread);
    if (status == AOSA_OK)
        return;
    omp_set_lock(&loop->lock);
    if (loop->status == AOSA_OK || item < loop->failed_item) {
        loop->failed_item = item;
        memcpy(loop->text, aosa_error_message(), sizeof loop->text);
#pragma omp atomic write
        loop->status = status;
    }
    omp_unset_lock(&loop->lock);
}

aosa_status ao_parallel_for(int threads, int64_t n, ao_loop_fn fn, void *context)
{
    struct loop loop = { .fn = fn, .context = context, .status = AOSA_OK };
    if (threads > n)
        threads = n > 0 ? (int)n : 1;
    if (threads <= 1) {
        for (int64_t i = 0; i < n; i++)
            AO_TRY(fn(context, i, 0));
        return AOSA_OK;
    }
    omp_init_lock(&loop.lock);
#pragma omp parallel for num_threads(threads) schedule(dynamic, 1)
    for (int64_t i = 0; i < n; i++)
        run_item(&loop, i, omp_get_thread_num());
    omp_destroy_lock(&loop.lock);
    if (loop.status != AOSA_OK)
        return ao_fail(loop.status, "%s", loop.text);
    return AOSA_OK;
}
