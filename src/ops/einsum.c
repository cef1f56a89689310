/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/alloc.h"
#include "ops/backward.h"
#include "ops/check.h"
#include "ops/element.h"

/*
 * Einsum: y[output letters] = sum over all other letters of the product of the inputs at their
 * letters. A letter an input has twice walks its diagonal. Ellipses are not supported.
 */

#define MAX_LETTERS 16
#define MAX_INPUTS 4
#define EQUATION ((MAX_INPUTS + 1) * (AO_MAX_RANK + 3))

struct einsum_params {
    int n_letters, n_out; /* letters of the output come first, in its order */
    char letters[MAX_LETTERS];
    int64_t extents[MAX_LETTERS];
    char terms[MAX_INPUTS][AO_MAX_RANK + 1];
};

static int letter_index(const struct einsum_params *params, char letter)
{
    for (int i = 0; i < params->n_letters; i++)
        if (params->letters[i] == letter)
            return i;
    return -1;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The letters up to `,`, `-` or the end, blanks left out; *text moves behind them. */
static bool read_term(const char **text, char term[AO_MAX_RANK + 1])
{
    int n = 0;
    for (; **text && **text != ',' && **text != '-'; ++*text) {
        if (**text == ' ')
            continue;
        if (!is_letter(**text) || n == AO_MAX_RANK)
            return false;
        term[n++] = **text;
    }
    term[n] = '\0';
    return true;
}

/* The inputs' terms; *output is what stands behind "->", or NULL. */
static bool read_terms(const char *equation, int n_in, struct einsum_params *params,
                       const char **output)
{
    for (int i = 0; i < n_in; i++) {
        if (!read_term(&equation, params->terms[i]))
            return false;
        if (*equation != (i < n_in - 1 ? ',' : '-') && (i < n_in - 1 || *equation))
            return false;
        equation += i < n_in - 1;
    }
    *output = NULL;
    if (*equation == '\0')
        return true;
    *output = equation + 2;
    return equation[1] == '>';
}

/* How often the inputs have a letter. */
static int count_letter(const struct einsum_params *params, char letter)
{
    int n = 0;
    for (int i = 0; i < MAX_INPUTS; i++)
        for (const char *c = params->terms[i]; *c; c++)
            n += *c == letter;
    return n;
}

static bool add_letter(struct einsum_params *params, char letter)
{
    if (letter_index(params, letter) >= 0)
        return true;
    if (params->n_letters == MAX_LETTERS)
        return false;
    params->extents[params->n_letters] = -1;
    params->letters[params->n_letters++] = letter;
    return true;
}

/* Without "->" the output has the letters that occur once, in alphabetical order. */
static bool read_output(const char *output, struct einsum_params *params)
{
    char term[AO_MAX_RANK + 1] = "";
    if (output && (!read_term(&output, term) || *output))
        return false;
    for (char c = 'A'; !output && c <= 'z'; c++) {
        const size_t n = strlen(term);
        if (!is_letter(c) || count_letter(params, c) != 1)
            continue;
        if (n == AO_MAX_RANK)
            return false;
        term[n] = c;
        term[n + 1] = '\0';
    }
    for (const char *c = term; *c; c++)
        if (letter_index(params, *c) >= 0 || count_letter(params, *c) == 0 ||
            !add_letter(params, *c))
            return false;
    params->n_out = params->n_letters;
    for (int i = 0; i < MAX_INPUTS; i++)
        for (const char *c = params->terms[i]; *c; c++)
            if (!add_letter(params, *c))
                return false;
    return true;
}

static aosa_status take_extents(const struct ao_graph *graph, const struct ao_node *node, int i,
                                struct einsum_params *params)
{
    const struct ao_shape *shape = &ao_op_in(graph, node, i)->shape;
    const char *term = params->terms[i];
    char text[AO_SHAPE_TEXT];
    if ((int)strlen(term) != shape->rank)
        return ao_op_fail(node, AOSA_ERR_FORMAT, "input %d of shape %s has not the letters '%s'", i,
                          ao_shape_text(shape, text), term);
    for (int a = 0; a < shape->rank; a++) {
        int64_t *extent = &params->extents[letter_index(params, term[a])];
        if (*extent >= 0 && *extent != shape->dims[a])
            return ao_op_fail(node, AOSA_ERR_FORMAT,
                              "letter '%c' has %" PRId64 " elements and, in input %d, %" PRId64,
                              term[a], *extent, i, shape->dims[a]);
        *extent = shape->dims[a];
    }
    return AOSA_OK;
}

static aosa_status einsum_infer(struct ao_graph *graph, struct ao_node *node)
{
    const char *equation = ao_node_text(node, "equation", ""), *output;
    AO_TRY(ao_op_arity(node, 1, MAX_INPUTS, 1));
    AO_TRY(ao_op_arity(node, node->n_in, node->n_in, 1)); /* none of them absent */
    struct einsum_params *params = ao_op_params(graph, node, sizeof *params);
    if (!params)
        return AOSA_ERR_NOMEM;
    if (!read_terms(equation, node->n_in, params, &output) || !read_output(output, params))
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED, "with the equation '%s' is not supported",
                          equation);
    for (int i = 0; i < node->n_in; i++) {
        AO_TRY(ao_op_float(graph, node, i));
        AO_TRY(take_extents(graph, node, i, params));
    }
    struct ao_shape shape = { .rank = params->n_out };
    for (int i = 0; i < params->n_out; i++)
        shape.dims[i] = params->extents[i];
    int64_t work;
    if (!ao_count(params->extents, params->n_letters, &work) || work > AO_OP_MAX_ELEMENTS)
        return ao_op_fail(node, AOSA_ERR_UNSUPPORTED, "has too many terms");
    return ao_op_set(graph, node, 0, ao_op_in(graph, node, 0)->dtype, &shape);
}

