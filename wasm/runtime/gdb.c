/* GDB's JIT interface ("JIT Compilation Interface" in its manual): for each module an ELF object in
 * memory with its symbols and unwind rows hangs in a list that gdb knows by name. gdb reads the
 * list when it attaches and stops silently in __jit_debug_register_code() to hear of changes; the
 * same serves a process of the host and a kernel that gdb sees through QEMU. */
#include <elf.h>

#include "runtime/module.h"

/* What gdb looks for: names, layout and values are its own. */
enum { JIT_NOACTION, JIT_REGISTER, JIT_UNREGISTER };
struct jit_code_entry {
    struct jit_code_entry *next_entry, *prev_entry;
    const char *symfile_addr;
    uint64_t symfile_size;
};
struct jit_descriptor {
    uint32_t version;
    uint32_t action_flag;
    struct jit_code_entry *relevant_entry, *first_entry;
};
extern struct jit_descriptor __jit_debug_descriptor;
void __jit_debug_register_code(void);

__attribute__((used)) struct jit_descriptor __jit_debug_descriptor = {.version = 1};
__attribute__((used, noinline)) void __jit_debug_register_code(void)
{
    __asm__ volatile("" ::: "memory");
}

struct gdb_object {
    struct jit_code_entry entry;
    uint8_t *bytes;
};

/* A file while it is written. */
struct output {
    uint8_t *bytes;
    size_t size, capacity;
    bool failed;
};

static bool grow(struct output *out, size_t size)
{
    size_t fresh = out->capacity * 2 + size + 4096;
    uint8_t *bigger = out->failed ? NULL : wasm_host_realloc(out->bytes, fresh);
    if (bigger) {
        out->bytes = bigger;
        out->capacity = fresh;
    }
    out->failed = !bigger;
    return bigger;
}

/* Where the next SIZE bytes belong; NULL: nowhere. */
static inline uint8_t *room(struct output *out, size_t size)
{
    if (out->capacity - out->size < size && !grow(out, size))
        return NULL;
    out->size += size;
    return out->bytes + out->size - size;
}

static inline void put(struct output *out, const void *data, size_t size)
{
    uint8_t *to = room(out, size);
    if (to)
        memcpy(to, data, size);
}

static inline void put_byte(struct output *out, unsigned value)
{
    uint8_t *to = room(out, 1);
    if (to)
        *to = (uint8_t)value;
}

static void put_u32(struct output *out, uint32_t value)
{
    put(out, &value, sizeof(value));
}

static void put_address(struct output *out, uintptr_t value)
{
    put(out, &value, sizeof(value));
}

static void put_leb(struct output *out, uint32_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_byte(out, (value & 0x7f) | 0x80);
    put_byte(out, value);
}

/* Call frame information (DWARF 5 section 6.4, LSB Core chapter 10.6). Numbers of registers are the
 * target's; slots are words below the return address. */
enum {
    CFA_ADVANCE = 0x40,
    CFA_OFFSET = 0x80,
    CFA_RESTORE = 0xc0,
    CFA_ADVANCE1 = 0x02,
    CFA_ADVANCE2 = 0x03,
    CFA_ADVANCE4 = 0x04,
    CFA_DEF_CFA = 0x0c,
#ifdef __x86_64__
    MACHINE = EM_X86_64,
    STACK_POINTER = 7,
    RETURN_ADDRESS = 16,
#else
#error "the registers of this architecture are not known here"
#endif
    WORD = sizeof(uintptr_t),
};

/* Fills in the length of the entry that began at START. */
static void finish_entry(struct output *out, size_t start)
{
    while ((out->size - start) % WORD && !out->failed)
        put_byte(out, 0); /* DW_CFA_nop */
    uint32_t length = (uint32_t)(out->size - start - 4);
    if (!out->failed)
        memcpy(out->bytes + start, &length, sizeof(length));
}

static void put_cie(struct output *out)
{
    size_t start = out->size;
    put_u32(out, 0);
    put_u32(out, 0);                      /* a CIE */
    put_byte(out, 1);                     /* version */
    put_byte(out, 0);                     /* no augmentation: addresses are absolute */
    put_byte(out, 1);                     /* code alignment */
    put_byte(out, 0x80 - (unsigned)WORD); /* data alignment: minus a word, signed LEB128 */
    put_byte(out, RETURN_ADDRESS);
    put_byte(out, CFA_DEF_CFA);
    put_leb(out, STACK_POINTER);
    put_leb(out, WORD); /* the call has pushed the return address */
    put_byte(out, CFA_OFFSET | RETURN_ADDRESS);
    put_leb(out, 1);
    finish_entry(out, start);
}

