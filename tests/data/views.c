/* The views of test-time augmentation: which ones a text names, and what they are called. */
#include "data/views.h"
#include "base/util.h"
#include <criterion/criterion.h>
#include <string.h>

static enum clv_err make(struct clv_views *v, const char *text, const char *augment, struct clv_error *err)
{
    struct clv_pipeline p;
    cr_assert_eq(clv_pipeline_init(&p, 16, 16, 1, &(struct clv_pipeline_params){NULL, augment}, NULL), CLV_OK);
    return clv_views_init(v, text, &p, 9, err);
}

Test(views, every_combination)
{
    static const struct { const char *text, *names[6]; } cases[] = {
        {"flip=horizontal", {"as it is", "flip=horizontal"}},
        {"flip=vertical", {"as it is", "flip=vertical"}},
        {"flip=both", {"as it is", "flip=horizontal", "flip=vertical", "flip=both"}},
        {"rotation=-5,0", {"rotation=-5", "as it is"}},
        {"flip=horizontal zoom=0,0.1", {"as it is", "zoom=0.1", "flip=horizontal", "flip=horizontal zoom=0.1"}}};
    for (size_t i = 0; i < CLV_COUNT(cases); i++) {
        struct clv_views v;
        struct clv_error err = {0};
        int n = 0;
        cr_assert_eq(make(&v, cases[i].text, NULL, &err), CLV_OK, "%s", err.text);
        for (; cases[i].names[n]; n++)
            cr_expect_str_eq(v.name[n], cases[i].names[n]);
        cr_expect_eq(v.n, n);
        clv_views_finish(&v);
    }
    struct clv_views v;
    cr_assert_eq(make(&v, "flip=both zoom=0.5", NULL, NULL), CLV_OK);
    cr_expect(v.draw[3].flip_x && v.draw[3].flip_y && v.draw[3].zoom == 1.5 && v.draw[3].window == 1);
    clv_views_finish(&v);
    cr_assert_eq(make(&v, NULL, NULL, NULL), CLV_OK);
    cr_expect_eq(v.n, 0);
}

Test(views, draws_from_the_runs_augmentation)
{
    struct clv_views v, w;
    cr_assert_eq(make(&v, "6", "rotation=10 shift=0.1 erase_p=1 mixup=1", NULL), CLV_OK);
    cr_assert_eq(make(&w, "6", "rotation=10 shift=0.1 erase_p=1 mixup=1", NULL), CLV_OK);
    cr_expect(v.n == 6 && w.n == 6);
    cr_expect_str_eq(v.name[0], "as it is");
    for (int i = 0; i < 6; i++) {
        cr_expect_str_eq(v.name[i], w.name[i]);
        cr_expect_arr_eq(&v.draw[i], &w.draw[i], sizeof v.draw[i]);
        cr_expect_eq(v.draw[i].erase[2], 0, "nothing is erased");
        cr_expect(i == 0 || (strstr(v.name[i], "rotation=") && strcmp(v.name[i], v.name[i - 1])), "%s", v.name[i]);
    }
    clv_views_finish(&v);
    clv_views_finish(&w);
}

Test(views, refused)
{
    static const char *const bad[][3] = {{"1", "rotation=5", "2..64"}, {"65", "rotation=5", "2..64"},
                                         {"4", NULL, "makes no other views"}, {"4", "erase_p=1", "makes no other views"},
                                         {"flip=sideways", NULL, "flip"}, {"rotate=5", NULL, "rotation"},
                                         {"rotation=", NULL, "at least one number"},
                                         {"flip=both rotation=1,2,3,4,5 zoom=1,2,3,4", NULL, "more than 64"}};
    for (size_t i = 0; i < CLV_COUNT(bad); i++) {
        struct clv_views v;
        struct clv_error err = {0};
        cr_expect_eq(make(&v, bad[i][0], bad[i][1], &err), CLV_ERR_ARG, "%s", bad[i][0]);
        cr_expect_not_null(strstr(err.text, bad[i][2]), "%s", err.text);
        clv_views_finish(&v);
    }
}
