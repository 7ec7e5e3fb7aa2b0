/* What the boot loader said: memory, command line, modules; collected by arch/<name>/boot.c. */
#ifndef QUINCE_BOOT_H
#define QUINCE_BOOT_H

#include <stddef.h>
#include <stdint.h>

#define BOOT_REGIONS 32
#define BOOT_MODULES 4
struct boot_info {
    struct {
        uint64_t start, size; /* usable RAM, physical, page aligned; image and modules cut out */
    } ram[BOOT_REGIONS];
    unsigned ram_count;
    struct {
        uint64_t start, size; /* physical */
    } module[BOOT_MODULES];   /* initrd: an archive added to the file tree */
    unsigned module_count;
    char command_line[2048]; /* kernel options, then " -- ", then the application's arguments */
    uint64_t acpi_rsdp;      /* 0: none */
};
extern struct boot_info boot_info;

/* Kernel option `name=value` of the command line: copies the value, returns its length or -1. */
int boot_option(const char *name, char *value, size_t size);
/* Physical memory for what must stand before the frame allocator works (arch/<name>/boot.c). Taken
 * out of boot_info's RAM; panics when there is none. */
uint64_t boot_early_alloc(size_t size);

#endif
