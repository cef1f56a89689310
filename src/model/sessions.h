/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_MODEL_SESSIONS_H
#define AO_MODEL_SESSIONS_H

#include "model/progress.h"

/* One session of a program for each thread of a loop, that stop between two layers when asked. */
struct ao_sessions {
    int threads;
    struct ao_session **of;      /* [threads] */
    struct ao_watcher *watchers; /* [threads] */
    struct ao_poll *polls;       /* [threads], of the watchers */
};

/* Into a zeroed struct; borrows the program. After a failure too, fini frees what exists. */
aosa_status ao_sessions_init(struct ao_sessions *sessions, const struct ao_program *program,
                             int threads);
void ao_sessions_fini(struct ao_sessions *sessions);

/* Before a loop: its watch, borrowed until the next loop. */
void ao_sessions_watch(struct ao_sessions *sessions, struct ao_watch *watch);

#endif
