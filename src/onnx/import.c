/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "onnx/import.h"

static aosa_status import_nodes(struct ao_onnx_import *import, const struct ao_onnx_list *nodes);

/* Name of a value as a C string in the graph's arena. */
static aosa_status copy_name(struct ao_onnx_import *import, const struct ao_onnx_text *text,
                             const char **name)
{
    *name = ao_onnx_strdup(import, text);
    return *name ? AOSA_OK : ao_onnx_no_memory("a name");
}

/* Single assignment: a name may be given once among all that are visible. */
static aosa_status define(struct ao_onnx_import *import, const struct ao_onnx_text *name,
                          const char *what, int value)
{
    if (name->size == 0)
        return ao_fail(AOSA_ERR_FORMAT, "%s without a name", what);
    if (ao_onnx_names_find(&import->names, name) >= 0)
        return ao_fail(AOSA_ERR_FORMAT, "%s '%.*s': the name is taken already", what,
                       AO_ONNX_TEXT(name));
    return ao_onnx_names_add(&import->names, name, value);
}

static aosa_status import_initializers(struct ao_onnx_import *import, const ao_onnx_Graph *graph)
{
    if (graph->sparse_initializer.n > 0)
        return ao_fail(AOSA_ERR_UNSUPPORTED, "sparse weights are not supported");
    if (graph->initializer.n > AO_ONNX_MAX_TENSORS)
        return ao_fail(AOSA_ERR_FORMAT, "%zu weights; the limit is %d", graph->initializer.n,
                       AO_ONNX_MAX_TENSORS);
    for (size_t i = 0; i < graph->initializer.n; i++) {
        const ao_onnx_Tensor *tensor = graph->initializer.items[i];
        const char *name;
        int value;
        AO_TRY(copy_name(import, &tensor->name, &name));
        AO_TRY(ao_onnx_add_tensor(import, tensor, name, name, &value));
        AO_TRY(define(import, &tensor->name, "initializer", value));
    }
    return AOSA_OK;
}

static const struct ao_onnx_text *input_text(const ao_onnx_Node *message, size_t i)
{
    return &message->input.items[i];
}

static aosa_status find_inputs(struct ao_onnx_import *import, const ao_onnx_Node *message,
                               struct ao_node *node)
{
    node->n_in = (int)message->input.n;
    node->in = ao_arena_alloc(&import->graph->arena, message->input.n, sizeof *node->in);
    if (!node->in)
        return ao_onnx_no_memory("inputs of a node");
    for (size_t i = 0; i < message->input.n; i++) {
        const struct ao_onnx_text *name = input_text(message, i);
        node->in[i] = name->size ? ao_onnx_names_find(&import->names, name) : -1;
        if (name->size && node->in[i] < 0)
            return ao_fail(AOSA_ERR_FORMAT, "node '%s' (%s) reads '%.*s', which nothing makes",
                           node->name, node->type, AO_ONNX_TEXT(name));
    }
    return AOSA_OK;
}

static aosa_status add_value(struct ao_onnx_import *import, const struct ao_onnx_text *text,
                             const char *what, int *value)
{
    const char *name;
    if (import->graph->n_values >= AO_ONNX_MAX_VALUES)
        return ao_fail(AOSA_ERR_FORMAT, "more than %d values", AO_ONNX_MAX_VALUES);
    AO_TRY(copy_name(import, text, &name));
    AO_TRY(ao_graph_add_value(import->graph, name, value));
    return define(import, text, what, *value);
}

static aosa_status add_outputs(struct ao_onnx_import *import, const ao_onnx_Node *message,
                               struct ao_node *node)
{
    node->n_out = (int)message->output.n;
    node->out = ao_arena_alloc(&import->graph->arena, message->output.n, sizeof *node->out);
    if (!node->out)
        return ao_onnx_no_memory("outputs of a node");
    for (size_t i = 0; i < message->output.n; i++) {
        const struct ao_onnx_text *text = &message->output.items[i];
        node->out[i] = -1;
        if (text->size == 0)
            continue;
        int value;
        AO_TRY(add_value(import, text, "value", &value));
        node->out[i] = value;
    }
    return AOSA_OK;
}

