/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ENGINE_BACKEND_H
#define AO_ENGINE_BACKEND_H

#include "engine/engine.h"

/*
 * One backend, one row in program.c. Programs and sessions are the backend's own structs behind
 * void pointers; program.c holds them in its handles and has already checked what every backend
 * needs: batch >= 1 (and 1 when the graph is not batchable), inner_threads >= 1, the pause is at
 * most the number of nodes, every node has an operator, inputs and outputs exist and their indices
 * are in range.
 */
struct ao_backend_ops {
    const char *name;

    /*
     * Borrows the graph and writes *program on success only. `options` is copied if needed later;
     * options->backend tells which of the backend's rows was asked for.
     */
    aosa_status (*create)(const struct ao_graph *graph, const struct ao_program_options *options,
                          void **program);
    void (*destroy)(void *program); /* never called with NULL */
    struct ao_program_memory (*memory)(const void *program);

    /* A session borrows its program. */
    aosa_status (*session_create)(const void *program, void **session);
    void (*session_destroy)(void *session); /* never called with NULL */

    /* Index into graph->inputs and graph->outputs, in range. */
    struct ao_view (*input)(const void *session, int index);
    struct ao_view (*output)(const void *session, int index);

    /* The nodes before options->pause, or the rest; without a pause the first part is empty. */
    aosa_status (*run)(void *session, enum ao_run_part part, const struct ao_poll *poll);

    const char *(*isa)(void);
    const char *(*version)(void);
};

/* AOSA_ERR_CANCELLED when somebody is asked and says no; for run, between two layers. */
aosa_status ao_poll_ask(const struct ao_poll *poll);

extern const struct ao_backend_ops ao_backend_reference; /* engine/reference, both precisions */
extern const struct ao_backend_ops ao_backend_onednn;    /* engine/onednn */

#endif
