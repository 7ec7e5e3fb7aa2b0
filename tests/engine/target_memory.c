/* Tests of the code generator's memory accesses, plain and atomic: every operation, width and type
 * in memories with 32-bit and 64-bit addresses, at places inside, on the edge and far outside, each
 * against what C says the memory, the result and the trap have to be. */
#include "image.h"

#include <stdio.h>
#include <string.h>

static int number, failures;

static void check(bool good, const char *name)
{
    printf("%s %d - %s\n", good ? "ok" : "not ok", ++number, name);
    failures += !good;
}

enum { WIDE_MEMORY = 2 }; /* the one with 64-bit addresses */

/* One function: the operation with some of its parts constant. */
struct access {
    enum ir_op op;
    enum ir_type type;
    enum ir_access access;
    enum ir_rmw rmw;
    uint32_t memory;
    uint64_t offset, address, operand; /* the latter two where constant */
    bool fixed_address, fixed_operand, used;
};

static unsigned width_of(enum ir_access access)
{
    static const uint8_t widths[] = {1, 1, 2, 2, 4, 4, 8, 4, 8, 16};
    return widths[access];
}

/* (address, operand, expected) → the result, or the operand if there is none. */
static bool write_access(struct image *image, uint32_t index, const struct access *a)
{
    struct ir_func f;
    ir_ref params[3];
    build_start(&f, image, index, params);
    ir_ref address = params[0], operand = params[1];
    if (a->fixed_address)
        address = build_constant(&f, 0, (enum ir_type)f.signature->params[0], a->address);
    if (a->fixed_operand)
        operand = build_constant(&f, 0, a->type, a->operand);
    bool stores = a->op == IR_STORE || a->op == IR_ATOMIC_STORE;
    ir_ref ref = build(&f, 0, a->op, stores ? IR_VOID : a->type, address, operand);
    struct ir_ins *ins = ir_at(&f, ref);
    ins->access = (uint8_t)a->access;
    ins->aux = a->memory;
    ins->imm = a->offset;
    if (a->op == IR_LOAD || a->op == IR_ATOMIC_LOAD)
        ins->b = 0;
    if (a->op == IR_ATOMIC_RMW)
        ins->imm2 = a->rmw;
    if (a->op == IR_ATOMIC_CMPXCHG) {
        ins->b = params[2];
        ins->c = operand;
    }
    ir_ref result = a->used && !stores ? ref : operand;
    build_list(&f, 0, IR_RETURN, IR_VOID, 0, &result, 1);
    return build_finish(&f, image);
}

static uint64_t mask_of(unsigned width)
{
    return width == 8 ? UINT64_MAX : (1ull << width * 8) - 1;
}

/* The same in C, on a memory of one page; answers the trap. */
static uint32_t model(const struct access *a, uint8_t *memory, uint64_t address, uint64_t operand,
                      uint64_t expected, uint64_t *result)
{
    unsigned width = width_of(a->access);
    bool atomic = a->op != IR_LOAD && a->op != IR_STORE;
    unsigned __int128 at = (unsigned __int128)address + a->offset;
    *result = operand;
    if (atomic && (uint64_t)at % width)
        return WASM_TRAP_UNALIGNED;
    if (at + width > IMAGE_PAGE)
        return WASM_TRAP_MEMORY;
    uint64_t old = 0, mask = mask_of(width), fresh;
    memcpy(&old, memory + (uint64_t)at, width);
    fresh = old;
    switch (a->op) {
    case IR_STORE:
    case IR_ATOMIC_STORE: fresh = operand; break;
    case IR_ATOMIC_CMPXCHG: fresh = ((expected ^ old) & mask) ? old : operand; break;
    case IR_ATOMIC_RMW:
        fresh = a->rmw == IR_RMW_ADD   ? old + operand
                : a->rmw == IR_RMW_SUB ? old - operand
                : a->rmw == IR_RMW_AND ? old & operand
                : a->rmw == IR_RMW_OR  ? old | operand
                : a->rmw == IR_RMW_XOR ? old ^ operand
                                       : operand;
        break;
    default: break;
    }
    memcpy(memory + (uint64_t)at, &fresh, width);
    if (!a->used || a->op == IR_STORE || a->op == IR_ATOMIC_STORE)
        return 0;
    if (a->access == IR_S8)
        old = (uint64_t)(int8_t)old;
    else if (a->access == IR_S16)
        old = (uint64_t)(int16_t)old;
    else if (a->access == IR_S32)
        old = (uint64_t)(int32_t)old;
    *result = old;
    return 0;
}

