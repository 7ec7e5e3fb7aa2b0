/* What the C library of wasm32-wasi leaves out and the programs built here mention: processes,
 * owners, modes. Each fails as on a system that refuses it (missing.c). Included before everything.
 */
#ifndef QUINCE_PROGRAMS_MISSING_H
#define QUINCE_PROGRAMS_MISSING_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

int fchmod(int fd, mode_t mode);
int chmod(const char *path, mode_t mode);
int fchown(int fd, unsigned user, unsigned group);
unsigned getuid(void);
unsigned geteuid(void);
FILE *popen(const char *command, const char *mode);
int pclose(FILE *stream);

#ifndef L_tmpnam
#define L_tmpnam 20
#endif

/* The names of locks on files; fcntl() knows none of them and says so. */
#ifndef F_GETLK
enum { F_GETLK = 5, F_SETLK, F_SETLKW };
#endif
#ifndef F_RDLCK
enum { F_RDLCK, F_WRLCK, F_UNLCK };
#endif

#endif
