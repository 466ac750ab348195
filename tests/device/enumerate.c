#define _XOPEN_SOURCE 700 /* nftw, in tmp.h */
/* What the machine has, and what happens where it has nothing. */
#include "base/tmp.h"
#include "testdev.h"

Test(enumerate, every_line_is_complete)
{
    struct clv_context *ctx = test_context(NULL, 0);
    struct clv_device_info *list = NULL;
    size_t n = 0, usable = 0;
    ok(ctx, clv_device_list(ctx, &list, &n));
    for (size_t i = 0; i < n; i++) {
        const struct clv_device_info *d = &list[i];
        cr_expect(d->platform_name && d->platform_version && d->name && d->vendor && d->driver);
        cr_expect(d->version && d->c_version && d->extensions);
        cr_expect(d->device >= 0 || d->unusable);
        cr_expect(i == 0 || d->platform > list[i - 1].platform ||
                  (d->platform == list[i - 1].platform && d->device == list[i - 1].device + 1));
        if (d->unusable)
            continue;
        usable++;
        cr_expect(*d->name && d->units && d->global_bytes && d->max_alloc && d->max_work_group);
        /* P:D opens exactly this one. */
        char select[32];
        struct clv_device *dev = NULL;
        snprintf(select, sizeof(select), "%d:%d", d->platform, d->device);
        ok(ctx, clv_device_open(ctx, &(struct clv_device_params){.select = select}, &dev));
        cr_expect_str_eq(clv_device_get_info(dev)->name, d->name);
        cr_expect_eq(clv_device_get_info(dev)->platform, d->platform);
        clv_device_close(&dev);
    }
    clv_device_list_free(&list);
    cr_expect_null(list);
    clv_device_list_free(&list);
    clv_context_destroy(&ctx);
    if (!usable)
        cr_skip_test("no usable device");
}

Test(enumerate, no_driver_is_no_error)
{
    /* Before the first OpenCL call of this process: loaders read them once. */
    setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
    setenv("OPENCL_VENDOR_PATH", "/nonexistent", 1);
    struct clv_context *ctx = test_context(NULL, 0);
    struct clv_device_info *list = NULL;
    struct clv_device *dev = NULL;
    size_t n = 99;
    ok(ctx, clv_device_list(ctx, &list, &n));
    const bool replaced = n && !strcmp(list[0].platform_name, "Oclgrind");
    clv_device_list_free(&list);
    if (replaced)
        cr_skip_test("the oclgrind command stands in for the loader");
    cr_expect_eq(n, 0);
    cr_expect_eq(clv_device_open(ctx, NULL, &dev), CLV_ERR_NODEV);
    cr_expect(strstr(clv_error_text(ctx), "install"), "%s", clv_error_text(ctx));
    cr_expect_null(dev);
    clv_context_destroy(&ctx);
}

Test(enumerate, environment_is_the_default)
{
    struct clv_context *ctx = test_context(NULL, 0);
    struct clv_device *dev = test_device(ctx, NULL);
    clv_device_close(&dev);
    setenv("CLAVICLE_DEVICE", "no such device", 1);
    cr_expect_eq(clv_device_open(ctx, NULL, &dev), CLV_ERR_NODEV);
    cr_expect(strstr(clv_error_text(ctx), "no such device"), "%s", clv_error_text(ctx));
    ok(ctx, clv_device_open(ctx, &(struct clv_device_params){.select = "best"}, &dev));
    clv_device_close(&dev);
    clv_device_close(&dev);
    const struct clv_device_params bad = {.select = "best", .caps = "no-x"};
    cr_expect_eq(clv_device_open(ctx, &bad, &dev), CLV_ERR_ARG);
    clv_context_destroy(&ctx);
}

Test(enumerate, driver_cache_follows_ours_unless_set)
{
    char dir[64];
    tmp_dir(dir);
    struct clv_context *ctx = test_context(dir, 0);
    setenv("POCL_CACHE_DIR", "/somewhere", 1);
    clv_device_share_cache(ctx);
    cr_expect_str_eq(getenv("POCL_CACHE_DIR"), "/somewhere");
    unsetenv("POCL_CACHE_DIR");
    clv_device_share_cache(ctx);
    char *want = clv_path_join(dir, "pocl");
    cr_expect_str_eq(getenv("POCL_CACHE_DIR"), want);
    cr_expect(clv_dir_exists(want));
    clv_context_destroy(&ctx);
    tmp_remove(dir);
    free(want);
}
