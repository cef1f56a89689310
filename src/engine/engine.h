/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ENGINE_ENGINE_H
#define AO_ENGINE_ENGINE_H

#include "graph/graph.h"

/*
 * A program is a graph made ready for one backend and one batch size: memory planned, weights in
 * the backend's layout, primitives built. It is immutable and shared. A session is one thread's
 * activations and scratch; nothing is allocated while it runs.
 */

enum ao_backend {
    AO_BACKEND_REFERENCE,     /* the operators' own loops, values stored as float */
    AO_BACKEND_REFERENCE_F64, /* the same in double: the oracle */
    AO_BACKEND_ONEDNN,
};
#define AO_BACKEND_CHOICES "reference|reference-f64|onednn"

struct ao_program_options {
    enum ao_backend backend;
    int batch;         /* clips per run, >= 1; must be 1 when the graph is not batchable */
    int inner_threads; /* threads inside one layer */
    size_t pause;      /* node before which a run can be split, see ao_session_run_part; 0: none */
};

struct ao_program;
struct ao_session;

/* Borrows the graph for its whole life. AOSA_ERR_UNSUPPORTED, AOSA_ERR_NOMEM, AOSA_ERR_SHAPE. */
aosa_status ao_program_create(const struct ao_graph *graph,
                              const struct ao_program_options *options,
                              struct ao_program **program);
void ao_program_destroy(struct ao_program **program);

struct ao_program_memory {
    size_t weight_bytes;     /* prepared weights, shared by all sessions */
    size_t activation_bytes; /* one session's block, all lifetimes packed */
    size_t scratch_bytes;    /* one session's scratch */
};
struct ao_program_memory ao_program_memory(const struct ao_program *program);

/* Value indices of the graph -> views; -1 sized fields are never exposed. Thread: confined. */
aosa_status ao_session_create(const struct ao_program *program, struct ao_session **session);
void ao_session_destroy(struct ao_session **session);

/*
 * Where input `index` of the graph is written before a run, and output `index` read after it. The
 * data pointers stay valid for the session's life; strides are the backend's choice (write through
 * ao_view strides, or ao_view_copy). An input keeps its contents across runs.
 */
struct ao_view ao_session_input(const struct ao_session *session, int index);
struct ao_view ao_session_output(const struct ao_session *session, int index);

/*
 * Asked between two layers whether a run should go on, so that Ctrl-C need not wait for a batch.
 * Called from the thread that runs the session; false ends the run with AOSA_ERR_CANCELLED.
 */
struct ao_poll {
    bool (*go_on)(void *user);
    void *user;
};

/* `poll` is borrowed for the session's life or until replaced; NULL asks nobody. */
void ao_session_set_poll(struct ao_session *session, const struct ao_poll *poll);

/* AOSA_ERR_INTERNAL if a library underneath fails. */
aosa_status ao_session_run(struct ao_session *session);

/*
 * A run in two parts, for a program with a pause: the nodes before it, then the rest. Outputs that
 * the first part made can be read, and inputs that only the second reads be written, in between.
 */
enum ao_run_part { AO_RUN_BEFORE_PAUSE, AO_RUN_FROM_PAUSE };
aosa_status ao_session_run_part(struct ao_session *session, enum ao_run_part part);

/* Instruction set the backend's kernels use here, such as "avx2"; for result.json. */
const char *ao_backend_isa(enum ao_backend backend);
const char *ao_backend_version(enum ao_backend backend); /* "oneDNN 2.6.3" */

#endif
