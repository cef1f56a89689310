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

/* A rank of a launch; count 0 where nothing tells it. */
struct rank {
    const char *name; /* of the variable; NULL: no launcher's is set */
    long index, count;
};

/* The variables of one launcher; they must say what those before said. */
static aosa_status read_rank(const char *index_name, const char *count_name, struct rank *rank)
{
    struct rank found = { .name = index_name };
    bool has_index, has_count = false;
    AO_TRY(read_variable(index_name, &found.index, &has_index));
    if (*count_name)
        AO_TRY(read_variable(count_name, &found.count, &has_count));
    if (!has_index || (*count_name && !has_count))
        return AOSA_OK;
    if (rank->name &&
        (rank->index != found.index || (rank->count && found.count && rank->count != found.count)))
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--shard auto: %s says rank %ld of %ld, %s rank %ld of %ld; give --shard "
                       "i/n",
                       rank->name, rank->index, rank->count, found.name, found.index, found.count);
    if (!rank->name)
        *rank = found;
    else if (!rank->count)
        rank->count = found.count;
    return AOSA_OK;
}

/*
 * Tasks of srun. The batch script itself has SLURM_PROCID 0 of all SLURM_NTASKS too, but no step:
 * with several tasks it would do the first one's part and nobody the others'.
 */
static aosa_status read_slurm_step(struct rank *rank)
{
    long step, ntasks = 1;
    bool in_step, has_ntasks;
    AO_TRY(read_variable("SLURM_STEP_ID", &step, &in_step));
    AO_TRY(read_variable("SLURM_NTASKS", &ntasks, &has_ntasks));
    if (in_step)
        return read_rank("SLURM_PROCID", "SLURM_NTASKS", rank);
    if (ntasks > 1 && !rank->name)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--shard auto: SLURM_NTASKS is %ld, but this is the batch script; start "
                       "aosa with srun or mpirun, or give --shard i/n",
                       ntasks);
    return AOSA_OK;
}

/*
 * The ranks of one launch. MPI goes before Slurm: under mpirun in a Slurm job SLURM_PROCID counts
 * mpirun's own daemons. PMIx alone does not tell how many there are.
 */
static aosa_status read_ranks(int *shards, struct ao_shard *shard, bool *found)
{
    struct rank rank = { 0 };
    AO_TRY(read_rank("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", &rank));
    AO_TRY(read_rank("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE", &rank));
    AO_TRY(read_rank("PMI_RANK", "PMI_SIZE", &rank));
    AO_TRY(read_rank("PMIX_RANK", "", &rank));
    if (!rank.name || !rank.count)
        AO_TRY(read_slurm_step(&rank));
    if (!rank.name)
        return AOSA_OK;
    if (!rank.count) {
        rank.count = *shards;
        *shards = 0;
    }
    if (!rank.count)
        return ao_fail(AOSA_ERR_ARGUMENT, "--shard auto: %s is %ld, of how many? give --shards N",
                       rank.name, rank.index);
    *found = true;
    return nest(rank.name, rank.index, rank.count, shard);
}

/* Indexed jobs, whose size the user tells where the job does not know it. */
static aosa_status read_indexed_job(const char *index_name, const char *count_name, int *shards,
                                    struct ao_shard *shard, bool *found)
{
    long index = 0, count = 0;
    bool has_index, has_count = false;
    AO_TRY(read_variable(index_name, &index, &has_index));
    if (!has_index)
        return AOSA_OK;
    if (*found)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--shard auto: %s and another array's variables are set; give --shard i/n",
                       index_name);
    if (*count_name)
        AO_TRY(read_variable(count_name, &count, &has_count));
    if (!has_count) {
        count = *shards;
        *shards = 0;
    }
    if (count == 0)
        return ao_fail(AOSA_ERR_ARGUMENT, "--shard auto: %s is %ld, of how many? give --shards N",
                       index_name, index);
    *found = true;
    return nest(index_name, index, count, shard);
}

/* `shards` is what the user says where the environment does not; else both must say the same. */
static aosa_status read_environment(int shards, struct ao_shard *shard)
{
    bool found = false;
    AO_TRY(read_slurm_array(shard, &found));
    AO_TRY(read_indexed_job("JOB_COMPLETION_INDEX", "", &shards, shard, &found));
    AO_TRY(read_indexed_job("AWS_BATCH_JOB_ARRAY_INDEX", "AWS_BATCH_JOB_ARRAY_SIZE", &shards, shard,
                            &found));
    AO_TRY(read_ranks(&shards, shard, &found));
    if (!found)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--shard auto: no launcher's variables are set (SLURM_ARRAY_TASK_ID, "
                       "SLURM_PROCID, OMPI_COMM_WORLD_RANK, MV2_COMM_WORLD_RANK, PMI_RANK, "
                       "PMIX_RANK, JOB_COMPLETION_INDEX, AWS_BATCH_JOB_ARRAY_INDEX); give --shard "
                       "i/n");
    if (shards > 0 && shards != shard->count)
        return ao_fail(AOSA_ERR_ARGUMENT,
                       "--shard auto: --shards is %d, the environment says %d; leave one of them "
                       "out",
                       shards, shard->count);
    return AOSA_OK;
}

/* "3/64" */
static aosa_status parse_pair(const char *text, struct ao_shard *shard)
{
    int length = 0;
    if (sscanf(text, "%d/%d%n", &shard->index, &shard->count, &length) != 2 || text[length] ||
        shard->count < 1 || shard->count > AO_MAX_SHARDS || shard->index < 1 ||
        shard->index > shard->count)
        return ao_fail(AOSA_ERR_ARGUMENT, "--shard %s: give i/n with 1 <= i <= n <= %d, or auto",
                       text, AO_MAX_SHARDS);
    shard->index--;
    return AOSA_OK;
}

aosa_status ao_shard_parse(const char *text, int shards, struct ao_shard *shard)
{
    struct ao_shard parsed = { .index = 0, .count = 1 };
    if (text && !strcmp(text, "auto")) {
        AO_TRY(read_environment(shards, &parsed));
    } else {
        if (shards > 0)
            return ao_fail(AOSA_ERR_ARGUMENT, "--shards %d: goes with --shard auto only", shards);
        if (text && *text)
            AO_TRY(parse_pair(text, &parsed));
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
