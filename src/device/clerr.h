/* OpenCL status codes: their names, and how a failed call becomes the context's error text. */
#ifndef CLV_DEVICE_CLERR_H
#define CLV_DEVICE_CLERR_H

#include "base/error.h"

/* "CL_OUT_OF_RESOURCES"; "unknown OpenCL status" for what no header lists. Static. */
const char *clv_cl_name(int status);

/* CLV_OK for CL_SUCCESS; otherwise records "who: clFunction failed: CL_NAME (-n)" and returns
 * CLV_ERR_DEVMEM, CLV_ERR_NOMEM or CLV_ERR_CL. `call` is the text of the call; what follows its
 * first parenthesis is left out. */
CLV_CHECK enum clv_err clv_cl_check(struct clv_error *err, const char *who, const char *call,
                                    int status, const char *func, const char *file, int line);

/* Runs one OpenCL call and records its failure; `who` is the object the call was made for. */
#define CLV_CL(err, who, call)                                                                     \
    clv_cl_check((err), (who), #call, (call), __func__, __FILE__, __LINE__)
/* The same for calls that hand their status back through a pointer. */
#define CLV_CL_STATUS(err, who, name, status)                                                      \
    clv_cl_check((err), (who), (name), (status), __func__, __FILE__, __LINE__)

#endif
