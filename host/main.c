/* The `quince` command: finds the sub-command and hands over. */
#include <stdio.h>
#include <string.h>

#include "command.h"

#define VERSION_LINE "quince " QUINCE_VERSION

static const struct {
    const char *title;
    struct command commands[12]; /* ends with one without a name */
} groups[] = {
    {"images and machines",
     {
         {"build", "an application + libc + kernel → one bootable image", cmd_build},
         {"cc", "compile and link as cc does, for images", cmd_cc},
         {"run", "boot an image in QEMU", cmd_run},
         {"ps", "the machines that run", cmd_ps},
         {"stop", "end a machine", cmd_stop},
     }},
    {"extensions of a running kernel",
     {
         {"load", "graft a .wasm extension onto the kernel", cmd_load},
         {"unload", "take an extension off again", cmd_unload},
         {"list", "the extensions of a machine and what they did", cmd_list},
         {"stats", "memory, threads, network and extensions of a machine", cmd_stats},
         {"logs", "the kernel's log", cmd_logs},
         {"map", "list or dump the maps of an extension", cmd_map},
         {"capture", "packets of a machine as a pcapng file or stream", cmd_capture},
     }},
    {"modules on this host",
     {
         {"compile", "compile a .wasm ahead of time: a .qwo", cmd_compile},
         {"keygen", "make a pair of keys to sign with", cmd_keygen},
         {"sign", "sign a .qwo", cmd_sign},
         {"verify", "is a .qwo signed, unchanged and for this build?", cmd_verify},
         {"inspect", "what a .wasm imports, exports and asks for", cmd_inspect},
         {"disasm", "a .wasm's functions as bytes, SSA and machine code", cmd_disasm},
         {"exec", "run a WASI program or call one export", cmd_exec},
     }},
};

static const struct command *find_command(const char *name)
{
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        for (const struct command *c = groups[g].commands; c->name; c++) {
            if (strcmp(c->name, name) == 0) {
                return c;
            }
        }
    }
    return NULL;
}

static void print_help(FILE *out)
{
    fputs("usage: quince [--verbose] COMMAND [options] …\n"
          "\nA unikernel that is extended at run time by WebAssembly modules.\n",
          out);
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        fprintf(out, "\n%s\n", groups[g].title);
        for (const struct command *c = groups[g].commands; c->name; c++) {
            fprintf(out, "  %-10s %s\n", c->name, c->help);
        }
    }
    fputs("\n'quince COMMAND --help' tells a command's options.\n", out);
}

/* The command whose name is most like NAME, for a hint; NULL when none comes near. */
static const struct command *nearest(const char *name)
{
    for (size_t length = strlen(name); length >= 2; length--) {
        for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
            for (const struct command *c = groups[g].commands; c->name; c++) {
                if (strncmp(c->name, name, length) == 0) {
                    return c;
                }
            }
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            verbose = true;
        } else if (strcmp(argv[i], "--version") == 0) {
            puts(VERSION_LINE);
            return 0;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(stdout);
            return 0;
        } else {
            warn("there is no option '%s' before a command; 'quince --help' lists the commands",
                 argv[i]);
            return EXIT_USAGE;
        }
    }
    if (i == argc) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[i], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    const struct command *command = find_command(argv[i]);
    if (!command) {
        const struct command *hint = nearest(argv[i]);
        warn("there is no command '%s'%s%s%s; 'quince --help' lists them", argv[i],
             hint ? ": did you mean '" : "", hint ? hint->name : "", hint ? "'?" : "");
        return EXIT_USAGE;
    }
    return command->run(argc - i, argv + i);
}
