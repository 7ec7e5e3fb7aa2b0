/* Tests of the code generator's vector operations: each with operands in registers, from memory,
 * constant and equal, under register pressure, in loops, as condition and on its way to memory, for
 * each class of CPU, against a model in C on random values and on the edges. */
#include "image.h"
#include "simd_model.h"

#include <stdio.h>
#include <string.h>

static int number, failures;

static void check(bool good, const char *name)
{
    printf("%s %d - %s\n", good ? "ok" : "not ok", ++number, name);
    failures += !good;
}

static const char *const levels[] = {"sse4.1", "avx", "native"};
static struct target_features cpu;

/* Where an operand comes from. HALF and QUARTER: loads of 8 and 4 bytes, the rest zeros. */
enum source { PARAM, LOADED, HALF, QUARTER, CONSTANT, ZERO, SAME };
enum use { RETURNED, PRESSED, LOOPED, BRANCHED, BRANCHED_NOT, SELECTED, STORED };
struct form {
    uint8_t sources[3];
    uint8_t use;
};
static const struct form forms[] = {
    {{PARAM, PARAM, PARAM}, RETURNED},    {{LOADED, PARAM, PARAM}, RETURNED},
    {{PARAM, LOADED, PARAM}, RETURNED},   {{PARAM, PARAM, LOADED}, RETURNED},
    {{LOADED, LOADED, LOADED}, RETURNED}, {{HALF, PARAM, PARAM}, RETURNED},
    {{PARAM, HALF, HALF}, RETURNED},      {{QUARTER, QUARTER, PARAM}, RETURNED},
    {{CONSTANT, PARAM, PARAM}, RETURNED}, {{PARAM, CONSTANT, PARAM}, RETURNED},
    {{PARAM, CONSTANT, PARAM}, RETURNED}, {{PARAM, PARAM, CONSTANT}, RETURNED},
    {{LOADED, CONSTANT, PARAM}, LOOPED},  {{PARAM, SAME, PARAM}, RETURNED},
    {{PARAM, SAME, SAME}, RETURNED},      {{PARAM, ZERO, PARAM}, RETURNED},
    {{ZERO, PARAM, ZERO}, RETURNED},      {{PARAM, PARAM, PARAM}, PRESSED},
    {{LOADED, PARAM, PARAM}, PRESSED},    {{PARAM, LOADED, CONSTANT}, PRESSED},
    {{PARAM, PARAM, PARAM}, LOOPED},      {{PARAM, PARAM, PARAM}, BRANCHED},
    {{LOADED, PARAM, PARAM}, BRANCHED},   {{PARAM, PARAM, PARAM}, BRANCHED_NOT},
    {{PARAM, PARAM, PARAM}, SELECTED},    {{PARAM, PARAM, PARAM}, STORED},
    {{LOADED, LOADED, LOADED}, STORED},
};
enum {
    FORMS = sizeof forms / sizeof *forms,
    TRIALS = 32,
    OPERANDS = 0x100, /* in memory 0 … */
    PRESSURE = 0x1000,
    PRESSING = 20,
    STORE_AT = 0x2000,
};

/* One function under test. */
struct tested {
    struct form form;
    union vec constants[3];
    uint64_t imm, imm2;
};

static uint64_t edge(unsigned size)
{
    static const uint32_t floats[] = {
        0,          0x80000000, 0x3f800000, 0xbf800000, 0x3f000000, 0xbf000000, 0x40200000,
        0x4f000000, 0xcf000000, 0x4effffff, 0x4f7fffff, 0x4f800000, 0xcf000001, 0x7f800000,
        0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001, 0x7fd12345, 1,          0x80000001,
        0x7f7fffff, 0x4b000001, 0x42fe8000, 0x4b800000, 0x5f000000};
    static const uint64_t doubles[] = {
        0,
        0x8000000000000000,
        0x3ff0000000000000,
        0xbfe0000000000000,
        0x4004000000000000,
        0x41dfffffffc00000,
        0x41e0000000000000,
        0x41dfffffffffffff,
        0xc1e0000000000000,
        0xc1e0000000100000,
        0x41efffffffe00000,
        0x41f0000000000000,
        0x41effffffff00000,
        0x7ff0000000000000,
        0xfff0000000000000,
        0x7ff8000000000000,
        0xfff8000000000000,
        0x7ff0000000000001,
        0x7ffabcdef0123456,
        1,
        0x7fefffffffffffff,
        0x4330000000000001,
        0x47efffffe0000000,
        0x36a0000000000000,
    };
    uint64_t top = 1ull << (8 * size - 1);
    uint64_t integers[] = {0, 1, 2, top - 1, top, top + 1, 2 * top - 1, random64()};
    if (size >= 4 && random_below(2))
        return size == 4 ? floats[random_below(sizeof floats / sizeof *floats)]
                         : doubles[random_below(sizeof doubles / sizeof *doubles)];
    return integers[random_below(8)];
}

