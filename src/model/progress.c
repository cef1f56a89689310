/* SPDX-License-Identifier: Apache-2.0 */
#include "model/progress.h"

aosa_status ao_progress_report(const struct ao_progress *progress, size_t done, size_t total)
{
    if (progress && progress->fn && !progress->fn(progress->user, progress->stage, done, total))
        return ao_fail(AOSA_ERR_CANCELLED, "stopped after %zu of %zu %s", done, total,
                       progress->stage);
    return AOSA_OK;
}

static bool report_part(void *user, const char *stage, size_t done, size_t total)
{
    const struct ao_progress_part *part = user;
    const struct ao_progress *whole = part->whole;
    (void)total;
    return !whole || !whole->fn || whole->fn(whole->user, stage, part->before + done, part->total);
}

struct ao_progress ao_progress_of_part(struct ao_progress_part *part, const char *stage)
{
    return (struct ao_progress){ .fn = report_part, .user = part, .stage = stage };
}

bool ao_watcher_goes_on(void *opaque)
{
    const struct ao_watcher *watcher = opaque;
    struct ao_watch *watch = watcher->watch;
    if (watcher->reports &&
        ao_progress_report(watch->progress, atomic_load(&watch->done), watch->total) != AOSA_OK)
        atomic_store(&watch->stopped, true);
    return !atomic_load(&watch->stopped);
}
