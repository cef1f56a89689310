/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ENGINE_DELTA_SITE_H
#define AO_ENGINE_DELTA_SITE_H

#include "engine/delta/internal.h"

/* Where a rule is to be found: a node and what the rules for it need to know. */
struct ao_delta_site {
    struct ao_delta *delta;
    const struct ao_node *node;
    const struct ao_delta_extent *in; /* of input 0 */
    bool last;                        /* input 0 has its channels last */
    const char *reason;               /* why there is no rule, if so */
    bool done;
};

/* A rule gives the node a step or an alias and says so in `done`, or a reason. */
typedef aosa_status (*ao_delta_rule_fn)(struct ao_delta_site *site);

/* rules.c */
aosa_status ao_delta_refuse(struct ao_delta_site *site, const char *reason);
/* A step for output `output` of the node. */
aosa_status ao_delta_site_step(struct ao_delta_site *site, int output, enum ao_delta_rule rule,
                               const struct ao_delta_extent *extent, struct ao_delta_step **step);
/* The outputs have the same rows as the input; only shape or base differ. */
aosa_status ao_delta_alias(struct ao_delta_site *site);
/* The value's own shape is [1][C][...] with the channels and positions of its extent. */
bool ao_delta_shaped_like(const struct ao_value *value, const struct ao_delta_extent *extent);

static inline const struct ao_value *ao_delta_in(const struct ao_delta_site *site, int i)
{
    return &site->delta->graph->values[site->node->in[i]];
}

static inline const struct ao_value *ao_delta_out(const struct ao_delta_site *site, int i)
{
    return &site->delta->graph->values[site->node->out[i]];
}

/* select.c */
aosa_status ao_delta_slice_rule(struct ao_delta_site *site);
aosa_status ao_delta_gather_rule(struct ao_delta_site *site);
aosa_status ao_delta_split_rule(struct ao_delta_site *site);

/* channels_last.c */
aosa_status ao_delta_transpose_rule(struct ao_delta_site *site);
aosa_status ao_delta_layer_norm_rule(struct ao_delta_site *site);

#endif
