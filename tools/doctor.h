/* What `clavicle doctor` found, and how it is printed. */
#ifndef CLV_TOOLS_DOCTOR_H
#define CLV_TOOLS_DOCTOR_H

#include "cli.h"

/* All cases of a group with one variant. */
struct doctor_line {
    char group[32], variant[32], worst[64]; /* worst: the case with the largest error */
    int passed, skipped, wrong, failed;
    double error, seconds;
};

struct doctor_device {
    const struct clv_device_info *info;
    /* "passed"; "wrong": a kernel computes wrong results; "failed": something did not run; "unusable"; "skipped":
     * a platform without a device. */
    const char *status;
    const char *caps;                 /* masks, NULL = none */
    char reason[512];                 /* for all but "passed" */
    int code;                         /* exit code */
    struct clv_doctor_summary summary;
    struct doctor_line line[96];
    int n_lines;
    json_t *problems;                 /* array: rows that are wrong or failed */
};

/* ---- doctor_print.c ---- */
void doctor_print_host(const struct clv_host_info *host);
void doctor_print_device(const struct doctor_device *d);
void doctor_print_result(const struct doctor_device *d);
json_t *doctor_json(const struct doctor_device *d);

/* ---- doctor_child.c: a device's checks in a process of their own ---- */
/* What that process does: prints rows for who started it. Returns its exit code. */
int doctor_child_run(struct clv_context *ctx, const struct clv_device_params *device,
                     const struct clv_doctor_params *params);
struct doctor_child_sink {
    void (*on_case)(void *priv, const char *what); /* or NULL */
    void (*on_row)(void *priv, const struct clv_doctor_row *row);
    struct clv_doctor_summary *summary;
    void *priv;
};
/* Starts it with these arguments and hears it out. One that crashes, or says nothing for so many seconds and is ended,
 * is a row with status failed. False when it could not be started; else *code and text are how its checks ended. */
bool doctor_child_examine(char *const *argv, double seconds, const struct doctor_child_sink *sink, enum clv_err *code,
                          char *text, size_t size);

/* ---- doctor_icd.c: the drivers that the loader is told of ---- */
/* "pocl.icd: libpocl.so.2.10.0": array of strings, with what is plainly missing; *folder receives where. */
json_t *doctor_drivers(const char **folder);

#endif
