/* Tuning: which kernel, with which parameters, is fastest for each product of a network's layers on this
 * device at this batch size. Candidates are compared with a reference, timed in turns, and the winners kept
 * in $CLAVICLE_CACHE_DIR/tuning.txt, from where trainings, evaluations and predictions take them.
 * docs/tuning.md says how, and what the file holds. */
#ifndef CLAVICLE_TUNE_H
#define CLAVICLE_TUNE_H

#include <clavicle/device.h>
#include <clavicle/graph.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a trainer does about it. */
enum clv_tune_mode {
    CLV_TUNE_CACHED, /* takes what was measured before, and what is shipped for such devices */
    CLV_TUNE_OFF,    /* looks at neither: what the schedules choose by themselves */
    CLV_TUNE_ON,     /* measures first what has not been measured; before the first step */
};

/* Before each measurement. Strings are valid during the call. */
struct clv_tune_event {
    int problem, problems;       /* counted from 1 */
    const char *what;            /* "forward n32 x111x111x32 y109x109x64 k3x3 ... relu pool train" */
    const char *trying;          /* "vector mr=6 nv=4" */
    double seconds, seconds_left;/* since the beginning; estimate, < 0 unknown */
};

/* After each problem, when its line has been written. */
struct clv_tune_result {
    int problem, problems;
    const char *what;
    const char *choice, *fallback; /* the winner; what is taken without tuning */
    double seconds, fallback_seconds; /* medians of one run; 0 = not known: it does not run here */
    double flops;                /* of one run */
    int tried, wrong;            /* candidates; those with wrong answers */
    bool known;                  /* from the file: not measured now */
    double clblast_seconds, clblast_build; /* where CLBlast was measured: a run; its build. Else 0 */
};

struct clv_tune_params {
    int batch;                   /* 0 = 32 */
    enum clv_precision precision; /* products differ in how activations are stored */
    bool forward_only;           /* evaluation's products only; else those of training and evaluation */
    bool again;                  /* measure what the file knows, too */
    bool clblast;                /* CLBlast's GEMM in dense layers, too: its parameters are searched, its
                                  * kernels built, which takes minutes on CPU devices */
    bool (*should_stop)(void *priv); /* true: CLV_ERR_CANCELLED; what is done has been kept */
    void (*on_event)(void *priv, const struct clv_tune_event *e);
    void (*on_result)(void *priv, const struct clv_tune_result *r);
    void *priv;
};

/* Tunes the products of a network. It adds a loss to the graph. Every callback may be NULL, and so may
 * params. Errors: CLV_ERR_ARG (no cache folder, batch), CLV_ERR_WRITE (the file cannot be written: said
 * before anything is measured), CLV_ERR_CANCELLED, those of the device. */
CLV_API CLV_CHECK enum clv_err clv_tune(struct clv_device *dev, struct clv_graph *graph,
                                        const struct clv_tune_params *params);

/* Path of the file, malloc'ed; NULL without a cache folder or memory. */
CLV_API char *clv_tune_path(struct clv_context *ctx);
/* This device's lines as share/tune has them: "problem|choice|seconds|seconds of the fallback".
 * malloc'ed; NULL with the error recorded. */
CLV_API char *clv_tune_export(struct clv_device *dev);

#ifdef __cplusplus
}
#endif
#endif
