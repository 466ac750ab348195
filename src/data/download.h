/* One file over HTTP, resumed where an earlier try ended. The only user of libcurl. */
#ifndef CLV_DATA_DOWNLOAD_H
#define CLV_DATA_DOWNLOAD_H

#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

struct clv_download {
    const char *url, *part; /* part: the file that grows; kept on failure so that it can go on */
    const char *file;       /* name for progress and messages */
    void (*progress)(void *priv, const char *file, uint64_t done, uint64_t total); /* may be NULL */
    void *priv;
};

/* Brings `part` to its full length. *resumed says whether it was begun by an earlier call, so that
 * its head has not come from this connection. A connection that breaks is taken up again as long as
 * that brings new bytes, three times at most.
 * Errors: CLV_ERR_NET (one line that says whether the host could not be reached, refused, or broke
 * off), CLV_ERR_WRITE, CLV_ERR_NOMEM, CLV_ERR_UNSUPPORTED (built without libcurl). */
CLV_CHECK enum clv_err clv_download(const struct clv_download *d, bool *resumed,
                                    struct clv_error *err);

#endif
