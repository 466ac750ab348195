#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
/* Two vendors in one process, and drivers that are damaged: Intel's runtime for CPUs beside PoCL.
 * It is fetched by tools/dev/intel; without it the tests that need it skip. The loader reads its
 * folder of .icd files at the first OpenCL call, so each test, a process of its own, names one
 * before. */
#include "base/tmp.h"
#include "testdev.h"
#include <sys/stat.h>

#define POCL_ICD "/etc/OpenCL/vendors/pocl.icd"

/* Whether the two platforms are there; skips where the fetched runtime is not. */
static void two_vendors(void)
{
    const char *build = getenv("CLAVICLE_TEST_BUILD");
    char *both = build ? clv_path_join(build, "vendors/both") : NULL;
    if (!both || !clv_dir_exists(both))
        cr_skip_test("no second vendor here; tools/dev/intel BUILD fetches Intel's runtime");
    setenv("OCL_ICD_VENDORS", both, 1);
    unsetenv("CLAVICLE_DEVICE");
    free(both);
}

static struct clv_device *open_as(struct clv_context *ctx, const char *select)
{
    return test_device(ctx, &(struct clv_device_params){.select = select});
}

Test(vendors, each_is_found_by_its_word)
{
    two_vendors();
    struct clv_context *ctx = test_context(NULL, 0);
    struct clv_device *intel = open_as(ctx, "intel"), *pocl = open_as(ctx, "pocl"), *dev = NULL;
    char select[32];
    cr_expect_str_eq(clv_device_get_info(intel)->platform_name, "Intel(R) OpenCL");
    cr_expect_str_eq(clv_device_get_info(pocl)->platform_name, "Portable Computing Language");
    cr_expect_neq(clv_device_get_info(intel)->platform, clv_device_get_info(pocl)->platform);
    snprintf(select, sizeof(select), "%d:0", clv_device_get_info(intel)->platform);
    dev = open_as(ctx, select);
    cr_expect_str_eq(clv_device_get_info(dev)->platform_name, "Intel(R) OpenCL");
    clv_device_close(&dev);
    dev = open_as(ctx, "cpu");
    cr_expect_eq(clv_device_get_info(dev)->type, CLV_DEVICE_CPU);
    clv_device_close(&dev);
    cr_expect_eq(clv_device_open(ctx, &(struct clv_device_params){.select = "gpu"}, &dev),
                 CLV_ERR_NODEV);
    clv_device_close(&intel);
    clv_device_close(&pocl);
    clv_context_destroy(&ctx);
}

Test(vendors, a_name_that_both_have_is_ambiguous)
{
    two_vendors();
    struct clv_context *ctx = test_context(NULL, 0);
    struct clv_device *intel = open_as(ctx, "intel"), *pocl = open_as(ctx, "pocl"), *dev = NULL;
    const char *name = clv_device_get_info(intel)->name;
    /* PoCL puts the target in front of the processor's name. */
    const bool shared = strstr(clv_device_get_info(pocl)->name, name) != NULL;
    if (shared) {
        const struct clv_device_params p = {.select = name};
        cr_expect_eq(clv_device_open(ctx, &p, &dev), CLV_ERR_NODEV);
        const char *text = clv_error_text(ctx);
        cr_expect(strstr(text, "ambiguous") && strstr(text, "Intel(R) OpenCL") &&
                      strstr(text, "Portable Computing Language"),
                  "%s", text);
    }
    clv_device_close(&intel);
    clv_device_close(&pocl);
    clv_context_destroy(&ctx);
    if (!shared)
        cr_skip_test("the two name this processor differently");
}

static const struct clv_source three = {
    "three", "kernel void three(global int *x)\n{\n    x[get_global_id(0)] = 3;\n}\n"};

/* Builds and runs; a result that is not right fails. */
static struct clv_program_stats use(struct clv_context *ctx, const char *select)
{
    enum { N = 32 };
    struct clv_device *dev = open_as(ctx, select);
    struct clv_buffer *buffer = NULL;
    struct clv_kernel *k = NULL;
    int x[N] = {0};
    const size_t global = N;
    ok(ctx, clv_buffer_create(dev, sizeof(x), &buffer));
    ok(ctx, clv_kernel_create(dev, &three, "three", "", "test", &k));
    ok(ctx, clv_kernel_set_buffer(k, 0, buffer));
    ok(ctx, clv_queue_kernel(dev, k, 1, &global, NULL, -1));
    ok(ctx, clv_queue_read_wait(dev, buffer, 0, x, sizeof(x)));
    for (int i = 0; i < N; i++)
        cr_assert_eq(x[i], 3, "%s, item %d", select, i);
    const struct clv_program_stats stats = clv_device_program_stats(dev);
    clv_kernel_destroy(&k);
    clv_buffer_destroy(&buffer);
    clv_device_close(&dev);
    return stats;
}

Test(vendors, each_has_its_own_compiled_programs)
{
    char dir[64];
    two_vendors();
    tmp_dir(dir);
    struct clv_context *ctx = test_context(dir, 0);
    /* The second one must not take the first one's binary for its own. */
    cr_expect_eq(use(ctx, "pocl").built, 1);
    const struct clv_program_stats other = use(ctx, "intel");
    cr_expect_eq(other.built, 1);
    cr_expect_eq(other.loaded, 0);
    cr_expect_eq(use(ctx, "pocl").loaded, 1);
    cr_expect_eq(use(ctx, "intel").loaded, 1);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}

/* Writes dir/name with one line. */
static void put(const char *dir, const char *name, const char *line)
{
    char *path = clv_path_join(dir, name);
    cr_assert(path);
    cr_assert_eq(clv_file_write(path, line, strlen(line), NULL), CLV_OK);
    free(path);
}

Test(vendors, damaged_platforms_hide_nobody)
{
    char dir[64], line[128];
    unsigned char *pocl = NULL;
    size_t size = 0;
    if (clv_file_read(POCL_ICD, &pocl, &size, NULL))
        cr_skip_test("no " POCL_ICD);
    tmp_dir(dir);
    put(dir, "a-missing.icd", "/nonexistent/libvendor.so\n");
    snprintf(line, sizeof(line), "%s/text.so\n", dir);
    put(dir, "b-no-library.icd", line);
    put(dir, "text.so", "this is no library\n");
    put(dir, "c-empty.icd", "");
    put(dir, "d-no-opencl.icd", "libm.so.6\n"); /* a library, but nobody's driver */
    put(dir, "e-folder.icd", "/tmp\n");
    char *path = clv_path_join(dir, "f-pocl.icd");
    cr_assert(path);
    cr_assert_eq(clv_file_write(path, pocl, size, NULL), CLV_OK);
    free(path);
    free(pocl);
    setenv("OCL_ICD_VENDORS", dir, 1);
    unsetenv("CLAVICLE_DEVICE");
    struct clv_context *ctx = test_context(NULL, 0);
    struct clv_device_info *list = NULL;
    size_t n = 0, usable = 0;
    ok(ctx, clv_device_list(ctx, &list, &n));
    for (size_t i = 0; i < n; i++)
        usable += !list[i].unusable;
    const bool replaced = n && !strcmp(list[0].platform_name, "Oclgrind");
    clv_device_list_free(&list);
    if (replaced)
        cr_skip_test("the oclgrind command stands in for the loader");
    cr_expect_geq(usable, 1);
    (void)use(ctx, NULL);
    clv_context_destroy(&ctx);
    tmp_remove(dir);
}