static double einsum_macs(const struct ao_graph *graph, const struct ao_node *node)
{
    (void)graph;
    const struct einsum_params *params = node->params;
    double macs = 1;
    for (int i = 0; i < params->n_letters; i++)
        macs *= (double)params->extents[i];
    return macs;
}

/* An input seen with an axis for every letter: those it lacks repeat. */
static struct ao_view spread(const struct einsum_params *params, const struct ao_view *x,
                             const char *term, const int64_t *extents)
{
    struct ao_view view = *x;
    int64_t strides[MAX_LETTERS] = { 0 };
    for (int a = 0; term[a]; a++)
        strides[letter_index(params, term[a])] += x->strides[a];
    view.shape.rank = params->n_out;
    for (int i = 0; i < params->n_out; i++) {
        view.shape.dims[i] = extents[i];
        view.strides[i] = strides[i];
    }
    return view;
}

/* Stride of a letter in an input, summed where it occurs more than once. */
static int64_t letter_stride(const struct ao_view *x, const char *term, char letter)
{
    int64_t stride = 0;
    for (int a = 0; term[a]; a++)
        stride += term[a] == letter ? x->strides[a] : 0;
    return stride;
}

/* The sum over the letters [letter, n_letters) of products of the inputs at these offsets. */
static double sum_letters(const struct ao_op_call *call, const int64_t *extents, int letter,
                          const int64_t *offsets)
{
    const struct einsum_params *params = call->node->params;
    const int n_in = call->node->n_in;
    double sum = 0;
    if (letter == params->n_letters) {
        sum = 1;
        for (int i = 0; i < n_in; i++)
            sum *= ao_element(&call->in[i], offsets[i]);
        return sum;
    }
    int64_t at[MAX_INPUTS], step[MAX_INPUTS];
    for (int i = 0; i < n_in; i++) {
        at[i] = offsets[i];
        step[i] = letter_stride(&call->in[i], params->terms[i], params->letters[letter]);
    }
    for (int64_t k = 0; k < extents[letter]; k++) {
        sum += sum_letters(call, extents, letter + 1, at);
        for (int i = 0; i < n_in; i++)
            at[i] += step[i];
    }
    return sum;
}