/* Names the output of a Constant node for the constant it holds. */
static aosa_status import_constant(struct ao_onnx_import *import, const ao_onnx_Node *message,
                                   struct ao_node *node)
{
    if (message->output.n != 1)
        return ao_fail(AOSA_ERR_FORMAT, "node '%s' (Constant) has %zu outputs", node->name,
                       message->output.n);
    AO_TRY(add_outputs(import, message, node));
    AO_TRY(ao_onnx_import_attributes(import, message, node));
    const struct ao_attr *attr = node->n_attrs == 1 ? &node->attrs[0] : NULL;
    int32_t constant = -1;
    if (attr && strcmp(attr->name, "value") == 0 && attr->type == AO_ATTR_VALUE)
        constant = attr->value;
    else if (attr && strcmp(attr->name, "value_int") == 0 && attr->type == AO_ATTR_INT)
        AO_TRY(ao_onnx_new_ints(import, node->name, -1, &attr->i, &constant));
    else if (attr && strcmp(attr->name, "value_ints") == 0 && attr->type == AO_ATTR_INTS)
        AO_TRY(ao_onnx_new_ints(import, node->name, attr->n, attr->ints, &constant));
    else if (attr && strcmp(attr->name, "value_float") == 0 && attr->type == AO_ATTR_FLOAT)
        AO_TRY(ao_onnx_new_floats(import, node->name, -1, &attr->f, &constant));
    else if (attr && strcmp(attr->name, "value_floats") == 0 && attr->type == AO_ATTR_FLOATS)
        AO_TRY(ao_onnx_new_floats(import, node->name, attr->n, attr->floats, &constant));
    else
        return ao_fail(AOSA_ERR_UNSUPPORTED, "node '%s' (Constant) holds no tensor or number",
                       node->name);
    if (node->out[0] >= 0) {
        const char *name = import->graph->values[node->out[0]].name;
        import->graph->values[node->out[0]] = import->graph->values[constant];
        import->graph->values[node->out[0]].name = name;
    }
    return AOSA_OK;
}

static bool is_default_domain(const struct ao_onnx_text *domain)
{
    return domain->size == 0 || ao_onnx_text_is(domain, "ai.onnx");
}

/* The function of the model that the node calls, or NULL. */
static const ao_onnx_Function *find_function(const struct ao_onnx_import *import,
                                             const ao_onnx_Node *node)
{
    const struct ao_onnx_list *functions = &import->message->functions;
    for (size_t i = 0; i < functions->n; i++) {
        const ao_onnx_Function *function = functions->items[i];
        if (ao_onnx_text_equal(&function->name, &node->op_type) &&
            ao_onnx_text_equal(&function->domain, &node->domain))
            return function;
    }
    return NULL;
}

static aosa_status check_list(const struct ao_onnx_list *list, const char *what)
{
    if (list->n > AO_ONNX_MAX_LIST)
        return ao_fail(AOSA_ERR_FORMAT, "%zu %s; the limit is %d", list->n, what, AO_ONNX_MAX_LIST);
    return AOSA_OK;
}

static aosa_status default_opset(const struct ao_onnx_list *imports, int64_t *opset)
{
    AO_TRY(check_list(imports, "operator sets"));
    for (size_t i = 0; i < imports->n; i++) {
        const ao_onnx_Opset *entry = imports->items[i];
        if (!is_default_domain(&entry->domain))
            continue;
        if (entry->version < 1 || entry->version > AO_ONNX_MAX_OPSET)
            return ao_fail(AOSA_ERR_UNSUPPORTED,
                           "opset %" PRId64 " is not supported, %d to %d are: export with "
                           "opset_version=18",
                           entry->version, AO_ONNX_MIN_OPSET, AO_ONNX_MAX_OPSET);
        *opset = entry->version;
    }
    return AOSA_OK;
}

/* The body's own scope: its inputs, then its nodes. */
static aosa_status import_body(struct ao_onnx_import *import, const struct ao_onnx_call *call,
                               const struct ao_onnx_names *outside)
{
    const ao_onnx_Function *function = call->function;
    if (call->node->input.n > function->input.n || call->node->output.n > function->output.n)
        return ao_fail(AOSA_ERR_FORMAT, "function '%.*s' is called with too many values",
                       AO_ONNX_TEXT(&function->name));
    for (size_t i = 0; i < call->node->input.n; i++) {
        const struct ao_onnx_text *given = input_text(call->node, i);
        if (given->size == 0)
            continue;
        const int value = ao_onnx_names_find(outside, given);
        if (value < 0)
            return ao_fail(AOSA_ERR_FORMAT, "a call of '%.*s' reads '%.*s', which nothing makes",
                           AO_ONNX_TEXT(&function->name), AO_ONNX_TEXT(given));
        AO_TRY(define(import, &function->input.items[i], "input of a function", value));
    }
    AO_TRY(default_opset(&function->opset_import, &import->opset));
    return import_nodes(import, &function->node);
}

