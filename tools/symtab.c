/* quince-symtab IMAGE OBJECT: reads the functions of a linked image and writes an object file whose
 * section .symbols is the table that kernel/symbols.c reads. The image is then linked again with
 * the object; since .symbols lies behind all code, no function moves. See kernel/symbols.c for the
 * format.
 *
 * Names are compressed by replacing the most frequent pair of bytes, 128 times over. */
#include <elf.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS = 128, FIRST_CODE = 0x80 };

struct function {
    uint64_t address;
    const char *name;
    bool global;
};

struct blob {
    uint8_t *data;
    size_t size, capacity;
};

static _Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("quince-symtab: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    exit(1);
}

static void append(struct blob *blob, const void *data, size_t size)
{
    if (blob->capacity - blob->size < size) {
        blob->capacity = (blob->size + size) * 2;
        blob->data = realloc(blob->data, blob->capacity);
        if (!blob->data)
            fail("out of memory");
    }
    if (size)
        memcpy(blob->data + blob->size, data, size);
    blob->size += size;
}

static void append_byte(struct blob *blob, unsigned byte)
{
    uint8_t value = (uint8_t)byte;
    append(blob, &value, 1);
}

static struct blob read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail("cannot open %s", path);
    struct blob blob = {0};
    char buffer[65536];
    size_t count;
    while ((count = fread(buffer, 1, sizeof buffer, file)) > 0)
        append(&blob, buffer, count);
    if (ferror(file))
        fail("cannot read %s", path);
    fclose(file);
    return blob;
}

/* SIZE bytes of the image at OFFSET, checked. */
static const void *part(const struct blob *image, uint64_t offset, uint64_t size)
{
    if (offset > image->size || size > image->size - offset)
        fail("the image is cut short");
    return image->data + offset;
}

static int compare(const void *left, const void *right)
{
    const struct function *a = left, *b = right;
    if (a->address != b->address)
        return a->address < b->address ? -1 : 1;
    return (int)b->global - (int)a->global;
}

/* All functions in executable sections, by address, one name each. */
static size_t read_functions(const struct blob *image, struct function **out)
{
    const Elf64_Ehdr *header = part(image, 0, sizeof *header);
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) || header->e_ident[EI_CLASS] != ELFCLASS64)
        fail("not a 64-bit ELF image");
    const Elf64_Shdr *sections =
        part(image, header->e_shoff, (uint64_t)header->e_shnum * sizeof *sections);
    struct function *functions = NULL;
    size_t count = 0;
    for (unsigned s = 0; s < header->e_shnum; s++) {
        if (sections[s].sh_type != SHT_SYMTAB || sections[s].sh_link >= header->e_shnum)
            continue;
        const Elf64_Shdr *names = &sections[sections[s].sh_link];
        const char *strings = part(image, names->sh_offset, names->sh_size);
        const Elf64_Sym *symbols = part(image, sections[s].sh_offset, sections[s].sh_size);
        size_t total = sections[s].sh_size / sizeof *symbols;
        functions = calloc(total + 1, sizeof *functions);
        if (!functions)
            fail("out of memory");
        for (size_t i = 0; i < total; i++) {
            if (ELF64_ST_TYPE(symbols[i].st_info) != STT_FUNC ||
                symbols[i].st_name >= names->sh_size || symbols[i].st_shndx >= header->e_shnum ||
                !(sections[symbols[i].st_shndx].sh_flags & SHF_EXECINSTR))
                continue;
            functions[count++] =
                (struct function){symbols[i].st_value, strings + symbols[i].st_name,
                                  ELF64_ST_BIND(symbols[i].st_info) != STB_LOCAL};
        }
        break;
    }
    if (count)
        qsort(functions, count, sizeof *functions, compare);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || functions[kept - 1].address != functions[i].address)
            functions[kept++] = functions[i];
    }
    *out = functions;
    return kept;
}

