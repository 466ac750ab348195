/* The progress of a training: one line that is redrawn on a terminal, plain lines elsewhere. */
#ifndef CLV_TOOLS_PROGRESS_H
#define CLV_TOOLS_PROGRESS_H

#include <clavicle/run.h>
#include <stdbool.h>

struct progress {
    bool json, quiet, terminal;
    bool profile;        /* show what a profile found */
    const struct clv_run_result *facts;
    const char *run;
    bool line_open;      /* a line without newline stands on the terminal */
    bool building;       /* the last event was of a build */
    double last;         /* seconds of the event drawn last */
};

/* facts and run are borrowed. */
struct progress progress_init(bool json, bool quiet, const struct clv_run_result *facts, const char *run);
void progress_event(struct progress *p, const struct clv_event *e);
/* Ends an open line, so that what follows begins on its own. */
void progress_break(struct progress *p);

#endif
