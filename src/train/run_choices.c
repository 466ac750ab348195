/* A run's record of who computed what: config.json's "choices", an object of problem and choice. */
#include "train/run.h"
#include "train/tuning.h"

#include <string.h>

enum clv_err clv_run_recorded(const struct clv_run_config *c, struct clv_selection *ret,
                              struct clv_error *err)
{
    const char *problem;
    json_t *choice;
    json_object_foreach(c->choices, problem, choice) if (json_is_string(choice))
        CLV_TRY(clv_selection_put(ret, problem, json_string_value(choice), false, err));
    return CLV_OK;
}

static enum clv_err changed(const struct clv_run_job *j, const char *problem, const char *was,
                            const char *is)
{
    return clv_fail(&j->ctx->err, CLV_ERR_MISMATCH,
                    "%s: cannot go on bit for bit: \"%s\" was computed by \"%s\" and would be by "
                    "\"%s\" now",
                    j->paths.dir, problem, was, is);
}

/* Both plans: validation decides which epoch is the best. */
static enum clv_err list_choices(const struct clv_run_job *j, json_t *into)
{
    struct clv_choices all = {0};
    enum clv_err e = clv_trainer_choices(j->trainer, true, &all);
    if (!e)
        e = clv_trainer_choices(j->trainer, false, &all);
    for (int i = 0; i < all.n && !e; i++) {
        char problem[CLV_PROBLEM_TEXT], choice[CLV_CHOICE_TEXT];
        clv_problem_text(&all.item[i].problem, problem);
        clv_choice_text(&all.item[i].choice, choice);
        if (json_object_set_new(into, problem, json_string(choice)))
            e = clv_fail_nomem(&j->ctx->err, "the record of choices");
    }
    clv_choices_finish(&all);
    return e;
}

enum clv_err clv_run_check_choices(struct clv_run_job *j)
{
    struct clv_run_config *c = &j->config;
    json_t *now = json_object(), *is;
    const char *problem;
    enum clv_err e =
        now ? list_choices(j, now) : clv_fail_nomem(&j->ctx->err, "the record of choices");
    if (!c->json || !c->choices) { /* a new run, or one from before choices were recorded */
        json_decref(c->choices);
        c->choices = now;
        return e;
    }
    json_object_foreach(now, problem, is)
    {
        const char *was = json_string_value(json_object_get(c->choices, problem));
        if (!e && (!was || strcmp(was, json_string_value(is)) != 0))
            e = changed(j, problem, was ? was : "nothing", json_string_value(is));
    }
    json_decref(now);
    return e;
}
