/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_MODEL_MODEL_H
#define AO_MODEL_MODEL_H

#include "core/json.h"
#include "onnx/onnx.h"
#include "passes/passes.h"

/*
 * A network and what is known about feeding it. Immutable once open, shared by any number of
 * threads.
 */
struct aosa_model {
    char *path;
    struct ao_onnx_model *onnx; /* owns the graph */
    struct ao_passes_report report;
    json_t *card;      /* MODEL.onnx.json beside the model or its ONNX metadata; may be NULL */
    char *card_source; /* where the card was found, for messages */
    char **labels;     /* [n_labels], may be NULL */
    int n_labels;
    struct ao_clip_feed *feeds; /* [n_feeds] how the file's inputs are fed from the clip */
    int n_feeds;
    bool fed; /* the graph's input is not the file's */
    bool allow_traced;
    int T, H, W;          /* of the clip input; 0 when the network is not a clip classifier */
    char not_a_clip[160]; /* why, in that case */
    int classes;
    int per_class;           /* values of an output row per class, averaged (time axis of I3D) */
    bool probabilities;      /* the network ends in Softmax */
    struct ao_budget budget; /* of its memory and of what runs it */
};

#define AO_MAX_GMACS 10000 /* minutes of one core; the largest real network known takes 400 */

struct ao_model_options {
    int frames; /* sizes of free axes of the input, 0: not given */
    int frame_height, frame_width;
    bool allow_nonfinite;
    bool allow_traced;  /* explain a network that carries feature maps of an example clip */
    double max_gmacs;   /* most work of one clip, 0: AO_MAX_GMACS */
    size_t max_memory;  /* bytes for the network and what runs it, 0: see ao_budget_init */
    bool file_inputs;   /* keep the file's own inputs, not one clip that feeds them */
    const char *labels; /* file of one name a line, or NULL: the card's */
};

/*
 * Imports, folds and checks the file; reads card and labels. A network that is no clip classifier
 * (several inputs, another rank) still opens: ao_model_require_clip says why it cannot be
 * explained, `aosa run` and `aosa inspect` work.
 */
aosa_status ao_model_open(const char *path, const struct ao_model_options *options,
                          struct aosa_model **model);
void ao_model_close(struct aosa_model **model);

/* AOSA_ERR_UNSUPPORTED with the reason unless the network takes one clip, answers classes, and was
 * not traced with another clip in it (ao_model_options.allow_traced). */
aosa_status ao_model_require_clip(const struct aosa_model *model);

const struct ao_graph *ao_model_graph(const struct aosa_model *model);

/* Name of a class: its label, or "class 21". Writes at most `bytes`, answers `text`. */
const char *ao_model_label(const struct aosa_model *model, int c, char *text, size_t bytes);

/*
 * Class of a number or a label (exact first, then ignoring case, spaces, '_' and '-').
 * AOSA_ERR_ARGUMENT with the range or, for an unknown name, a near one if there is any.
 */
aosa_status ao_model_find_class(const struct aosa_model *model, const char *text, int *c);

/* Multiply-accumulates of one clip. */
double ao_model_macs(const struct aosa_model *model);

/*
 * Class outputs of one sample of a batch of outputs: averages per_class values each. `variant` is
 * the sample's number among the variants of the clip, for the text of AOSA_ERR_NUMERIC (a NaN or
 * infinity).
 */
aosa_status ao_model_read_outputs(const struct aosa_model *model, const struct ao_view *output,
                                  int64_t sample, int64_t variant, float *classes);

#endif
