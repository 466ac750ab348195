/* clavicle data: the subcommands' table. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
    {"inspect", "counts, sizes, statistics, duplicates and leaks of a data set", cmd_data_inspect},
    {"preview", "contact sheet of what the network sees", cmd_data_preview},
    {"phantom", "make a set of radiograph-like phantom images", cmd_data_phantom},
    {"get", "download a known data set", cmd_data_get},
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

int cmd_data(int argc, char **argv)
{
    if (argc < 2)
        return cli_usage("no data command given; see clavicle data --help");
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
        puts("usage: clavicle data COMMAND [OPTIONS]\n");
        for (int i = 0; i < N_COMMANDS; i++)
            printf("  %-9s %s\n", commands[i].name, commands[i].help);
        puts("\n  clavicle data COMMAND --help   options and examples\n\n"
             "Examples:\n  clavicle data inspect xrays/\n  clavicle data get pneumoniamnist");
        return EXIT_OK;
    }
    for (int i = 0; i < N_COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name))
            continue;
        char name[64];
        snprintf(name, sizeof name, "clavicle data %s", commands[i].name);
        argv[1] = name;
        return commands[i].run(argc - 1, argv + 1);
    }
    return cli_usage("unknown data command '%s'; see clavicle data --help", argv[1]);
}
