/* A member's settings as the words of a train command. */
#ifndef CLV_TOOLS_SWEEP_ARGS_H
#define CLV_TOOLS_SWEEP_ARGS_H

#include "cli.h"

struct words { char **word; int n; bool failed; }; /* NULL-terminated; each malloc'ed */
void words_add(struct words *w, const char *text);
void words_finish(struct words *w);

/* The words of base, then the settings: model is the MODEL, OWNER.KEY and keys of the optimizer become part of that option's text, and every
 * other NAME becomes --NAME=VALUE. */
void sweep_words(struct words *w, const char *const *base, size_t n_base, const struct clv_setting *settings, size_t n);
/* Whether NAME may be searched; else says why. */
bool sweep_may_set(const char *name);
/* Words for a shell, quoted where they need it. malloc'ed; NULL when out of memory. */
char *words_quote(const struct words *w);

#endif
