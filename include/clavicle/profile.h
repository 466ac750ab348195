/* Reports of time: how long each step of a plan, or each case of a benchmark, took, and how far that
 * is from what the device can do. Plain data, and the writers that turn it into a table, JSON or CSV.
 * clavicle/bench.h measures; `clavicle bench` and `clavicle train --profile` print. */
#ifndef CLAVICLE_PROFILE_H
#define CLAVICLE_PROFILE_H

#include <clavicle/export.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What repeated measurements gave. Half of them lie between low and high. */
struct clv_spread {
    double median;
    double low, high;       /* first and third quartile */
    double best;            /* shortest time, or highest rate */
    int n;                  /* measurements; 0 = none, and all numbers are 0 */
};

/* Streaming over a working set: bytes a second. */
struct clv_bandwidth {
    uint64_t bytes;         /* size of the working set */
    struct clv_spread read, write;
    struct clv_spread copy; /* bytes read plus bytes written */
};

enum { CLV_BANDWIDTHS = 2 };

/* What a device reaches when it does one thing only. */
struct clv_ceilings {
    struct clv_spread flops;        /* fp32 operations a second; a multiply-add is two */
    struct clv_bandwidth memory[CLV_BANDWIDTHS]; /* the smaller working set first; bytes 0 = not there */
    struct clv_spread launch;       /* seconds of an empty kernel, from enqueueing it to knowing its end */
    struct clv_spread upload, download; /* bytes a second between ordinary host memory and the device */
    uint64_t transfer_bytes;        /* size of those transfers */
};

/* Which ceiling a step is nearest to. */
enum clv_bound { CLV_BOUND_NONE, CLV_BOUND_COMPUTE, CLV_BOUND_MEMORY };
CLV_API const char *clv_bound_name(enum clv_bound bound); /* "", "compute", "memory". Static */

/* Shortest time in seconds that the ceilings allow for this arithmetic and these bytes: the longer of
 * the two, each at the best rate seen. Memory counts with the rates of the working set of that size.
 * 0 when nothing is known; *bound (may be NULL) says which ceiling it is. */
CLV_API double clv_ceilings_seconds(const struct clv_ceilings *c, double flops, double read, double written,
                                    enum clv_bound *bound);

/* One line of a report. Strings are borrowed from whoever filled it; none is NULL. */
struct clv_timing {
    const char *what;       /* "conv2d_1 backward weights"; unique within a report together with variant */
    const char *group;      /* the model's node, or the op of a case; "" = neither (update) */
    const char *pass;       /* "input", "forward", "backward", "update" */
    const char *variant;    /* "vector" */
    const char *params;     /* what the variant was built with: "MR=6 NV=4 VW=16"; may be "" */
    const char *note;       /* what is wrong with it; "" = nothing */
    int batch;
    uint64_t runs;          /* how often it ran */
    double total;           /* seconds of all runs */
    struct clv_spread seconds; /* of one run */
    double flops, read, written; /* operations and bytes of one run at full batch; 0 = not counted */
    double in_place;        /* of those bytes: read, and then written where they were read */
    double memory;          /* seconds in which a kernel moves these bytes and does nothing else, the best
                             * seen in this run (clv_bench_memory()); 0 = not measured */
    double max_error;       /* worst error against the reference as a part of what is allowed: above 1 it is
                             * wrong; < 0 = not compared */
    double baseline;        /* median seconds of an earlier report; 0 = not in it */
    bool slower;            /* than in that report, by more than both spreads */
};

/* Shortest time in seconds that the ceilings allow a line, as clv_ceilings_seconds() says; memory's part as it
 * was measured for the line, where it was. */
CLV_API double clv_timing_floor(const struct clv_timing *row, const struct clv_ceilings *c,
                                enum clv_bound *bound);

/* Writers; malloc'ed, NULL when out of memory. ceilings may be NULL: no fractions then.
 * text: aligned columns with units, in the order of the array. json: one array of objects with the
 * keys what, group, pass, variant, params, note, batch, runs, total_s, median_s, low_s, high_s, best_s,
 * flops, bytes_read, bytes_written, memory_s, gflops, gbytes_per_s, ceiling_fraction, bound, max_error, baseline_s,
 * slower. csv: the same names as the first line. What is not known is null, or an empty field. */
CLV_API char *clv_timings_text(const struct clv_timing *rows, size_t n, const struct clv_ceilings *ceilings);
CLV_API char *clv_timings_json(const struct clv_timing *rows, size_t n, const struct clv_ceilings *ceilings);
CLV_API char *clv_timings_csv(const struct clv_timing *rows, size_t n, const struct clv_ceilings *ceilings);

#ifdef __cplusplus
}
#endif
#endif
