/* One training step of a network against the loss and gradients that a script of tests/golden computed with PyTorch. */
#ifndef TESTS_E2E_STEP_H
#define TESTS_E2E_STEP_H

#include "rig.h"

#include <jansson.h>

/* The fixture of a script: "loss", and "gradients" in the order of the trainer's weights that are no state, each an
 * array that ends with its norm and its products with vectors of random numbers. Owned by the caller. */
json_t *step_fixture(const char *file);

/* Trains g, whose dense layers are named d..., for one step of `batch` samples of two classes, and compares. tolerance:
 * of gradients, as a part of their norm, or of `least` where that is less; fifty times as near for the loss. Destroys g. */
void step_expect(const struct rig *r, struct clv_graph *g, int batch, const json_t *fixture, double tolerance,
                 double least);

#endif
