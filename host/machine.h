/* Machines of this user: one folder each below the state folder ($XDG_RUNTIME_DIR/quince, else
 * /tmp/quince-UID, mode 0700). In it:
 *
 *     lock          held (flock) by the supervisor as long as it lives
 *     meta.json     image, memory, ports, …; "exit" once it ended
 *     console.log   what came over the serial port
 *     control.sock  docs/control-protocol.md, for any number of clients
 *     formats/      how the maps of loaded extensions are printed (format.h)
 *
 * The folder of a machine started in the background stays after its end, so that its exit code and
 * console can be looked at, until its name is used again or `quince stop` removes it. */
#ifndef QUINCE_HOST_MACHINE_H
#define QUINCE_HOST_MACHINE_H

#include <cjson/cJSON.h>
#include <stdbool.h>

enum { MACHINE_NAME = 48 };

struct machine {
    char name[MACHINE_NAME];
    bool running;
    cJSON *meta; /* never NULL */
};

/* 1…47 of a-z A-Z 0-9 _ - . that begins with a letter or digit. */
bool machine_name_valid(const char *name);
/* The state folder, made if need be; dies when it is not ours alone. */
const char *machine_root(void);
/* ROOT/NAME/FILE; the caller frees it. FILE may be "". */
char *machine_path(const char *name, const char *file);

/* Takes NAME: makes its folder anew and locks it. The lock's descriptor, or -1 when a machine of
 * that name runs. */
int machine_claim(const char *name);
/* Whether a supervisor holds the name. */
bool machine_running(const char *name);
/* Removes the folder. */
void machine_remove(const char *name);
void machine_write_meta(const char *name, const cJSON *meta);

/* All machines, running or ended, by name; the caller frees them with machine_free_all(). */
struct machine *machine_all(int *count);
void machine_free_all(struct machine *machines, int count);

/* The running machine that is meant: NAME, else what -M said, else the only one. Dies with advice
 * when there is none or more than one. The result lives until the end. */
const char *machine_choose(const char *name);

/* Members of meta, with defaults. */
const char *meta_string(const cJSON *meta, const char *name, const char *otherwise);
double meta_number(const cJSON *meta, const char *name, double otherwise);

#endif
