#include "target/x86_64/encode.h"
#include "host.h"

#include <string.h>

/* Doubles an array until it holds NEED entries. */
static bool grow(struct code_buffer *code, void **array, uint32_t *capacity, uint32_t need,
                 size_t entry)
{
    if (need <= *capacity)
        return true;
    uint32_t fresh = *capacity ? *capacity * 2 : 256;
    void *bigger = fresh < need ? NULL : wasm_host_realloc(*array, (size_t)fresh * entry);
    if (!bigger) {
        code->failed = true;
        return false;
    }
    *array = bigger;
    *capacity = fresh;
    return true;
}

bool x86_grow(struct code_buffer *code, size_t bytes)
{
    if (code->failed)
        return false;
    size_t fresh = code->capacity ? code->capacity * 2 : 65536;
    while (fresh - code->size < bytes)
        fresh *= 2;
    uint8_t *bigger = fresh > CODE_MAX ? NULL : wasm_host_realloc(code->bytes, fresh);
    if (!bigger) {
        code->failed = true;
        return false;
    }
    code->bytes = bigger;
    code->capacity = fresh;
    return true;
}

/* The parts of an instruction are put at P and give the place behind them; stores of bytes might
 * change the buffer's size, as far as the C compiler knows, so that is written once. */
static inline uint8_t *put_u32(uint8_t *p, uint32_t value)
{
    memcpy(p, &value, 4);
    return p + 4;
}

static inline uint8_t *put_legacy(uint8_t *p, uint32_t op, unsigned reg, unsigned x, unsigned b,
                                  bool byte)
{
    unsigned rex = (op >> 24 & 8) | (reg & 8) >> 1 | (x & 8) >> 2 | (b & 8) >> 3;
    if (op & 0xff0000)
        *p++ = (uint8_t)(op >> 16);
    *p = (uint8_t)(0x40 | rex);
    p += rex || byte; /* whether there is one is hard to predict */
    if (op & 0xff00) {
        unsigned map = op >> 8 & 0xff;
        *p++ = 0x0f;
        if (map > 1)
            *p++ = map == 2 ? 0x38 : 0x3a;
    }
    *p++ = (uint8_t)op;
    return p;
}

static inline uint8_t *put_vex(uint8_t *p, uint32_t op, unsigned reg, unsigned vvvv, unsigned x,
                               unsigned b)
{
    unsigned prefix = op >> 16 & 0xff;
    unsigned pp = prefix == 0x66 ? 1 : prefix == 0xf3 ? 2 : prefix == 0xf2 ? 3 : 0;
    unsigned map = op >> 8 & 0xff, r = reg & 8 ? 0u : 0x80u;
    if (map == 1 && !(op & X86_W) && !(x & 8) && !(b & 8)) {
        *p++ = 0xc5;
        *p++ = (uint8_t)(r | (~vvvv & 15) << 3 | pp);
    } else {
        *p++ = 0xc4;
        *p++ = (uint8_t)(r | (x & 8 ? 0u : 0x40u) | (b & 8 ? 0u : 0x20u) | map);
        *p++ = (uint8_t)((op & X86_W ? 0x80u : 0) | (~vvvv & 15) << 3 | pp);
    }
    *p++ = (uint8_t)op;
    return p;
}

static inline uint8_t *put_reg(uint8_t *p, unsigned reg, unsigned rm)
{
    *p++ = (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7));
    return p;
}

static uint8_t *put_mem(uint8_t *p, unsigned reg, const struct x86_mem *m)
{
    reg = (reg & 7) << 3;
    unsigned base = m->base & 7u, sib = (unsigned)m->scale << 6 | (m->index & 7u) << 3;
    if (m->rip) {
        *p++ = (uint8_t)(reg | 5);
        return put_u32(p, (uint32_t)m->disp);
    }
    if (m->base == NO_REG) {
        *p++ = (uint8_t)(reg | 4);
        *p++ = (uint8_t)(sib | 5);
        return put_u32(p, (uint32_t)m->disp);
    }
    unsigned mod = m->disp == 0 && base != RBP ? 0 : m->disp >= -128 && m->disp <= 127 ? 1 : 2;
    if (m->index == NO_REG && base != RSP) {
        *p++ = (uint8_t)(mod << 6 | reg | base);
    } else {
        *p++ = (uint8_t)(mod << 6 | reg | 4);
        *p++ = (uint8_t)(sib | base);
    }
    if (mod == 1)
        *p++ = (uint8_t)m->disp;
    return mod == 2 ? put_u32(p, (uint32_t)m->disp) : p;
}

static uint8_t *at_end(struct code_buffer *code)
{
    return code->bytes + code->size;
}

static void end_at(struct code_buffer *code, const uint8_t *p)
{
    code->size = (size_t)(p - code->bytes);
}

void x86_rr(struct code_buffer *code, uint32_t op, unsigned reg, unsigned rm)
{
    bool byte = (op & X86_BYTE && reg >= 4 && reg < 8) || (op & X86_RBYTE && rm >= 4 && rm < 8);
    end_at(code, put_reg(put_legacy(at_end(code), op, reg, 0, rm, byte), reg, rm));
}

