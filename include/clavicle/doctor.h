/* The doctor: whether a device computes what it should. Every kernel runs on small problems and is compared
 * with plain C in double precision.
 *
 *     struct clv_doctor_summary s;
 *     clv_doctor_run(dev, &(struct clv_doctor_params){.on_row = print_what_failed}, &s);
 *     if (s.wrong)
 *         ... do not use this device */
#ifndef CLAVICLE_DOCTOR_H
#define CLAVICLE_DOCTOR_H

#include <clavicle/device.h>

#ifdef __cplusplus
extern "C" {
#endif

enum clv_doctor_status {
    CLV_DOCTOR_PASSED,
    CLV_DOCTOR_SKIPPED, /* the variant does not take this case on this device, or takes too long to build */
    CLV_DOCTOR_WRONG,   /* it ran, and its numbers are wrong */
    CLV_DOCTOR_FAILED,  /* it did not run: a build or an OpenCL call failed */
};

/* One case of one group with one variant. Strings are valid during the callback. */
struct clv_doctor_row {
    const char *group;   /* an op ("conv2d"), "sample", "update" */
    const char *name;    /* of the case, unique in its group */
    const char *variant; /* "vector"; "" where the group has none */
    enum clv_doctor_status status;
    double error;        /* the largest difference as a part of what is allowed there: above 1 is wrong;
                          * infinite when something is not a number */
    int compared;        /* numbers */
    double seconds;      /* of this process: what workers build before the ops' cases is in the summary's alone */
    enum clv_err code;   /* FAILED: why */
    const char *text;    /* what is wrong, why it failed or was skipped; "" when it passed */
};

struct clv_doctor_params {
    const char *group; /* only this one; NULL = all */
    bool clblast;      /* CLBlast's GEMM on CPU devices, too, where its kernels take a minute to build */
    /* Called before a case with what it is, or with the progress of builds ("building 5 of 190 kernels"), and after
     * a case with what came of it. May be NULL. */
    void (*on_case)(void *priv, const char *what);
    void (*on_row)(void *priv, const struct clv_doctor_row *row);
    void *priv;
};

struct clv_doctor_summary {
    int passed, skipped, wrong, failed; /* rows */
    double error;                       /* the largest of all rows that passed or are wrong */
    double seconds;
};

/* Whether there is such a group; else CLV_ERR_ARG with those that there are. Needs no device. */
CLV_API CLV_CHECK enum clv_err clv_doctor_group_check(struct clv_context *ctx, const char *group);
/* Runs all groups. Some minutes on two cores whose kernels are not built yet. Wrong results and kernels that do
 * not run are rows and no error. params may be NULL. Errors: CLV_ERR_NOMEM, CLV_ERR_ARG (group). */
CLV_API CLV_CHECK enum clv_err clv_doctor_run(struct clv_device *dev, const struct clv_doctor_params *params,
                                              struct clv_doctor_summary *ret);

/* The machine around the devices, for reports. */
struct clv_host_info {
    char cpu[128];     /* "AMD EPYC 9354 32-Core Processor"; "" where the system does not say */
    char system[256];  /* "Linux 6.1.0 x86_64" */
    unsigned processors; /* that this process may use */
};
CLV_API void clv_host_describe(struct clv_host_info *ret);
/* Several lines: what to install for which device, for each family of systems. Static. */
CLV_API const char *clv_doctor_install_text(void);

#ifdef __cplusplus
}
#endif
#endif
