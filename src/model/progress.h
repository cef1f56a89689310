/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_MODEL_PROGRESS_H
#define AO_MODEL_PROGRESS_H

#include <stdatomic.h>

#include "aosa/base.h"
#include "engine/engine.h"

/* The caller's callback and the name of what is being done. */
struct ao_progress {
    aosa_progress_fn fn; /* may be NULL */
    void *user;
    const char *stage;
};

/* Answers AOSA_ERR_CANCELLED when the callback asks to stop. */
aosa_status ao_progress_report(const struct ao_progress *progress, size_t done, size_t total);

/* A part of a longer work, which reports how far the whole is. */
struct ao_progress_part {
    const struct ao_progress *whole; /* may be NULL */
    size_t before, total;            /* items done before the part, and of the whole */
};

/* Its progress; the part is borrowed and may go on to the next while no one runs with it. */
struct ao_progress ao_progress_of_part(struct ao_progress_part *part, const char *stage);

/*
 * How a loop over many items is stopped between two layers of one of them. The callback belongs to
 * the calling thread, which is thread 0 of the loop; the other threads see its word.
 */
struct ao_watch {
    const struct ao_progress *progress;
    size_t total;
    atomic_size_t done;
    atomic_bool stopped;
};

/* One thread's end of a watch, for the `user` of its struct ao_poll. */
struct ao_watcher {
    struct ao_watch *watch;
    bool reports; /* true for thread 0 */
};

/* The `go_on` of a poll whose user is a watcher. */
bool ao_watcher_goes_on(void *watcher);

#endif