static union vec random_vec(void)
{
    union vec v;
    unsigned kind = random_below(10), size = 1u << random_below(4);
    for (unsigned i = 0; i < 16 / size; i++) {
        uint64_t lane = kind < 2 ? random64() : kind == 2 && i ? v.u64[0] : edge(size);
        if (kind == 3 && size == 4) { /* ordinary floats */
            v.f32[i] = (float)random_below(1000) / 8 - 60;
            continue;
        }
        memcpy(v.u8 + i * size, &lane, size);
    }
    return v;
}

static unsigned lane_size(unsigned op)
{
    switch (op) {
    case SIMD_I8X16_SPLAT:
    case SIMD_I8X16_EXTRACT_LANE_S:
    case SIMD_I8X16_EXTRACT_LANE_U:
    case SIMD_I8X16_REPLACE_LANE: return 1;
    case SIMD_I16X8_SPLAT:
    case SIMD_I16X8_EXTRACT_LANE_S:
    case SIMD_I16X8_EXTRACT_LANE_U:
    case SIMD_I16X8_REPLACE_LANE: return 2;
    case SIMD_I64X2_EXTRACT_LANE:
    case SIMD_I64X2_REPLACE_LANE:
    case SIMD_F64X2_EXTRACT_LANE:
    case SIMD_F64X2_REPLACE_LANE: return 8;
    default: return 4;
    }
}

/* Lanes of a shuffle, mostly of a kind for which there is an instruction. */
static void random_shuffle(uint64_t imm[2])
{
    uint8_t lanes[16];
    unsigned kind = random_below(9), size = 1u << random_below(4), base = random_below(32);
    unsigned first = random_below(2) * 16, from = random_below(2) * 8,
             limit = 16 << random_below(2);
    for (unsigned i = 0; i < 16; i++) {
        unsigned lane = random_below(limit);
        if (kind == 0)
            lane = base + i;
        else if (kind == 1)
            lane = from + i / (2 * size) * size + i % size + (i / size & 1 ? 16 - first : first);
        else if (kind == 2)
            lane = i % size ? lanes[i - 1] + 1u : random_below(2) * 16 + i;
        else if (kind == 3 || kind == 4)
            lane = i % size ? lanes[i - 1] + 1u : random_below(limit / size) * size;
        else if (kind == 5)
            lane = base % 16 + i % size;
        else if (kind == 6)
            lane = (i < 8 ? first : 16 - first) + random_below(4) * 4;
        else if (kind == 7) /* zero-extension with zeros in one operand */
            lane = i % (2 * size) < size ? first + i / (2 * size) * size + i % size : 16 - first;
        if ((kind == 6 && i % 4) || (size == 2 && kind == 8 && i % 2))
            lane = lanes[i - 1] + 1u;
        else if (size == 2 && kind == 8)
            lane = i < 8 ? random_below(4) * 2 : i;
        lanes[i] = lane & 31;
    }
    memcpy(imm, lanes, 16);
}

static enum ir_type type_of(char letter)
{
    return letter == 'v'   ? IR_V128
           : letter == 'i' ? IR_I32
           : letter == 'l' ? IR_I64
           : letter == 'S' ? IR_F32
                           : IR_F64;
}

static enum ir_access access_of(char letter, unsigned size)
{
    static const uint8_t integers[] = {[1] = IR_U8, [2] = IR_U16, [4] = IR_U32, [8] = IR_64};
    return (enum ir_access)(letter == 'v'   ? IR_128
                            : letter == 'l' ? IR_64
                            : letter == 'S' ? IR_ACCESS_F32
                            : letter == 'D' ? IR_ACCESS_F64
                                            : integers[size]);
}

