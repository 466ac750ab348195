/* clavicle devices */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const type_name[] = {"cpu", "gpu", "accelerator", "software"};
static const struct { uint32_t bit; const char *name; } features[] = {
    {CLV_FEAT_FP16, "fp16"}, {CLV_FEAT_FP64, "fp64"}, {CLV_FEAT_SUBGROUPS, "subgroups"},
    {CLV_FEAT_LOCAL, "local"}, {CLV_FEAT_UNIFIED, "unified"},
    {CLV_FEAT_MIN_VECTOR_WIDTH, "min-vector-width"}};
enum { N_FEATURES = sizeof features / sizeof features[0] };

json_t *cli_device_json(const struct clv_device_info *d)
{
    json_t *feats = json_array();
    char index[32];
    snprintf(index, sizeof index, "%d:%d", d->platform, d->device);
    for (int i = 0; i < N_FEATURES; i++)
        if (d->features & features[i].bit)
            json_array_append_new(feats, json_string(features[i].name));
    return json_pack(
        "{s:o, s:s, s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:s?, s:o, s:b, s:s?}",
        "index", d->device < 0 ? json_null() : json_string(index),
        "platform", d->platform_name ? d->platform_name : "", "platform_version", d->platform_version,
        "name", d->name, "vendor", d->vendor, "driver", d->driver, "opencl", d->version,
        "opencl_c", d->c_version, "type", type_name[d->type],
        "compute_units", (json_int_t)d->units, "clock_mhz", (json_int_t)d->clock_mhz,
        "global_bytes", (json_int_t)d->global_bytes, "local_bytes", (json_int_t)d->local_bytes,
        "max_allocation_bytes", (json_int_t)d->max_alloc,
        "max_work_group", (json_int_t)d->max_work_group, "extensions", d->extensions,
        "features", feats, "usable", d->unusable == NULL, "unusable", d->unusable);
}

static void print_device(const struct clv_device_info *d)
{
    const double gib = 1024. * 1024 * 1024;
    if (d->device < 0) {
        printf("%d:-  %s: not usable: %s\n", d->platform, d->platform_name ? d->platform_name : "?",
               d->unusable ? d->unusable : "no device");
        return;
    }
    printf("%d:%d  %s\n", d->platform, d->device, d->name);
    printf("     %s, %s, driver %s, %s\n", type_name[d->type], d->platform_name, d->driver, d->version);
    printf("     %u compute units, %u MHz, global %.1f GiB, largest allocation %.1f GiB, local %.0f KiB, "
           "work-group %zu\n", d->units, d->clock_mhz, (double)d->global_bytes / gib,
           (double)d->max_alloc / gib, (double)d->local_bytes / 1024, d->max_work_group);
    printf("     vendor %s; features:", d->vendor);
    for (int i = 0; i < N_FEATURES; i++)
        if (d->features & features[i].bit)
            printf(" %s", features[i].name);
    printf("; extensions: %s\n", d->extensions && *d->extensions ? d->extensions : "none");
    if (d->unusable)
        printf("     not usable: %s\n", d->unusable);
}

/* Matrix units that the kind of device may have; the emulation is for tests. */
static void print_units(struct clv_context *ctx, const struct clv_device_info *d)
{
    static const char *const state[] = {"not here", "not asked for yet", "works", "fails its probe",
                                        "never seen by a run"};
    const char *before = "     matrix units: ";
    for (int u = CLV_UNIT_AVX512_BF16; u < CLV_UNITS; u++) {
        if ((d->type == CLV_DEVICE_GPU) != (u >= CLV_UNIT_MMA))
            continue;
        const struct clv_unit_report r = clv_device_unit(ctx, d, (enum clv_unit)u);
        printf("%s%s %s", before, clv_unit_name((enum clv_unit)u), state[r.state]);
        if (r.state == CLV_UNIT_WORKS)
            printf(" (%.2f of the speed of floats)", r.gain / 100.);
        before = ", ";
    }
    printf("\n");
}

static const struct argp_child children[] = {{&cli_plain_argp, 0, NULL, 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    return cli_begin_parse(key, state, state->input);
}

int cmd_devices(int argc, char **argv)
{
    const struct argp argp = {NULL, parse, NULL,
                              "List the OpenCL platforms and devices of this machine, usable or not.\v"
                              "Example:\n  clavicle devices\n  clavicle devices --json", children, NULL, NULL};
    struct cli_common common = {0};
    const int code = cli_parse(&argp, argc, argv, &common);
    if (code)
        return code;
    struct clv_context *ctx = cli_listing_context(&common);
    struct clv_device_info *list = NULL;
    size_t n = 0, usable = 0;
    const enum clv_err err = clv_device_list(ctx, &list, &n);
    if (err) {
        const int failed = cli_failed(ctx, err);
        clv_context_destroy(&ctx);
        return failed;
    }
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++) {
        usable += !list[i].unusable;
        if (common.json)
            json_array_append_new(all, cli_device_json(&list[i]));
        else
            print_device(&list[i]);
        if (!common.json && !list[i].unusable && list[i].device >= 0)
            print_units(ctx, &list[i]);
    }
    if (common.json)
        cli_json_print(json_pack("{s:o}", "devices", all));
    else
        json_decref(all);
    if (!usable && !common.json)
        printf("%s\n", clv_device_install_hint());
    clv_device_list_free(&list);
    clv_context_destroy(&ctx);
    return EXIT_OK;
}
