/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_TESTS_SUPPORT_SUBJECT_H
#define AO_TESTS_SUPPORT_SUBJECT_H

#include "attribution/method.h"

/*
 * A network and a clip with which tests run attribution methods, one after another, by the rows of
 * methods.def. What goes wrong on the way fails the test.
 */
struct subject {
    struct ao_onnx_model *file; /* NULL: the graph is the test's */
    struct ao_onnx_model onnx;  /* that holds the test's graph */
    struct aosa_model model;
    struct aosa_clip *clip; /* mean 0.5, std 0.25 in every channel, as the demo network wants it */
    struct ao_method_options options; /* defaults, until subject_set */
    struct ao_attribution a;          /* score logit, target top1, oneDNN, 1 thread */
};

/* The demo network for "demo", else that of the zoo (support/zoo.h), on its value set 0. */
void subject_open(struct subject *subject, const char *name);

/* A graph of the test: one clip to one row of classes, owned by the test; the clip is zero. */
void subject_init(struct subject *subject, const struct ao_graph *graph);

/* Options of the methods: all as they were at first, or one set. */
void subject_defaults(struct subject *subject);
void subject_set(struct subject *subject, const char *option, const char *text);

/* Runs that method; results of an earlier run are freed, the map of target 0 is a.results[0]. */
aosa_status subject_run(struct subject *subject, const char *method);

/*
 * Runs the method on the delta engine with one and with two threads and on the dense engine. Each
 * takes `forwards` passes; threads give the same bits, and the engines' maps differ by at most
 * `share` of the largest value.
 */
void subject_compare_engines(struct subject *subject, const char *method, int forwards,
                             double share);

void subject_close(struct subject *subject);

#endif
