/* Messages between a process and its workers, over a stream socket on one machine: 4 bytes of length,
 * then numbers and texts one after the other, in the machine's own byte order. */
#ifndef CLV_DEVICE_WIRE_H
#define CLV_DEVICE_WIRE_H

#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a worker is asked to do; the first word of a message to it. */
enum clv_wire_verb { CLV_WIRE_OPEN = 1, CLV_WIRE_BUILD, CLV_WIRE_PROBE };

/* A longer message is taken for damage. */
enum { CLV_WIRE_MOST = 64 << 20 };

/* ---- writing: growing text as a byte buffer; out of memory is sticky. Bytes: clv_str_add_bytes() ---- */
void clv_wire_add_u32(struct clv_str *s, uint32_t v);
void clv_wire_add_u64(struct clv_str *s, uint64_t v);
void clv_wire_add_text(struct clv_str *s, const char *text); /* NULL is "" */

/* ---- reading: what is not there reads as 0 or "", and `failed` stays set ---- */
struct clv_wire {
    const unsigned char *next;
    size_t left;
    bool failed;
};
uint32_t clv_wire_u32(struct clv_wire *w);
uint64_t clv_wire_u64(struct clv_wire *w);
void clv_wire_bytes(struct clv_wire *w, void *data, size_t n); /* exactly n; zeros if not there */
const char *clv_wire_text(struct clv_wire *w); /* borrowed from the message */

/* ---- the socket: false when the other side is gone, too slow for the socket's own limit, or talks
 * nonsense ---- */
bool clv_wire_send(int fd, const struct clv_str *message);
/* One whole message; *data is malloc'ed and the caller's. */
bool clv_wire_receive(int fd, unsigned char **data, size_t *size);

#endif
