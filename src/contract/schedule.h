/* What the schedules share: argument lists, and the steps around the product. For src/contract
 * only. */
#ifndef CLV_CONTRACT_SCHEDULE_H
#define CLV_CONTRACT_SCHEDULE_H

#include "base/util.h"
#include "contract/contract.h"

/* Bits of cl/include/contract_epilogue.cl. */
enum { CLV_EPILOGUE_ACCUMULATE = 1, CLV_EPILOGUE_RELU = 2, CLV_EPILOGUE_SAVE = 4 };

/* The arguments GEOMETRY of cl/include/contract_geometry.cl. */
#define CLV_GEOMETRY(g, x_pitch, y_pitch)                                                          \
    CLV_I32((g)->ih), CLV_I32((g)->iw), CLV_I32((g)->ci), CLV_I32(x_pitch), CLV_I32((g)->oh),      \
        CLV_I32((g)->ow), CLV_I32((g)->co), CLV_I32(y_pitch), CLV_I32((g)->kh), CLV_I32((g)->kw),  \
        CLV_I32((g)->sh), CLV_I32((g)->sw), CLV_I32((g)->dh), CLV_I32((g)->dw), CLV_I32((g)->pt),  \
        CLV_I32((g)->pl)

/* Pixel pitch of a tensor at the problem's input (x, dx) or output (y, dy). A dense layer takes a
 * whole image as one pixel. */
static inline int clv_x_pitch(const struct clv_contract *p, const struct clv_tensor *t)
{
    return (int)(t->h * t->w * t->pitch / ((int64_t)p->conv.ih * p->conv.iw));
}
static inline int clv_y_height(const struct clv_contract *p)
{
    return p->pool ? p->conv.oh / 2 : p->conv.oh;
}
static inline int clv_y_width(const struct clv_contract *p)
{
    return p->pool ? p->conv.ow / 2 : p->conv.ow;
}
static inline int clv_y_pitch(const struct clv_contract *p, const struct clv_tensor *t)
{
    return (int)(t->h * t->w * t->pitch / ((int64_t)clv_y_height(p) * clv_y_width(p)));
}

/* Written whole, or added to. */
#define CLV_OUT_OR_ADD(t_, accumulate)                                                             \
    {                                                                                              \
        (accumulate) ? CLV_ARG_INOUT : CLV_ARG_OUT,                                                \
        {                                                                                          \
            .t = (t_)                                                                              \
        }                                                                                          \
    }

/* ACT selects code only where an activation has code of its own: 0 for linear and ReLU. */
int clv_contract_act_code(enum clv_act act);
int clv_contract_flags(enum clv_act act, bool accumulate);
/* Whether bias and activation are behind the product. */
static inline bool clv_contract_ends(const struct clv_contract *p, bool data) { return data == p->transposed; }
static inline struct clv_tensor *clv_contract_bias(const struct clv_contract *p, bool data)
{
    return clv_contract_ends(p, data) ? p->bias : NULL;
}
static inline enum clv_act clv_contract_act(const struct clv_contract *p, bool data)
{
    return clv_contract_ends(p, data) ? p->act : CLV_ACT_LINEAR;
}
/* Label and arithmetic of one of the problem's products, "forward", "backward data", ... */
struct clv_emit_info clv_contract_info(const struct clv_emit *e, const struct clv_contract *p,
                                       enum clv_pass pass, const char *what);

/* How many slices a sum over `units` is cut into: from the problem and the tile its schedule chose,
 * never from compute units or load; so the same device with the same caps sums in the same order.
 * Each holds at least min_units, and all of them, part_elements floats each, stay below a fixed
 * size. */
int clv_contract_slices(int64_t units, int64_t min_units, int64_t part_elements);

/* For schedule.pools and .stores16: every problem that it supports. */
bool clv_contract_takes_all(const struct clv_conv *c, enum clv_product product);
/* Work-groups of passes with an item for each (column, row): of one size whatever the layer's is, because drivers
 * that generate code at the first launch (PoCL) do so for each size. Items past the end do nothing. */
struct clv_group { size_t columns, rows; };
struct clv_group clv_contract_group(const struct clv_caps *caps);

/* dy := dy * act'(y) in place; nothing for linear. */
CLV_CHECK enum clv_err clv_contract_act_gradient(struct clv_emit *e, const struct clv_contract *p);

/* part[slices][blocks][rows][lanes], blocks * lanes covering the columns. */
struct clv_part {
    struct clv_tensor *t;
    int rows, lanes, slices;
};
/* y = act(sum + bias): rows are the output's pixels. */
CLV_CHECK enum clv_err clv_contract_reduce_output(struct clv_emit *e, const struct clv_contract *p,
                                                  const struct clv_part *part);
/* dx = sum, or dx += sum: rows are the input's pixels. */
CLV_CHECK enum clv_err clv_contract_reduce_data(struct clv_emit *e, const struct clv_contract *p,
                                                const struct clv_part *part);
/* dw and dbias; the last row is the bias gradient. */
CLV_CHECK enum clv_err clv_contract_reduce_weights(struct clv_emit *e, const struct clv_contract *p,
                                                   const struct clv_part *part);

/* The vector schedule of a dense layer (vector_dense.c), and its register tile (vector.c). */
struct clv_tile {
    int vw, nv, mr; /* floats in a vector, vectors, rows */
};
int clv_vector_floats(const struct clv_caps *caps); /* in the device's vectors: 4, 8 or 16 */
struct clv_tile clv_vector_tile(const struct clv_caps *caps, int columns);
/* "-DMIN_VECTOR_WIDTH -DMR=6 -DNV=4 -DVW=16"; NULL when out of memory. */
const char *clv_vector_options(struct clv_emit *e, const struct clv_tile *t, int act_code);
bool clv_vector_dense_supports(const struct clv_caps *caps, const struct clv_conv *c);
CLV_CHECK enum clv_err clv_vector_dense_forward(struct clv_emit *e, const struct clv_contract *p);
CLV_CHECK enum clv_err clv_vector_dense_data(struct clv_emit *e, const struct clv_contract *p);
CLV_CHECK enum clv_err clv_vector_dense_weights(struct clv_emit *e, const struct clv_contract *p);

/* Whether the matrix schedule is the one to take where nothing was measured: it depends on the precision, which
 * the other schedules do not know. */
struct clv_problem;
bool clv_matrix_suits(const struct clv_emit *e, const struct clv_problem *p);

#endif
