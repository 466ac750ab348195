/* The progress of a training: one line that is redrawn on a terminal, plain lines elsewhere. */
#ifndef CLV_TOOLS_PROGRESS_H
#define CLV_TOOLS_PROGRESS_H

#include <clavicle/train.h>
#include <stdbool.h>

struct progress {
    bool json, quiet, terminal;
    bool line_open;      /* a line without newline stands on the terminal */
    double last;         /* seconds of the event drawn last */
};

struct progress progress_init(bool json, bool quiet);
void progress_event(struct progress *p, const struct clv_event *e);
/* Ends an open line, so that what follows begins on its own. */
void progress_break(struct progress *p);

#endif
