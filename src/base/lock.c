#include "base/lock.h"

#include "base/str.h"
#include "base/util.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* flock() rather than fcntl(): its locks belong to the open file, so that threads exclude each
 * other, too, and closing another descriptor of the file does not drop them. */
enum clv_err clv_lock_take(struct clv_lock *l, const char *path, double seconds,
                           struct clv_error *err)
{
    const double begin = clv_now();
    const struct timespec pause = {.tv_nsec = 5000000};
    char reason[128];
    l->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (l->fd < 0)
        return clv_fail(err, CLV_ERR_WRITE, "cannot write %s: %s", path,
                        clv_errno_text(reason, errno));
    while (flock(l->fd, LOCK_EX | LOCK_NB)) {
        const int code = errno;
        if ((code == EWOULDBLOCK || code == EINTR) && clv_now() - begin < seconds) {
            (void)nanosleep(&pause, NULL);
            continue;
        }
        close(l->fd);
        return clv_fail(err, CLV_ERR_WRITE, "cannot lock %s: %s", path,
                        code == EWOULDBLOCK ? "another process keeps it locked"
                                            : clv_errno_text(reason, code));
    }
    return CLV_OK;
}

enum clv_err clv_lock_dir(struct clv_lock *l, const char *path, struct clv_context *ctx)
{
    char reason[128];
    struct clv_error *err = &ctx->err;
    l->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (l->fd < 0)
        return clv_fail(err, CLV_ERR_IO, "cannot open %s: %s", path, clv_errno_text(reason, errno));
    if (!flock(l->fd, LOCK_EX | LOCK_NB))
        return CLV_OK;
    if (errno != EWOULDBLOCK) {
        clv_log(ctx, CLV_LOG_WARN, "%s: cannot be locked here (%s): nothing keeps a second training out of it", path,
                clv_errno_text(reason, errno));
        return CLV_OK;
    }
    close(l->fd);
    l->fd = -1;
    return clv_fail(err, CLV_ERR_WRITE,
                    "%s: another process trains into this folder; wait for its end or choose another",
                    path);
}

void clv_lock_release(struct clv_lock *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}
