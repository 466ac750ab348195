/* train --folds and --trials: members as they come, and the table at the end. */
#ifndef CLV_TOOLS_REPEATS_H
#define CLV_TOOLS_REPEATS_H

#include "cli.h"
#include "progress.h"

struct repeats {
    struct clv_repeat_params params;
    struct progress *progress;
    bool json;
    char last[64];  /* the member at work */
};

/* Trains, prints, and returns an exit code. Set params, progress and json before; result is the one progress shows. */
int repeats_train(struct clv_context *ctx, struct repeats *r, struct clv_run_result *result);

/* {"event": "member", ...} */
json_t *member_json(const struct clv_member *m);

#endif
