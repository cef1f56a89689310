/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    if (caught)
        _exit(128 + number);
    caught = number;
}

void cli_catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int cli_interrupted(void)
{
    return caught ? 128 + caught : 0;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ", 1:02:03 left"; nothing as long as nothing is known. */
static const char *print_left(double seconds, char *text, size_t bytes)
{
    const long s = (long)(seconds + 0.5);
    if (seconds < 0)
        text[0] = '\0';
    else if (s < 3600)
        snprintf(text, bytes, ", %ld:%02ld left", s / 60, s % 60);
    else
        snprintf(text, bytes, ", %ld:%02ld:%02ld left", s / 3600, s / 60 % 60, s % 60);
    return text;
}

static void draw_bar(const char *stage, size_t done, size_t total, const char *left)
{
    char bar[31];
    const size_t filled = total ? 30 * done / total : 30;
    for (size_t i = 0; i < 30; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[30] = '\0';
    fprintf(stderr, "\r%s [%s] %zu of %zu%s   ", stage, bar, done, total, left);
}

bool cli_progress_report(void *user, const char *stage, size_t done, size_t total)
{
    struct cli_progress *progress = user;
    const bool terminal = isatty(STDERR_FILENO);
    const double time = now();
    if (progress->started <= 0 || strcmp(progress->stage, stage)) {
        progress->started = progress->shown = time;
        snprintf(progress->stage, sizeof progress->stage, "%s", stage);
    }
    if (progress->quiet || time - progress->shown < (terminal ? 0.1 : 10))
        return !caught;
    progress->shown = time;
    const double seconds =
        done ? (time - progress->started) * (double)(total - done) / (double)done : -1;
    char left[48];
    print_left(seconds, left, sizeof left);
    if (terminal) {
        draw_bar(stage, done, total, left);
        progress->drawn = true;
    } else {
        fprintf(stderr, "aosa: %s %zu of %zu%s\n", stage, done, total, left);
    }
    return !caught;
}

void cli_progress_end(struct cli_progress *progress)
{
    if (progress->drawn)
        fprintf(stderr, "\r%70s\r", "");
    progress->started = 0;
    progress->drawn = false;
}
