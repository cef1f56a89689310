/* SPDX-License-Identifier: Apache-2.0 */
#include "core/alloc.h"
#include "onnx/import.h"

/* Edges of the graph of nodes: node k reads nodes reads[first[k]] .. reads[first[k + 1] - 1]. */
struct edges {
    struct ao_onnx_names makers; /* name -> node that makes it */
    int32_t *first;
    int32_t *reads;
    size_t n_reads, capacity;
};

struct walk {
    const struct ao_onnx_list *nodes;
    const struct edges *edges;
    unsigned char *state; /* NEW, OPEN: on the stack, DONE */
    int32_t *stack;
    int32_t *next; /* [node] next edge to follow */
    int32_t *order;
    size_t n_ordered;
};

enum { NEW, OPEN, DONE };

static aosa_status find_makers(struct edges *edges, const struct ao_onnx_list *nodes)
{
    for (size_t k = 0; k < nodes->n; k++) {
        const ao_onnx_Node *node = nodes->items[k];
        for (size_t i = 0; i < node->output.n; i++) {
            const struct ao_onnx_text *name = &node->output.items[i];
            if (name->size == 0)
                continue;
            const int other = ao_onnx_names_find(&edges->makers, name);
            if (other >= 0) {
                const ao_onnx_Node *first = nodes->items[other];
                return ao_fail(AOSA_ERR_FORMAT,
                               "value '%.*s' is made twice, by node %d ('%.*s', %.*s) and node "
                               "%zu ('%.*s', %.*s)",
                               AO_ONNX_TEXT(name), other, AO_ONNX_TEXT(&first->name),
                               AO_ONNX_TEXT(&first->op_type), k, AO_ONNX_TEXT(&node->name),
                               AO_ONNX_TEXT(&node->op_type));
            }
            AO_TRY(ao_onnx_names_add(&edges->makers, name, (int)k));
        }
    }
    return AOSA_OK;
}

static aosa_status add_read(struct edges *edges, const struct ao_onnx_text *name)
{
    const int maker = name->size ? ao_onnx_names_find(&edges->makers, name) : -1;
    if (maker < 0)
        return AOSA_OK;
    void *items = edges->reads;
    if (edges->n_reads >= INT32_MAX ||
        !ao_grow(&items, &edges->capacity, edges->n_reads, sizeof *edges->reads))
        return ao_onnx_no_memory("the order of nodes");
    edges->reads = items;
    edges->reads[edges->n_reads++] = maker;
    return AOSA_OK;
}

/* What a node reads, the branches inside it included; the reader bounds their depth. Names inside
 * a branch are no names outside (checked by the importer), so taking all of them is right. */
static aosa_status add_reads(struct edges *edges, const ao_onnx_Node *node)
{
    for (size_t i = 0; i < node->input.n; i++)
        AO_TRY(add_read(edges, &node->input.items[i]));
    for (size_t i = 0; i < node->attribute.n; i++) {
        const ao_onnx_Graph *branch = ((const ao_onnx_Attribute *)node->attribute.items[i])->g;
        if (!branch)
            continue;
        for (size_t k = 0; k < branch->node.n; k++)
            AO_TRY(add_reads(edges, branch->node.items[k]));
        for (size_t k = 0; k < branch->output.n; k++)
            AO_TRY(add_read(edges, &((const ao_onnx_ValueInfo *)branch->output.items[k])->name));
    }
    return AOSA_OK;
}

static aosa_status refuse_cycle(const struct walk *walk, int32_t from, int32_t to)
{
    const ao_onnx_Node *a = walk->nodes->items[from], *b = walk->nodes->items[to];
    return ao_fail(AOSA_ERR_FORMAT,
                   "the nodes form a cycle through node %d ('%.*s', %.*s) and node %d ('%.*s', "
                   "%.*s)",
                   (int)from, AO_ONNX_TEXT(&a->name), AO_ONNX_TEXT(&a->op_type), (int)to,
                   AO_ONNX_TEXT(&b->name), AO_ONNX_TEXT(&b->op_type));
}

/* Depth first from one node, with a stack of our own: the file decides how deep it goes. */
static aosa_status visit(struct walk *walk, int32_t root)
{
    size_t depth = 0;
    walk->stack[depth++] = root;
    walk->state[root] = OPEN;
    while (depth > 0) {
        const int32_t node = walk->stack[depth - 1];
        if (walk->next[node] == walk->edges->first[node + 1]) {
            walk->state[node] = DONE;
            walk->order[walk->n_ordered++] = node;
            depth--;
            continue;
        }
        const int32_t read = walk->edges->reads[walk->next[node]++];
        if (walk->state[read] == OPEN)
            return refuse_cycle(walk, node, read);
        if (walk->state[read] == NEW) {
            walk->state[read] = OPEN;
            walk->stack[depth++] = read;
        }
    }
    return AOSA_OK;
}

static aosa_status find_edges(struct edges *edges, const struct ao_onnx_list *nodes)
{
    edges->first = ao_alloc(nodes->n + 1, sizeof *edges->first);
    if (!edges->first)
        return ao_onnx_no_memory("the order of nodes");
    AO_TRY(find_makers(edges, nodes));
    for (size_t k = 0; k < nodes->n; k++) {
        AO_TRY(add_reads(edges, nodes->items[k]));
        edges->first[k + 1] = (int32_t)edges->n_reads;
    }
    return AOSA_OK;
}

static aosa_status walk_all(struct walk *walk)
{
    const size_t n = walk->nodes->n;
    walk->state = ao_alloc(n, 1);
    walk->stack = ao_alloc(n, sizeof *walk->stack);
    walk->next = ao_alloc(n, sizeof *walk->next);
    walk->order = ao_alloc(n, sizeof *walk->order);
    if (!walk->state || !walk->stack || !walk->next || !walk->order)
        return ao_onnx_no_memory("the order of nodes");
    for (size_t k = 0; k < n; k++)
        walk->next[k] = walk->edges->first[k];
    for (size_t k = 0; k < n; k++)
        if (walk->state[k] == NEW)
            AO_TRY(visit(walk, (int32_t)k));
    return AOSA_OK;
}

aosa_status ao_onnx_order(const struct ao_onnx_list *nodes, int32_t **order)
{
    if (nodes->n > AO_ONNX_MAX_NODES)
        return ao_fail(AOSA_ERR_FORMAT, "%zu nodes; the limit is %d", nodes->n, AO_ONNX_MAX_NODES);
    struct edges edges = { 0 };
    struct walk walk = { .nodes = nodes, .edges = &edges };
    aosa_status status = find_edges(&edges, nodes);
    if (status == AOSA_OK)
        status = walk_all(&walk);
    ao_onnx_names_fini(&edges.makers);
    ao_free(edges.first);
    ao_free(edges.reads);
    ao_free(walk.state);
    ao_free(walk.stack);
    ao_free(walk.next);
    if (status != AOSA_OK) {
        ao_free(walk.order);
        return status;
    }
    *order = walk.order;
    return AOSA_OK;
}