/* Replaces the most frequent pair in TEXT (names with their NULs) by CODE. */
static void compress_once(struct blob *text, unsigned code, uint8_t pair[2])
{
    static uint32_t counts[65536];
    memset(counts, 0, sizeof counts);
    uint32_t best = 0;
    unsigned which = 0;
    for (size_t i = 0; i + 1 < text->size; i++) {
        if (!text->data[i] || !text->data[i + 1])
            continue;
        unsigned at = (unsigned)text->data[i] << 8 | text->data[i + 1];
        if (++counts[at] > best) {
            best = counts[at];
            which = at;
        }
    }
    pair[0] = (uint8_t)(which >> 8);
    pair[1] = (uint8_t)which;
    if (!best)
        return;
    size_t to = 0;
    for (size_t from = 0; from < text->size; from++) {
        if (from + 1 < text->size && text->data[from] == pair[0] &&
            text->data[from + 1] == pair[1]) {
            text->data[to++] = (uint8_t)code;
            from++;
        } else {
            text->data[to++] = text->data[from];
        }
    }
    text->size = to;
}

static void append_distance(struct blob *blob, uint64_t distance)
{
    do {
        append_byte(blob, (unsigned)(distance & 0x7f) | (distance > 0x7f ? 0x80 : 0));
        distance >>= 7;
    } while (distance);
}

static struct blob make_table(const struct function *functions, size_t count)
{
    struct blob text = {0}, table = {0};
    for (size_t i = 0; i < count; i++) {
        for (const char *p = functions[i].name; *p; p++)
            append_byte(&text, (unsigned char)*p < FIRST_CODE ? (unsigned char)*p : '?');
        append_byte(&text, 0);
    }
    uint8_t pairs[PAIRS][2];
    for (unsigned i = 0; i < PAIRS; i++)
        compress_once(&text, FIRST_CODE + i, pairs[i]);

    uint32_t head[2] = {0, count ? (uint32_t)functions[0].address : 0};
    append(&table, head, sizeof head);
    append(&table, pairs, sizeof pairs);
    const uint8_t *name = text.data;
    for (size_t i = 0; i < count; i++) {
        append_distance(&table, i ? functions[i].address - functions[i - 1].address : 0);
        size_t length = strlen((const char *)name) + 1;
        append(&table, name, length);
        name += length;
    }
    head[0] = (uint32_t)(table.size - sizeof head - sizeof pairs);
    memcpy(table.data, head, sizeof head);
    free(text.data);
    return table;
}

static void write_object(const char *path, const struct blob *table)
{
    static const char names[] = "\0.symbols\0.shstrtab\0.note.GNU-stack";
    Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_REL,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_ehsize = sizeof header,
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = 4,
        .e_shstrndx = 2,
    };
    uint64_t names_at = sizeof header + ((table->size + 7) & ~(size_t)7);
    header.e_shoff = (names_at + sizeof names + 7) & ~7ull;
    Elf64_Shdr sections[4] = {
        {0},
        {.sh_name = 1,
         .sh_type = SHT_PROGBITS,
         .sh_flags = SHF_ALLOC,
         .sh_offset = sizeof header,
         .sh_size = table->size,
         .sh_addralign = 8},
        {.sh_name = 10,
         .sh_type = SHT_STRTAB,
         .sh_offset = names_at,
         .sh_size = sizeof names,
         .sh_addralign = 1},
        {.sh_name = 20, .sh_type = SHT_PROGBITS, .sh_offset = names_at, .sh_addralign = 1},
    };
    struct blob object = {0};
    static const uint8_t zeros[8];
    append(&object, &header, sizeof header);
    append(&object, table->data, table->size);
    append(&object, zeros, names_at - object.size);
    append(&object, names, sizeof names);
    append(&object, zeros, header.e_shoff - object.size);
    append(&object, sections, sizeof sections);

    FILE *file = fopen(path, "wb");
    if (!file || fwrite(object.data, 1, object.size, file) != object.size || fclose(file))
        fail("cannot write %s", path);
    free(object.data);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        fail("usage: quince-symtab IMAGE OBJECT");
    struct blob image = read_file(argv[1]);
    struct function *functions;
    size_t count = read_functions(&image, &functions);
    struct blob table = make_table(functions, count);
    write_object(argv[2], &table);
    free(functions);
    free(table.data);
    free(image.data);
    return 0;
}
