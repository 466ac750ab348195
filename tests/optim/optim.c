/* Every optimizer against its formula in double, on the real update kernels: the doctor's table
 * (src/doctor/update.c). And how the self-test reads a gradient out of what each of them did. */
#include "optim/optim.h"
#include "rig.h"
#include "train/trainer.h"

#include <clavicle/doctor.h>

static void take_row(void *priv, const struct clv_doctor_row *row)
{
    int *fused = priv;
    *fused += row->status == CLV_DOCTOR_PASSED && !strcmp(row->variant, "fused");
    cr_expect(row->status == CLV_DOCTOR_PASSED || row->status == CLV_DOCTOR_SKIPPED, "%s, %s: %s", row->name,
              row->variant, row->text);
    if (row->status == CLV_DOCTOR_PASSED)
        cr_expect(row->compared > 1000 && row->error <= 1, "%s, %s", row->name, row->variant);
}

Test(optim, formulas)
{
    struct rig r = rig_open(NULL);
    struct clv_doctor_summary sum;
    int fused = 0;
    ok(r.ctx, clv_doctor_run(r.dev, &(struct clv_doctor_params){.group = "update", .on_row = take_row, .priv = &fused},
                             &sum));
    cr_expect(sum.passed - fused == 10 && fused == 8, "%d rows passed, %d of them fused", sum.passed, fused);
    rig_close(&r);
}

Test(optim, gradients_are_read_out_of_a_step)
{
    static const char *const optimizers[] = {"adam", "adamw weight_decay=0.05", "sgd", "sgd momentum=0.9",
                                             "sgd momentum=0.9 nesterov=true", "rmsprop", "rmsprop momentum=0.5"};
    struct rig r = rig_open(NULL);
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++)
        for (int clip = 0; clip < 2; clip++) {
            struct clv_graph *g = rig_graph(&r, "input 9 9 2\nconv2d 5 3 activation=relu l1=0.001\nmaxpool2d 2\n"
                                                "flatten\ndense 3 activation=softmax l2=0.02\n");
            struct clv_trainer *t = NULL;
            ok(r.ctx, clv_trainer_create(r.dev, g, &(struct clv_trainer_params){
                .batch = 4, .optimizer = optimizers[i], .clip_norm = clip ? .25 : 0,
                .self_test = CLV_SELF_TEST_ON}, &t));
            clv_trainer_destroy(&t);
            clv_graph_destroy(&g);
        }
    rig_close(&r);
}

Test(optim, errors_name_the_option)
{
    const struct clv_optim *o;
    void *p;
    struct clv_error err = {0};
    cr_expect_eq(clv_optim_parse("adamm", &o, &p, &err), CLV_ERR_ARG);
    cr_expect(strstr(err.text, "adamm") && strstr(err.text, "rmsprop"), "%s", err.text);
    cr_expect_eq(clv_optim_parse("adam beta_3=1", &o, &p, &err), CLV_ERR_ARG);
    cr_expect(strstr(err.text, "beta_3"), "%s", err.text);
    cr_expect_eq(clv_optim_parse("sgd learning_rate=-1", &o, &p, &err), CLV_ERR_ARG);
}