static ir_ref vector_constant(struct ir_func *f, ir_block_ref b, const union vec *v)
{
    ir_ref ref = build_constant(f, b, IR_V128, v->u64[0]);
    ir_at(f, ref)->imm2 = v->u64[1];
    return ref;
}

static ir_ref load(struct ir_func *f, ir_block_ref b, enum ir_type type, enum ir_access access,
                   ir_ref address, uint64_t offset)
{
    ir_ref ref = build(f, b, IR_LOAD, type, address, 0);
    ir_at(f, ref)->access = (uint8_t)access;
    ir_at(f, ref)->imm = offset;
    return ref;
}

static ir_ref store(struct ir_func *f, ir_block_ref b, enum ir_access access, ir_ref address,
                    ir_ref value)
{
    ir_ref ref = build(f, b, IR_STORE, IR_VOID, address, value);
    ir_at(f, ref)->access = (uint8_t)access;
    ir_at(f, ref)->imm = STORE_AT;
    return ref;
}

static ir_ref operand(struct ir_func *f, ir_block_ref b, unsigned op, const struct tested *t,
                      unsigned k, const ir_ref *params, ir_ref address, ir_ref first)
{
    char letter = simd_op_info[op].types[1 + k];
    enum ir_type type = type_of(letter);
    uint64_t offset = OPERANDS + 16 * k;
    switch (t->form.sources[k]) {
    case LOADED: return load(f, b, type, access_of(letter, lane_size(op)), address, offset);
    case HALF:
    case QUARTER:
        if (letter != 'v')
            return params[k];
        return load(f, b, type, t->form.sources[k] == HALF ? IR_ACCESS_F64 : IR_ACCESS_F32, address,
                    offset);
    case CONSTANT:
    case ZERO:
        return letter == 'v' ? vector_constant(f, b, &t->constants[k])
                             : build_constant(f, b, type, t->constants[k].u64[0]);
    case SAME: return letter == 'v' ? first : params[k];
    default: return params[k];
    }
}

static ir_ref operation(struct ir_func *f, ir_block_ref b, unsigned op, const struct tested *t,
                        const ir_ref *params, ir_ref address)
{
    unsigned count = (unsigned)strlen(simd_op_info[op].types) - 1;
    ir_ref operands[3] = {0, 0, 0};
    for (unsigned k = 0; k < count; k++)
        operands[k] = operand(f, b, op, t, k, params, address, operands[0]);
    ir_ref ref = build(f, b, (enum ir_op)(IR_SIMD1 + count - 1), type_of(*simd_op_info[op].types),
                       operands[0], operands[1]);
    struct ir_ins *ins = ir_at(f, ref);
    ins->c = operands[2];
    ins->aux = op;
    ins->imm = t->imm;
    ins->imm2 = t->imm2;
    return ref;
}

static ir_ref vector2(struct ir_func *f, ir_block_ref b, unsigned op, ir_ref x, ir_ref y)
{
    ir_ref ref = build(f, b, IR_SIMD2, IR_V128, x, y);
    ir_at(f, ref)->aux = op;
    return ref;
}

static void finish_branch(struct ir_func *f, ir_block_ref b, ir_ref condition)
{
    ir_block_ref yes, no;
    build_fork(f, b, condition, &yes, &no);
    ir_ref one = build_constant(f, yes, IR_I32, 1), zero = build_constant(f, no, IR_I32, 0);
    build_list(f, yes, IR_RETURN, IR_VOID, 0, &one, 1);
    build_list(f, no, IR_RETURN, IR_VOID, 0, &zero, 1);
}

/* Three rounds, whose results are joined by exclusive or: one result. */
static ir_ref looped(struct ir_func *f, unsigned op, const struct tested *t, const ir_ref *params,
                     ir_ref address, ir_block_ref *end)
{
    union vec zero = {0};
    ir_ref none = vector_constant(f, 0, &zero), start = build_constant(f, 0, IR_I32, 0);
    ir_block_ref body = ir_block_new(f);
    *end = ir_block_new(f);
    ir_jump(f, 0, body);
    ir_pred_add(f, body, 0);
    ir_pred_add(f, body, body);
    ir_ref sum = ir_phi_new(f, body, IR_V128), i = ir_phi_new(f, body, IR_I32);
    ir_ref result = operation(f, body, op, t, params, address);
    ir_ref joined = vector2(f, body, SIMD_V128_XOR, sum, result);
    ir_ref next = build(f, body, IR_ADD, IR_I32, i, build_constant(f, body, IR_I32, 1));
    ir_ref more = build(f, body, IR_LT_U, IR_I32, next, build_constant(f, body, IR_I32, 3));
    f->pool[ir_at(f, sum)->list] = none;
    f->pool[ir_at(f, sum)->list + 1] = joined;
    f->pool[ir_at(f, i)->list] = start;
    f->pool[ir_at(f, i)->list + 1] = next;
    ir_branch(f, body, more, body, *end);
    ir_pred_add(f, *end, body);
    return joined;
}

