/* The files that name OpenCL drivers to the loader. They are read, and nothing in them is loaded here: a broken
 * driver may take the process with it. */
#include "doctor.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n >= m && !strcmp(s + n - m, end);
}

/* The library that a file names in its first line. */
static bool read_library(const char *path, char *name, int size)
{
    FILE *f = fopen(path, "r");
    const bool ok = f && fgets(name, size, f);
    if (f)
        fclose(f);
    if (ok)
        name[strcspn(name, "\r\n")] = 0;
    return ok && *name;
}

static void add(json_t *list, const char *folder, const char *file)
{
    char path[1024], library[512], text[1800];
    const char *note = "";
    snprintf(path, sizeof path, "%s/%s", folder, file);
    if (!read_library(path, library, sizeof library))
        snprintf(library, sizeof library, "names no library");
    else if (strchr(library, '/') && access(library, R_OK))
        note = " (there is no such file)";
    snprintf(text, sizeof text, "%s: %s%s", file, library, note);
    json_array_append_new(list, cli_string(text));
}

static int is_icd(const struct dirent *e) { return ends_with(e->d_name, ".icd"); }

json_t *doctor_drivers(const char **folder)
{
    json_t *list = json_array();
    struct dirent **entry = NULL;
    const char *own = getenv("OCL_ICD_VENDORS");
    *folder = own && *own ? own : "/etc/OpenCL/vendors";
    /* The loader also takes a single file, of that folder or by its path. */
    if (ends_with(*folder, ".icd")) {
        const char *slash = strrchr(*folder, '/');
        char where[1024] = "/etc/OpenCL/vendors";
        if (slash)
            snprintf(where, sizeof where, "%.*s", (int)(slash - *folder), *folder);
        add(list, where, slash ? slash + 1 : *folder);
        return list;
    }
    const int n = scandir(*folder, &entry, is_icd, alphasort);
    for (int i = 0; i < n; i++) {
        add(list, *folder, entry[i]->d_name);
        free(entry[i]);
    }
    free(entry);
    return list;
}
