/* The command: a table of subcommands. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
    {"train", "train a model on labelled images", cmd_train},
    {"sweep", "search settings: train many, rank them", cmd_sweep},
    {"eval", "measure a run on images it has not seen", cmd_eval},
    {"predict", "class and probabilities of image files", cmd_predict},
    {"tune", "find the fastest kernels for a model on this device", cmd_tune},
    {"data", "inspect, preview, make or download data sets", cmd_data},
    {"graph", "layers, shapes, flops, memory and steps of a model", cmd_graph},
    {"bench", "time kernels and models beside the device's ceilings", cmd_bench},
    {"doctor", "check every kernel on every device of this machine", cmd_doctor},
    {"compare", "find where two devices begin to differ", cmd_compare},
    {"devices", "list OpenCL devices", cmd_devices},
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(void)
{
    puts("usage: clavicle COMMAND [OPTIONS]\n"
         "Trains, evaluates and runs convolutional networks for medical images on any OpenCL device.\n");
    for (int i = 0; i < N_COMMANDS; i++)
        printf("  %-9s %s\n", commands[i].name, commands[i].help);
    puts("\n  clavicle COMMAND --help   options and examples\n"
         "  clavicle --version\n\n"
         "Example:\n"
         "  clavicle train tutorial-cnn --data images/ --out runs/first\n"
         "  clavicle eval runs/first --data images/\n\n"
         "Exit codes: 0 done, 1 internal, 2 usage, 3 no device, 4 data, 5 kernel build, 6 OpenCL,\n"
         "7 cannot write, 8 loss not finite, 9 wrong answers, 10 slower than the baseline, 130 interrupted.\n"
         "Environment: CLAVICLE_DEVICE, CLAVICLE_CACHE_DIR, CLAVICLE_DATA, CLAVICLE_MODEL_DIR.");
}

int main(int argc, char **argv)
{
    cli_begin();
    if (argc < 2)
        return cli_usage("no command given; see clavicle --help");
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_help();
        return cli_finish(EXIT_OK);
    }
    if (!strcmp(argv[1], "--version")) {
        printf("clavicle %s\n", clv_version());
        return cli_finish(EXIT_OK);
    }
    for (int i = 0; i < N_COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name))
            continue;
        char name[64];
        snprintf(name, sizeof name, "clavicle %s", commands[i].name);
        argv[1] = name;
        return cli_finish(commands[i].run(argc - 1, argv + 1));
    }
    return cli_usage("unknown command '%s'; see clavicle --help", argv[1]);
}
