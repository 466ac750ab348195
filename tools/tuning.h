/* What the commands share about tuning and the self-test: the options, and progress on stderr. */
#ifndef CLV_TOOLS_TUNING_H
#define CLV_TOOLS_TUNING_H

#include "cli.h"

#define TUNING_OPTION(group)                                                                       \
    {"tune", CLI_KEY_TUNE, "WHEN", 0,                                                              \
     "cached (default): kernels as they were measured before; on: measure first what has not been; off: neither", group}

#define SELF_TEST_OPTION(group)                                                                    \
    {"self-test", CLI_KEY_SELF_TEST, "WHEN", 0,                                                    \
     "cached (default): compare new kernels or a new driver with double precision first; on: always; off: never", group}
/* False after a line about what --self-test takes. */
bool self_test_mode(const char *arg, enum clv_self_test_mode *ret);

/* False after a line about what --tune takes. */
bool tuning_mode(const char *arg, enum clv_tune_mode *ret);

struct tuning {
    struct clv_tune_params params;
    bool json, quiet, terminal;
    bool results;   /* a line for each problem on stdout */
    bool line_open; /* a line without newline stands on the terminal */
    int told;       /* problem that a plain line was written for */
};
/* Sets params' callbacks; t must stay where it is. Stops on the signals that cli_catch_interrupt() catches. */
void tuning_init(struct tuning *t, bool json, bool quiet);
/* For a run that is opened: with --tune on, callbacks, and signals are caught. */
void tuning_for(struct tuning *t, const struct cli_common *common, struct clv_run_open_params *open);
/* Ends an open line. */
void tuning_break(struct tuning *t);

#endif
