/* What was chosen for which product, as text: the form in which a tuner's database and a run's
 * record keep it, and in which people edit it. Whatever comes back from text is checked against the
 * device before it is used. */
#ifndef CLV_CONTRACT_SELECTION_H
#define CLV_CONTRACT_SELECTION_H

#include "contract/contract.h"

/* One product of one layer: all that its speed depends on and a schedule may choose by. */
struct clv_problem {
    enum clv_product product;
    struct clv_conv conv;
    int batch;
    enum clv_act act; /* forward; weights without a pool, where it may be folded in; else linear */
    enum clv_dtype dtype; /* of the activations */
    bool pool;
    int parts;     /* of the operands on matrix units, 0 = not allowed */
    bool training; /* forward derives prepared filters anew each time; the others always do */
    bool dx;       /* weights: dz is wanted afterwards, too */
};
struct clv_problem clv_problem_of(const struct clv_emit *e, const struct clv_contract *p,
                                  enum clv_product product);

/* "forward n32 x111x111x32 y109x109x64 k3x3 s1x1 d1x1 p0,0 g1 relu f16 pool train": the same text for
 * the same problem, on every machine. */
enum { CLV_PROBLEM_TEXT = 192, CLV_CHOICE_TEXT = 192 };
/* A schedule is asked for so many parameter sets at most, by who times them and by who checks a text. */
enum { CLV_SCHEDULE_CANDIDATES = 64 };
/* Before a problem's text: what to take of CLBlast where CLBlast is asked for. */
#define CLV_TUNED_CLBLAST "clblast "
void clv_problem_text(const struct clv_problem *p, char text[CLV_PROBLEM_TEXT]);
/* "vector mr=6 nv=4" */
void clv_choice_text(const struct clv_choice *c, char text[CLV_CHOICE_TEXT]);
/* Whether the schedule computes the problem on this device at all. */
bool clv_schedule_takes(const struct clv_schedule *s, const struct clv_caps *caps,
                        const struct clv_problem *p);
/* False, with the reason in *why (static), for anything but a schedule that takes the problem on
 * this device, with parameters that are its defaults or among its candidates. */
bool clv_choice_parse(const char *text, const struct clv_caps *caps, const struct clv_problem *p,
                      struct clv_choice *ret, const char **why);

/* ---- a selection: choices by problem, both as text ---- */

struct clv_selection_entry {
    char *problem, *choice;
    bool quiet; /* nobody on this machine said it: passed over without a word where it does not fit
                 */
};
struct clv_selection {
    struct clv_selection_entry *entry;
    int n, cap;
};
/* Adds, or replaces what stood there. Texts are copied. */
CLV_CHECK enum clv_err clv_selection_put(struct clv_selection *s, const char *problem,
                                         const char *choice, bool quiet, struct clv_error *err);
/* NULL if there is none; s may be NULL. */
const struct clv_selection_entry *clv_selection_find(const struct clv_selection *s,
                                                     const char *problem);
void clv_selection_finish(struct clv_selection *s);

/* ---- what lowering chose: each problem once ---- */

struct clv_chosen {
    struct clv_problem problem;
    struct clv_choice choice;
};
struct clv_choices {
    struct clv_chosen *item;
    int n, cap;
};
CLV_CHECK enum clv_err clv_choices_add(struct clv_choices *list, const struct clv_problem *p,
                                       const struct clv_choice *choice, struct clv_error *err);
void clv_choices_finish(struct clv_choices *list);

/* ---- choosing (choose.c) ---- */

/* What is to compute the problem: e->force_variant's schedule where it takes it, e->gemm, what
 * e->selection says and the device supports, else the first schedule that supports and suits it.
 * *ignored is the selection's text that was passed over and *why the reason, or both are NULL; they
 * may be NULL. */
struct clv_choice clv_contract_choose(const struct clv_emit *e, const struct clv_problem *p,
                                      const char **ignored, const char **why);
/* Choices worth timing, the one that clv_contract_choose() takes without a selection first; at most
 * max. clblast: CLBlast's GEMM too, where it takes the problem. */
int clv_contract_candidates(const struct clv_emit *e, const struct clv_problem *p, bool clblast,
                            struct clv_choice *out, int max);

/* Sixteen hex digits that change with the version and with the text of any kernel of this room:
 * what was measured before says nothing afterwards. */
void clv_contract_version(char text[17]);

#endif
