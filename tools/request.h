/* The options of train without running it: what a sweep's members are trained with. */
#ifndef CLV_TOOLS_REQUEST_H
#define CLV_TOOLS_REQUEST_H

#include "cli.h"

struct train_request;
/* argv[0] is the command that is named in messages. Returns an exit code; on EXIT_OK *ret is malloc'ed (free() it) and borrows the words
 * of argv. Whatever says where a run lies, or that there are several, is refused. */
int train_request_parse(int argc, char **argv, struct train_request **ret);
struct clv_run_params *train_request_params(struct train_request *r);
/* Whether train has an option --NAME. */
bool train_has_option(const char *name);

#endif
