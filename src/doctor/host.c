/* The machine around the devices, and what to install on it. */
#include "base/parallel.h"
#include "base/util.h"
#include <clavicle/doctor.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* "model name\t: AMD EPYC ..." on x86, "Model\t\t: Raspberry Pi ..." on ARM: the text behind the colon. */
static bool take_name(const char *line, const char *key, char *name, size_t size)
{
    const char *colon = strchr(line, ':');
    if (strncmp(line, key, strlen(key)) || !colon)
        return false;
    colon += strspn(colon, ": \t");
    const size_t n = CLV_MIN(strcspn(colon, "\n"), size - 1);
    memcpy(name, colon, n);
    name[n] = 0;
    return n > 0;
}

static void find_cpu(char *name, size_t size)
{
    char line[512];
    FILE *f = fopen("/proc/cpuinfo", "r");
    *name = 0;
    while (f && fgets(line, sizeof line, f))
        if (take_name(line, "model name", name, size) || take_name(line, "Model", name, size))
            break;
    if (f)
        fclose(f);
}

void clv_host_describe(struct clv_host_info *ret)
{
    struct utsname u;
    *ret = (struct clv_host_info){.processors = clv_processors()};
    find_cpu(ret->cpu, sizeof ret->cpu);
    if (uname(&u) == 0)
        snprintf(ret->system, sizeof ret->system, "%.60s %.100s %.60s", u.sysname, u.release, u.machine);
}

const char *clv_doctor_install_text(void)
{
    return "No usable OpenCL device was found. What a machine needs is the loader (libOpenCL.so.1) and a driver for\n"
           "each kind of device:\n"
           "  any CPU     PoCL               Debian, Ubuntu: apt install pocl-opencl-icd\n"
           "                                 Fedora: dnf install pocl        Arch: pacman -S pocl\n"
           "  Intel GPU   compute runtime    Debian, Ubuntu: apt install intel-opencl-icd\n"
           "                                 Fedora: dnf install intel-compute-runtime\n"
           "                                 Arch: pacman -S intel-compute-runtime\n"
           "  NVIDIA GPU  NVIDIA's driver    Debian: apt install nvidia-opencl-icd (non-free)\n"
           "                                 Ubuntu: it comes with nvidia-driver-VERSION\n"
           "                                 Fedora (RPM Fusion): dnf install xorg-x11-drv-nvidia-cuda\n"
           "                                 Arch: pacman -S opencl-nvidia\n"
           "  AMD GPU     ROCm, or Mesa's    Debian, Ubuntu: apt install rocm-opencl-icd, or mesa-opencl-icd\n"
           "              rusticl            with RUSTICL_ENABLE=radeonsi; Fedora: dnf install rocm-opencl\n"
           "                                 Arch: pacman -S rocm-opencl-runtime\n"
           "A GPU needs access to its device files: join the groups that `ls -l /dev/dri` shows (render, video); a\n"
           "container sees only those that it was given (--gpus all, --device /dev/dri).";
}
