/* What `clavicle bench` measured, and how it is printed. */
#ifndef CLV_TOOLS_BENCH_H
#define CLV_TOOLS_BENCH_H

#include "cli.h"

struct bench_answer {
    const struct clv_device_info *device;
    const struct clv_ceilings *ceilings;
    const char *model;                     /* NULL: single kernels */
    bool forward;
    enum clv_precision precision;
    const struct clv_bench_model_result *result; /* of the model */
    const struct clv_timing *rows;
    size_t n;
    const char *baseline;                  /* file, NULL = none */
    size_t found, slower;                  /* rows that it has too, and those that it does better */
};

/* Each returns EXIT_OK, or EXIT_INTERNAL after saying that memory ran out. */
int bench_print_tables(const struct bench_answer *a);
int bench_print_json(const struct bench_answer *a);
int bench_print_csv(const struct bench_answer *a);

#endif
