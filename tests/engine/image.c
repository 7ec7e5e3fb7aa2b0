#define _GNU_SOURCE
#include "image.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

enum { STACK = 65536, GUARD = 65536 };
#define RESERVED ((8ull << 30) + IMAGE_PAGE)
#define NO_ASAN  __attribute__((no_sanitize("address")))

static uint8_t *stack;
static struct wasm_exec exec;
static struct image *running;
static uintptr_t helpers[WASM_HELPER_COUNT];

static void die(const char *why)
{
    printf("Bail out! %s\n", why);
    exit(1);
}

static void *map(size_t size, int protection)
{
    void *p = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

/* A fault is a trap if the tables say so; overflow of the stack needs no entry. */
static void on_fault(int number, siginfo_t *info, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    uintptr_t pc = (uintptr_t)regs[REG_RIP], at = (uintptr_t)info->si_addr;
    uint64_t offset = running ? pc - (uintptr_t)running->base : UINT64_MAX;
    uint32_t trap = 0;
    for (uint32_t i = 0; running && i < running->code.trap_count; i++)
        if (running->code.traps[i].offset == offset)
            trap = running->code.traps[i].trap;
    if (number == SIGSEGV && running && offset < running->code.size && at >= exec.guard_low &&
        at < exec.stack_low)
        trap = WASM_TRAP_STACK;
    if (!trap) {
        char text[80];
        snprintf(text, sizeof text, "signal %d at code offset 0x%llx", number,
                 (unsigned long long)offset);
        die(text);
    }
    regs[REG_RDI] = trap;
    regs[REG_RIP] = (greg_t)((uintptr_t)running->base + running->exit_stub);
}

static void once(void)
{
    if (stack)
        return;
    stack = map(GUARD + STACK, PROT_NONE);
    mprotect(stack + GUARD, STACK, PROT_READ | PROT_WRITE);
    stack_t alternative = {.ss_sp = map(65536, PROT_READ | PROT_WRITE), .ss_size = 65536};
    sigaltstack(&alternative, NULL);
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
    helpers[WASM_HELPER_exception_throw] = (uintptr_t)image_throw;
}

void image_start(struct image *image, const struct target_features *features)
{
    once();
    memset(image, 0, sizeof *image);
    struct target_features here;
    target_detect(&here);
    image->compiler = target_compiler_new(features ? features : &here);
    struct ir_module *m = &image->module;
    m->types = image->types;
    m->func_types = image->func_types;
    m->globals = image->globals;
    m->memories = image->memories;
    m->tables = image->tables;
    m->tag_types = image->tag_types;
    m->global_count = m->table_count = 1;
    m->memory_count = IMAGE_MEMORIES;
    m->tag_count = 2;
    image->globals[0] = (struct ir_global){.type = IR_I64, .mutable_ = true};
}

static uint8_t type_of(char letter)
{
    static const char letters[] = "iIfFvr";
    static const uint8_t types[] = {IR_I32, IR_I64, IR_F32, IR_F64, IR_V128, IR_REF};
    const char *at = strchr(letters, letter);
    if (!at)
        die("a type is one of iIfFvr");
    return types[at - letters];
}

uint32_t image_type(struct image *image, const char *text)
{
    uint32_t n = image->module.type_count;
    if (n == IMAGE_TYPES)
        die("too many types");
    struct ir_signature *s = &image->types[n];
    *s = (struct ir_signature){.params = image->values[n][0], .results = image->values[n][1]};
    for (; *text && *text != ':'; text++)
        image->values[n][0][s->param_count++] = type_of(*text);
    for (text += *text == ':'; *text; text++)
        image->values[n][1][s->result_count++] = type_of(*text);
    for (uint32_t i = 0; i < n; i++)
        if (image->types[i].param_count == s->param_count &&
            image->types[i].result_count == s->result_count &&
            !memcmp(image->types[i].params, s->params, s->param_count) &&
            !memcmp(image->types[i].results, s->results, s->result_count))
            return i;
    return image->module.type_count++;
}

uint32_t image_func(struct image *image, uint32_t type)
{
    if (image->module.func_count == IMAGE_FUNCS)
        die("too many functions");
    image->func_types[image->module.func_count] = type;
    return image->module.func_count++;
}

uint32_t image_import(struct image *image, uint32_t type)
{
    image->module.import_count++;
    return image_func(image, type);
}

bool image_compile(struct image *image, struct ir_func *f)
{
    char why[200] = "out of memory";
    if (!f->failed && ir_verify(f, why, sizeof why) && ir_analyse(f) &&
        target_compile(image->compiler, f, &image->code,
                       &image->funcs[f->index - image->module.import_count]))
        return true;
    printf("# function %u: %s\n", f->index, why);
    return false;
}

bool image_finish(struct image *image)
{
    uint32_t end;
    bool good = target_exit_stub(&image->code, &image->exit_stub, &end);
    for (uint32_t i = 0; i < image->module.type_count; i++)
        good = good && target_thunks(&image->types[i], &image->code, &image->thunks[i]);
    if (!good)
        return false;
    target_patch(&image->code, image->funcs, image->module.import_count);
    image->base = map(image->code.size, PROT_READ | PROT_WRITE);
    memcpy(image->base, image->code.bytes, image->code.size);
    for (uint32_t i = 0; i < image->code.typeref_count; i++) {
        uint32_t number = IMAGE_CANONICAL + image->code.typerefs[i].type;
        memcpy(image->base + image->code.typerefs[i].offset, &number, sizeof number);
    }
    mprotect(image->base, image->code.size, PROT_READ | PROT_EXEC);
    running = image;
    return true;
}

void image_free(struct image *image)
{
    if (image->base)
        munmap(image->base, image->code.size);
    free(image->code.bytes);
    free(image->code.traps);
    free(image->code.sites);
    free(image->code.relocs);
    free(image->code.typerefs);
    target_compiler_free(image->compiler);
    running = NULL;
}

void image_instantiate(struct image *image, struct image_instance *in)
{
    memset(in, 0, sizeof *in);
    uint32_t imports = image->module.import_count;
    for (uint32_t i = imports; i < image->module.func_count; i++) {
        uint32_t type = image->func_types[i];
        in->funcs[i - imports] = (struct wasm_func){
            .code = (uintptr_t)image->base + image->funcs[i - imports].start,
            .foreign = (uintptr_t)image->base + image->thunks[type].foreign,
            .direct = (uintptr_t)image->base + image->thunks[type].foreign,
            .instance = &in->abi,
            .type = IMAGE_CANONICAL + type,
            .index = i,
            .owner = &in->abi,
        };
    }
    for (uint32_t i = 0; i < IMAGE_MEMORIES; i++) {
        in->memory[i].base = map(RESERVED, PROT_NONE);
        in->memory[i].size = IMAGE_PAGE;
        mprotect(in->memory[i].base, IMAGE_PAGE, PROT_READ | PROT_WRITE);
        in->memories[i] = &in->memory[i];
    }
    in->globals[0] = &in->global;
    for (uint32_t i = 0; i < 2; i++)
        in->tags[i] = &in->tag[i];
    in->abi = (struct wasm_instance){
        .memory0 = in->memory[0].base,
        .exec = &exec,
        .exit_stub = (uintptr_t)image->base + image->exit_stub,
        .helpers = helpers,
        .imports = in->imports,
        .memories = in->memories,
        .tables = in->tables,
        .globals = in->globals,
        .funcs = in->funcs,
        .tags = in->tags,
    };
}

void image_table(struct image_instance *in, struct wasm_func **elements, uint32_t count)
{
    static struct wasm_table table;
    table = (struct wasm_table){.elements = (void **)elements, .size = count, .max = count};
    in->tables[0] = &table;
}

void image_discard(struct image_instance *in)
{
    for (uint32_t i = 0; i < IMAGE_MEMORIES; i++)
        munmap(in->memory[i].base, RESERVED);
}

uint32_t image_call(struct image_instance *in, uint32_t func, const union wasm_value *args,
                    union wasm_value *results)
{
    typedef uint32_t (*entry_fn)(struct wasm_func *, const union wasm_value *, uintptr_t,
                                 union wasm_value *);
    uint32_t index = func - running->module.import_count;
    memset(stack + GUARD, 0xa5, STACK);
    exec.guard_low = (uintptr_t)stack;
    exec.stack_low = exec.guard_low + GUARD;
    exec.host_limit = exec.stack_low + 4096;
    exec.exception = NULL;
    entry_fn entry =
        (entry_fn)((uintptr_t)running->base + running->thunks[running->func_types[func]].entry);
    return entry(&in->funcs[index], args, exec.stack_low + STACK, results);
}

size_t image_stack_used(void)
{
    size_t free_bytes = 0;
    while (free_bytes < STACK && stack[GUARD + free_bytes] == 0xa5)
        free_bytes++;
    return STACK - free_bytes;
}

static const struct code_site *site_at(uintptr_t pc)
{
    for (uint32_t i = 0; i < running->code.site_count; i++)
        if ((uintptr_t)running->base + running->code.sites[i].offset == pc)
            return &running->code.sites[i];
    die("no site at a return address");
    return NULL;
}

NO_ASAN void image_throw(struct wasm_instance *instance, struct wasm_exception *exception)
{
    uintptr_t fp = (uintptr_t)__builtin_frame_address(0), pc = ((uintptr_t *)fp)[1], sp = fp + 16;
    uint8_t *memory0 = instance->memory0;
    exec.exception = exception;
    for (;;) {
        uint32_t offset = (uint32_t)(pc - (uintptr_t)running->base), frame = UINT32_MAX, popped = 0;
        if (site_at(pc)->catches)
            target_resume(pc, sp, instance, memory0);
        uint32_t own = running->module.func_count - running->module.import_count;
        for (uint32_t i = 0; i < own; i++)
            if (offset >= running->funcs[i].start && offset < running->funcs[i].end) {
                frame = running->funcs[i].frame_size;
                popped = running->funcs[i].popped;
            }
        for (uint32_t i = 0; i < running->module.type_count; i++) {
            const struct code_thunks *t = &running->thunks[i];
            if (offset >= t->entry && offset < t->entry_end)
                target_exit(instance, WASM_TRAP_EXCEPTION);
            if (offset >= t->foreign && offset < t->foreign_end) {
                frame = t->foreign_frame;
                popped = t->popped;
                uintptr_t *at = (uintptr_t *)(sp + frame);
                memory0 = (uint8_t *)at[-1];
                instance = (struct wasm_instance *)at[-2];
            }
        }
        if (frame == UINT32_MAX)
            die("a return address in no function");
        pc = *(uintptr_t *)(sp + frame);
        sp += frame + 8 + popped;
    }
}

ir_ref build_constant(struct ir_func *f, ir_block_ref b, enum ir_type type, uint64_t value)
{
    ir_ref ref = ir_append(f, b, IR_CONST, type);
    ir_at(f, ref)->imm = value;
    return ref;
}

ir_ref build(struct ir_func *f, ir_block_ref b, enum ir_op kind, enum ir_type type, ir_ref x,
             ir_ref y)
{
    ir_ref ref = ir_append(f, b, kind, type);
    ir_at(f, ref)->a = x;
    ir_at(f, ref)->b = y;
    return ref;
}

ir_ref build_indexed(struct ir_func *f, ir_block_ref b, enum ir_op kind, enum ir_type type,
                     uint32_t aux)
{
    ir_ref ref = ir_append(f, b, kind, type);
    ir_at(f, ref)->aux = aux;
    return ref;
}

ir_ref build_list(struct ir_func *f, ir_block_ref b, enum ir_op kind, enum ir_type type,
                  uint32_t aux, const ir_ref *list, uint32_t count)
{
    uint32_t range = ir_list_new(f, count);
    ir_ref ref = build_indexed(f, b, kind, type, aux);
    memcpy(f->pool + range, list, count * sizeof *list);
    ir_at(f, ref)->list = range;
    ir_at(f, ref)->count = count;
    return ref;
}

void build_start(struct ir_func *f, struct image *image, uint32_t index, ir_ref *params)
{
    ir_func_init(f, &image->module, index);
    ir_block_new(f);
    for (uint32_t i = 0; i < f->signature->param_count; i++)
        params[i] = build_indexed(f, 0, IR_PARAM, (enum ir_type)f->signature->params[i], i);
}

bool build_finish(struct ir_func *f, struct image *image)
{
    bool good = image_compile(image, f);
    ir_func_free(f);
    return good;
}

void build_fork(struct ir_func *f, ir_block_ref b, ir_ref condition, ir_block_ref *yes,
                ir_block_ref *no)
{
    *yes = ir_block_new(f);
    *no = ir_block_new(f);
    ir_branch(f, b, condition, *yes, *no);
    ir_pred_add(f, *yes, b);
    ir_pred_add(f, *no, b);
}

uint32_t random_state = 1;
uint32_t random_below(uint32_t n)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % n;
}
uint64_t random64(void)
{
    uint64_t low = random_below(1u << 24), high = random_below(1u << 24);
    return low ^ high << 20 ^ (uint64_t)random_below(1u << 24) << 40;
}
