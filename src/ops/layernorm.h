/* Options of layernorm, for its check. */
#ifndef CLV_OPS_LAYERNORM_H
#define CLV_OPS_LAYERNORM_H

struct clv_layernorm_params {
    double epsilon;
};

#endif
