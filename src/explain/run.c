/* SPDX-License-Identifier: Apache-2.0 */
#include "aosa/model.h"

#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "core/npy.h"
#include "engine/engine.h"
#include "explain/save.h"
#include "explain/settings.h"
#include "model/model.h"
#include "ops/element.h"

/* Path of input `index` among "NAME=FILE" bindings; a lone "FILE" serves a network of one input. */
static const char *find_binding(const struct ao_graph *graph, int index,
                                const char *const *bindings, size_t n)
{
    const char *name = graph->values[graph->inputs[index]].name;
    const size_t length = strlen(name);
    for (size_t i = 0; i < n; i++)
        if (!strncmp(bindings[i], name, length) && bindings[i][length] == '=')
            return bindings[i] + length + 1;
    if (graph->n_inputs == 1 && n == 1 && !strchr(bindings[0], '='))
        return bindings[0];
    return NULL;
}

static aosa_status check_bindings(const struct aosa_model *model, const char *const *bindings,
                                  size_t n)
{
    const struct ao_graph *graph = ao_model_graph(model);
    for (int i = 0; i < graph->n_inputs; i++)
        if (!find_binding(graph, i, bindings, n))
            return ao_fail(AOSA_ERR_ARGUMENT, "%s: input '%s' has no array; give --input %s=FILE",
                           model->path, graph->values[graph->inputs[i]].name,
                           graph->values[graph->inputs[i]].name);
    if (n != (size_t)graph->n_inputs)
        return ao_fail(AOSA_ERR_ARGUMENT, "%s: %zu arrays for %d inputs; the first input is '%s'",
                       model->path, n, graph->n_inputs, graph->values[graph->inputs[0]].name);
    return AOSA_OK;
}

static enum ao_npy_type npy_type(enum ao_dtype dtype)
{
    switch (dtype) {
    case AO_F32:
        return AO_NPY_F32;
    case AO_F64:
        return AO_NPY_F64;
    case AO_I64:
        return AO_NPY_I64;
    case AO_I32:
        return AO_NPY_I32;
    case AO_BOOL:
        return AO_NPY_BOOL;
    }
    return AO_NPY_F32;
}

/* Shape of an array, with the batch the graph's input is used with. */
static bool shape_fits(const struct ao_npy *array, const struct ao_value *value, int64_t *batch)
{
    if (array->rank != value->shape.rank)
        return false;
    for (int a = 0; a < array->rank; a++)
        if (array->dims[a] != value->shape.dims[a] && a > 0)
            return false;
    if (array->rank == 0 || value->shape.dims[0] == 0)
        return true;
    *batch = array->dims[0] / value->shape.dims[0];
    return *batch >= 1 && array->dims[0] == *batch * value->shape.dims[0];
}

static aosa_status open_array(const struct aosa_model *model, const struct ao_value *value,
                              const char *path, struct ao_npy *array, int64_t *batch)
{
    AO_TRY(ao_npy_open(array, path));
    if (array->type == npy_type(value->dtype) && shape_fits(array, value, batch))
        return AOSA_OK;
    char wanted[AO_SHAPE_TEXT], found[AO_SHAPE_TEXT];
    struct ao_shape shape = { .rank = array->rank };
    memcpy(shape.dims, array->dims, sizeof shape.dims);
    const aosa_status status =
        ao_fail(AOSA_ERR_SHAPE, "%s: %s %s, input '%s' of %s is %s %s", path,
                ao_npy_type_name(array->type), ao_shape_text(&shape, found), value->name,
                model->path, ao_dtype_name(value->dtype), ao_shape_text(&value->shape, wanted));
    ao_npy_close(array);
    return status;
}

static aosa_status open_arrays(const struct aosa_model *model, const char *const *bindings,
                               size_t n, struct ao_npy *arrays, int64_t *batch)
{
    const struct ao_graph *graph = ao_model_graph(model);
    AO_TRY(check_bindings(model, bindings, n));
    for (int i = 0; i < graph->n_inputs; i++) {
        int64_t own = 1;
        const char *path = find_binding(graph, i, bindings, n);
        AO_TRY(open_array(model, &graph->values[graph->inputs[i]], path, &arrays[i], &own));
        if (i > 0 && own != *batch)
            return ao_fail(AOSA_ERR_SHAPE, "%s: holds %lld clips, the first input %lld", path,
                           (long long)own, (long long)*batch);
        *batch = own;
    }
    return AOSA_OK;
}

