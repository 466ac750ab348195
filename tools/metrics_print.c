/* Metrics for people and for scripts. */
#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static json_t *class_json(const struct clv_class_metrics *c, const char *name)
{
    return json_pack("{s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "class", name,
                     "support", (json_int_t)c->support, "predicted", (json_int_t)c->predicted,
                     "precision", cli_real(c->precision), "recall", cli_real(c->recall),
                     "specificity", cli_real(c->specificity), "f1", cli_real(c->f1),
                     "auc", cli_real(c->auc));
}

json_t *cli_metrics_json(const struct clv_metrics *m, const char *const *classes)
{
    json_t *names = json_array(), *rows = json_array(), *per_class = json_array();
    for (int i = 0; i < m->n_classes; i++) {
        json_t *row = json_array();
        for (int j = 0; j < m->n_classes; j++)
            json_array_append_new(row, json_integer((json_int_t)m->confusion[i * m->n_classes + j]));
        json_array_append_new(names, json_string(classes[i]));
        json_array_append_new(rows, row);
        json_array_append_new(per_class, class_json(&m->per_class[i], classes[i]));
    }
    const struct clv_class_metrics *p = &m->per_class[m->positive];
    return json_pack(
        "{s:I, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "count", (json_int_t)m->count, "classes", names, "positive", classes[m->positive],
        "accuracy", cli_real(m->accuracy), "balanced_accuracy", cli_real(m->balanced_accuracy),
        "auc", cli_real(m->auc), "precision", cli_real(p->precision), "recall", cli_real(p->recall),
        "specificity", cli_real(p->specificity), "f1", cli_real(p->f1),
        "precision_macro", cli_real(m->precision_macro), "recall_macro", cli_real(m->recall_macro),
        "f1_macro", cli_real(m->f1_macro), "precision_weighted", cli_real(m->precision_weighted),
        "recall_weighted", cli_real(m->recall_weighted), "f1_weighted", cli_real(m->f1_weighted),
        "loss", cli_real(m->loss), "confusion", rows, "per_class", per_class);
}

static int name_width(const char *const *classes, int n)
{
    int width = 14;
    for (int i = 0; i < n; i++)
        if ((int)strlen(classes[i]) > width)
            width = (int)strlen(classes[i]);
    return width;
}

static void print_confusion(const struct clv_metrics *m, const char *const *classes, int width)
{
    printf("\nconfusion (rows: true, columns: predicted)\n%*s", width, "");
    for (int j = 0; j < m->n_classes; j++)
        printf("  %*s", width < 12 ? width : 12, classes[j]);
    printf("\n");
    for (int i = 0; i < m->n_classes; i++) {
        printf("%-*s", width, classes[i]);
        for (int j = 0; j < m->n_classes; j++)
            printf("  %*llu", width < 12 ? width : 12,
                   (unsigned long long)m->confusion[i * m->n_classes + j]);
        printf("\n");
    }
}

void cli_metrics_table(const struct clv_metrics *m, const char *const *classes)
{
    const int w = name_width(classes, m->n_classes);
    printf("%-*s  %9s  %9s  %11s  %9s  %9s  %8s\n", w, "class", "precision", "recall", "specificity",
           "F1", "AUC", "images");
    for (int i = 0; i < m->n_classes; i++) {
        const struct clv_class_metrics *c = &m->per_class[i];
        printf("%-*s  %9.4f  %9.4f  %11.4f  %9.4f  %9.4f  %8llu\n", w, classes[i], c->precision,
               c->recall, c->specificity, c->f1, c->auc, (unsigned long long)c->support);
    }
    printf("%-*s  %9.4f  %9.4f  %11.4f  %9.4f  %9.4f  %8llu\n", w, "macro", m->precision_macro,
           m->recall_macro, m->specificity_macro, m->f1_macro, m->auc, (unsigned long long)m->count);
    printf("%-*s  %9.4f  %9.4f  %11s  %9.4f\n", w, "weighted", m->precision_weighted,
           m->recall_weighted, "", m->f1_weighted);
    printf("\naccuracy %.4f   balanced accuracy %.4f   AUC %.4f", m->accuracy, m->balanced_accuracy,
           m->auc);
    if (m->n_classes == 2)
        printf(" (positive: %s)", classes[m->positive]);
    printf("   loss %.4f\n", m->loss);
    print_confusion(m, classes, w);
}

void cli_views_line(const struct clv_run_info *info, FILE *to)
{
    if (info->n_views < 2)
        return;
    fprintf(to, "probabilities: mean over %d views of each image: ", info->n_views);
    for (int i = 0; i < info->n_views; i++)
        fprintf(to, "%s%s", i ? "; " : "", info->views[i]);
    fprintf(to, "\n");
}

json_t *cli_views_json(const struct clv_run_info *info)
{
    json_t *list = json_array();
    for (int i = 0; i < info->n_views; i++)
        json_array_append_new(list, cli_string(info->views[i]));
    return list;
}
