/* SPDX-License-Identifier: Apache-2.0 */
#include "core/budget.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The number in a file of one line, SIZE_MAX when there is none ("max"). */
static size_t number_in(const char *path)
{
    FILE *file = fopen(path, "re");
    unsigned long long number;
    if (!file)
        return SIZE_MAX;
    const int n = fscanf(file, "%llu", &number);
    fclose(file);
    return n == 1 && number < SIZE_MAX ? (size_t)number : SIZE_MAX;
}

/* The least limit of this process's group and of those around it, cgroup version 2. */
static size_t group_limit(void)
{
    char line[1024], path[1200];
    size_t least = SIZE_MAX;
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file)
        return least;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "0::/", 4) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        for (char *end = line + strlen(line); end; end = strrchr(line + 3, '/')) {
            *end = '\0';
            snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", line + 3);
            const size_t limit = number_in(path);
            least = limit < least ? limit : least;
        }
    }
    fclose(file);
    return least;
}

size_t ao_memory_size(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    const size_t machine = pages > 0 && page > 0 ? (size_t)pages * (size_t)page : SIZE_MAX;
    const size_t group = group_limit();
    return group < machine ? group : machine;
}

void ao_budget_init(struct ao_budget *budget, size_t limit)
{
    budget->limit = limit ? limit : ao_memory_size() / 4 * 3;
    atomic_init(&budget->taken, 0);
}

aosa_status ao_budget_take(struct ao_budget *budget, size_t bytes, const char *what)
{
    if (!budget)
        return AOSA_OK;
    size_t taken = atomic_load(&budget->taken);
    do {
        if (bytes > budget->limit || taken > budget->limit - bytes)
            return ao_fail(AOSA_ERR_NOMEM,
                           "%s: %.1f MB more are needed, and the network has %.1f of at most %.1f "
                           "MB; give a larger --max-memory, or fewer --threads or a smaller "
                           "--batch",
                           what, 1e-6 * (double)bytes, 1e-6 * (double)taken,
                           1e-6 * (double)budget->limit);
    } while (!atomic_compare_exchange_weak(&budget->taken, &taken, taken + bytes));
    return AOSA_OK;
}

void ao_budget_give(struct ao_budget *budget, size_t bytes)
{
    if (budget)
        atomic_fetch_sub(&budget->taken, bytes);
}
