#include "device/clerr.h"
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <string.h>

#define NAME(code)                                                                                 \
    case code:                                                                                     \
        return #code;

static const char *runtime_name(int status)
{
    switch (status) {
        NAME(CL_SUCCESS)
        NAME(CL_DEVICE_NOT_FOUND)
        NAME(CL_DEVICE_NOT_AVAILABLE)
        NAME(CL_COMPILER_NOT_AVAILABLE)
        NAME(CL_MEM_OBJECT_ALLOCATION_FAILURE)
        NAME(CL_OUT_OF_RESOURCES)
        NAME(CL_OUT_OF_HOST_MEMORY)
        NAME(CL_PROFILING_INFO_NOT_AVAILABLE)
        NAME(CL_MEM_COPY_OVERLAP)
        NAME(CL_IMAGE_FORMAT_MISMATCH)
        NAME(CL_IMAGE_FORMAT_NOT_SUPPORTED)
        NAME(CL_BUILD_PROGRAM_FAILURE)
        NAME(CL_MAP_FAILURE)
        NAME(CL_MISALIGNED_SUB_BUFFER_OFFSET)
        NAME(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST)
        NAME(CL_COMPILE_PROGRAM_FAILURE)
        NAME(CL_LINKER_NOT_AVAILABLE)
        NAME(CL_LINK_PROGRAM_FAILURE)
        NAME(CL_DEVICE_PARTITION_FAILED)
        NAME(CL_KERNEL_ARG_INFO_NOT_AVAILABLE)
        NAME(CL_PLATFORM_NOT_FOUND_KHR)
    default:
        return NULL;
    }
}

static const char *invalid_name(int status)
{
    switch (status) {
        NAME(CL_INVALID_VALUE)
        NAME(CL_INVALID_DEVICE_TYPE)
        NAME(CL_INVALID_PLATFORM)
        NAME(CL_INVALID_DEVICE)
        NAME(CL_INVALID_CONTEXT)
        NAME(CL_INVALID_QUEUE_PROPERTIES)
        NAME(CL_INVALID_COMMAND_QUEUE)
        NAME(CL_INVALID_HOST_PTR)
        NAME(CL_INVALID_MEM_OBJECT)
        NAME(CL_INVALID_BINARY)
        NAME(CL_INVALID_BUILD_OPTIONS)
        NAME(CL_INVALID_PROGRAM)
        NAME(CL_INVALID_PROGRAM_EXECUTABLE)
        NAME(CL_INVALID_KERNEL_NAME)
        NAME(CL_INVALID_KERNEL_DEFINITION)
        NAME(CL_INVALID_KERNEL)
        NAME(CL_INVALID_ARG_INDEX)
        NAME(CL_INVALID_ARG_VALUE)
        NAME(CL_INVALID_ARG_SIZE)
        NAME(CL_INVALID_KERNEL_ARGS)
        NAME(CL_INVALID_WORK_DIMENSION)
        NAME(CL_INVALID_WORK_GROUP_SIZE)
        NAME(CL_INVALID_WORK_ITEM_SIZE)
        NAME(CL_INVALID_GLOBAL_OFFSET)
        NAME(CL_INVALID_EVENT_WAIT_LIST)
        NAME(CL_INVALID_EVENT)
        NAME(CL_INVALID_OPERATION)
        NAME(CL_INVALID_BUFFER_SIZE)
        NAME(CL_INVALID_GLOBAL_WORK_SIZE)
        NAME(CL_INVALID_PROPERTY)
        NAME(CL_INVALID_COMPILER_OPTIONS)
        NAME(CL_INVALID_LINKER_OPTIONS)
        NAME(CL_INVALID_DEVICE_PARTITION_COUNT)
    default:
        return NULL;
    }
}

const char *clv_cl_name(int status)
{
    const char *name = runtime_name(status);
    if (!name)
        name = invalid_name(status);
    return name ? name : "unknown OpenCL status";
}

static enum clv_err code_of(int status, const char *call)
{
    switch (status) {
    case CL_MEM_OBJECT_ALLOCATION_FAILURE:
        return CLV_ERR_DEVMEM;
    case CL_OUT_OF_HOST_MEMORY:
        return CLV_ERR_NOMEM;
    case CL_OUT_OF_RESOURCES: /* from anything but an allocation it also means a crashed kernel */
        return strncmp(call, "clCreate", 8) ? CLV_ERR_CL : CLV_ERR_DEVMEM;
    default:
        return CLV_ERR_CL;
    }
}

enum clv_err clv_cl_check(struct clv_error *err, const char *who, const char *call, int status,
                          const char *func, const char *file, int line)
{
    if (status == CL_SUCCESS)
        return CLV_OK;
    const enum clv_err code =
        clv_fail_at(err, code_of(status, call), func, file, line, "%s: %.*s failed: %s (%d)", who,
                    (int)strcspn(call, "("), call, clv_cl_name(status), status);
    if (err)
        err->cl = status;
    return code;
}
