#include "csv.h"

#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool failed(struct csv *c, const char *what)
{
    cli_note("clavicle: %s: %s: %s", c->path, what, strerror(errno ? errno : EIO));
    return false;
}

static bool give_up(struct csv *c)
{
    (void)csv_close(c, false);
    return false;
}

bool csv_open(struct csv *c, const char *path, const char *const *names, int n,
              const char *const *classes, int n_classes)
{
    const size_t size = strlen(path) + 32;
    struct stat st;
    *c = (struct csv){.classes = classes, .n_classes = n_classes};
    c->path = malloc(size);
    c->tmp = malloc(size);
    if (!c->path || !c->tmp) {
        cli_note("clavicle: out of memory");
        return give_up(c);
    }
    strcpy(c->path, path);
    snprintf(c->tmp, size, "%s.tmp%ld", c->path, (long)getpid());
    if (!stat(path, &st) && !S_ISREG(st.st_mode)) { /* a pipe or a device must not be renamed over */
        free(c->tmp);
        c->tmp = NULL;
    }
    c->f = strcmp(path, "-") ? fopen(c->tmp ? c->tmp : path, "w") : stdout;
    if (!c->f) {
        failed(c, "cannot write");
        return give_up(c);
    }
    for (int i = 0; i < n; i++)
        csv_field(c, names[i]);
    for (int i = 0; i < n_classes; i++) {
        char name[512];
        snprintf(name, sizeof name, "prob_%s", classes[i]);
        csv_field(c, name);
    }
    csv_row(c);
    return true;
}

void csv_field(struct csv *c, const char *text)
{
    if (c->begun)
        fputc(',', c->f);
    c->begun = true;
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, c->f);
        return;
    }
    fputc('"', c->f);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', c->f);
        fputc(*text, c->f);
    }
    fputc('"', c->f);
}

void csv_number(struct csv *c, double value)
{
    char text[40];
    snprintf(text, sizeof text, "%.9g", value);
    csv_field(c, text);
}

void csv_row(struct csv *c)
{
    fputc('\n', c->f);
    c->begun = false;
}

bool csv_close(struct csv *c, bool keep)
{
    bool ok = true;
    if (c->f && c->f != stdout) {
        errno = 0;
        ok = !ferror(c->f) && !fflush(c->f) && (!c->tmp || !fsync(fileno(c->f)));
        ok = !fclose(c->f) && ok;
        if (!ok)
            failed(c, "cannot write");
        else if (keep && c->tmp && rename(c->tmp, c->path))
            ok = failed(c, "cannot rename into place");
        if (c->tmp && (!ok || !keep))
            unlink(c->tmp);
    }
    free(c->path);
    free(c->tmp);
    *c = (struct csv){0};
    return ok;
}
