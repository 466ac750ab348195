#include "device/wire.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

void clv_wire_add_u32(struct clv_str *s, uint32_t v)
{
    clv_str_add_bytes(s, &v, sizeof(v));
}

void clv_wire_add_u64(struct clv_str *s, uint64_t v)
{
    clv_str_add_bytes(s, &v, sizeof(v));
}

void clv_wire_add_text(struct clv_str *s, const char *text)
{
    const size_t n = text ? strlen(text) : 0;
    clv_wire_add_u64(s, n);
    clv_str_add_bytes(s, text ? text : "", n + 1);
}

void clv_wire_bytes(struct clv_wire *w, void *data, size_t n)
{
    if (w->failed || w->left < n) {
        w->failed = true;
        memset(data, 0, n);
        return;
    }
    memcpy(data, w->next, n);
    w->next += n;
    w->left -= n;
}

uint32_t clv_wire_u32(struct clv_wire *w)
{
    uint32_t v;
    clv_wire_bytes(w, &v, sizeof(v));
    return v;
}

uint64_t clv_wire_u64(struct clv_wire *w)
{
    uint64_t v;
    clv_wire_bytes(w, &v, sizeof(v));
    return v;
}

const char *clv_wire_text(struct clv_wire *w)
{
    const uint64_t n = clv_wire_u64(w);
    if (w->failed || n >= w->left || w->next[n] || memchr(w->next, 0, n)) {
        w->failed = true;
        return "";
    }
    const char *text = (const char *)w->next;
    w->next += n + 1;
    w->left -= n + 1;
    return text;
}

static bool send_all(int fd, const void *data, size_t n)
{
    const char *p = data;
    while (n) {
        /* Without the flag a dead worker would end this process by SIGPIPE. */
        const ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

static bool receive_all(int fd, void *data, size_t n)
{
    char *p = data;
    while (n) {
        const ssize_t got = recv(fd, p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got;
        n -= (size_t)got;
    }
    return true;
}

bool clv_wire_send(int fd, const struct clv_str *message)
{
    if (message->failed || message->len > CLV_WIRE_MOST)
        return false;
    const uint32_t n = (uint32_t)message->len;
    return send_all(fd, &n, sizeof(n)) && send_all(fd, message->text, n);
}

bool clv_wire_receive(int fd, unsigned char **data, size_t *size)
{
    uint32_t n = 0;
    if (!receive_all(fd, &n, sizeof(n)) || n > CLV_WIRE_MOST)
        return false;
    unsigned char *p = malloc((size_t)n + 1);
    if (!p || !receive_all(fd, p, n)) {
        free(p);
        return false;
    }
    *data = p;
    *size = n;
    return true;
}
