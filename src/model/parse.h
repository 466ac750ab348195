/* Inside of the parser. lines.c cuts the text into lines and finds the `end` of each block and repeat; vars.c puts
 * variables into a line and words the faults; block.c runs lines as often as blocks and repeats want them;
 * parse.c runs one line. */
#ifndef CLV_MODEL_PARSE_H
#define CLV_MODEL_PARSE_H

#include "base/str.h"
#include "model/model.h"

enum {
    CLV_MAX_VARIABLES = 256,
    CLV_VARIABLE_MAX_BYTES = 64,
    CLV_MAX_LINES = 100000,
    CLV_MAX_PARAMETERS = 32, /* of a block */
    CLV_MAX_DEPTH = 16,      /* of blocks and repeats that run within each other */
};

extern const char clv_parse_blanks[], clv_parse_name_bytes[];

enum clv_line_kind { CLV_LINE_LAYER, CLV_LINE_BLOCK, CLV_LINE_REPEAT, CLV_LINE_END };

/* A line that is not empty. */
struct clv_model_line {
    const char *text; /* without comment */
    int number;       /* from 1 */
    enum clv_line_kind kind;
    int end;          /* block, repeat: index of its `end` */
};

/* A variable, or a block's parameter with what it was given. */
struct clv_word {
    char name[CLV_VARIABLE_MAX_BYTES];
    const char *value; /* NULL: a parameter without default */
};

/* block NAME PARAMETER PARAMETER=DEFAULT ... */
struct clv_block {
    struct clv_block *next;
    const char *name;
    struct clv_word parameters[CLV_MAX_PARAMETERS];
    size_t n_parameters;
    int begin, end; /* its lines */
};

/* Lines being run: the file, a use of a block, or one round of a repeat. */
struct clv_frame {
    struct clv_frame *caller;        /* NULL: the file */
    const struct clv_block *block;   /* NULL: the file or a round */
    const struct clv_word *words;    /* the block's parameters */
    size_t n_words;
    int line;                        /* number of the line that runs it */
    int round;                       /* of a repeat, from 1 */
    const char *scope;               /* begins the names of its layers: "", "stage1/", "stage1/repeat_1/2/" */
    struct clv_node *in[CLV_MAX_IN]; /* what it reads: in, in2, ... */
    int n_in;
    struct clv_node *last;           /* what the line before has put out */
};

/* The name of a use or a repeat, which means what it puts out. */
struct clv_label {
    struct clv_label *next;
    const char *name;              /* with the scope */
    size_t scope_len;
    const struct clv_block *block; /* NULL: a repeat */
    struct clv_node *out;          /* NULL while it runs */
};

struct clv_parser {
    struct clv_error *err;
    const char *file;
    const struct clv_variable *given; /* by the caller: they win over the text's own */
    size_t n_given;
    struct clv_word variables[CLV_MAX_VARIABLES];
    size_t n_variables;
    struct clv_graph *graph; /* its arena holds blocks, labels and scopes, too */
    char *copy;              /* the text that lines point into */
    struct clv_model_line *lines;
    int n_lines;
    struct clv_block *blocks;
    struct clv_label *labels;
    int n_runs; /* of blocks and repeats */
    struct clv_frame top, *frame;
    int line;            /* number of the line being run, from 1 */
    const char *raw;     /* that line without comment */
    struct clv_str text; /* the same with variables put in */
};

/* Fault at a byte of the raw line: FILE:LINE:COLUMN goes before the text, behind it which blocks and repeats run. */
CLV_PRINTF(3, 4) enum clv_err clv_parser_fail_raw(struct clv_parser *p, size_t at, const char *fmt, ...);
/* The same at a place in the expanded line. */
CLV_PRINTF(3, 4) enum clv_err clv_parser_fail(struct clv_parser *p, const char *where, const char *fmt, ...);
/* p->text becomes p->raw with variables put in. */
CLV_CHECK enum clv_err clv_parser_expand(struct clv_parser *p);
/* let NAME = INTEGER */
CLV_CHECK enum clv_err clv_parser_let(struct clv_parser *p);

/* Fills p->lines and leaves p->line behind the last line of the text. */
CLV_CHECK enum clv_err clv_parser_read(struct clv_parser *p, const char *text);

/* A word that no layer of the frame may have as its name. */
bool clv_parser_reserved(const struct clv_parser *p, const char *name);
/* NULL if no use and no repeat has the name, which is given with its scope. */
struct clv_label *clv_parser_label(const struct clv_parser *p, const char *full_name);

/* Runs the lines [begin, end). */
CLV_CHECK enum clv_err clv_parser_run(struct clv_parser *p, int begin, int end);
/* In block.c: the block of that name, NULL if there is none; one use of it (name NULL: BLOCK_N) with the arguments at
 * `options`, a part of p->text. */
const struct clv_block *clv_parser_block(const struct clv_parser *p, const char *name);
CLV_CHECK enum clv_err clv_parser_use(struct clv_parser *p, const struct clv_block *block, const char *name,
                                      const char *name_at, const char *options, struct clv_node *const *in, int n_in);
CLV_CHECK enum clv_err clv_parser_define(struct clv_parser *p, int line);
CLV_CHECK enum clv_err clv_parser_repeat(struct clv_parser *p, int line);

#endif
