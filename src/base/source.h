/* Kernel source text embedded at build from cl/NAME.cl (includes flattened, #line kept).
 * tools/dev/embed_cl.py defines one `const struct clv_source clv_cl_NAME` per file. */
#ifndef CLV_BASE_SOURCE_H
#define CLV_BASE_SOURCE_H

struct clv_source {
    const char *name; /* "conv2d" */
    const char *text;
};

#define CLV_SOURCE(name) extern const struct clv_source clv_cl_##name

#endif
