/* Device strings on made-up machines, and caps masks: nothing here touches OpenCL. */
#include "base/util.h"
#include "device/internal.h"
#include <criterion/criterion.h>
#include <string.h>

#define POCL "Portable Computing Language"

/* PoCL and Intel's runtime on one Intel processor, GPUs of which two are equal, llvmpipe, an empty
 * platform, a broken GPU, a GPU through Mesa. */
static const struct clv_device_info machine[] = {
    {.platform = 0, .device = 0, .platform_name = POCL, .vendor = "GenuineIntel",
     .name = "pthread-Intel(R) Xeon(R) Processor", .type = CLV_DEVICE_CPU, .units = 64,
     .clock_mhz = 3000},
    {.platform = 1, .device = 0, .platform_name = "rusticl", .name = "llvmpipe (LLVM 15, 256 bits)",
     .vendor = "Mesa/X.org", .type = CLV_DEVICE_SOFTWARE, .units = 640, .clock_mhz = 9000},
    {.platform = 2, .device = 0, .platform_name = "NVIDIA CUDA", .name = "NVIDIA GeForce RTX 3060",
     .vendor = "NVIDIA Corporation", .type = CLV_DEVICE_GPU, .units = 28, .clock_mhz = 1800},
    {.platform = 2, .device = 1, .platform_name = "NVIDIA CUDA", .name = "NVIDIA GeForce RTX 4090",
     .vendor = "NVIDIA Corporation", .type = CLV_DEVICE_GPU, .units = 128, .clock_mhz = 2500},
    {.platform = 2, .device = 2, .platform_name = "NVIDIA CUDA", .name = "NVIDIA GeForce RTX 4090",
     .vendor = "NVIDIA Corporation", .type = CLV_DEVICE_GPU, .units = 128, .clock_mhz = 2500},
    {.platform = 3, .device = -1, .platform_name = "Clover", .name = "", .vendor = "Mesa",
     .type = CLV_DEVICE_SOFTWARE, .unusable = "the platform has no device"},
    {.platform = 4, .device = 0, .platform_name = "Intel(R) OpenCL",
     .name = "Intel(R) Xeon(R) Processor", .vendor = "Intel(R) Corporation",
     .type = CLV_DEVICE_CPU, .units = 64, .clock_mhz = 2900},
    {.platform = 5, .device = 0, .platform_name = "AMD Accelerated Parallel Processing",
     .name = "Radeon Broken", .vendor = "Advanced Micro Devices, Inc.", .type = CLV_DEVICE_GPU,
     .units = 256, .clock_mhz = 9000, .unusable = "the driver has no OpenCL C compiler"},
    {.platform = 6, .device = 0, .platform_name = "rusticl", .name = "AMD Radeon RX 6800",
     .vendor = "AMD", .type = CLV_DEVICE_GPU, .units = 999, .clock_mhz = 9999},
};

Test(select, meaning_of_device_strings)
{
    static const struct {
        const char *select;
        size_t index;
    } cases[] = {
        {NULL, 3},      {"", 3},       {"best", 3},          {"BEST", 3},     {"gpu", 3},
        {"cpu", 0},     {"nvidia", 3}, {"amd", 8},           {"intel", 6},    {"PoCL", 0},
        {"0:0", 0},     {"2:0", 2},    {"2:2", 4},           {"1:0", 1},      {"rtx 3060", 2},
        {"pthread", 0}, {"Radeon", 8}, {"LLVMpipe", 1},      {"radeon rx", 8},
    };
    for (size_t i = 0; i < CLV_COUNT(cases); i++) {
        struct clv_error err = {0};
        size_t index = 99;
        cr_expect_eq(clv_device_select(machine, CLV_COUNT(machine), cases[i].select, &index, &err),
                     CLV_OK, "%s: %s", cases[i].select, err.text);
        cr_expect_eq(index, cases[i].index, "%s gave line %zu", cases[i].select, index);
    }
}

Test(select, refusals_name_candidates)
{
    static const struct {
        const char *select, *says, *says_not;
    } cases[] = {
        {"4090", "2:1 NVIDIA GeForce RTX 4090 (NVIDIA CUDA), 2:2", "3060"},
        {"xeon", "ambiguous", "RTX"},
        {"voodoo", "no device matches \"voodoo\"; candidates: 0:0 pthread", "Broken"},
        {"5:0", "which cannot be used: the driver has no OpenCL C compiler", NULL},
        {"Broken", "which cannot be used: the driver has no OpenCL C compiler", NULL},
        {"9:9", "no device matches \"9:9\"", NULL},
        {"3:0", "no device matches \"3:0\"", NULL},
        {"0:0x", "no device matches", NULL},
        {"0:-1", "no device matches", NULL},
    };
    for (size_t i = 0; i < CLV_COUNT(cases); i++) {
        struct clv_error err = {0};
        size_t index = 99;
        cr_expect_eq(clv_device_select(machine, CLV_COUNT(machine), cases[i].select, &index, &err),
                     CLV_ERR_NODEV);
        cr_expect_eq(index, 99);
        cr_expect(strstr(err.text, cases[i].says), "%s: %s", cases[i].select, err.text);
        cr_expect(!cases[i].says_not || !strstr(err.text, cases[i].says_not), "%s: %s",
                  cases[i].select, err.text);
        cr_expect(!strchr(err.text, '\n'));
    }
}

