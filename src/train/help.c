/* The option tables of everything that a training is told in text. */
#include "data/sampler.h"
#include "data/views.h"
#include "graph/op.h"
#include "optim/optim.h"
#include "train/lr_schedule.h"
#include <clavicle/train.h>
#include <stdlib.h>

char *clv_trainer_help(void)
{
    struct clv_str out = {0};
    clv_str_add(&out, "OPTIMIZERS (--optimizer)\n");
    for (int i = 0; clv_optims[i]; i++) {
        clv_str_addf(&out, "%s: %s\n", clv_optims[i]->name, clv_optims[i]->help);
        clv_opt_help(clv_optims[i]->opts, &out);
    }
    clv_str_add(&out, "\nSCHEDULES (--schedule)\n");
    clv_lr_schedule_help(&out);
    clv_str_add(&out, "\nSAMPLERS (--sampler)\n");
    clv_sampler_help(&out);
    clv_str_add(&out, "\nLOSSES (--loss)\n");
    for (int i = 0; clv_ops[i]; i++) {
        if (!(clv_ops[i]->flags & CLV_OP_LOSS))
            continue;
        clv_str_addf(&out, "%s: %s\n", clv_ops[i]->name, clv_ops[i]->help);
        if (clv_ops[i]->opts)
            clv_opt_help(clv_ops[i]->opts, &out);
    }
    char *pipeline = clv_pipeline_help();
    clv_str_add(&out, "\nPREPROCESSING AND AUGMENTATION (--preprocess, --augment)\n");
    clv_str_add(&out, pipeline ? pipeline : "");
    free(pipeline);
    clv_str_add(&out, "\nVIEWS OF EVAL AND PREDICT (--tta), or a number of draws from --augment\n");
    clv_views_help(&out);
    return clv_str_take(&out);
}
