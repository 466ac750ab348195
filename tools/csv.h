/* Tables of predictions: RFC 4180 fields, written to a temporary name and renamed. */
#ifndef CLV_TOOLS_CSV_H
#define CLV_TOOLS_CSV_H

#include <stdbool.h>
#include <stdio.h>

struct csv {
    FILE *f;
    char *path, *tmp;
    bool begun;                  /* the row has a field */
    const char *const *classes;
    int n_classes;
};

/* Writes the head row: the names, then prob_CLASS for every class. path "-" is stdout. Prints a line
 * and returns false when it cannot be written. */
bool csv_open(struct csv *c, const char *path, const char *const *names, int n,
              const char *const *classes, int n_classes);
void csv_field(struct csv *c, const char *text);
void csv_number(struct csv *c, double value);
void csv_row(struct csv *c);
/* keep = false throws the file away. */
bool csv_close(struct csv *c, bool keep);

#endif