Test(select, poor_machines)
{
    struct clv_error err = {0};
    size_t index = 99;
    cr_expect_eq(clv_device_select(NULL, 0, "best", &index, &err), CLV_ERR_NODEV);
    cr_expect(strstr(err.text, clv_device_install_hint()), "%s", err.text);
    /* A processor's brand is no vendor word. */
    cr_expect_eq(clv_device_select(machine, 1, "intel", &index, &err), CLV_ERR_NODEV);
    /* Software is neither gpu nor cpu, but better than nothing. */
    cr_expect_eq(clv_device_select(machine, 2, "gpu", &index, &err), CLV_ERR_NODEV);
    cr_expect_eq(clv_device_select(machine + 1, 1, "cpu", &index, &err), CLV_ERR_NODEV);
    cr_expect_eq(index, 99);
    cr_expect_eq(clv_device_select(machine + 1, 1, "best", &index, &err), CLV_OK);
    cr_expect_eq(index, 0);
    cr_expect_eq(clv_device_select(machine, 2, "best", &index, &err), CLV_OK);
    cr_expect_eq(index, 0);
    /* Only an empty platform. */
    cr_expect_eq(clv_device_select(machine + 5, 1, "best", &index, &err), CLV_ERR_NODEV);
}

Test(caps, words)
{
    struct clv_caps_mask m;
    struct clv_error err = {0};
    cr_assert_eq(clv_caps_parse(NULL, &m, &err), CLV_OK);
    cr_expect(!m.without && !m.gpu_path && !m.vector_width && !m.max_work_group && !m.max_alloc);
    cr_expect_eq(m.local_bytes, UINT64_MAX);
    cr_assert_eq(clv_caps_parse("no-fp16,no-min-vector-width, no-local ,local=48K,wg=64,alloc=2G,"
                                "vector=8,gpu",
                                &m, &err),
                 CLV_OK, "%s", err.text);
    cr_expect_eq(m.without, CLV_FEAT_FP16 | CLV_FEAT_MIN_VECTOR_WIDTH | CLV_FEAT_LOCAL);
    cr_expect(m.gpu_path);
    cr_expect_eq(m.local_bytes, 48u << 10);
    cr_expect_eq(m.max_work_group, 64);
    cr_expect_eq(m.max_alloc, (uint64_t)2 << 30);
    cr_expect_eq(m.vector_width, 8);
    cr_assert_eq(clv_caps_parse("none", &m, &err), CLV_OK);
    cr_expect_eq(m.without, 63u);
    static const char *const bad[] = {
        "no-such",  "fp16",    "no-",     "local",    "local=",    "local=-1", "local=1X",
        "wg=0",     "alloc=0", "vector=3", "vector=32", "gpu=1",   "local=1KK", "loc=1",
        "wg=1.5",   "local= 1", "alloc=99999999999999999999", "local=9000000000000000000G",
        "a-word-that-is-much-longer-than-any-known-word-could-ever-be,gpu",
    };
    for (size_t i = 0; i < CLV_COUNT(bad); i++) {
        err = (struct clv_error){0};
        cr_expect_eq(clv_caps_parse(bad[i], &m, &err), CLV_ERR_ARG, "%s was taken", bad[i]);
        cr_expect(strstr(err.text, "no-subgroups"), "%s", err.text);
    }
}

Test(caps, profiles_stand_for_lists)
{
    struct clv_caps_mask m, list;
    struct clv_error err = {0};
    cr_assert_eq(clv_caps_parse("profile=wave64,no-fp16", &m, &err), CLV_OK);
    cr_assert_eq(clv_caps_parse("gpu,no-unified,local=64K,wg=256,no-fp16", &list, &err), CLV_OK);
    cr_expect_eq(m.gpu_path, list.gpu_path);
    cr_expect_eq(m.local_bytes, list.local_bytes);
    cr_expect_eq(m.max_work_group, list.max_work_group);
    cr_expect_eq(m.without, list.without);
    cr_assert_eq(clv_caps_parse("profile=alloc256", &m, &err), CLV_OK);
    cr_expect_eq(m.max_alloc, 256u << 20);
    cr_expect_eq(clv_caps_parse("profile=wave", &m, &err), CLV_ERR_ARG);
    cr_expect_eq(clv_caps_parse("profile=", &m, &err), CLV_ERR_ARG);
}

Test(caps, limits_are_only_lowered)
{
    struct clv_caps_mask m;
    struct clv_error err = {0};
    const struct clv_device_info cpu = {.type = CLV_DEVICE_CPU,
                                        .features = 63,
                                        .units = 2,
                                        .global_bytes = 1u << 30,
                                        .local_bytes = 1u << 20,
                                        .max_alloc = 1u << 28,
                                        .max_work_group = 4096,
                                        .vector_width = 16};
    struct clv_device_info info = cpu;
    struct clv_caps caps;
    cr_assert_eq(clv_caps_parse("no-unified,local=64K,wg=9999,alloc=1M", &m, &err), CLV_OK);
    clv_caps_apply(&m, &info, &caps);
    cr_expect_eq(caps.features, 63u & ~(uint32_t)CLV_FEAT_UNIFIED);
    cr_expect_eq(caps.local_bytes, 64u << 10);
    cr_expect_eq(caps.max_work_group, 4096);
    cr_expect_eq(caps.max_alloc, 1u << 20);
    cr_expect_eq(info.max_alloc, caps.max_alloc);
    cr_expect_eq(caps.vector_width, 16);
    cr_expect(!caps.gpu_path);
    /* A processor that reports nothing still has registers of 4; "gpu" takes the other path. */
    info = cpu;
    info.vector_width = 0;
    cr_assert_eq(clv_caps_parse("gpu", &m, &err), CLV_OK);
    clv_caps_apply(&m, &info, &caps);
    cr_expect_eq(caps.vector_width, 4);
    cr_expect(caps.gpu_path);
}
