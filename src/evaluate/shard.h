/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_EVALUATE_SHARD_H
#define AO_EVALUATE_SHARD_H

#include <stdbool.h>

#include "core/status.h"

/* One of `count` processes that share a work list; index is 0-based here, 1-based for users. */
struct ao_shard {
    int index, count;
};

#define AO_MAX_SHARDS 1000000

/*
 * Parses --shard: "3/64" is the third of 64, NULL or "" the only one. "auto" reads what launchers
 * set, and refuses a process that none of them started:
 *
 *     arrays   SLURM_ARRAY_TASK_ID, _MIN, _COUNT, _STEP (1 where absent); JOB_COMPLETION_INDEX of
 *              `shards` (Kubernetes does not tell how many); AWS_BATCH_JOB_ARRAY_INDEX of _SIZE.
 *              At most one of them.
 *     ranks    OMPI_COMM_WORLD_RANK of _SIZE, MV2_COMM_WORLD_RANK of _SIZE, PMI_RANK of PMI_SIZE,
 *              PMIX_RANK, which must agree; where there are none, or PMIX_RANK alone, SLURM_PROCID
 *              of SLURM_NTASKS in a step of srun. PMIX_RANK alone is of `shards`.
 *
 * An array whose tasks are of several ranks has array x ranks shards, ranks fastest.
 *
 * @param shards  --shards, 0: not given. Where the environment tells the number, both must agree.
 * @return AOSA_ERR_ARGUMENT names the variable and both numbers.
 */
aosa_status ao_shard_parse(const char *text, int shards, struct ao_shard *shard);

/*
 * Whether an item belongs to a shard: the first 64 bits of its key (hexadecimal) modulo count. So
 * an item keeps its shard when others join or leave the list.
 */
bool ao_shard_has(struct ao_shard shard, const char *key);

#endif
