/* SPDX-License-Identifier: Apache-2.0 */
#include "model/turnstile.h"

#include <time.h>

/* How often a thread that waits asks its watcher. */
#define POLL_NS 50000000

static struct timespec next_poll(void)
{
    struct timespec at = { 0 };
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_nsec += POLL_NS;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

aosa_status ao_turnstile_wait(struct ao_turnstile *turnstile, int64_t item,
                              struct ao_watcher *watcher, bool *mine)
{
    bool goes_on = true;
    pthread_mutex_lock(&turnstile->mutex);
    while (!turnstile->broken && turnstile->next != item && goes_on) {
        const struct timespec at = next_poll();
        pthread_cond_timedwait(&turnstile->moved, &turnstile->mutex, &at);
        /* The callback is the caller's and may take its time: nobody waits for it here. */
        pthread_mutex_unlock(&turnstile->mutex);
        goes_on = ao_watcher_goes_on(watcher);
        pthread_mutex_lock(&turnstile->mutex);
    }
    *mine = !turnstile->broken;
    pthread_mutex_unlock(&turnstile->mutex);
    return goes_on ? AOSA_OK : ao_fail(AOSA_ERR_CANCELLED, "stopped between two clips");
}

void ao_turnstile_pass(struct ao_turnstile *turnstile)
{
    pthread_mutex_lock(&turnstile->mutex);
    turnstile->next++;
    pthread_cond_broadcast(&turnstile->moved);
    pthread_mutex_unlock(&turnstile->mutex);
}

void ao_turnstile_break(struct ao_turnstile *turnstile)
{
    pthread_mutex_lock(&turnstile->mutex);
    turnstile->broken = true;
    pthread_cond_broadcast(&turnstile->moved);
    pthread_mutex_unlock(&turnstile->mutex);
}
