/* Symbol visibility and compiler attributes of the public headers. */
#ifndef CLAVICLE_EXPORT_H
#define CLAVICLE_EXPORT_H

#if defined(__GNUC__)
#define CLV_API __attribute__((visibility("default")))
#define CLV_CHECK __attribute__((warn_unused_result))
#define CLV_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define CLV_API
#define CLV_CHECK
#define CLV_PRINTF(fmt, args)
#endif

#endif
