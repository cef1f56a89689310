/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AO_ONNX_ONNX_H
#define AO_ONNX_ONNX_H

#include "core/file.h"
#include "core/sha256.h"
#include "graph/graph.h"

/*
 * A .onnx file as a graph. The file is untrusted: whatever its bytes, the answer is a graph whose
 * names resolve, whose nodes are in topological order and whose constants have the bytes their
 * shapes say, or a status with one line of text. Shapes are inferred later (passes/).
 */

#define AO_ONNX_MIN_OPSET 6
#define AO_ONNX_MAX_OPSET 21

struct ao_onnx_model;

/*
 * Gives values to a float tensor that the file describes but does not hold (the tests' models
 * travel without weights). `name` is the tensor's, or "const:" and the output of its Constant
 * node; of the model, the properties are there already.
 */
typedef aosa_status (*ao_onnx_fill_fn)(void *user, const struct ao_onnx_model *model,
                                       const char *name, const struct ao_shape *shape,
                                       float *values);

struct ao_onnx_options {
    int64_t frames, height, width; /* sizes of free axes other than the batch; 0: not given */
    bool allow_nonfinite;          /* take NaN and infinite weights */
    bool raw; /* not as a classifier: axis 0 of an input may be fixed to any size and stays so, and
                 operators may be in training mode */
    size_t max_bytes;     /* for graph and copied weights; 0: 1 GiB + 4 times the files' size */
    ao_onnx_fill_fn fill; /* NULL: a tensor without data is an error */
    void *fill_user;
};

struct ao_onnx_property {
    const char *key, *value;
};

/*
 * SHA-256 of a file's bytes, borrowed, computed when it is first asked for: hashing takes longer
 * than reading a model, and only records want it. Thread class of text: any.
 */
struct ao_onnx_hash;
struct ao_onnx_hash *ao_onnx_hash_create(const void *bytes, size_t size); /* NULL: no memory */
void ao_onnx_hash_destroy(struct ao_onnx_hash **hash);                    /* accepts NULL */
const char *ao_onnx_hash_text(struct ao_onnx_hash *hash);

/* Weights beside the model; the constants of the graph may point into the mapping. */
struct ao_onnx_external {
    const char *location; /* as written in the model, relative to its folder */
    struct ao_file file;
    struct ao_onnx_hash *hash;
};

struct ao_onnx_model {
    struct ao_graph graph;
    struct ao_file file; /* mapped; zeroed for a model read from memory */
    struct ao_onnx_external *externals;
    size_t n_externals, cap_externals;
    int64_t ir_version, opset;
    const char *producer; /* "pytorch 2.1.0", "" when unknown */
    struct ao_onnx_property *properties;
    size_t n_properties;
    struct ao_onnx_hash *hash; /* of the .onnx file */
    size_t n_nodes_in_file;    /* branches and functions included */
    bool batch_was_fixed;      /* an input's axis 0 has size 1 in the file, not a symbol */
};

/*
 * Opens a model and its external data. AOSA_ERR_INPUT (cannot be read, external data missing or
 * outside the model's folder), AOSA_ERR_FORMAT (damaged), AOSA_ERR_UNSUPPORTED (opset, element
 * type, domain, batch > 1), AOSA_ERR_SHAPE (a free axis without a size), AOSA_ERR_NUMERIC (NaN or
 * infinite weights, unless allowed), AOSA_ERR_NOMEM. Every text begins with the path. Free with
 * ao_onnx_close.
 */
aosa_status ao_onnx_open(const char *path, const struct ao_onnx_options *options,
                         struct ao_onnx_model **model);

/*
 * The same from memory, borrowed for the model's life; `name` stands in for the path. External
 * data is refused: there is no folder to look in.
 */
aosa_status ao_onnx_read(const void *bytes, size_t size, const char *name,
                         const struct ao_onnx_options *options, struct ao_onnx_model **model);

/* Accepts NULL. */
void ao_onnx_close(struct ao_onnx_model **model);

/* Gives the mapped files' pages back (ao_file_release); constants stay valid. Thread class: any. */
void ao_onnx_release(const struct ao_onnx_model *model);

/* Value of a metadata property or NULL. */
const char *ao_onnx_property(const struct ao_onnx_model *model, const char *key);

#endif
