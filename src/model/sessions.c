/* SPDX-License-Identifier: Apache-2.0 */
#include "model/sessions.h"

#include "core/alloc.h"

aosa_status ao_sessions_init(struct ao_sessions *sessions, const struct ao_program *program,
                             int threads)
{
    const size_t n = (size_t)threads;
    sessions->threads = threads;
    sessions->of = ao_alloc(n, sizeof *sessions->of);
    sessions->watchers = ao_alloc(n, sizeof *sessions->watchers);
    sessions->polls = ao_alloc(n, sizeof *sessions->polls);
    if (!sessions->of || !sessions->watchers || !sessions->polls)
        return ao_fail(AOSA_ERR_NOMEM, "sessions: no memory for %d threads", threads);
    for (int i = 0; i < threads; i++) {
        sessions->watchers[i].reports = i == 0;
        sessions->polls[i] =
            (struct ao_poll){ .go_on = ao_watcher_goes_on, .user = &sessions->watchers[i] };
        AO_TRY(ao_session_create(program, &sessions->of[i]));
        ao_session_set_poll(sessions->of[i], &sessions->polls[i]);
    }
    return AOSA_OK;
}

void ao_sessions_fini(struct ao_sessions *sessions)
{
    for (int i = 0; sessions->of && i < sessions->threads; i++)
        ao_session_destroy(&sessions->of[i]);
    ao_free(sessions->of);
    ao_free(sessions->watchers);
    ao_free(sessions->polls);
    *sessions = (struct ao_sessions){ 0 };
}

void ao_sessions_watch(struct ao_sessions *sessions, struct ao_watch *watch)
{
    for (int i = 0; i < sessions->threads; i++)
        sessions->watchers[i].watch = watch;
}
