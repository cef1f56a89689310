/* SPDX-License-Identifier: Apache-2.0 */
#include "video/quiet.h"

#include <pthread.h>

#include <libavutil/log.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int depth;
static int level_before;

void ao_quiet_begin(void)
{
    pthread_mutex_lock(&lock);
    if (depth++ == 0) {
        level_before = av_log_get_level();
        av_log_set_level(AV_LOG_QUIET);
    }
    pthread_mutex_unlock(&lock);
}

void ao_quiet_end(void)
{
    pthread_mutex_lock(&lock);
    if (--depth == 0)
        av_log_set_level(level_before);
    pthread_mutex_unlock(&lock);
}