static uint64_t some_address(bool wide, unsigned width)
{
    static const uint64_t narrow[] = {0,     8,          16,         4096,      65528,
                                      65535, 65536,      65544,      1u << 31,  0xfffffff8,
                                      65520, 0xffff0000, 0xffffffff, 0x7ffffff8};
    static const uint64_t far[] = {1ull << 32,         (1ull << 32) + 8, 1ull << 33,
                                   (1ull << 33) - 8,   1ull << 63,       UINT64_MAX,
                                   UINT64_MAX - 65535, UINT64_MAX - 7};
    uint64_t at = narrow[random_below(sizeof narrow / sizeof *narrow)];
    if (wide && !random_below(3))
        at = far[random_below(sizeof far / sizeof *far)];
    uint32_t shift = random_below(8);
    if (shift == 1)
        at -= width;
    else if (shift == 2)
        at += 1 + random_below(8);
    else if (shift == 3)
        at = random_below(65536);
    return wide ? at : (uint32_t)at;
}

static uint64_t some_offset(bool wide, unsigned width)
{
    static const uint64_t narrow[] = {
        0, 0, 0, 8, 16, 4, 65528, 65536, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff, 1};
    static const uint64_t far[] = {1ull << 32, (1ull << 32) - 8, 1ull << 33,
                                   1ull << 63, UINT64_MAX - 7,   UINT64_MAX};
    if (wide && !random_below(3))
        return far[random_below(sizeof far / sizeof *far)];
    if (!random_below(4))
        return width;
    return narrow[random_below(sizeof narrow / sizeof *narrow)];
}

static bool same_memory(const struct image_instance *in, const uint8_t expected[][IMAGE_PAGE])
{
    for (uint32_t k = 0; k < IMAGE_MEMORIES; k++)
        if (memcmp(in->memory[k].base, expected[k], IMAGE_PAGE))
            return false;
    return true;
}

static bool run_access(struct image_instance *in, uint32_t index, const struct access *a)
{
    static uint8_t copy[IMAGE_MEMORIES][IMAGE_PAGE];
    bool wide = a->memory == WIDE_MEMORY, small = a->type == IR_I32;
    unsigned width = width_of(a->access);
    for (uint32_t k = 0; k < IMAGE_MEMORIES; k++)
        memcpy(copy[k], in->memory[k].base, IMAGE_PAGE);
    for (int round = 0; round < 24; round++) {
        union wasm_value args[3], result = {.i64 = 0};
        memset(args, 0, sizeof args);
        uint64_t address = a->fixed_address ? a->address : some_address(wide, width);
        uint64_t operand = random64(), expected = random64(), out;
        uint64_t at = address + a->offset;
        if (random_below(2) && at < IMAGE_PAGE - 8) { /* found as expected, in its width or whole */
            uint64_t found = 0;
            memcpy(&found, copy[a->memory] + at, width);
            expected = random_below(2) ? found : (expected & ~mask_of(width)) | found;
        }
        args[0].i64 = address;
        args[1].i64 = small ? (uint32_t)operand : operand;
        args[2].i64 = small ? (uint32_t)expected : expected;
        if (a->fixed_operand)
            operand = a->operand;
        uint32_t trap = image_call(in, index, args, &result);
        uint32_t due = model(a, copy[a->memory], address, operand, expected, &out);
        if (small)
            out = (uint32_t)out, result.i64 = result.i32;
        if (trap != due || (!trap && result.i64 != out) ||
            !same_memory(in, (const uint8_t(*)[IMAGE_PAGE])copy)) {
            printf("# %s type %d access %d rmw %d memory %u offset 0x%llx%s%s%s, address 0x%llx: "
                   "trap %u not %u, result 0x%llx not 0x%llx\n",
                   ir_op_info[a->op].name, a->type, a->access, a->rmw, a->memory,
                   (unsigned long long)a->offset, a->fixed_address ? " fixed address" : "",
                   a->fixed_operand ? " fixed operand" : "", a->used ? " used" : "",
                   (unsigned long long)address, trap, due, (unsigned long long)result.i64,
                   (unsigned long long)out);
            return false;
        }
    }
    return true;
}

