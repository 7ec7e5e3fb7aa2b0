/* From the PVH entry to a kernel with memory: reads what the boot loader left, sets the processor
 * up, builds the page tables and the frame allocator, hands over to kernel_start(). */
#include "x86.h"
#include "include/boot.h"
#include "include/init.h"
#include "include/log.h"
#include "mm/frame.h"

struct hvm_start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp;
    /* from version 1 on */
    uint64_t memory_map;
    uint32_t memory_map_count, reserved;
};
struct hvm_module {
    uint64_t address, size, command_line, reserved;
};
struct hvm_memory {
    uint64_t address, size;
    uint32_t type, reserved;
};
enum { HVM_MAGIC = 0x336ec578, HVM_RAM = 1 };

#define GIB              (1ul << 30)
#define HIGHEST_PHYSICAL (1ul << 46) /* what the direct map has room for, twice over */

extern char __image_start[], __image_end[];
extern char __boot_tables_start[], __boot_tables_end[];

struct boot_info boot_info;

static uint64_t page_up(uint64_t value)
{
    return (value + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

static void add_ram(uint64_t start, uint64_t end)
{
    if (end > HIGHEST_PHYSICAL)
        end = HIGHEST_PHYSICAL;
    start = page_up(start);
    end &= ~(PAGE_SIZE - 1);
    if (start < PAGE_SIZE)
        start = PAGE_SIZE; /* frame 0: its address is the null pointer */
    if (start >= end || boot_info.ram_count == BOOT_REGIONS)
        return;
    boot_info.ram[boot_info.ram_count].start = start;
    boot_info.ram[boot_info.ram_count].size = end - start;
    boot_info.ram_count++;
}

/* Takes [start, end) out of the usable memory. */
static void cut_ram(uint64_t start, uint64_t end)
{
    start &= ~(PAGE_SIZE - 1);
    end = page_up(end);
    unsigned count = boot_info.ram_count;
    for (unsigned i = 0; i < count; i++) {
        uint64_t from = boot_info.ram[i].start, to = from + boot_info.ram[i].size;
        if (end <= from || to <= start)
            continue;
        uint64_t head = start > from ? start - from : 0;
        boot_info.ram[i].size = head;
        if (end < to) {
            if (head == 0) {
                boot_info.ram[i].start = end;
                boot_info.ram[i].size = to - end;
            } else {
                add_ram(end, to);
            }
        }
    }
}

/* The structures lie where the temporary tables map them, or they are not looked at. */
static const void *boot_memory(uint64_t address, uint64_t size)
{
    return address && address < GIB && size <= GIB - address ? (const void *)address : NULL;
}

static void read_start_info(const struct hvm_start_info *info)
{
    if (!boot_memory((uintptr_t)info, sizeof *info) || info->magic != HVM_MAGIC)
        panic("no PVH start information at %p", (const void *)info);

    const char *line = boot_memory(info->command_line, sizeof boot_info.command_line);
    for (size_t i = 0; line && line[i] && i + 1 < sizeof boot_info.command_line; i++)
        boot_info.command_line[i] = line[i];
    boot_info.acpi_rsdp = info->rsdp;

    unsigned entries = info->version >= 1 ? info->memory_map_count : 0;
    const struct hvm_memory *map = boot_memory(info->memory_map, entries * sizeof *map);
    for (unsigned i = 0; map && i < entries; i++) {
        if (map[i].type == HVM_RAM && map[i].address + map[i].size > map[i].address)
            add_ram(map[i].address, map[i].address + map[i].size);
    }
    cut_ram((uintptr_t)__image_start, (uintptr_t)__image_end);

    const struct hvm_module *modules =
        boot_memory(info->modules, info->module_count * sizeof *modules);
    for (unsigned i = 0; modules && i < info->module_count && i < BOOT_MODULES; i++) {
        boot_info.module[i].start = modules[i].address;
        boot_info.module[i].size = modules[i].size;
        boot_info.module_count++;
        cut_ram(modules[i].address, modules[i].address + modules[i].size);
    }
}

paddr_t boot_early_alloc(size_t size)
{
    size = page_up(size);
    for (unsigned i = boot_info.ram_count; i-- > 0;) {
        uint64_t start = boot_info.ram[i].start;
        /* The first MiB is left for what may need to lie there (the start of another CPU). */
        if (start < 0x100000 || start + size > GIB || boot_info.ram[i].size < size)
            continue;
        boot_info.ram[i].start += size;
        boot_info.ram[i].size -= size;
        return start;
    }
    panic("not enough memory to start");
}

void x86_boot(const struct hvm_start_info *info);
void x86_boot(const struct hvm_start_info *info)
{
    x86_cpu_init();
    x86_console_init();
    x86_cpu_detect();
    read_start_info(info);
    x86_mmu_init();
    frame_init();
    frame_add((uintptr_t)__boot_tables_start, (size_t)(__boot_tables_end - __boot_tables_start));
    x86_apic_init();
    x86_timer_init();
    kernel_start();
}
