/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "onnx/import.h"

/* AttributeProto.AttributeType of the ONNX specification. */
enum { FLOAT = 1, INT = 2, STRING = 3, TENSOR = 4, GRAPH = 5, FLOATS = 6, INTS = 7 };

aosa_status ao_onnx_no_memory(const char *what)
{
    return ao_fail(AOSA_ERR_NOMEM,
                   "no memory for %s, or the model needs more than it may (--max-memory)", what);
}

char *ao_onnx_strdup(struct ao_onnx_import *import, const struct ao_onnx_text *text)
{
    return ao_arena_strndup(&import->graph->arena, text->bytes ? text->bytes : "", text->size);
}

static aosa_status refuse_attribute(const struct ao_node *node, const ao_onnx_Attribute *message,
                                    aosa_status status, const char *why)
{
    return ao_fail(status, "node '%s' (%s): attribute '%.*s' %s", node->name, node->type,
                   AO_ONNX_TEXT(&message->name), why);
}

/* Files before IR version 2 leave the type out: then the field that is there tells. */
static int32_t type_of(const ao_onnx_Attribute *message)
{
    if (message->type)
        return message->type;
    if (message->has_f)
        return FLOAT;
    if (message->has_i)
        return INT;
    if (message->s.bytes)
        return STRING;
    if (message->t)
        return TENSOR;
    if (message->g)
        return GRAPH;
    return message->floats.n ? FLOATS : INTS;
}

static aosa_status copy_list(struct ao_onnx_import *import, const struct ao_node *node,
                             const ao_onnx_Attribute *message, struct ao_attr *attr)
{
    const bool floats = attr->type == AO_ATTR_FLOATS;
    const size_t n = floats ? message->floats.n : message->ints.n;
    if (n > AO_ONNX_MAX_INTS)
        return refuse_attribute(node, message, AOSA_ERR_FORMAT, "has too many entries");
    const void *items = floats ? (const void *)message->floats.items : message->ints.items;
    void *copy =
        ao_arena_copy(&import->graph->arena, items, n * (floats ? sizeof(float) : sizeof(int64_t)));
    if (!copy)
        return ao_onnx_no_memory("an attribute");
    attr->n = (int64_t)n;
    if (floats)
        attr->floats = copy;
    else
        attr->ints = copy;
    return AOSA_OK;
}

static aosa_status import_tensor(struct ao_onnx_import *import, const struct ao_node *node,
                                 const ao_onnx_Attribute *message, struct ao_attr *attr)
{
    if (!message->t)
        return refuse_attribute(node, message, AOSA_ERR_FORMAT, "has no tensor");
    char key[AO_ONNX_MAX_NAME + 16];
    const char *output = node->n_out > 0 && node->out[0] >= 0
                             ? import->graph->values[node->out[0]].name
                             : node->name;
    snprintf(key, sizeof key, "const:%s", output);
    attr->type = AO_ATTR_VALUE;
    return ao_onnx_add_tensor(import, message->t, node->name, key, &attr->value);
}

static aosa_status import_value(struct ao_onnx_import *import, const struct ao_node *node,
                                const ao_onnx_Attribute *message, struct ao_attr *attr)
{
    switch (type_of(message)) {
    case FLOAT:
        attr->type = AO_ATTR_FLOAT;
        attr->f = message->f;
        return AOSA_OK;
    case INT:
        attr->type = AO_ATTR_INT;
        attr->i = message->i;
        return AOSA_OK;
    case STRING:
        attr->type = AO_ATTR_TEXT;
        if (message->s.size > AO_ONNX_MAX_NAME || !ao_onnx_text_is_plain(&message->s))
            return refuse_attribute(node, message, AOSA_ERR_FORMAT, "is no plain text");
        attr->text = ao_onnx_strdup(import, &message->s);
        return attr->text ? AOSA_OK : ao_onnx_no_memory("an attribute");
    case TENSOR:
        return import_tensor(import, node, message, attr);
    case GRAPH:
        attr->type = AO_ATTR_BLOCK;
        if (!message->g)
            return refuse_attribute(node, message, AOSA_ERR_FORMAT, "has no graph");
        return ao_onnx_import_branch(import, message->g, &attr->block);
    case FLOATS:
        attr->type = AO_ATTR_FLOATS;
        return copy_list(import, node, message, attr);
    case INTS:
        attr->type = AO_ATTR_INTS;
        return copy_list(import, node, message, attr);
    default:
        return refuse_attribute(node, message, AOSA_ERR_UNSUPPORTED,
                                "has a type that is not supported");
    }
}

static const ao_onnx_Attribute *find_attribute(const struct ao_onnx_list *list,
                                               const struct ao_onnx_text *name)
{
    for (size_t i = 0; i < list->n; i++) {
        const ao_onnx_Attribute *attribute = list->items[i];
        if (ao_onnx_text_equal(&attribute->name, name))
            return attribute;
    }
    return NULL;
}