/* Every variant of one operation on one memory. */
static bool one_operation(struct access a)
{
    enum { VARIANTS = 60 };
    static struct image image;
    static struct image_instance in;
    static struct access variants[VARIANTS];
    static const char *const texts[2][2] = {{"iii:i", "iII:I"}, {"Iii:i", "III:I"}};
    bool wide = a.memory == WIDE_MEMORY, good = true;
    image_start(&image, NULL);
    image.memories[WIDE_MEMORY].is64 = true;
    uint32_t type = image_type(&image, texts[wide][a.type == IR_I64]);
    for (uint32_t k = 0; k < VARIANTS; k++)
        image_func(&image, type);
    for (uint32_t k = 0; k < VARIANTS && good; k++) {
        unsigned width = width_of(a.access);
        a.offset = some_offset(wide, width);
        a.fixed_address = random_below(4) == 0;
        a.fixed_operand = random_below(3) == 0;
        a.used = random_below(3) != 0;
        a.address = some_address(wide, width);
        a.operand = random_below(2) ? random_below(300) : random64();
        if (a.type == IR_I32)
            a.operand = (uint32_t)a.operand;
        variants[k] = a;
        good = write_access(&image, k, &a);
    }
    good = good && image_finish(&image);
    if (good) {
        image_instantiate(&image, &in);
        for (uint32_t k = 0; k < IMAGE_MEMORIES; k++)
            for (uint32_t i = 0; i < IMAGE_PAGE; i += 8) {
                uint64_t value = random64();
                memcpy(in.memory[k].base + i, &value, 8);
            }
        for (uint32_t k = 0; k < VARIANTS && good; k++)
            good = run_access(&in, k, &variants[k]);
        image_discard(&in);
    }
    image_free(&image);
    return good;
}

static bool every_width(struct access a, bool is_signed)
{
    static const enum ir_access accesses[] = {IR_U8, IR_U16, IR_U32, IR_64, IR_S8, IR_S16, IR_S32};
    for (a.memory = 0; a.memory < IMAGE_MEMORIES; a.memory++)
        for (int type = IR_I32; type <= IR_I64; type++)
            for (uint32_t k = 0; k < (is_signed ? 7 : 4); k++) {
                a.type = (enum ir_type)type;
                a.access = accesses[k];
                if (type == IR_I32 && (a.access == IR_64 || a.access == IR_S32))
                    continue;
                if (!one_operation(a))
                    return false;
            }
    return true;
}

/* Sums words of memory 1 and doubles those of memory 2 in a loop, so that the bases are wanted in
 * blocks of several depths; with more values alive than there are registers. */
