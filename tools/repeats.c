#include "repeats.h"

#include <stdio.h>
#include <string.h>

json_t *member_json(const struct clv_member *m)
{
    static const char *const stage[] = {"train", "kept", "test"};
    return json_pack("{s:s, s:o, s:i, s:i, s:o, s:o, s:i, s:I, s:s}", "event", "member", "member", cli_string(m->name),
                     "number", m->number, "members", m->members, "run", cli_string(m->path), "fold",
                     m->fold ? json_integer(m->fold) : json_null(), "trial", m->trial, "seed", (json_int_t)m->seed, "stage",
                     stage[m->stage]);
}

static int on_member(void *priv, const struct clv_member *m)
{
    static const char *const what[] = {"", ", trained before", ", on the test split"};
    struct repeats *r = priv;
    progress_break(r->progress);
    snprintf(r->last, sizeof r->last, "%s", m->name);
    r->progress->run = m->path;
    if (r->json)
        cli_json_line(member_json(m));
    if (!r->progress->quiet)
        cli_note("%s (%d of %d)%s", m->name, m->number, m->members, what[m->stage]);
    return cli_interrupted() || cli_output_lost();
}

static void print_results(const struct repeats *r, const struct clv_report *report, const char *run)
{
    if (r->json) {
        json_t *o = json_loads(report->json, 0, NULL);
        if (o)
            json_object_set_new(o, "event", json_string("results"));
        cli_json_line(o);
        return;
    }
    fputs(report->text, stdout);
    printf("kept in %s/results.txt and results.json; each member is a run: clavicle eval %s/%s\n", run, run, r->last);
}

int repeats_train(struct clv_context *ctx, struct repeats *r, struct clv_run_result *result)
{
    const char *run = r->params.run.resume ? r->params.run.resume : r->params.run.out;
    struct clv_report report = {0};
    r->params.on_member = on_member;
    r->params.priv = r;
    const enum clv_err err = clv_repeat_train(ctx, &r->params, result, &report);
    progress_break(r->progress);
    if (err == CLV_ERR_CANCELLED && *r->last) {
        cli_note("clavicle: interrupted in %s; go on with: clavicle train --resume %s", r->last, run);
        return EXIT_INTERRUPTED;
    }
    if (err)
        return cli_failed(ctx, err);
    print_results(r, &report, run);
    clv_report_finish(&report);
    return EXIT_OK;
}
