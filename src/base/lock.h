/* One writer at a time: an advisory lock on a file that exists only for that. */
#ifndef CLV_BASE_LOCK_H
#define CLV_BASE_LOCK_H

#include "base/context.h"

/* Makes the file and locks it against other processes and threads; waits for at most `seconds`.
 * CLV_ERR_WRITE names the file and the reason. The file stays: removing it would let two in. */
struct clv_lock {
    int fd;
};
CLV_CHECK enum clv_err clv_lock_take(struct clv_lock *l, const char *path, double seconds,
                                     struct clv_error *err);
/* Locks a folder itself, without a file in it, at once or not at all: CLV_ERR_WRITE says that another
 * process works in it. File systems that lock no folders (some of the network's) let everybody in; the log warns. */
CLV_CHECK enum clv_err clv_lock_dir(struct clv_lock *l, const char *path, struct clv_context *ctx);
/* {.fd = -1} holds nothing. */
void clv_lock_release(struct clv_lock *l);

#endif
