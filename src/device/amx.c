/* The one thing AMX needs from the operating system. */
#if defined(__linux__) && defined(__x86_64__)
#define _DEFAULT_SOURCE /* syscall() */
#include <sys/syscall.h>
#include <unistd.h>
#endif
#include "device/probe.h"

bool clv_amx_request(void)
{
#if defined(__linux__) && defined(__x86_64__) && defined(SYS_arch_prctl)
    /* Linux, Documentation/arch/x86/xstate.rst. */
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILE_DATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILE_DATA) == 0;
#else
    return false;
#endif
}