static aosa_status name_results(struct ao_onnx_import *import, const struct ao_onnx_call *call,
                                const struct ao_onnx_names *inside)
{
    for (size_t i = 0; i < call->node->output.n; i++) {
        const struct ao_onnx_text *wanted = &call->node->output.items[i];
        if (wanted->size == 0)
            continue;
        const int value = ao_onnx_names_find(inside, &call->function->output.items[i]);
        if (value < 0)
            return ao_fail(AOSA_ERR_FORMAT, "function '%.*s' never makes its output '%.*s'",
                           AO_ONNX_TEXT(&call->function->name),
                           AO_ONNX_TEXT(&call->function->output.items[i]));
        AO_TRY(define(import, wanted, "value", value));
    }
    return AOSA_OK;
}

/* Puts the nodes of a function in the place of its call. */
static aosa_status import_call(struct ao_onnx_import *import, const ao_onnx_Node *node,
                               const ao_onnx_Function *function)
{
    const struct ao_onnx_call *outer = import->call;
    const struct ao_onnx_call call = { node, function, outer, outer ? outer->depth + 1 : 1 };
    if (call.depth > AO_ONNX_MAX_CALLS)
        return ao_fail(AOSA_ERR_FORMAT, "functions call each other more than %d deep, at '%.*s'",
                       AO_ONNX_MAX_CALLS, AO_ONNX_TEXT(&function->name));
    if (node->attribute.n > AO_ONNX_MAX_ATTRIBUTES ||
        function->attribute_proto.n > AO_ONNX_MAX_ATTRIBUTES)
        return ao_fail(AOSA_ERR_FORMAT, "function '%.*s' has too many attributes",
                       AO_ONNX_TEXT(&function->name));
    struct ao_onnx_names outside = import->names;
    const int64_t opset = import->opset;
    import->names = (struct ao_onnx_names){ 0 };
    import->call = &call;
    aosa_status status = import_body(import, &call, &outside);
    struct ao_onnx_names inside = import->names;
    import->names = outside;
    import->opset = opset;
    import->call = outer;
    if (status == AOSA_OK)
        status = name_results(import, &call, &inside);
    ao_onnx_names_fini(&inside);
    return status;
}

static aosa_status name_node(struct ao_onnx_import *import, const ao_onnx_Node *message,
                             struct ao_node *node)
{
    char text[96];
    node->type = ao_onnx_strdup(import, &message->op_type);
    if (message->name.size > 0)
        node->name = ao_onnx_strdup(import, &message->name);
    else if (node->type) {
        const int n = snprintf(text, sizeof text, "%.64s_%zu", node->type, import->n_nodes);
        node->name = ao_arena_strndup(&import->graph->arena, text, (size_t)n);
    }
    return node->name && node->type ? AOSA_OK : ao_onnx_no_memory("a name");
}

static aosa_status import_node(struct ao_onnx_import *import, const ao_onnx_Node *message)
{
    struct ao_node node = { 0 };
    if (++import->n_nodes > AO_ONNX_MAX_NODES)
        return ao_fail(AOSA_ERR_FORMAT, "more than %d nodes, branches and functions included",
                       AO_ONNX_MAX_NODES);
    AO_TRY(name_node(import, message, &node));
    const ao_onnx_Function *function = find_function(import, message);
    if (function)
        return import_call(import, message, function);
    if (!is_default_domain(&message->domain))
        return ao_fail(AOSA_ERR_UNSUPPORTED,
                       "node '%s': operator %s of domain '%.*s' is not supported, only those of "
                       "ONNX itself are",
                       node.name, node.type, AO_ONNX_TEXT(&message->domain));
    if (strcmp(node.type, "Constant") == 0)
        return import_constant(import, message, &node);
    AO_TRY(find_inputs(import, message, &node));
    AO_TRY(add_outputs(import, message, &node));
    AO_TRY(ao_onnx_import_attributes(import, message, &node));
    AO_TRY(ao_onnx_canonicalise(import, &node));
    return ao_onnx_emit(import, &node);
}