static bool write_function(struct image *image, uint32_t index, unsigned op, const struct tested *t)
{
    struct ir_func f;
    ir_ref params[4], pressing[PRESSING];
    char result_letter = *simd_op_info[op].types;
    build_start(&f, image, index, params);
    ir_ref address = params[strlen(simd_op_info[op].types) - 1], result;
    ir_block_ref b = 0;
    if (t->form.use == PRESSED)
        for (unsigned i = 0; i < PRESSING; i++)
            pressing[i] = load(&f, b, IR_V128, IR_128, address, PRESSURE + 16 * i);
    if (t->form.use == LOOPED)
        result = looped(&f, op, t, params, address, &b);
    else
        result = operation(&f, b, op, t, params, address);
    switch (t->form.use) {
    case PRESSED: {
        ir_ref sum = pressing[0];
        for (unsigned i = 1; i < PRESSING; i++)
            sum = vector2(&f, b, SIMD_V128_XOR, sum, pressing[i]);
        store(&f, b, IR_128, address, sum);
        break;
    }
    case BRANCHED: finish_branch(&f, b, result); return build_finish(&f, image);
    case BRANCHED_NOT:
        finish_branch(&f, b, build(&f, b, IR_EQZ, IR_I32, result, 0));
        return build_finish(&f, image);
    case SELECTED: {
        enum ir_type type = type_of(result_letter);
        ir_ref other = type == IR_V128 ? vector_constant(&f, b, &t->constants[0])
                                       : build_constant(&f, b, type, 17);
        ir_ref condition = type == IR_I32 ? result : address;
        ir_ref chosen = build(&f, b, IR_SELECT, type, type == IR_I32 ? address : result, other);
        ir_at(&f, chosen)->c = condition;
        result = chosen;
        break;
    }
    case STORED: {
        store(&f, b, access_of(result_letter, lane_size(op)), address, result);
        union vec zero = {0};
        result = result_letter == 'v' ? vector_constant(&f, b, &zero)
                                      : build_constant(&f, b, type_of(result_letter), 0);
        break;
    }
    default: break;
    }
    build_list(&f, b, IR_RETURN, IR_VOID, 0, &result, 1);
    return build_finish(&f, image);
}

static bool applies(unsigned op, const struct form *form)
{
    char result = *simd_op_info[op].types;
    switch (form->use) {
    case LOOPED: return result == 'v';
    case BRANCHED:
    case BRANCHED_NOT: return result == 'i';
    default: return true;
    }
}

static void prepare(unsigned op, const struct form *form, struct tested *t)
{
    *t = (struct tested){.form = *form};
    for (unsigned k = 0; k < 3; k++) {
        t->constants[k] = random_vec();
        if (form->sources[k] == ZERO)
            memset(&t->constants[k], 0, sizeof t->constants[k]);
        char letter = k + 1 < strlen(simd_op_info[op].types) ? simd_op_info[op].types[k + 1] : 'v';
        if (letter == 'i' || letter == 'S')
            t->constants[k].u64[0] &= UINT32_MAX;
    }
    if (op == SIMD_I8X16_SHUFFLE) {
        uint64_t lanes[2];
        random_shuffle(lanes);
        t->imm = lanes[0];
        t->imm2 = lanes[1];
    } else if (simd_op_info[op].flags & SIMD_L) {
        t->imm = random_below(16 / lane_size(op));
    }
}

static void show(const char *what, const union vec *v)
{
    printf(" %s %016llx'%016llx", what, (unsigned long long)v->u64[1],
           (unsigned long long)v->u64[0]);
}