static aosa_status save_outputs(const struct aosa_model *model, const struct ao_session *session,
                                struct ao_outdir *dir)
{
    const struct ao_graph *graph = ao_model_graph(model);
    for (int i = 0; i < graph->n_outputs; i++) {
        const struct ao_view output = ao_session_output(session, i);
        const size_t count = (size_t)ao_shape_count(&output.shape);
        char name[32];
        void *dense = ao_alloc_raw(count, ao_dtype_size(output.dtype));
        if (!dense)
            return ao_fail(AOSA_ERR_NOMEM, "output %d: no memory for %zu elements", i, count);
        const struct ao_view copy = ao_view_dense(dense, output.dtype, &output.shape);
        ao_view_copy(&copy, &output);
        snprintf(name, sizeof name, "output%d.npy", i);
        const aosa_status status = ao_save_array(dir, name, npy_type(output.dtype),
                                                 output.shape.rank, output.shape.dims, dense);
        ao_free(dense);
        AO_TRY(status);
    }
    return AOSA_OK;
}

static aosa_status forward(const struct aosa_model *model, const aosa_settings *settings,
                           const struct ao_npy *arrays, int64_t batch, struct ao_outdir *dir)
{
    const struct ao_graph *graph = ao_model_graph(model);
    const struct ao_program_options options = {
        .backend = (enum ao_backend)settings->run.backend,
        .batch = (int)batch,
        .inner_threads = settings->run.threads,
    };
    struct ao_program *program;
    struct ao_session *session = NULL;
    AO_TRY(ao_program_create(graph, &options, &program));
    aosa_status status = ao_session_create(program, &session);
    for (int i = 0; status == AOSA_OK && i < graph->n_inputs; i++) {
        const struct ao_view input = ao_session_input(session, i);
        const size_t bytes =
            (size_t)ao_shape_count(&input.shape) * ao_npy_type_size(arrays[i].type);
        void *aligned = ao_alloc_raw(bytes, 1);
        if (!aligned) {
            status = ao_fail(AOSA_ERR_NOMEM, "input %d: no memory for %zu bytes", i, bytes);
            break;
        }
        memcpy(aligned, arrays[i].data, bytes);
        const struct ao_view source =
            ao_view_dense(aligned, graph->values[graph->inputs[i]].dtype, &input.shape);
        ao_view_convert(&input, &source);
        ao_free(aligned);
    }
    if (status == AOSA_OK)
        status = ao_session_run(session);
    if (status == AOSA_OK)
        status = save_outputs(model, session, dir);
    ao_session_destroy(&session);
    ao_program_destroy(&program);
    return status;
}

static aosa_status run_into(const struct aosa_model *model, const aosa_settings *settings,
                            const struct ao_npy *arrays, int64_t batch, const char *folder,
                            bool force)
{
    struct ao_outdir dir;
    AO_TRY(ao_outdir_begin(&dir, folder, "output0.npy", force));
    const aosa_status status = forward(model, settings, arrays, batch, &dir);
    if (status != AOSA_OK) {
        ao_outdir_abort(&dir);
        return status;
    }
    return ao_outdir_commit(&dir);
}

static aosa_status run_arrays(const struct aosa_model *model, const aosa_settings *settings,
                              const char *const *bindings, size_t n, const char *folder, bool force)
{
    const struct ao_graph *graph = ao_model_graph(model);
    int64_t batch = 1;
    struct ao_npy *arrays = ao_alloc((size_t)graph->n_inputs, sizeof *arrays);
    aosa_status status = arrays ? open_arrays(model, bindings, n, arrays, &batch)
                                : ao_fail(AOSA_ERR_NOMEM, "run: no memory");
    if (status == AOSA_OK)
        status = run_into(model, settings, arrays, batch, folder, force);
    for (int i = 0; arrays && i < graph->n_inputs; i++)
        ao_npy_close(&arrays[i]);
    ao_free(arrays);
    return status;
}

/* Arrays go into the file's own inputs: a model that was made to take a clip is read once more. */
aosa_status aosa_run(const aosa_model *model, const aosa_settings *settings,
                     const char *const *bindings, size_t n, const char *folder, bool force)
{
    aosa_settings *resolved;
    struct aosa_model *as_filed = NULL;
    AO_TRY(ao_settings_resolve(settings, &resolved));
    struct ao_model_options options = ao_settings_model_options(resolved);
    options.file_inputs = true;
    aosa_status status = model->fed ? ao_model_open(model->path, &options, &as_filed) : AOSA_OK;
    if (status == AOSA_OK)
        status = run_arrays(as_filed ? as_filed : model, resolved, bindings, n, folder, force);
    ao_model_close(&as_filed);
    aosa_settings_destroy(&resolved);
    return status;
}
