/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluate/shard.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A whole number of the environment; *found tells whether the variable is there. */
static aosa_status read_variable(const char *name, long *number, bool *found)
{
    const char *text = getenv(name);
    *found = text && *text;
    if (!*found)
        return AOSA_OK;
    char *end;
    errno = 0;
    *number = strtol(text, &end, 10);
    if (errno || *end || *number < 0 || *number > AO_MAX_SHARDS)
        return ao_fail(AOSA_ERR_ARGUMENT, "--shard auto: %s is '%s', not a number from 0 to %d",
                       name, text, AO_MAX_SHARDS);
    return AOSA_OK;
}

static aosa_status check(const char *what, long index, long count)
{
    if (count < 1 || index < 0 || index >= count)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--shard auto: %s says number %ld of %ld; give --shard i/n", what, index,
                       count);
    return AOSA_OK;
}

/* Multiplies what is known so far by one more level, that one fastest. */
static aosa_status nest(const char *what, long index, long count, struct ao_shard *shard)
{
    AO_TRY(check(what, index, count));
    if ((int64_t)shard->count * count > AO_MAX_SHARDS)
        return ao_fail(AOSA_ERR_ARGUMENT, "--shard auto: %d x %ld shards, at most %d", shard->count,
                       count, AO_MAX_SHARDS);
    shard->index = shard->index * (int)count + (int)index;
    shard->count *= (int)count;
    return AOSA_OK;
}

static aosa_status read_slurm_array(struct ao_shard *shard, bool *found)
{
    long id = 0, min = 0, count = 0, step = 1;
    bool has_id, has_min, has_count, has_step;
    AO_TRY(read_variable("SLURM_ARRAY_TASK_ID", &id, &has_id));
    AO_TRY(read_variable("SLURM_ARRAY_TASK_MIN", &min, &has_min));
    AO_TRY(read_variable("SLURM_ARRAY_TASK_COUNT", &count, &has_count));
    AO_TRY(read_variable("SLURM_ARRAY_TASK_STEP", &step, &has_step));
    if (!has_id)
        return AOSA_OK;
    if (!has_min || !has_count || step < 1 || (id - min) % step != 0)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--shard auto: SLURM_ARRAY_TASK_ID is %ld, of %ld tasks from %ld by %ld; "
                       "give --shard i/n",
                       id, count, min, step);
    *found = true;
    return nest("the Slurm array", (id - min) / step, count, shard);
}

/* The ranks of one launch, by the first launcher that names them. */
static aosa_status read_ranks(struct ao_shard *shard, bool *found)
{
    static const char *const rows[][2] = {
        { "SLURM_PROCID", "SLURM_NTASKS" },
        { "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE" },
        { "PMI_RANK", "PMI_SIZE" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        long index = 0, count = 0;
        bool has_index, has_count;
        AO_TRY(read_variable(rows[i][0], &index, &has_index));
        AO_TRY(read_variable(rows[i][1], &count, &has_count));
        if (has_index && has_count) {
            *found = true;
            return nest(rows[i][0], index, count, shard);
        }
    }
    return AOSA_OK;
}

/* Indexed jobs, whose size the user tells where the job does not know it. */
static aosa_status read_indexed_job(int shards, struct ao_shard *shard, bool *found)
{
    static const char *const rows[][2] = {
        { "JOB_COMPLETION_INDEX", NULL },
        { "AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        long index = 0, count = shards;
        bool has_index, has_count = false;
        AO_TRY(read_variable(rows[i][0], &index, &has_index));
        if (!has_index)
            continue;
        if (shards == 0 && rows[i][1])
            AO_TRY(read_variable(rows[i][1], &count, &has_count));
        if (count == 0)
            return ao_fail(AOSA_ERR_ARGUMENT,
                           "--shard auto: %s is %ld, of how many? give --shards N", rows[i][0],
                           index);
        *found = true;
        return nest(rows[i][0], index, count, shard);
    }
    return AOSA_OK;
}

static aosa_status read_environment(int shards, struct ao_shard *shard)
{
    bool found = false;
    AO_TRY(read_slurm_array(shard, &found));
    AO_TRY(read_ranks(shard, &found));
    if (!found)
        AO_TRY(read_indexed_job(shards, shard, &found));
    if (!found)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--shard auto: no launcher's variables are set (SLURM_ARRAY_TASK_ID, "
                       "SLURM_PROCID, OMPI_COMM_WORLD_RANK, PMI_RANK, JOB_COMPLETION_INDEX); "
                       "give --shard i/n");
    return AOSA_OK;
}

aosa_status ao_shard_parse(const char *text, int shards, struct ao_shard *shard)
{
    struct ao_shard parsed = { .index = 0, .count = 1 };
    int length = 0;
    if (text && !strcmp(text, "auto")) {
        AO_TRY(read_environment(shards, &parsed));
    } else if (text && *text) {
        if (sscanf(text, "%d/%d%n", &parsed.index, &parsed.count, &length) != 2 || text[length] ||
            parsed.count < 1 || parsed.count > AO_MAX_SHARDS || parsed.index < 1 ||
            parsed.index > parsed.count)
            return ao_fail(AOSA_ERR_ARGUMENT,
                           "--shard %s: give i/n with 1 <= i <= n <= %d, or auto", text,
                           AO_MAX_SHARDS);
        parsed.index--;
    }
    *shard = parsed;
    return AOSA_OK;
}

bool ao_shard_has(struct ao_shard shard, const char *key)
{
    uint64_t head = 0;
    sscanf(key, "%16" SCNx64, &head);
    return head % (uint64_t)shard.count == (uint64_t)shard.index;
}