/* One call with random operands. */
static bool trial(struct image_instance *in, uint32_t func, unsigned op, const struct tested *t,
                  bool outside)
{
    const char *types = simd_op_info[op].types;
    unsigned count = (unsigned)strlen(types) - 1;
    uint32_t address = outside ? IMAGE_PAGE - OPERANDS - 16 * count : random_below(100);
    uint8_t *memory = in->memory[0].base + address;
    struct simd_case test = {.op = op, .imm = t->imm, .imm2 = t->imm2, .cpu = cpu};
    union wasm_value args[4], result = {0};
    memset(args, 0, sizeof args);
    for (unsigned k = 0; k < count; k++) {
        union vec v = random_vec();
        memcpy(args[k].v128, &v, 16);
        if (types[1 + k] == 'i' && random_below(2)) /* shift counts, mostly */
            args[k].i32 = random_below(70);
        memcpy(&v, args[k].v128, 16);
        memcpy(memory + OPERANDS + 16 * k, &v, 16);
        switch (t->form.sources[k]) {
        case SAME:
            if (types[1 + k] == 'v')
                v = test.operands[0];
            break;
        case HALF:
        case QUARTER:
            if (types[1 + k] != 'v')
                break;
            v.u64[1] = 0;
            if (t->form.sources[k] == QUARTER)
                v.u32[1] = 0;
            break;
        case CONSTANT:
        case ZERO: v = t->constants[k]; break;
        default: break;
        }
        test.operands[k] = v;
    }
    args[count].i32 = address;
    if (t->form.use == PRESSED && !outside)
        for (unsigned i = 0; i < 2 * PRESSING; i++) {
            uint64_t x = random64();
            memcpy(memory + PRESSURE + 8 * i, &x, 8);
        }
    union vec want = simd_model(&test), got;
    uint32_t trap = image_call(in, func, args, &result);
    memcpy(&got, &result, 16);
    bool good = !trap;
    if (t->form.use == STORED || t->form.use == PRESSED) {
        union vec stored = {0}, sum = {0};
        bool lane = *types != 'v' && t->form.use == STORED;
        unsigned size = *types == 'i' ? lane_size(op) : *types == 'S' ? 4 : 8;
        memcpy(&stored, memory + STORE_AT, lane ? size : 16);
        if (t->form.use == PRESSED) {
            for (unsigned i = 0; i < PRESSING; i++)
                for (unsigned k = 0; k < 16; k++)
                    sum.u8[k] ^= memory[PRESSURE + 16 * i + k];
            good = good && !memcmp(&sum, &stored, 16);
        } else {
            got = stored;
            if (lane)
                memset(want.u8 + size, 0, 16 - size);
        }
    } else if (t->form.use == BRANCHED || t->form.use == BRANCHED_NOT) {
        want.u32[0] = (want.u32[0] != 0) == (t->form.use == BRANCHED);
    } else if (t->form.use == SELECTED) {
        if (*types == 'i')
            want.u32[0] = want.u32[0] ? address : 17;
        else if (!address && *types == 'v')
            want = t->constants[0];
        else if (!address)
            want = (union vec){.u64 = {17}};
    }
    bool computed = t->form.use != SELECTED || address;
    if (good && (computed ? simd_equal(&test, &want, &got) : !memcmp(&want, &got, 16)))
        return true;
    printf("# %s: use %u, sources %u %u %u, imm %llx'%llx, trap %u:", simd_op_info[op].name,
           t->form.use, t->form.sources[0], t->form.sources[1], t->form.sources[2],
           (unsigned long long)t->imm2, (unsigned long long)t->imm, trap);
    for (unsigned k = 0; k < count; k++)
        show("operand", &test.operands[k]);
    show("want", &want);
    show("got", &got);
    printf("\n");
    return false;
}

/* Loads that reach one byte beyond the memory trap, however much of them is needed. */
static bool traps(struct image_instance *in, uint32_t func, unsigned op, const struct tested *t)
{
    const char *types = simd_op_info[op].types;
    unsigned count = (unsigned)strlen(types) - 1;
    for (unsigned k = 0; k < count; k++) {
        unsigned size = t->form.sources[k] == LOADED    ? 16
                        : t->form.sources[k] == HALF    ? 8
                        : t->form.sources[k] == QUARTER ? 4
                                                        : 0;
        if (!size || types[1 + k] != 'v')
            continue;
        union wasm_value args[4], result;
        memset(args, 0, sizeof args);
        args[count].i32 = IMAGE_PAGE - OPERANDS - 16 * k - size + 1;
        if (image_call(in, func, args, &result) != WASM_TRAP_MEMORY) {
            printf("# %s: no trap, sources %u %u %u\n", simd_op_info[op].name, t->form.sources[0],
                   t->form.sources[1], t->form.sources[2]);
            return false;
        }
    }
    return true;
}