void x86_rm(struct code_buffer *code, uint32_t op, unsigned reg, const struct x86_mem *m)
{
    bool byte = op & X86_BYTE && reg >= 4 && reg < 8;
    uint8_t *p = put_legacy(at_end(code), op, reg, m->index, m->base, byte);
    end_at(code, put_mem(p, reg, m));
}

void x86_vrr(struct code_buffer *code, uint32_t op, unsigned reg, unsigned vvvv, unsigned rm)
{
    end_at(code, put_reg(put_vex(at_end(code), op, reg, vvvv, 0, rm), reg, rm));
}

void x86_vrm(struct code_buffer *code, uint32_t op, unsigned reg, unsigned vvvv,
             const struct x86_mem *m)
{
    uint8_t *p = put_vex(at_end(code), op, reg, vvvv, m->index, m->base);
    end_at(code, put_mem(p, reg, m));
}

static uint32_t wide(unsigned size)
{
    return size == 8 ? X86_W : 0;
}

void x86_mov(struct code_buffer *code, unsigned size, unsigned to, unsigned from)
{
    x86_rr(code, X86(0, 0, 8b) | wide(size), to, from);
}

/* Leaves the flags alone, so it can stand anywhere. */
void x86_mov_imm(struct code_buffer *code, unsigned to, uint64_t value)
{
    if (value <= UINT32_MAX) {
        if (to & 8)
            x86_byte(code, 0x41);
        x86_byte(code, 0xb8 | (to & 7));
        x86_u32(code, (uint32_t)value);
    } else if ((int64_t)value == (int32_t)value) {
        x86_rr(code, X86(0, 0, c7) | X86_W, 0, to);
        x86_u32(code, (uint32_t)value);
    } else {
        x86_byte(code, 0x48 | (to & 8) >> 3);
        x86_byte(code, 0xb8 | (to & 7));
        x86_u64(code, value);
    }
}

void x86_load(struct code_buffer *code, unsigned size, unsigned to, unsigned base, int32_t disp)
{
    struct x86_mem m = {.base = (uint8_t)base, .index = NO_REG, .disp = disp};
    x86_rm(code, X86(0, 0, 8b) | wide(size), to, &m);
}

void x86_store(struct code_buffer *code, unsigned size, unsigned base, int32_t disp, unsigned from)
{
    struct x86_mem m = {.base = (uint8_t)base, .index = NO_REG, .disp = disp};
    x86_rm(code, X86(0, 0, 89) | wide(size), from, &m);
}

void x86_alu(struct code_buffer *code, unsigned size, unsigned digit, unsigned to, unsigned from)
{
    x86_rr(code, (digit << 3 | 3) | wide(size), to, from);
}

void x86_alu_imm(struct code_buffer *code, unsigned size, unsigned digit, unsigned to, int32_t imm)
{
    if (imm >= -128 && imm <= 127) {
        x86_rr(code, X86(0, 0, 83) | wide(size), digit, to);
        x86_byte(code, (unsigned)imm & 0xff);
    } else if (to == RAX) {
        if (size == 8)
            x86_byte(code, 0x48);
        x86_byte(code, digit << 3 | 5);
        x86_u32(code, (uint32_t)imm);
    } else {
        x86_rr(code, X86(0, 0, 81) | wide(size), digit, to);
        x86_u32(code, (uint32_t)imm);
    }
}

void x86_alu_mem(struct code_buffer *code, unsigned size, unsigned digit, unsigned to,
                 const struct x86_mem *m)
{
    x86_rm(code, (digit << 3 | 3) | wide(size), to, m);
}

void x86_push(struct code_buffer *code, unsigned reg)
{
    if (reg & 8)
        x86_byte(code, 0x41);
    x86_byte(code, 0x50 | (reg & 7));
}

void x86_pop(struct code_buffer *code, unsigned reg)
{
    if (reg & 8)
        x86_byte(code, 0x41);
    x86_byte(code, 0x58 | (reg & 7));
}

void x86_bswap(struct code_buffer *code, unsigned size, unsigned reg)
{
    if (size == 8 || reg & 8)
        x86_byte(code, 0x40 | (size == 8 ? 8u : 0) | (reg & 8) >> 3);
    x86_byte(code, 0x0f);
    x86_byte(code, 0xc8 | (reg & 7));
}

void x86_call_mem(struct code_buffer *code, unsigned base, int32_t disp)
{
    struct x86_mem m = {.base = (uint8_t)base, .index = NO_REG, .disp = disp};
    x86_rm(code, X86(0, 0, ff), 2, &m);
}

void x86_ret(struct code_buffer *code, uint32_t bytes)
{
    if (!bytes) {
        x86_byte(code, 0xc3);
        return;
    }
    x86_byte(code, 0xc2);
    x86_byte(code, bytes & 0xff);
    x86_byte(code, bytes >> 8 & 0xff);
}