static void einsum_forward(const struct ao_op_call *call)
{
    const struct einsum_params *params = call->node->params;
    const struct ao_view *y = &call->out[0];
    int64_t extents[MAX_LETTERS];
    memcpy(extents, params->extents, sizeof extents);
    memcpy(extents, y->shape.dims, (size_t)params->n_out * sizeof *extents); /* of the batch */
    struct ao_view views[MAX_INPUTS];
    for (int i = 0; i < call->node->n_in; i++)
        views[i] = spread(params, &call->in[i], params->terms[i], extents);
    const int64_t count = ao_shape_count(&y->shape);
    for (int64_t o = 0; o < count; o++) {
        int64_t offsets[MAX_INPUTS];
        for (int i = 0; i < call->node->n_in; i++)
            offsets[i] = ao_view_offset(&views[i], o);
        const double sum = sum_letters(call, extents, params->n_out, offsets);
        ao_row_store(y, ao_view_offset(y, o), 1, &sum, 1);
    }
}

/* The first letter of the output is that of axis 0 of every batched input, and nowhere else. */
static bool einsum_keeps_batch(const struct ao_graph *graph, const struct ao_node *node)
{
    const struct einsum_params *params = node->params;
    const char batch = params->letters[0];
    int batched = 0;
    for (int i = 0; i < node->n_in; i++) {
        if (!ao_op_in(graph, node, i)->batched)
            continue;
        batched++;
        if (params->terms[i][0] != batch)
            return false;
    }
    return params->n_out > 0 && count_letter(params, batch) == batched;
}

/* "y,b,c->a" for the gradient of input i, of a's letters those that y or another input has, which
 * `known` lists. */
static void backward_equation(const struct einsum_params *params, int n_in, int i, char *equation,
                              char *known)
{
    snprintf(known, MAX_LETTERS + 1, "%.*s", params->n_out, params->letters);
    snprintf(equation, EQUATION, "%s", known);
    for (int k = 0; k < n_in; k++) {
        const size_t used = strlen(equation);
        if (k == i)
            continue;
        snprintf(equation + used, EQUATION - used, ",%s", params->terms[k]);
        for (const char *c = params->terms[k]; *c; c++)
            if (!strchr(known, *c))
                strncat(known, c, 1);
    }
    strcat(equation, "->");
    for (const char *c = params->terms[i]; *c; c++)
        if (strchr(known, *c))
            strncat(equation, c, 1);
}

/* dL/da is an Einsum of dL/dy and the other inputs, repeated along letters that only a has. */
static void give(struct ao_vjp *vjp, int i)
{
    const struct ao_node *node = &vjp->node;
    const struct einsum_params *params = node->params;
    char equation[EQUATION], known[MAX_LETTERS + 1];
    backward_equation(params, node->n_in, i, equation, known);
    int32_t in[MAX_INPUTS] = { vjp->grad_out[0] };
    for (int k = 0, n = 1; k < node->n_in; k++)
        if (k != i)
            in[n++] = ao_vjp_middle(vjp, node->in[k]);
    const struct ao_attr attr = { .name = "equation", .type = AO_ATTR_TEXT, .text = equation };
    const int32_t sum = ao_vjp_apply(vjp, "Einsum", in, node->n_in, &attr, 1);
    const struct ao_shape shape = ao_vjp_shape(vjp, node->in[i]);
    struct ao_shape narrow = shape;
    for (int a = 0; a < shape.rank; a++)
        if (!strchr(known, params->terms[i][a]))
            narrow.dims[a] = 1;
    vjp->grad_in[i] = ao_vjp_expand(vjp, ao_vjp_reshape(vjp, sum, &narrow), &shape);
}

static aosa_status einsum_vjp(struct ao_vjp *vjp)
{
    const struct einsum_params *params = vjp->node.params;
    for (int i = 0; i < vjp->node.n_in; i++) {
        if (!vjp->wanted[i])
            continue;
        for (const char *c = params->terms[i]; *c; c++)
            if (strchr(c + 1, *c))
                return ao_vjp_refuse(vjp, "for an input that walks its diagonal");
        give(vjp, i);
    }
    return vjp->status;
}

const struct ao_op ao_op_Einsum = {
    .type = "Einsum",
    .infer = einsum_infer,
    .forward = einsum_forward,
    .vjp = einsum_vjp,
    .macs = einsum_macs,
    .batch = AO_BATCH_ASKS,
    .keeps_batch = einsum_keeps_batch,
};
