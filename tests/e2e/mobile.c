/* One training step of a quarter of mobilenet-v2 and of efficientnet-b0 against PyTorch: tests/golden/mobile.py made the
 * fixtures from torchvision's networks. */
#include "step.h"

#include "golden.h"

enum { SIZE = 64, BATCH = 4, MAX_VARIABLES = 32 };
/* Single precision through 50 layers, where some values cross the kinks of ReLU6, and means over 16 pixels. What a
 * linear bottleneck adds to all pixels the next normalisation takes off: such gradients are 0, others above 0.5. */
static const double tolerance = 5e-3, least = 0.1;

/* The model file without what is random in training. */
static char *model_text(const char *name)
{
    unsigned char *text = NULL;
    size_t size;
    struct clv_str s = {0};
    clv_str_addf(&s, "share/models/%s.model", name);
    char *path = golden_source_path(s.text);
    cr_assert_eq(clv_file_read(path, &text, &size, NULL), CLV_OK, "%s", path);
    clv_str_finish(&s);
    free(path);
    char *out = calloc(size + 1, 1), *to = out;
    cr_assert(out);
    for (const char *line = (const char *)text; *line;) {
        const size_t length = strcspn(line, "\n") + 1, blanks = strspn(line, " ");
        if (strncmp(line + blanks, "dropout", 7) && strncmp(line + blanks, "stochasticdepth", 15)) {
            memcpy(to, line, length);
            to += length;
        }
        line += length;
    }
    free(text);
    return out;
}

static void expect_step(const char *name)
{
    struct rig r = rig_open(NULL);
    struct clv_str path = {0};
    clv_str_addf(&path, "tests/golden/%s.json", name);
    json_t *fixture = step_fixture(path.text), *value;
    struct clv_variable v[MAX_VARIABLES] = {{"height", SIZE}, {"width", SIZE}, {"classes", 2}};
    size_t n = 3;
    const char *key;
    json_object_foreach(json_object_get(fixture, "variables"), key, value)
    {
        cr_assert_lt(n, (size_t)MAX_VARIABLES);
        v[n++] = (struct clv_variable){key, (int)json_integer_value(value)};
    }
    struct clv_graph *g = NULL;
    char *text = model_text(name);
    ok(r.ctx, clv_model_parse(r.ctx, text, name, v, n, &g));
    step_expect(&r, g, BATCH, fixture, tolerance, least);
    free(text);
    json_decref(fixture);
    clv_str_finish(&path);
    rig_close(&r);
}

Test(mobile, mobilenet_v2_as_pytorch)
{
    expect_step("mobilenet-v2");
}

Test(mobile, efficientnet_b0_as_pytorch)
{
    expect_step("efficientnet-b0");
}
