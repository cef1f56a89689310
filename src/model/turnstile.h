/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_MODEL_TURNSTILE_H
#define AO_MODEL_TURNSTILE_H

#include <pthread.h>
#include <stdint.h>

#include "model/progress.h"

/*
 * Lets the items of an ao_parallel_for pass one at a time in the order 0, 1, 2, ... Every item that
 * the loop starts must pass, or break the turnstile and fail: then all that wait go on, and the
 * loop ends with the failure.
 */
struct ao_turnstile {
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    int64_t next;
    bool broken;
};

#define AO_TURNSTILE                                                                     \
    {                                                                                    \
        .mutex = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER, .next = 0 \
    }

/*
 * Waits until it is the item's turn; *mine is false when the turnstile was broken instead.
 * AOSA_ERR_CANCELLED when the watcher says to stop.
 */
aosa_status ao_turnstile_wait(struct ao_turnstile *turnstile, int64_t item,
                              struct ao_watcher *watcher, bool *mine);

/* The item whose turn it is has passed. */
void ao_turnstile_pass(struct ao_turnstile *turnstile);

void ao_turnstile_break(struct ao_turnstile *turnstile);

#endif