/*
 * Inside a function an attribute may stand for one of the call: the caller's, else the function's
 * default; NULL when neither is there, which leaves the attribute out. The caller's may again
 * stand for one of the call around it.
 */
static const ao_onnx_Attribute *resolve(const struct ao_onnx_call *call,
                                        const ao_onnx_Attribute *message)
{
    while (message && message->ref_attr_name.size && call) {
        const struct ao_onnx_text *name = &message->ref_attr_name;
        const ao_onnx_Attribute *given = find_attribute(&call->node->attribute, name);
        if (!given)
            return find_attribute(&call->function->attribute_proto, name);
        message = given;
        call = call->outer;
    }
    return message;
}

aosa_status ao_onnx_import_attributes(struct ao_onnx_import *import, const ao_onnx_Node *message,
                                      struct ao_node *node)
{
    const size_t n = message->attribute.n;
    if (n > AO_ONNX_MAX_ATTRIBUTES)
        return ao_fail(AOSA_ERR_FORMAT, "node '%s' (%s) has %zu attributes", node->name, node->type,
                       n);
    node->attrs = ao_arena_alloc(&import->graph->arena, n, sizeof *node->attrs);
    if (!node->attrs)
        return ao_onnx_no_memory("attributes");
    for (size_t i = 0; i < n; i++) {
        const ao_onnx_Attribute *own = message->attribute.items[i];
        if (find_attribute(&message->attribute, &own->name) != own)
            return refuse_attribute(node, own, AOSA_ERR_FORMAT, "is given twice");
        const ao_onnx_Attribute *given = resolve(import->call, own);
        if (!given)
            continue;
        struct ao_attr *attr = &node->attrs[node->n_attrs];
        attr->name = ao_onnx_strdup(import, &own->name);
        if (!attr->name)
            return ao_onnx_no_memory("an attribute");
        AO_TRY(import_value(import, node, given, attr));
        node->n_attrs++;
    }
    return AOSA_OK;
}

aosa_status ao_onnx_emit(struct ao_onnx_import *import, struct ao_node *node)
{
    if (++import->n_emitted > AO_ONNX_MAX_NODES)
        return ao_fail(AOSA_ERR_FORMAT, "more than %d nodes, branches and functions included",
                       AO_ONNX_MAX_NODES);
    int index;
    if (!import->branch)
        return ao_graph_add_node(import->graph, node, &index);
    struct ao_onnx_nodes *branch = import->branch;
    void *items = branch->items;
    if (!ao_grow(&items, &branch->capacity, branch->n, sizeof *branch->items))
        return ao_onnx_no_memory("nodes of a branch");
    branch->items = items;
    branch->items[branch->n++] = *node;
    return AOSA_OK;
}

aosa_status ao_onnx_new_node(struct ao_onnx_import *import, const struct ao_node *origin,
                             const char *type, int n_in, const int32_t *in,
                             const struct ao_attr *attr, int32_t *out)
{
    struct ao_arena *arena = &import->graph->arena;
    struct ao_node node = { .name = origin->name, .type = type, .n_in = n_in, .n_out = 1 };
    node.in = ao_arena_copy(arena, in, (size_t)n_in * sizeof *in);
    node.out = ao_arena_alloc(arena, 1, sizeof *node.out);
    if (attr) {
        node.attrs = ao_arena_copy(arena, attr, sizeof *attr);
        node.n_attrs = 1;
    }
    if (!node.in || !node.out || (attr && !node.attrs))
        return ao_onnx_no_memory("a node");
    int value = *out;
    if (value < 0)
        AO_TRY(ao_graph_add_value(import->graph, origin->name, &value));
    *out = node.out[0] = value;
    return ao_onnx_emit(import, &node);
}

static aosa_status new_constant(struct ao_onnx_import *import, const char *name,
                                enum ao_dtype dtype, int64_t n, const void *items, int32_t *value)
{
    const struct ao_shape shape = { .rank = n >= 0, .dims = { n } };
    const size_t count = n >= 0 ? (size_t)n : 1;
    const void *copy = ao_arena_copy(&import->graph->arena, items, count * ao_dtype_size(dtype));
    if (!copy)
        return ao_onnx_no_memory("a constant");
    int index;
    AO_TRY(ao_graph_add_constant(import->graph, name, dtype, &shape, copy, &index));
    *value = index;
    return AOSA_OK;
}

aosa_status ao_onnx_new_ints(struct ao_onnx_import *import, const char *name, int64_t n,
                             const int64_t *ints, int32_t *value)
{
    return new_constant(import, name, AO_I64, n, ints, value);
}

aosa_status ao_onnx_new_floats(struct ao_onnx_import *import, const char *name, int64_t n,
                               const float *floats, int32_t *value)
{
    return new_constant(import, name, AO_F32, n, floats, value);
}