static bool test_op(unsigned op)
{
    static struct image image;
    static struct image_instance in;
    static struct tested tested[IMAGE_FUNCS];
    char signature[8];
    unsigned count = (unsigned)strlen(simd_op_info[op].types) - 1, functions = 0;
    for (unsigned k = 0; k <= count; k++) {
        char letter = simd_op_info[op].types[k];
        char mapped = letter == 'l' ? 'I' : letter == 'S' ? 'f' : letter == 'D' ? 'F' : letter;
        signature[k ? k - 1 : count + 2] = mapped;
    }
    memcpy(signature + count, "i:", 2);
    signature[count + 3] = 0;
    bool good = true;
    image_start(&image, &cpu);
    uint32_t type = image_type(&image, signature);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned k = 0; k < FORMS && functions < IMAGE_FUNCS; k++) {
            if (!applies(op, &forms[k]) || (round && op != SIMD_I8X16_SHUFFLE))
                continue;
            prepare(op, &forms[k], &tested[functions]);
            uint32_t index = image_func(&image, type);
            good = good && write_function(&image, index, op, &tested[functions++]);
        }
    if (good && image_finish(&image)) {
        image_instantiate(&image, &in);
        for (uint32_t i = 0; i < functions && good; i++) {
            for (unsigned n = 0; n < TRIALS && good; n++)
                good = trial(&in, i, op, &tested[i], false);
            if (good && tested[i].form.use == RETURNED)
                good = trial(&in, i, op, &tested[i], true) && traps(&in, i, op, &tested[i]);
        }
        image_discard(&in);
    } else {
        printf("# %s does not compile\n", simd_op_info[op].name);
        good = false;
    }
    image_free(&image);
    return good;
}

/* More vectors than registers as arguments and results, shifted round by one on the way; a global.
 */
static bool test_calls(void)
{
    static struct image image;
    static struct image_instance in;
    struct ir_func f;
    image_start(&image, &cpu);
    image.globals[0].type = IR_V128;
    uint32_t type = image_type(&image, "vvvvviIvvvvvv:vvvvviIvvvvvv");
    uint32_t inner = image_func(&image, type), outer = image_func(&image, type);
    enum { ALL = 13 };
    ir_ref p[ALL], r[ALL];
    build_start(&f, &image, inner, p);
    for (unsigned i = 0; i < ALL; i++)
        r[i] = i == 5 || i == 6 ? p[i] : p[i == ALL - 1 ? 0 : i == 4 ? 7 : i + 1];
    build_list(&f, 0, IR_RETURN, IR_VOID, 0, r, ALL);
    bool good = build_finish(&f, &image);
    build_start(&f, &image, outer, p);
    ir_ref set = build_indexed(&f, 0, IR_GLOBAL_SET, IR_VOID, 0);
    ir_at(&f, set)->a = p[3];
    ir_ref call = build_list(&f, 0, IR_CALL, IR_V128, inner, p, ALL);
    r[0] = call;
    static const char letters[] = "vvvvviIvvvvvv";
    for (unsigned i = 1; i < ALL; i++) {
        enum ir_type t = letters[i] == 'v' ? IR_V128 : letters[i] == 'i' ? IR_I32 : IR_I64;
        r[i] = build(&f, 0, IR_RESULT, t, call, 0);
        ir_at(&f, r[i])->aux = i;
    }
    ir_ref global = build_indexed(&f, 0, IR_GLOBAL_GET, IR_V128, 0);
    r[0] = vector2(&f, 0, SIMD_V128_XOR, r[0], global);
    /* Lives across the call. */
    r[1] = vector2(&f, 0, SIMD_I8X16_ADD, r[1], p[9]);
    build_list(&f, 0, IR_RETURN, IR_VOID, 0, r, ALL);
    good = good && build_finish(&f, &image) && image_finish(&image);
    if (good) {
        union wasm_value args[ALL], results[ALL];
        image_instantiate(&image, &in);
        memset(results, 0, sizeof results);
        for (unsigned i = 0; i < ALL; i++) {
            union vec v = random_vec();
            memcpy(&args[i], &v, 16);
        }
        good = !image_call(&in, outer, args, results);
        for (unsigned i = 0; i < ALL && good; i++) {
            union wasm_value want = args[i == ALL - 1 ? 0 : i == 4 ? 7 : i + 1];
            for (unsigned k = 0; k < 16; k++) {
                if (i == 0)
                    want.v128[k] ^= args[3].v128[k];
                if (i == 1)
                    want.v128[k] = (uint8_t)(want.v128[k] + args[9].v128[k]);
            }
            if (i == 5)
                good = results[i].i32 == args[i].i32;
            else if (i == 6)
                good = results[i].i64 == args[i].i64;
            else
                good = !memcmp(&results[i], &want, 16);
        }
        image_discard(&in);
    }
    image_free(&image);
    return good;
}

