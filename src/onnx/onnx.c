/* SPDX-License-Identifier: Apache-2.0 */
#include "onnx/onnx.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/alloc.h"
#include "onnx/import.h"

#define MAX_MODEL_BYTES ((size_t)INT32_MAX) /* protobuf's own limit */
#define PARSE_BYTES ((size_t)64 << 20)      /* besides four times the file */
#define GRAPH_BYTES ((size_t)1 << 30)
#define MAX_PROPERTY_BYTES ((size_t)16 << 20)

static aosa_status copy_property(struct ao_onnx_import *import, const ao_onnx_Entry *entry,
                                 struct ao_onnx_property *property)
{
    if (entry->value.size > MAX_PROPERTY_BYTES)
        return ao_fail(AOSA_ERR_FORMAT, "metadata '%.*s' has %zu bytes", AO_ONNX_TEXT(&entry->key),
                       entry->value.size);
    property->key = ao_onnx_strdup(import, &entry->key);
    property->value = ao_onnx_strdup(import, &entry->value);
    return property->key && property->value ? AOSA_OK : ao_onnx_no_memory("metadata");
}

static aosa_status copy_metadata(struct ao_onnx_import *import)
{
    const ao_onnx_Model *message = import->message;
    struct ao_onnx_model *model = import->model;
    char producer[256];
    const int n = snprintf(
        producer, sizeof producer, "%.*s%s%.*s", AO_ONNX_TEXT(&message->producer_name),
        message->producer_version.size ? " " : "", AO_ONNX_TEXT(&message->producer_version));
    model->producer = ao_arena_strndup(&model->graph.arena, producer,
                                       (size_t)n < sizeof producer ? (size_t)n : 255);
    const size_t count = message->metadata_props.n;
    model->properties = ao_arena_alloc(&model->graph.arena, count, sizeof *model->properties);
    if (!model->producer || !model->properties)
        return ao_onnx_no_memory("metadata");
    for (size_t i = 0; i < count; i++) {
        AO_TRY(copy_property(import, message->metadata_props.items[i], &model->properties[i]));
        model->n_properties++;
    }
    return AOSA_OK;
}

static aosa_status import_bytes(struct ao_onnx_model *model, int folder,
                                const struct ao_onnx_options *options, const void *bytes,
                                size_t size)
{
    if (size == 0)
        return ao_fail(AOSA_ERR_FORMAT, "the file is empty");
    if (size > MAX_MODEL_BYTES)
        return ao_fail(AOSA_ERR_FORMAT, "%zu bytes; an ONNX file has at most %zu", size,
                       MAX_MODEL_BYTES);
    struct ao_onnx_import import = {
        .options = options,
        .model = model,
        .graph = &model->graph,
        .folder = folder,
    };
    struct ao_arena messages;
    ao_arena_init(&messages, 4 * size + PARSE_BYTES);
    aosa_status status = ao_onnx_read_model(&messages, bytes, size, &import.message);
    if (status == AOSA_OK)
        status = copy_metadata(&import);
    if (status == AOSA_OK)
        status = ao_onnx_import_model(&import);
    model->n_nodes_in_file = import.n_nodes;
    ao_onnx_names_fini(&import.names);
    ao_arena_fini(&messages);
    return status;
}

static aosa_status import_hashed(struct ao_onnx_model *model, int folder,
                                 const struct ao_onnx_options *options, const void *bytes,
                                 size_t size)
{
    model->hash = ao_onnx_hash_create(bytes, size);
    if (!model->hash)
        return ao_onnx_no_memory("the model");
    return import_bytes(model, folder, options, bytes, size);
}

static aosa_status new_model(const char *name, struct ao_onnx_model **model)
{
    *model = ao_alloc(1, sizeof **model);
    if (!*model)
        return ao_fail(AOSA_ERR_NOMEM, "%s: no memory for the model", name);
    return AOSA_OK;
}

/* Without a limit given, whatever an honest file needs: folding seldom doubles the weights. */
static void begin_graph(struct ao_onnx_model *model, const struct ao_onnx_options *options,
                        size_t size)
{
    const size_t bytes = options->max_bytes ? options->max_bytes : GRAPH_BYTES + 4 * size;
    ao_graph_init(&model->graph, bytes);
}

static aosa_status finish(struct ao_onnx_model *made, const char *name, aosa_status status,
                          struct ao_onnx_model **model)
{
    if (status != AOSA_OK) {
        ao_onnx_close(&made);
        return ao_fail_in(status, "%s", name);
    }
    *model = made;
    return AOSA_OK;
}

/* Descriptor of the folder that holds the file. */
static int open_folder(const char *path)
{
    const size_t length = (size_t)(ao_path_base(path) - path);
    char *folder = length > 0 ? ao_strndup(path, length) : ao_strdup(".");
    if (!folder)
        return -1;
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ao_free(folder);
    return fd;
}

aosa_status ao_onnx_open(const char *path, const struct ao_onnx_options *options,
                         struct ao_onnx_model **model)
{
    struct ao_onnx_model *made;
    AO_TRY(new_model(path, &made));
    aosa_status status = ao_file_open(&made->file, path);
    if (status != AOSA_OK) {
        ao_onnx_close(&made);
        return status;
    }
    begin_graph(made, options, made->file.size);
    const int folder = open_folder(path);
    status = ao_graph_add_file(&made->graph, &made->file);
    if (status == AOSA_OK)
        status = import_hashed(made, folder, options, made->file.bytes, made->file.size);
    if (folder >= 0)
        close(folder);
    return finish(made, path, status, model);
}

aosa_status ao_onnx_read(const void *bytes, size_t size, const char *name,
                         const struct ao_onnx_options *options, struct ao_onnx_model **model)
{
    struct ao_onnx_model *made;
    AO_TRY(new_model(name, &made));
    begin_graph(made, options, size);
    return finish(made, name, import_hashed(made, -1, options, bytes, size), model);
}

void ao_onnx_close(struct ao_onnx_model **model)
{
    struct ao_onnx_model *closing = *model;
    if (!closing)
        return;
    ao_graph_fini(&closing->graph);
    for (size_t i = 0; i < closing->n_externals; i++) {
        ao_onnx_hash_destroy(&closing->externals[i].hash);
        ao_file_close(&closing->externals[i].file);
    }
    ao_onnx_hash_destroy(&closing->hash);
    ao_free(closing->externals);
    ao_file_close(&closing->file);
    ao_free(closing);
    *model = NULL;
}

void ao_onnx_release(const struct ao_onnx_model *model)
{
    ao_file_release(&model->file);
    for (size_t i = 0; i < model->n_externals; i++)
        ao_file_release(&model->externals[i].file);
}

const char *ao_onnx_property(const struct ao_onnx_model *model, const char *key)
{
    for (size_t i = 0; i < model->n_properties; i++)
        if (strcmp(model->properties[i].key, key) == 0)
            return model->properties[i].value;
    return NULL;
}
