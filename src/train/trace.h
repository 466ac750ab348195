/* A Chrome trace: what ran when on the device and on the host, for chrome://tracing or Perfetto.
 * Format: "Trace Event Format", Google, complete ("X") and metadata ("M") events in a JSON object. */
#ifndef CLV_TRAIN_TRACE_H
#define CLV_TRAIN_TRACE_H

#include "base/context.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Rows of the picture; within each the events come in order and do not overlap. */
enum clv_trace_row {
    CLV_TRACE_EPOCHS,     /* host: epochs, validation */
    CLV_TRACE_LOOP,       /* host: what the loop does for each step */
    CLV_TRACE_TRAINING,   /* device: steps of the training plan */
    CLV_TRACE_EVALUATION, /* device: steps of the evaluation plan */
    CLV_TRACE_UPLOADS,    /* device: samples of either plan on their way in */
    CLV_TRACE_ROWS,
};

struct clv_trace_event {
    enum clv_trace_row row;
    int what;           /* index into the row's names */
    uint64_t number;    /* of the optimizer step, or the epoch; from 1 */
    double begin, end;  /* seconds of clv_now() */
};

struct clv_trace {
    double origin;      /* clv_now() that is to be 0 in the file */
    struct clv_trace_event *event;
    size_t n, cap;
    bool incomplete;    /* events were left out: the room was used up */
};

/* Memory is bounded: more than a certain number of events, or none for want of memory, are left out. */
void clv_trace_add(struct clv_trace *t, const struct clv_trace_event *event);
void clv_trace_finish(struct clv_trace *t);

/* What the file says beside the events. */
struct clv_trace_facts {
    const char *device, *driver;
    uint64_t first_step, steps_kept, steps; /* steps_kept from first_step on have rows; steps ran in all */
    const char *(*name)(const void *priv, enum clv_trace_row row, int what);
    const void *priv;
};

/* Written atomically (base/file.h). */
CLV_CHECK enum clv_err clv_trace_write(const struct clv_trace *t, const struct clv_trace_facts *facts,
                                       const char *path, struct clv_error *err);

#endif
