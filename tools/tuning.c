#include "tuning.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool tuning_mode(const char *arg, enum clv_tune_mode *ret)
{
    static const char *const name[] = {"cached", "off", "on"};
    for (int i = 0; i < 3; i++)
        if (!strcmp(arg, name[i])) {
            *ret = (enum clv_tune_mode)i;
            return true;
        }
    cli_usage("--tune is off, cached or on, not '%s'", arg);
    return false;
}

bool self_test_mode(const char *arg, enum clv_self_test_mode *ret)
{
    static const char *const name[] = {"off", "cached", "on"};
    for (int i = 0; i < 3; i++)
        if (!strcmp(arg, name[i])) {
            *ret = (enum clv_self_test_mode)i;
            return true;
        }
    cli_usage("--self-test is off, cached or on, not '%s'", arg);
    return false;
}

void tuning_break(struct tuning *t)
{
    if (t->line_open)
        fputs("\r\033[K", stderr);
    t->line_open = false;
}

static bool should_stop(void *priv)
{
    (void)priv;
    return cli_interrupted() || cli_output_lost();
}

static void on_event(void *priv, const struct clv_tune_event *e)
{
    struct tuning *t = priv;
    char left[32] = "";
    if (t->quiet || (!t->terminal && t->told == e->problem))
        return;
    t->told = e->problem;
    if (e->seconds_left >= 0)
        snprintf(left, sizeof left, ", about %.0f s left", e->seconds_left);
    if (t->terminal) /* one line of the usual width */
        fprintf(stderr, "\rtuning %d/%d%s: %.30s: %.24s\033[K", e->problem, e->problems, left, e->what,
                e->trying);
    else
        fprintf(stderr, "tuning %d/%d%s: %s\n", e->problem, e->problems, left, e->what);
    t->line_open = t->terminal;
}

static void result_json(const struct clv_tune_result *r)
{
    json_t *o = json_pack("{s:i, s:i, s:s, s:s, s:s, s:o, s:o, s:o, s:i, s:i, s:b}", "problem", r->problem,
                          "problems", r->problems, "what", r->what, "choice", r->choice, "default",
                          r->fallback, "seconds", cli_real(r->seconds), "default_seconds",
                          r->fallback_seconds > 0 ? cli_real(r->fallback_seconds) : json_null(), "gflops",
                          r->seconds > 0 ? cli_real(r->flops / r->seconds * 1e-9) : json_null(), "tried",
                          r->tried, "wrong", r->wrong, "known", r->known);
    if (r->clblast_seconds > 0) {
        json_object_set_new(o, "clblast_seconds", cli_real(r->clblast_seconds));
        json_object_set_new(o, "clblast_build_seconds", cli_real(r->clblast_build));
    }
    cli_json_line(o);
}

static void print_gain(const struct clv_tune_result *r)
{
    if (!strcmp(r->choice, r->fallback))
        printf(", the default");
    else
        printf(", %.2f times as fast as the default %s", r->fallback_seconds / r->seconds, r->fallback);
}

static void on_result(void *priv, const struct clv_tune_result *r)
{
    struct tuning *t = priv;
    tuning_break(t);
    if (!t->results)
        return;
    if (t->json) {
        result_json(r);
        return;
    }
    printf("%s\n  %s%s: %.3f ms", r->what, r->choice, r->known ? " (known)" : "", r->seconds * 1e3);
    if (r->seconds > 0)
        printf(", %.1f GFLOP/s", r->flops / r->seconds * 1e-9);
    if (!r->known && r->fallback_seconds > 0)
        print_gain(r);
    if (!r->known)
        printf(", of %d tried", r->tried);
    if (r->wrong)
        printf(", %d WRONG", r->wrong);
    if (r->clblast_seconds > 0)
        printf("\n  CLBlast: %.3f ms, %.1f GFLOP/s, its first use takes %.1f s", r->clblast_seconds * 1e3,
               r->flops / r->clblast_seconds * 1e-9, r->clblast_build);
    putchar('\n');
    (void)cli_output_lost(); /* flushes */
}

void tuning_init(struct tuning *t, bool json, bool quiet)
{
    *t = (struct tuning){.json = json, .terminal = isatty(2) != 0};
    /* JSON lines on the same terminal, or a log that nobody asked for beside them. */
    t->quiet = quiet || (json && (!t->terminal || isatty(1)));
    t->params = (struct clv_tune_params){
        .should_stop = should_stop, .on_event = on_event, .on_result = on_result, .priv = t};
}

void tuning_for(struct tuning *t, const struct cli_common *common, struct clv_run_open_params *open)
{
    tuning_init(t, common->json, false);
    open->tuning = &t->params;
    if (open->tune == CLV_TUNE_ON)
        cli_catch_interrupt();
}
