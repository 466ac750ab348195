#include "doctor.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

void doctor_print_host(const struct clv_host_info *host)
{
    const char *folder;
    json_t *drivers = doctor_drivers(&folder), *text;
    size_t i;
    printf("clavicle %s\n", clv_version());
    printf("host      %s, %u processors, %s\n", *host->cpu ? host->cpu : "unknown CPU", host->processors, host->system);
    printf("drivers   %s%s", folder, json_array_size(drivers) ? "" : ": none");
    json_array_foreach(drivers, i, text)
        printf("\n          %s", json_string_value(text));
    puts("");
    json_decref(drivers);
}

void doctor_print_device(const struct doctor_device *d)
{
    const struct clv_device_info *i = d->info;
    if (i->device < 0) {
        printf("\n%d:-  %s\n", i->platform, i->platform_name);
        return;
    }
    printf("\n%d:%d  %s\n", i->platform, i->device, i->name);
    printf("     vendor    %s\n     platform  %s, %s\n     driver    %s\n     version   %s, %s\n", i->vendor,
           i->platform_name, i->platform_version, i->driver, i->version, i->c_version);
    if (d->caps && *d->caps)
        printf("     caps      %s\n", d->caps);
}

/* A part of what is allowed. */
static void print_error(double error)
{
    if (isfinite(error))
        printf("%10.2f", error);
    else
        printf("%10s", "not finite");
}

static void print_line(const struct doctor_line *l)
{
    printf("     %-25s %-11s %6d %7d %5d %6d ", l->group, l->variant, l->passed, l->skipped, l->wrong, l->failed);
    if (l->passed + l->wrong)
        print_error(l->error);
    else
        printf("%10s", "-");
    printf(" %8.2f  %s\n", l->seconds, l->passed + l->wrong ? l->worst : "");
}

static void print_problems(const struct doctor_device *d)
{
    size_t i;
    json_t *p;
    json_array_foreach(d->problems, i, p) {
        if (i == 20) {
            printf("     and %zu more; --json has them all\n", json_array_size(d->problems) - i);
            return;
        }
        printf("     %s: %s, case '%s', variant %s: %s\n", json_string_value(json_object_get(p, "status")),
               json_string_value(json_object_get(p, "group")), json_string_value(json_object_get(p, "case")),
               json_string_value(json_object_get(p, "variant")), json_string_value(json_object_get(p, "text")));
    }
}

void doctor_print_result(const struct doctor_device *d)
{
    const struct clv_doctor_summary *s = &d->summary;
    if (d->n_lines)
        printf("     %-25s %-11s %6s %7s %5s %6s %10s %8s  %s\n", "kernels of", "variant", "passed", "skipped", "wrong",
               "failed", "error", "seconds", "case with that error");
    for (int i = 0; i < d->n_lines; i++)
        print_line(&d->line[i]);
    print_problems(d);
    if (strcmp(d->status, "passed")) {
        printf("     %s: %s\n", d->status, d->reason);
        return;
    }
    printf("     passed: %d cases, %d skipped, the largest error is %.2f of what is allowed, %.0f s\n", s->passed,
           s->skipped, s->error, s->seconds);
}

static json_t *line_json(const struct doctor_line *l)
{
    return json_pack("{s:s, s:s, s:i, s:i, s:i, s:i, s:o, s:s, s:f}", "group", l->group, "variant", l->variant,
                     "passed", l->passed, "skipped", l->skipped, "wrong", l->wrong, "failed", l->failed, "error",
                     l->passed + l->wrong ? cli_real(l->error) : json_null(), "worst_case", l->worst, "seconds", l->seconds);
}

json_t *doctor_json(const struct doctor_device *d)
{
    const struct clv_doctor_summary *s = &d->summary;
    json_t *o = cli_device_json(d->info), *lines = json_array();
    for (int i = 0; i < d->n_lines; i++)
        json_array_append_new(lines, line_json(&d->line[i]));
    json_object_set_new(o, "status", json_string(d->status));
    json_object_set_new(o, "reason", strcmp(d->status, "passed") ? cli_string(d->reason) : json_null());
    json_object_set_new(o, "caps", cli_string(d->caps));
    json_object_set_new(o, "passed", json_integer(s->passed));
    json_object_set_new(o, "skipped", json_integer(s->skipped));
    json_object_set_new(o, "wrong", json_integer(s->wrong));
    json_object_set_new(o, "failed", json_integer(s->failed));
    json_object_set_new(o, "error", d->n_lines ? cli_real(s->error) : json_null());
    json_object_set_new(o, "seconds", json_real(s->seconds));
    json_object_set_new(o, "kernels", lines);
    json_object_set(o, "problems", d->problems);
    return o;
}