/* A row takes no more, whatever it says: 5 bytes to advance, 11 for the frame, 6 for the return
 * address and for each of 16 registers. */
enum { ROW_MAX = 128 };

static uint8_t *at_leb(uint8_t *p, uint32_t value)
{
    for (; value >= 0x80; value >>= 7)
        *p++ = (uint8_t)(value | 0x80);
    *p++ = (uint8_t)value;
    return p;
}

static uint8_t *at_advance(uint8_t *p, uint32_t by)
{
    if (by < 0x40) {
        *p++ = (uint8_t)(CFA_ADVANCE | by);
        return p;
    }
    unsigned size = by < 0x100 ? 1 : by < 0x10000 ? 2 : 4;
    *p++ = size == 1 ? CFA_ADVANCE1 : size == 2 ? CFA_ADVANCE2 : CFA_ADVANCE4;
    memcpy(p, &by, size);
    return p + size;
}

/* What ROW says that BEFORE did not. The frame ends where its caller's stack pointer will be after
 * the return. */
static void put_row(struct output *out, const struct code_unwind *row,
                    const struct code_unwind *before)
{
    uint8_t *start = room(out, ROW_MAX), *p = start;
    if (!p)
        return;
    if (row->offset > before->offset)
        p = at_advance(p, row->offset - before->offset);
    if (row->base != before->base || row->frame + row->popped != before->frame + before->popped) {
        *p++ = CFA_DEF_CFA;
        p = at_leb(p, row->base);
        p = at_leb(p, row->frame + WORD + row->popped);
    }
    bool moved = row->popped != before->popped;
    uint32_t slot = row->popped / WORD + 1;
    if (moved) {
        *p++ = CFA_OFFSET | RETURN_ADDRESS;
        p = at_leb(p, slot);
    }
    for (uint32_t either = row->saved | before->saved; either; either &= either - 1) {
        uint32_t reg = (uint32_t)__builtin_ctz(either);
        bool saved = row->saved >> reg & 1, was_saved = before->saved >> reg & 1;
        slot += saved;
        if (saved && (moved || !was_saved)) {
            *p++ = (uint8_t)(CFA_OFFSET | reg);
            p = at_leb(p, slot);
        } else if (!saved) {
            *p++ = (uint8_t)(CFA_RESTORE | reg);
        }
    }
    out->size -= ROW_MAX - (size_t)(p - start);
}

/* The rows from *NEXT on that lie in [start, end) of the code at BASE. */
static void put_fde(struct output *out, size_t cie, uintptr_t base, uint32_t start, uint32_t end,
                    const struct code_unwind *rows, uint32_t count, uint32_t *next)
{
    size_t at = out->size;
    put_u32(out, 0);
    put_u32(out, (uint32_t)(out->size - cie));
    put_address(out, base + start);
    put_address(out, end - start);
    const struct code_unwind entry = {.offset = start, .base = STACK_POINTER}, *before = &entry;
    while (*next < count && rows[*next].offset < start)
        ++*next;
    for (; *next < count && rows[*next].offset < end; ++*next) {
        put_row(out, &rows[*next], before);
        before = &rows[*next];
    }
    finish_entry(out, at);
}

static void put_frames(struct output *out, const struct wasm_module *m,
                       const struct code_unwind *rows, uint32_t count)
{
    size_t cie = out->size;
    uintptr_t base = (uintptr_t)m->code;
    put_cie(out);
    uint32_t next = 0, pieces = wasm_module_code_count(m);
    for (uint32_t i = 0; count && i < pieces; i++) {
        struct wasm_code code = wasm_module_code(m, i);
        uint32_t start = (uint32_t)(code.address - base);
        put_fde(out, cie, base, start, start + (uint32_t)code.size, rows, count, &next);
    }
    put_u32(out, 0); /* the end */
}

enum { NAME_MAX_LENGTH = 200 };

/* Symbols into OUT, their names into STRINGS. */
static void put_symbols(struct output *out, struct output *strings, const struct wasm_module *m)
{
    Elf64_Sym none = {0};
    put(out, &none, sizeof(none));
    put_byte(strings, 0);
    uint32_t pieces = wasm_module_code_count(m);
    for (uint32_t i = 0; i < pieces; i++) {
        struct wasm_code code = wasm_module_code(m, i);
        char name[NAME_MAX_LENGTH] = "__morestack";
        /* An entry thunk changes stacks, to anywhere; gdb, which stops where a caller's stack lies
         * below its callee's, knows of that by this name only (-fsplit-stack). */
        if (code.kind != WASM_CODE_ENTRY)
            wasm_code_name(m, &code, name, sizeof(name));
        Elf64_Sym symbol = {
            .st_name = (Elf64_Word)strings->size,
            .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
            .st_shndx = 1,
            .st_value = code.address,
            .st_size = code.size,
        };
        put(out, &symbol, sizeof(symbol));
        put(strings, name, strlen(name) + 1);
    }
}