void x86_nops(struct code_buffer *code, unsigned bytes)
{
    static const uint8_t nops[9][9] = {
        {0x90},
        {0x66, 0x90},
        {0x0f, 0x1f, 0x00},
        {0x0f, 0x1f, 0x40, 0x00},
        {0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00},
        {0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00},
        {0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
        {0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00},
    };
    while (bytes) {
        unsigned more = bytes > 11 ? 2 : bytes > 9 ? bytes - 9 : 0, step = bytes > 9 ? 9 : bytes;
        memset(code->bytes + code->size, 0x66, more); /* any number of this prefix does nothing */
        code->size += more;
        bytes -= more;
        memcpy(code->bytes + code->size, nops[step - 1], step);
        code->size += step;
        bytes -= step;
    }
}

uint32_t x86_jcc_short(struct code_buffer *code, unsigned cc)
{
    x86_byte(code, 0x70 | cc);
    x86_byte(code, 0);
    return (uint32_t)code->size - 1;
}

uint32_t x86_jmp_short(struct code_buffer *code)
{
    x86_byte(code, 0xeb);
    x86_byte(code, 0);
    return (uint32_t)code->size - 1;
}

uint32_t x86_jcc_near(struct code_buffer *code, unsigned cc)
{
    x86_byte(code, 0x0f);
    x86_byte(code, 0x80 | cc);
    x86_u32(code, 0);
    return (uint32_t)code->size - 4;
}

uint32_t x86_jmp_near(struct code_buffer *code)
{
    x86_byte(code, 0xe9);
    x86_u32(code, 0);
    return (uint32_t)code->size - 4;
}

void x86_patch_short(struct code_buffer *code, uint32_t field)
{
    code->bytes[field] = (uint8_t)(code->size - field - 1);
}

void code_trap_add(struct code_buffer *code, uint32_t offset, unsigned trap, uint32_t pos)
{
    void *array = code->traps;
    if (!grow(code, &array, &code->trap_capacity, code->trap_count + 1, sizeof *code->traps))
        return;
    code->traps = array;
    code->traps[code->trap_count++] = (struct code_trap){offset, trap, pos};
}

void code_site_add(struct code_buffer *code, uint32_t pos, bool catches)
{
    void *array = code->sites;
    if (!grow(code, &array, &code->site_capacity, code->site_count + 1, sizeof *code->sites))
        return;
    code->sites = array;
    code->sites[code->site_count++] =
        (struct code_site){(uint32_t)code->size, pos & INT32_MAX, catches};
}

void code_reloc_add(struct code_buffer *code, uint32_t offset, uint32_t func)
{
    void *array = code->relocs;
    if (!grow(code, &array, &code->reloc_capacity, code->reloc_count + 1, sizeof *code->relocs))
        return;
    code->relocs = array;
    code->relocs[code->reloc_count++] = (struct code_reloc){offset, func};
}

void code_typeref_add(struct code_buffer *code, uint32_t offset, uint32_t type)
{
    void *array = code->typerefs;
    if (!grow(code, &array, &code->typeref_capacity, code->typeref_count + 1,
              sizeof *code->typerefs))
        return;
    code->typerefs = array;
    code->typerefs[code->typeref_count++] = (struct code_typeref){offset, type};
}

uint32_t code_inlined_add(struct code_buffer *code, uint32_t pos, uint32_t call)
{
    void *array = code->inlined;
    if (code->inlined_count == CODE_INLINED ||
        !grow(code, &array, &code->inlined_capacity, code->inlined_count + 1,
              sizeof *code->inlined))
        return call;
    code->inlined = array;
    code->inlined[code->inlined_count] = (struct code_inlined){pos, call};
    return CODE_INLINED + code->inlined_count++;
}

void code_position_add(struct code_buffer *code, uint32_t pos)
{
    while (pos >= CODE_INLINED && pos - CODE_INLINED < code->inlined_count)
        pos = code->inlined[pos - CODE_INLINED].call;
    uint32_t n = code->position_count;
    if (n && code->positions[n - 1].offset == code->size)
        n = --code->position_count; /* nothing was emitted for that one */
    if (n && code->positions[n - 1].pos == pos)
        return;
    void *array = code->positions;
    if (!grow(code, &array, &code->position_capacity, n + 1, sizeof *code->positions))
        return;
    code->positions = array;
    code->positions[code->position_count++] = (struct code_position){(uint32_t)code->size, pos};
}

void code_unwind_add(struct code_buffer *code, uint32_t offset, unsigned base, uint32_t frame,
                     uint32_t popped, unsigned saved)
{
    if (!code->want_unwind)
        return;
    struct code_unwind row = {offset, frame, popped, (uint16_t)code_dwarf_number(base),
                              (uint16_t)saved};
    uint32_t n = code->unwind_count;
    if (n && code->unwind[n - 1].offset == offset)
        n = --code->unwind_count;
    void *array = code->unwind;
    if (!grow(code, &array, &code->unwind_capacity, n + 1, sizeof *code->unwind))
        return;
    code->unwind = array;
    code->unwind[code->unwind_count++] = row;
}
