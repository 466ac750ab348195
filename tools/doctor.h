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

/* ---- doctor_icd.c: the drivers that the loader is told of ---- */
/* "pocl.icd: libpocl.so.2.10.0": array of strings, with what is plainly missing; *folder receives where. */
json_t *doctor_drivers(const char **folder);

#endif