static aosa_status import_nodes(struct ao_onnx_import *import, const struct ao_onnx_list *nodes)
{
    int32_t *order;
    AO_TRY(ao_onnx_order(nodes, &order));
    aosa_status status = AOSA_OK;
    for (size_t i = 0; i < nodes->n && status == AOSA_OK; i++)
        status = import_node(import, nodes->items[order[i]]);
    ao_free(order);
    return status;
}

static aosa_status find_outputs(struct ao_onnx_import *import, const ao_onnx_Graph *message,
                                int32_t **outputs, int *n)
{
    const size_t count = message->output.n;
    AO_TRY(check_list(&message->output, "outputs"));
    *outputs = ao_arena_alloc(&import->graph->arena, count, sizeof **outputs);
    if (!*outputs)
        return ao_onnx_no_memory("outputs");
    *n = (int)count;
    for (size_t i = 0; i < count; i++) {
        const ao_onnx_ValueInfo *info = message->output.items[i];
        (*outputs)[i] = ao_onnx_names_find(&import->names, &info->name);
        if ((*outputs)[i] < 0)
            return ao_fail(AOSA_ERR_FORMAT, "output '%.*s' is made by no node",
                           AO_ONNX_TEXT(&info->name));
    }
    return AOSA_OK;
}

/* Formal inputs of a loop body; a branch of an If has none. */
static aosa_status add_formals(struct ao_onnx_import *import, const ao_onnx_Graph *message)
{
    for (size_t i = 0; i < message->input.n; i++) {
        const ao_onnx_ValueInfo *info = message->input.items[i];
        int value;
        AO_TRY(add_value(import, &info->name, "input of a branch", &value));
    }
    return AOSA_OK;
}

static aosa_status import_scope(struct ao_onnx_import *import, const ao_onnx_Graph *message,
                                struct ao_block *block)
{
    AO_TRY(import_initializers(import, message));
    AO_TRY(add_formals(import, message));
    AO_TRY(import_nodes(import, &message->node));
    AO_TRY(find_outputs(import, message, &block->outputs, &block->n_outputs));
    const struct ao_onnx_nodes *nodes = import->branch;
    block->n_nodes = (int)nodes->n;
    block->nodes =
        ao_arena_copy(&import->graph->arena, nodes->items, nodes->n * sizeof *nodes->items);
    return block->nodes ? AOSA_OK : ao_onnx_no_memory("nodes of a branch");
}

aosa_status ao_onnx_import_branch(struct ao_onnx_import *import, const ao_onnx_Graph *message,
                                  struct ao_block **block)
{
    *block = ao_arena_alloc(&import->graph->arena, 1, sizeof **block);
    if (!*block)
        return ao_onnx_no_memory("a branch");
    struct ao_onnx_nodes nodes = { 0 };
    struct ao_onnx_nodes *outer = import->branch;
    const size_t n_names = import->names.n;
    import->branch = &nodes;
    const aosa_status status = import_scope(import, message, *block);
    import->branch = outer;
    ao_onnx_names_rewind(&import->names, n_names);
    ao_free(nodes.items);
    return status;
}

aosa_status ao_onnx_import_model(struct ao_onnx_import *import)
{
    const ao_onnx_Model *message = import->message;
    struct ao_graph *graph = import->graph;
    if (!message->graph || message->ir_version < 1)
        return ao_fail(AOSA_ERR_FORMAT, "not an ONNX model: %s is missing",
                       message->graph ? "the version" : "the graph");
    AO_TRY(check_list(&message->functions, "functions"));
    import->opset = 0;
    AO_TRY(default_opset(&message->opset_import, &import->opset));
    if (import->opset == 0)
        return ao_fail(AOSA_ERR_FORMAT, "the model does not say which opset it uses");
    import->model->opset = graph->opset = import->opset;
    import->model->ir_version = message->ir_version;
    AO_TRY(import_initializers(import, message->graph));
    AO_TRY(ao_onnx_import_inputs(import, message->graph));
    AO_TRY(import_nodes(import, &message->graph->node));
    AO_TRY(find_outputs(import, message->graph, &graph->outputs, &graph->n_outputs));
    if (graph->n_outputs == 0)
        return ao_fail(AOSA_ERR_FORMAT, "the model has no output");
    return ao_onnx_align(graph);
}
