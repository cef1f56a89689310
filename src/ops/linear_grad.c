/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/backward.h"
#include "ops/check.h"
#include "ops/linear.h"

/* alpha A' B' of Gemm, each operand transposed where `turn` says so. */
static int32_t product(struct ao_vjp *vjp, int32_t a, bool turn_a, int32_t b, bool turn_b)
{
    const struct ao_gemm_params *params = vjp->node.params;
    const struct ao_attr attrs[] = {
        { .name = "alpha", .type = AO_ATTR_FLOAT, .f = (float)params->alpha },
        { .name = "transA", .type = AO_ATTR_INT, .i = turn_a },
        { .name = "transB", .type = AO_ATTR_INT, .i = turn_b },
    };
    return ao_vjp_apply(vjp, "Gemm", (const int32_t[]){ a, b }, 2, attrs, 3);
}

/* y = alpha A' B' + beta C: dA' = alpha g B'^T and dB' = alpha A'^T g, turned back where A' is A^T;
 * operands that change both are shared as in a product of numbers. */
aosa_status ao_vjp_gemm(struct ao_vjp *vjp)
{
    const struct ao_gemm_params *params = vjp->node.params;
    const int32_t g = vjp->grad_out[0], *in = vjp->node.in;
    const bool turn_a = params->trans_a, turn_b = params->trans_b;
    if (vjp->wanted[0]) {
        const int32_t b = ao_vjp_middle(vjp, in[1]);
        vjp->grad_in[0] =
            turn_a ? product(vjp, b, turn_b, g, true) : product(vjp, g, false, b, !turn_b);
    }
    if (vjp->wanted[1]) {
        const int32_t a = ao_vjp_middle(vjp, in[0]);
        vjp->grad_in[1] =
            turn_b ? product(vjp, g, true, a, turn_a) : product(vjp, a, !turn_a, g, false);
    }
    if (vjp->node.n_in > 2 && vjp->wanted[2]) {
        const struct ao_shape c = ao_vjp_shape(vjp, in[2]);
        const int32_t folded = ao_vjp_fold(vjp, g, &c);
        vjp->grad_in[2] = ao_vjp_two(vjp, "Mul", folded, ao_vjp_number(vjp, params->beta));
    }
    return vjp->status;
}

/* The last two axes exchanged. */
static int32_t turned(struct ao_vjp *vjp, int32_t value)
{
    const struct ao_shape shape = ao_vjp_shape(vjp, value);
    int64_t perm[AO_MAX_RANK];
    if (vjp->status != AOSA_OK)
        return -1;
    for (int i = 0; i < shape.rank; i++)
        perm[i] = i;
    perm[shape.rank - 1] = shape.rank - 2;
    perm[shape.rank - 2] = shape.rank - 1;
    const struct ao_attr order = {
        .name = "perm", .type = AO_ATTR_INTS, .n = shape.rank, .ints = perm
    };
    return ao_vjp_apply(vjp, "Transpose", &value, 1, &order, 1);
}

/* Shape of operand i as a matrix: a vector is one row on the left, one column on the right. */
static struct ao_shape matrix_shape(const struct ao_vjp *vjp, int i)
{
    const struct ao_shape shape = ao_vjp_shape(vjp, vjp->node.in[i]);
    const int64_t n = shape.dims[0];
    if (shape.rank != 1)
        return shape;
    return (struct ao_shape){ .rank = 2, .dims = { i == 0 ? 1 : n, i == 0 ? n : 1 } };
}

static int32_t as_matrix(struct ao_vjp *vjp, int i)
{
    const struct ao_shape shape = matrix_shape(vjp, i);
    return ao_vjp_reshape(vjp, ao_vjp_middle(vjp, vjp->node.in[i]), &shape);
}

/* dL/dy with the axes that vectors lost. */
static int32_t full_gradient(struct ao_vjp *vjp)
{
    const struct ao_shape a = ao_vjp_shape(vjp, vjp->node.in[0]);
    const struct ao_shape b = ao_vjp_shape(vjp, vjp->node.in[1]);
    struct ao_shape y = ao_vjp_shape(vjp, vjp->grad_out[0]);
    if (b.rank == 1)
        y.dims[y.rank++] = 1;
    if (a.rank == 1) {
        y.dims[y.rank] = y.dims[y.rank - 1];
        y.dims[y.rank++ - 1] = 1;
    }
    return ao_vjp_reshape(vjp, vjp->grad_out[0], &y);
}

static void give(struct ao_vjp *vjp, int i, int32_t gradient)
{
    const struct ao_shape matrix = matrix_shape(vjp, i);
    const struct ao_shape own = ao_vjp_shape(vjp, vjp->node.in[i]);
    vjp->grad_in[i] = ao_vjp_reshape(vjp, ao_vjp_fold(vjp, gradient, &matrix), &own);
}

/* dA = g B^T and dB = A^T g, summed over leading axes that were repeated. */
aosa_status ao_vjp_matmul(struct ao_vjp *vjp)
{
    const int32_t g = full_gradient(vjp);
    if (vjp->wanted[0])
        give(vjp, 0, ao_vjp_two(vjp, "MatMul", g, turned(vjp, as_matrix(vjp, 1))));
    if (vjp->wanted[1])
        give(vjp, 1, ao_vjp_two(vjp, "MatMul", turned(vjp, as_matrix(vjp, 0)), g));
    return vjp->status;
}