/* x << k | x >> 64 - k and its like, for every count, in one function each. */
static bool test_rotations(unsigned left, unsigned right, unsigned bits)
{
    static struct image image;
    static struct image_instance in;
    image_start(&image, &cpu);
    uint32_t type = image_type(&image, "v:v");
    bool good = true;
    unsigned step = bits == 64 ? 2 : 1;
    for (unsigned k = 0; k < bits && good; k += step) {
        struct ir_func f;
        ir_ref x, shifts[2];
        build_start(&f, &image, image_func(&image, type), &x);
        for (unsigned i = 0; i < 2; i++) {
            ir_ref count = build_constant(&f, 0, IR_I32, i ? bits - k : k);
            shifts[i] = vector2(&f, 0, i ? right : left, x, count);
        }
        unsigned first = k / step & 1;
        ir_ref result = vector2(&f, 0, SIMD_V128_OR, shifts[first], shifts[!first]);
        build_list(&f, 0, IR_RETURN, IR_VOID, 0, &result, 1);
        good = build_finish(&f, &image);
    }
    good = good && image_finish(&image);
    if (good) {
        image_instantiate(&image, &in);
        for (unsigned k = 0; k < bits && good; k += step) {
            union wasm_value arg, result;
            union vec v = random_vec(), want;
            memcpy(&arg, &v, 16);
            unsigned size = bits / 8;
            for (unsigned i = 0; i < 16; i += size) {
                uint64_t lane = 0;
                memcpy(&lane, v.u8 + i, size);
                lane = lane << k | lane >> (bits - k) % bits;
                memcpy(want.u8 + i, &lane, size);
            }
            good = !image_call(&in, k / step, &arg, &result) && !memcmp(&want, &result, 16);
        }
        image_discard(&in);
    }
    image_free(&image);
    return good;
}

int main(void)
{
    for (unsigned level = 0; level < sizeof levels / sizeof *levels; level++) {
        struct target_features here;
        const char *unknown;
        unsigned wrong = 0, all = 0;
        target_detect(&here);
        if (!target_features_parse(levels[level], &cpu, &unknown) ||
            target_features_bits(&cpu) & ~target_features_bits(&here)) {
            printf("ok %d - # SKIP this processor is not one with %s\n", ++number, levels[level]);
            continue;
        }
        for (unsigned op = 0; op < SIMD_OP_COUNT; op++) {
            if (!simd_op_info[op].name)
                continue;
            all++;
            for (unsigned k = 0; k < (op == SIMD_I8X16_SHUFFLE ? 8 : 1); k++)
                if (!test_op(op)) {
                    wrong++;
                    break;
                }
        }
        char name[80];
        snprintf(name, sizeof name, "vector operations on %s: %u", levels[level], all);
        check(!wrong, name);
        snprintf(name, sizeof name, "vectors as arguments, results, in a global on %s",
                 levels[level]);
        check(test_calls(), name);
        snprintf(name, sizeof name, "rotations on %s", levels[level]);
        check(test_rotations(SIMD_I16X8_SHL, SIMD_I16X8_SHR_U, 16) &&
                  test_rotations(SIMD_I32X4_SHL, SIMD_I32X4_SHR_U, 32) &&
                  test_rotations(SIMD_I64X2_SHL, SIMD_I64X2_SHR_U, 64),
              name);
    }
    printf("1..%d\n", number);
    return failures != 0;
}
