#include "data/download.h"
#include "base/str.h"
#include "clv_config.h"

#ifndef CLV_HAVE_CURL

enum clv_err clv_download(const struct clv_download *d, bool *resumed, struct clv_error *err)
{
    (void)resumed;
    return clv_fail(err, CLV_ERR_UNSUPPORTED,
                    "%s: this build has no libcurl; fetch %s by other means and name its folder in "
                    "CLAVICLE_DATA",
                    d->file, d->url);
}

#else

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    TRIES = 3,
    CONNECT_SECONDS = 20,
    STALL_SECONDS = 30,
    HTTP_BAD_RANGE = 416, /* asked for bytes after the end: the file is complete, or another one */
};

struct transfer {
    const struct clv_download *d;
    CURL *curl;
    FILE *f;
    uint64_t start; /* bytes that were there before this try */
    int why;        /* errno of a failed write */
    char message[CURL_ERROR_SIZE];
};

static size_t on_data(char *data, size_t size, size_t n, void *priv)
{
    struct transfer *t = priv;
    const size_t done = fwrite(data, size, n, t->f);
    if (done != n)
        t->why = errno;
    return done * size;
}

static int on_progress(void *priv, curl_off_t total, curl_off_t now, curl_off_t up_total,
                       curl_off_t up_now)
{
    struct transfer *t = priv;
    (void)up_total;
    (void)up_now;
    if (t->d->progress && now > 0)
        t->d->progress(t->d->priv, t->d->file, t->start + (uint64_t)now,
                       total > 0 ? t->start + (uint64_t)total : 0);
    return 0;
}

static uint64_t size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
}

static void configure(struct transfer *t)
{
    CURL *c = t->curl;
    curl_easy_setopt(c, CURLOPT_URL, t->d->url);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L); /* a library installs no signal handlers */
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->message);
    curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(c, CURLOPT_MAXREDIRS, 10L);
#if LIBCURL_VERSION_NUM >= 0x075500 /* 7.85.0 */
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR,
                     strncmp(t->d->url, "https:", 6) ? "http,https" : "https");
#endif
    curl_easy_setopt(c, CURLOPT_USERAGENT, "clavicle/" CLV_VERSION);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_SECONDS);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)STALL_SECONDS);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)t->start);
}

/* One connection; what arrives is appended to the part file. */
static enum clv_err fetch(struct transfer *t, CURLcode *code, struct clv_error *err)
{
    char reason[128];
    t->f = fopen(t->d->part, "ab");
    if (!t->f)
        return clv_fail(err, CLV_ERR_WRITE, "cannot write %s: %s", t->d->part,
                        clv_errno_text(reason, errno));
    curl_easy_reset(t->curl);
    configure(t);
    t->message[0] = '\0';
    *code = curl_easy_perform(t->curl);
    if (fclose(t->f) && !t->why)
        t->why = errno;
    if (t->why)
        return clv_fail(err, CLV_ERR_WRITE, "cannot write %s: %s", t->d->part,
                        clv_errno_text(reason, t->why));
    return CLV_OK;
}

/* The part file cannot be continued: begin again. */
static enum clv_err restart(const struct clv_download *d, bool *resumed, struct clv_error *err)
{
    char reason[128];
    *resumed = false;
    if (remove(d->part))
        return clv_fail(err, CLV_ERR_WRITE, "cannot remove %s: %s", d->part,
                        clv_errno_text(reason, errno));
    return CLV_OK;
}

static enum clv_err describe(const struct transfer *t, CURLcode code, struct clv_error *err)
{
    const struct clv_download *d = t->d;
    const char *text = t->message[0] ? t->message : curl_easy_strerror(code);
    const uint64_t have = size_of(d->part);
    char size[32];
    if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY ||
        code == CURLE_COULDNT_CONNECT)
        return clv_fail(err, CLV_ERR_NET,
                        "%s: no connection (%s); when offline, put the file in a folder and name "
                        "that in CLAVICLE_DATA; it comes from %s",
                        d->file, text, d->url);
    if (have > 0)
        return clv_fail(err, CLV_ERR_NET,
                        "%s: the download from %s broke off after %s (%s); run it again to go on "
                        "from there",
                        d->file, d->url, clv_str_bytes(size, have), text);
    return clv_fail(err, CLV_ERR_NET, "%s: cannot download %s: %s", d->file, d->url, text);
}

static enum clv_err transfer(struct transfer *t, bool *resumed, struct clv_error *err)
{
    CURLcode code = CURLE_OK;
    *resumed = size_of(t->d->part) > 0;
    for (int left = TRIES; left > 0; left--) {
        long status = 0;
        t->start = size_of(t->d->part);
        CLV_TRY(fetch(t, &code, err));
        if (code == CURLE_OK)
            return CLV_OK;
        curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
        const bool past_end = code == CURLE_HTTP_RETURNED_ERROR && status == HTTP_BAD_RANGE;
        if (t->start > 0 && past_end)
            return CLV_OK; /* complete already, or not this file at all: the sum will tell */
        if (t->start > 0 && code == CURLE_RANGE_ERROR)
            CLV_TRY(restart(t->d, resumed, err)); /* a server that knows no ranges */
        else if (size_of(t->d->part) <= t->start)
            break; /* nothing came: another try would not help */
    }
    return describe(t, code, err);
}

enum clv_err clv_download(const struct clv_download *d, bool *resumed, struct clv_error *err)
{
    struct transfer t = {.d = d};
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return clv_fail_nomem(err, "libcurl");
    t.curl = curl_easy_init();
    const enum clv_err e = t.curl ? transfer(&t, resumed, err) : clv_fail_nomem(err, "libcurl");
    if (t.curl)
        curl_easy_cleanup(t.curl);
    curl_global_cleanup();
    return e;
}

#endif
