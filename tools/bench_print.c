#include "bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int out_of_memory(void)
{
    cli_note("clavicle: out of memory");
    return EXIT_INTERNAL;
}

/* ---- tables ---- */

static void print_rate(const char *name, const struct clv_spread *s, double scale, const char *unit)
{
    if (s->n)
        printf("  %-28s %9.2f %-8s  best %9.2f  quartiles %.2f to %.2f\n", name, s->median * scale, unit,
               s->best * scale, s->low * scale, s->high * scale);
}

static void print_ceilings(const struct clv_ceilings *c)
{
    const double mib = 1024. * 1024;
    char name[64];
    puts("ceilings");
    print_rate("multiply-add, fp32", &c->flops, 1e-9, "GFLOP/s");
    for (int i = 0; i < CLV_BANDWIDTHS; i++) {
        const struct clv_bandwidth *b = &c->memory[i];
        const struct { const char *what; const struct clv_spread *rate; } way[] = {
            {"read", &b->read}, {"write", &b->write}, {"copy", &b->copy}};
        for (size_t k = 0; b->bytes && k < sizeof way / sizeof way[0]; k++) {
            snprintf(name, sizeof name, "%s %.0f MiB", way[k].what, (double)b->bytes / mib);
            print_rate(name, way[k].rate, 1e-9, "GB/s");
        }
    }
    print_rate("launch of an empty kernel", &c->launch, 1e6, "us");
    snprintf(name, sizeof name, "upload %.0f MiB", (double)c->transfer_bytes / mib);
    print_rate(name, &c->upload, 1e-9, "GB/s");
    snprintf(name, sizeof name, "download %.0f MiB", (double)c->transfer_bytes / mib);
    print_rate(name, &c->download, 1e-9, "GB/s");
}

static void print_model(const struct bench_answer *a)
{
    const struct clv_bench_model_result *r = a->result;
    const struct clv_spread *s = &r->seconds;
    printf("\n%s, batch %d, %s\n", a->model, r->batch, a->forward ? "inference" : "training step");
    printf("  %.3f ms (best %.3f, quartiles %.3f to %.3f, %d steps), %.1f images/s\n", s->median * 1e3,
           s->best * 1e3, s->low * 1e3, s->high * 1e3, s->n, r->images_per_second);
    printf("  %.1f GFLOP/s, %.1f %% of the ceiling\n", r->gflops, r->ceiling_fraction * 100);
    printf("  planned memory %.1f MiB, resident memory grew by %.1f MiB\n", (double)r->memory_bytes / 1048576,
           (double)r->rss_growth_bytes / 1048576);
    if (!isnan(r->max_rel_error))
        printf("  largest error against the reference %.2g, in %s; %.2g is allowed\n", r->max_rel_error,
               r->worst, r->error_bound);
}

static void print_baseline(const struct bench_answer *a)
{
    printf("\n%zu lines are in %s; %zu of them are slower by more than the noise\n", a->found, a->baseline,
           a->slower);
    for (size_t i = 0; i < a->n; i++)
        if (a->rows[i].slower)
            printf("  SLOWER  %s %s: %.4f ms, was %.4f\n", a->rows[i].what, a->rows[i].variant,
                   a->rows[i].seconds.median * 1e3, a->rows[i].baseline * 1e3);
}

int bench_print_tables(const struct bench_answer *a)
{
    printf("%s, driver %s\n", a->device->name, a->device->driver);
    print_ceilings(a->ceilings);
    if (a->model)
        print_model(a);
    /* The model's own line has been said; what follows are its steps. */
    const size_t skip = a->model ? 1 : 0;
    if (a->n > skip) {
        char *text = clv_timings_text(a->rows + skip, a->n - skip, a->ceilings);
        if (!text)
            return out_of_memory();
        putchar('\n');
        fputs(text, stdout);
        free(text);
    }
    if (a->baseline)
        print_baseline(a);
    return EXIT_OK;
}

/* ---- JSON, CSV ---- */

static json_t *spread_json(const struct clv_spread *s)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:i}", "median", cli_real(s->median), "low", cli_real(s->low),
                     "high", cli_real(s->high), "best", cli_real(s->best), "n", s->n);
}

static json_t *ceilings_json(const struct clv_ceilings *c)
{
    json_t *memory = json_array();
    for (int i = 0; i < CLV_BANDWIDTHS; i++)
        if (c->memory[i].bytes)
            json_array_append_new(memory, json_pack(
                "{s:I, s:o, s:o, s:o}", "bytes", (json_int_t)c->memory[i].bytes, "read_bytes_per_s",
                spread_json(&c->memory[i].read), "write_bytes_per_s", spread_json(&c->memory[i].write),
                "copy_bytes_per_s", spread_json(&c->memory[i].copy)));
    return json_pack("{s:o, s:o, s:o, s:I, s:o, s:o}", "flops", spread_json(&c->flops), "memory", memory,
                     "launch_s", spread_json(&c->launch), "transfer_bytes", (json_int_t)c->transfer_bytes,
                     "upload_bytes_per_s", spread_json(&c->upload), "download_bytes_per_s",
                     spread_json(&c->download));
}

static void add_model(json_t *j, const struct bench_answer *a)
{
    const struct clv_bench_model_result *r = a->result;
    const struct { const char *key; double value; } number[] = {
        {"step_ms", r->seconds.median * 1e3}, {"step_ms_low", r->seconds.low * 1e3},
        {"step_ms_high", r->seconds.high * 1e3}, {"step_ms_best", r->seconds.best * 1e3},
        {"images_per_second", r->images_per_second}, {"gflops", r->gflops},
        {"ceiling_fraction", r->ceiling_fraction}, {"max_rel_error", r->max_rel_error},
        {"error_bound", r->error_bound}};
    json_object_set_new(j, "model", cli_string(a->model));
    json_object_set_new(j, "pass", json_string(a->forward ? "forward" : "train"));
    json_object_set_new(j, "batch", json_integer(r->batch));
    json_object_set_new(j, "precision", json_string(cli_precision_name(a->precision)));
    json_object_set_new(j, "steps", json_integer(r->seconds.n));
    for (size_t i = 0; i < sizeof number / sizeof number[0]; i++)
        json_object_set_new(j, number[i].key, cli_real(number[i].value));
    json_object_set_new(j, "worst", cli_string(r->worst));
    json_object_set_new(j, "memory_bytes", json_integer((json_int_t)r->memory_bytes));
    json_object_set_new(j, "rss_growth_bytes", json_integer((json_int_t)r->rss_growth_bytes));
}

int bench_print_json(const struct bench_answer *a)
{
    char *text = clv_timings_json(a->rows, a->n, a->ceilings);
    json_t *rows = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    if (!rows)
        return out_of_memory();
    json_t *j = json_pack("{s:o, s:o}", "device", cli_string(a->device->name), "driver",
                          cli_string(a->device->driver));
    if (a->model)
        add_model(j, a);
    json_object_set_new(j, "ceilings", ceilings_json(a->ceilings));
    if (a->baseline)
        json_object_set_new(j, "baseline", json_pack("{s:o, s:I, s:I}", "file", cli_string(a->baseline),
                                                     "found", (json_int_t)a->found, "slower",
                                                     (json_int_t)a->slower));
    json_object_set_new(j, "rows", rows);
    cli_json_print(j);
    return EXIT_OK;
}

int bench_print_csv(const struct bench_answer *a)
{
    return cli_print_text(clv_timings_csv(a->rows, a->n, a->ceilings));
}
