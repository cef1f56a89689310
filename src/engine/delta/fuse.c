/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/delta/internal.h"

#include <stdio.h>
#include <string.h>

/*
 * Conv + Add + Relu as one step: the block of rows that a convolution has just made is still in
 * the cache when the residual is added and the ReLU's base is read. The step goes where the Conv
 * was, so the other summand must be there by then.
 */

/* The one step that reads `value`, which nothing else does; -1 otherwise. */
static int only_reader(const struct ao_delta *delta, int32_t value)
{
    if (ao_graph_uses(delta->graph, value) != 1)
        return -1;
    for (int i = 0; i < delta->n_steps; i++)
        for (int k = 0; k < delta->steps[i].n_in; k++)
            if (!delta->steps[i].dead && delta->steps[i].in[k] == value)
                return i;
    return -1;
}

/* The value is the clip's, or a step before `limit` makes it. */
static bool made_before(const struct ao_delta *delta, int32_t value, int limit)
{
    const int32_t root = delta->values[value].of;
    for (int i = limit; i < delta->n_steps; i++)
        if (!delta->steps[i].dead && delta->steps[i].out == root)
            return false;
    return true;
}

static void take_over(struct ao_delta_step *step, struct ao_delta_step *other)
{
    const size_t used = strlen(step->what);
    snprintf(step->what + used, sizeof step->what - used, "+%s", other->node->type);
    step->out = other->out;
    other->dead = true;
}

static void fuse_add(struct ao_delta *delta, int i)
{
    struct ao_delta_step *step = &delta->steps[i];
    const int j = only_reader(delta, step->out);
    if (j < 0 || delta->steps[j].rule != AO_DELTA_ADD)
        return;
    struct ao_delta_step *add = &delta->steps[j];
    const int32_t other = add->in[add->in[0] == step->out];
    if (other == step->out || !made_before(delta, other, i))
        return;
    step->add = other;
    take_over(step, add);
}

static void fuse_relu(struct ao_delta *delta, int i)
{
    struct ao_delta_step *step = &delta->steps[i];
    const int j = only_reader(delta, step->out);
    if (j < 0 || delta->steps[j].rule != AO_DELTA_RELU)
        return;
    step->relu_of = step->out;
    take_over(step, &delta->steps[j]);
}

void ao_delta_fuse(struct ao_delta *delta)
{
    for (int i = 0; i < delta->n_steps; i++) {
        if (delta->steps[i].dead || delta->steps[i].rule != AO_DELTA_CONV)
            continue;
        fuse_add(delta, i);
        fuse_relu(delta, i);
    }
    int n = 0;
    for (int i = 0; i < delta->n_steps; i++)
        if (!delta->steps[i].dead)
            delta->steps[n++] = delta->steps[i];
    delta->n_steps = n;
}
