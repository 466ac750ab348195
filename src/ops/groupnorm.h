/* Options of groupnorm, for its check. */
#ifndef CLV_OPS_GROUPNORM_H
#define CLV_OPS_GROUPNORM_H

struct clv_groupnorm_params {
    int groups;
    double epsilon;
};

#endif