enum { NONE, TEXT, FRAMES, SYMBOLS, STRINGS, SECTIONS };
static const char section_names[] = "\0.text\0.eh_frame\0.symtab\0.strtab";

/* The whole object: header, sections' contents, section headers. */
static void put_object(struct output *out, const struct wasm_module *m,
                       const struct code_unwind *rows, uint32_t count)
{
    Elf64_Ehdr head = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC, /* addresses are where things are */
        .e_machine = MACHINE,
        .e_version = EV_CURRENT,
        .e_ehsize = sizeof(head),
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = SECTIONS,
        .e_shstrndx = STRINGS,
    };
    Elf64_Shdr sections[SECTIONS] = {
        [TEXT] = {.sh_name = 1,
                  .sh_type = SHT_NOBITS,
                  .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
                  .sh_addr = (uintptr_t)m->code,
                  .sh_size = m->code_size,
                  .sh_addralign = 16},
        [FRAMES] = {.sh_name = 7, .sh_type = SHT_PROGBITS, .sh_addralign = WORD},
        [SYMBOLS] = {.sh_name = 17,
                     .sh_type = SHT_SYMTAB,
                     .sh_link = STRINGS,
                     .sh_info = 1, /* the first that is not local */
                     .sh_addralign = WORD,
                     .sh_entsize = sizeof(Elf64_Sym)},
        [STRINGS] = {.sh_name = 25, .sh_type = SHT_STRTAB, .sh_addralign = 1},
    };
    struct output strings = {0};
    put(out, &head, sizeof(head));
    sections[FRAMES].sh_offset = out->size;
    put_frames(out, m, rows, count);
    sections[FRAMES].sh_size = out->size - sections[FRAMES].sh_offset;
    while (out->size % WORD && !out->failed)
        put_byte(out, 0);
    sections[SYMBOLS].sh_offset = out->size;
    put(&strings, section_names, sizeof(section_names) - 1);
    put_symbols(out, &strings, m);
    sections[SYMBOLS].sh_size = out->size - sections[SYMBOLS].sh_offset;
    sections[STRINGS].sh_offset = out->size;
    if (!strings.failed)
        put(out, strings.bytes, strings.size);
    out->failed |= strings.failed;
    wasm_host_free(strings.bytes);
    sections[STRINGS].sh_size = strings.size;
    while (out->size % WORD && !out->failed)
        put_byte(out, 0);
    head.e_shoff = out->size;
    put(out, sections, sizeof(sections));
    if (!out->failed)
        memcpy(out->bytes, &head, sizeof(head));
}

static void announce(uint32_t action, struct jit_code_entry *entry)
{
    __jit_debug_descriptor.action_flag = action;
    __jit_debug_descriptor.relevant_entry = entry;
    __jit_debug_register_code();
    __jit_debug_descriptor.action_flag = JIT_NOACTION;
    __jit_debug_descriptor.relevant_entry = NULL;
}

struct gdb_object *gdb_register(const struct wasm_module *module, const struct code_unwind *unwind,
                                uint32_t unwind_count)
{
    struct gdb_object *object = array_new(1, sizeof(*object));
    struct output out = {0};
    if (object)
        put_object(&out, module, unwind, unwind_count);
    if (!object || out.failed) {
        wasm_host_free(out.bytes);
        wasm_host_free(object);
        return NULL;
    }
    uint8_t *exact = wasm_host_realloc(out.bytes, out.size);
    object->bytes = exact ? exact : out.bytes;
    object->entry.symfile_addr = (const char *)object->bytes;
    object->entry.symfile_size = out.size;
    wasm_host_lock();
    struct jit_code_entry *first = __jit_debug_descriptor.first_entry;
    object->entry.next_entry = first;
    if (first)
        first->prev_entry = &object->entry;
    __jit_debug_descriptor.first_entry = &object->entry;
    announce(JIT_REGISTER, &object->entry);
    wasm_host_unlock();
    return object;
}

void gdb_unregister(struct gdb_object *object)
{
    if (!object)
        return;
    struct jit_code_entry *entry = &object->entry;
    wasm_host_lock();
    if (entry->prev_entry)
        entry->prev_entry->next_entry = entry->next_entry;
    else
        __jit_debug_descriptor.first_entry = entry->next_entry;
    if (entry->next_entry)
        entry->next_entry->prev_entry = entry->prev_entry;
    announce(JIT_UNREGISTER, entry);
    wasm_host_unlock();
    wasm_host_free(object->bytes);
    wasm_host_free(object);
}