static bool write_loop(struct image *image, uint32_t index)
{
    enum { LIVE = 16 };
    struct ir_func f;
    ir_ref params[2], live[LIVE];
    build_start(&f, image, index, params); /* (count i32, factor i64) → i64 */
    for (uint32_t i = 0; i < LIVE; i++)
        live[i] = build(&f, 0, IR_MUL, IR_I64, params[1], build_constant(&f, 0, IR_I64, 2 * i + 3));
    ir_ref zero = build_constant(&f, 0, IR_I32, 0), none = build_constant(&f, 0, IR_I64, 0);
    ir_block_ref loop = ir_block_new(&f), done, again;
    ir_jump(&f, 0, loop);
    ir_pred_add(&f, loop, 0);
    ir_pred_add(&f, loop, loop + 2);
    ir_ref i = ir_phi_new(&f, loop, IR_I32), sum = ir_phi_new(&f, loop, IR_I64);
    build_fork(&f, loop, build(&f, loop, IR_EQ, IR_I32, i, params[0]), &done, &again);
    ir_ref load = build(&f, again, IR_LOAD, IR_I64, i, 0);
    ir_at(&f, load)->access = IR_U32;
    ir_at(&f, load)->aux = 1;
    ir_ref wide = build(&f, again, IR_ZEXT, IR_I64, i, 0);
    ir_ref word = build(&f, again, IR_LOAD, IR_I64, wide, 0);
    ir_at(&f, word)->access = IR_64;
    ir_at(&f, word)->aux = WIDE_MEMORY;
    build_indexed(&f, again, IR_FENCE, IR_VOID, 0);
    ir_ref twice = build(&f, again, IR_ADD, IR_I64, word, word);
    ir_ref store = build(&f, again, IR_STORE, IR_VOID, wide, twice);
    ir_at(&f, store)->access = IR_64;
    ir_at(&f, store)->aux = WIDE_MEMORY;
    ir_ref mixed = build(&f, again, IR_ADD, IR_I64, sum, load);
    for (uint32_t k = 0; k < LIVE; k++)
        mixed = build(&f, again, k & 1 ? IR_ADD : IR_XOR, IR_I64, mixed, live[k]);
    ir_ref next = build(&f, again, IR_ADD, IR_I32, i, build_constant(&f, again, IR_I32, 8));
    ir_jump(&f, again, loop);
    f.pool[ir_at(&f, i)->list] = zero;
    f.pool[ir_at(&f, i)->list + 1] = next;
    f.pool[ir_at(&f, sum)->list] = none;
    f.pool[ir_at(&f, sum)->list + 1] = mixed;
    build_list(&f, done, IR_RETURN, IR_VOID, 0, &sum, 1);
    return build_finish(&f, image);
}

static bool bases_in_loops(void)
{
    static struct image image;
    static struct image_instance in;
    image_start(&image, NULL);
    image.memories[WIDE_MEMORY].is64 = true;
    uint32_t func = image_func(&image, image_type(&image, "iI:I"));
    bool good = write_loop(&image, func) && image_finish(&image);
    if (good) {
        image_instantiate(&image, &in);
        uint64_t factor = 0x123456789abcdef, sum = 0, doubled[64];
        for (uint32_t i = 0; i < 64; i++) {
            uint64_t x = random64(), y = random64();
            memcpy(in.memory[1].base + i * 8, &x, 8);
            memcpy(in.memory[WIDE_MEMORY].base + i * 8, &y, 8);
            doubled[i] = 2 * y;
            sum += (uint32_t)x;
            for (uint32_t k = 0; k < 16; k++) {
                uint64_t live = factor * (2 * k + 3);
                sum = k & 1 ? sum + live : sum ^ live;
            }
        }
        union wasm_value args[2] = {{.i32 = 512}, {.i64 = factor}}, result;
        good = !image_call(&in, func, args, &result) && result.i64 == sum &&
               !memcmp(in.memory[WIDE_MEMORY].base, doubled, sizeof doubled);
        image_discard(&in);
    }
    image_free(&image);
    return good;
}

int main(void)
{
    static const char *const names[] = {"add", "sub", "and", "or", "xor", "xchg"};
    check(every_width((struct access){.op = IR_LOAD}, true), "loads");
    check(every_width((struct access){.op = IR_STORE}, false), "stores");
    check(every_width((struct access){.op = IR_ATOMIC_LOAD}, false), "atomic loads");
    check(every_width((struct access){.op = IR_ATOMIC_STORE}, false), "atomic stores");
    for (unsigned k = IR_RMW_ADD; k <= IR_RMW_XCHG; k++) {
        char text[40];
        snprintf(text, sizeof text, "atomic rmw %s", names[k]);
        check(every_width((struct access){.op = IR_ATOMIC_RMW, .rmw = (enum ir_rmw)k}, false),
              text);
    }
    check(every_width((struct access){.op = IR_ATOMIC_CMPXCHG}, false), "atomic cmpxchg");
    check(bases_in_loops(), "bases of memories in and before loops");
    printf("1..%d\n", number);
    return failures != 0;
}
