/* Backtraces in names and offsets of the module. Compiled code keeps no frame pointer: a frame's
 * size is known per function, return addresses are listed as sites. Reads memory only within the
 * engine stack in use. */
#include <stdio.h>
#include <string.h>

#include "runtime/instance.h"

enum { TRACE_NAME = 128 }; /* bytes for a name and an offset */

uint32_t module_find_func(const struct wasm_module *module, uint32_t offset)
{
    uint32_t low = 0, high = module->info.func_count - module->info.imported_funcs;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (module->funcs[middle].end <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < module->info.func_count - module->info.imported_funcs &&
                   module->funcs[low].start <= offset
               ? low
               : ~0u;
}

/* Number of sites at or before OFFSET. */
static uint32_t sites_before(const struct wasm_module *module, uint32_t offset)
{
    uint32_t low = 0, high = module->site_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (module->sites[middle].offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct module_thunk *module_find_thunk(const struct wasm_module *module, uint32_t offset)
{
    uint32_t low = 0, high = module->thunk_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (module->thunks[middle].end <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < module->thunk_count && module->thunks[low].start <= offset ? &module->thunks[low]
                                                                            : NULL;
}

bool module_is_site(const struct wasm_module *module, uint32_t offset)
{
    uint32_t n = sites_before(module, offset);
    return n && module->sites[n - 1].offset == offset;
}

bool module_site_catches(const struct wasm_module *module, uint32_t offset)
{
    uint32_t n = sites_before(module, offset);
    return n && module->sites[n - 1].offset == offset && module->sites[n - 1].catches;
}

uint32_t module_find_pos(const struct wasm_module *module, uint32_t offset)
{
    const struct code_trap *trap = module_find_trap(module, offset);
    if (trap)
        return trap->pos;
    uint32_t func = module_find_func(module, offset);
    uint32_t n = sites_before(module, offset);
    if (n && (func == ~0u || module->sites[n - 1].offset >= module->funcs[func].start))
        return module->sites[n - 1].pos;
    return func == ~0u ? 0 : module->info.bodies[func].start;
}

/* The own function whose body POS lies in, 0 if none's. */
static uint32_t body_at(const struct wasm_module *module, uint32_t pos)
{
    uint32_t low = 0, high = module->info.func_count - module->info.imported_funcs;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (module->info.bodies[middle].start <= pos)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void add_frame(struct wasm_store *store, struct wasm_module *module, uint32_t func,
                      uint32_t pos)
{
    if (store->trace_count < TRACE_FRAMES)
        store->trace[store->trace_count++] = (struct trace_frame){
            .module = module, .func = func + module->info.imported_funcs, .pos = pos};
}

/* The frames that one of machine code stands for: of the functions inlined there, innermost first,
 * and of its own. */
static void add_frames(struct wasm_store *store, struct wasm_module *module, uint32_t func,
                       uint32_t pos)
{
    /* Rows lead to earlier ones only. */
    while (pos >= CODE_INLINED && pos - CODE_INLINED < module->inlined_count) {
        const struct code_inlined *inlined = &module->inlined[pos - CODE_INLINED];
        add_frame(store, module, body_at(module, inlined->pos), inlined->pos);
        pos = inlined->call;
    }
    add_frame(store, module, func, pos);
}

/* The stack may hold poisoned frames of C functions. */
#define NO_ASAN __attribute__((no_sanitize("address")))

static bool readable(const struct wasm_store *store, uintptr_t sp)
{
    return sp >= store->exec.stack_low && sp <= store->stack_high - sizeof(uintptr_t) &&
           sp % sizeof(uintptr_t) == 0;
}

static bool is_return_address(uintptr_t value)
{
    struct wasm_module *module = range_find(value);
    if (!module)
        return false;
    uint32_t offset = (uint32_t)(value - (uintptr_t)module->code);
    if (module_is_site(module, offset))
        return true;
    const struct module_thunk *thunk = module_find_thunk(module, offset);
    return thunk && offset > thunk->start;
}

/* Where the return address of the innermost frame is. Its function may stand in its prologue, with
 * only a part of the frame made, so the place that the frame size names is tried first and then
 * whatever lies between. */
NO_ASAN static uintptr_t first_return(const struct wasm_store *store, uintptr_t sp, uint32_t frame)
{
    if (sp < store->exec.stack_low)
        sp = store->exec.stack_low;
    if (readable(store, sp + frame) && is_return_address(*(uintptr_t *)(sp + frame)))
        return sp + frame;
    for (uintptr_t p = sp; p <= sp + frame && readable(store, p); p += sizeof(uintptr_t))
        if (is_return_address(*(uintptr_t *)p))
            return p;
    return sp + frame;
}

/* Up the C frames from frame pointer FP to what called the first of them: compiled code, which goes
 * on at *PC with *SP. */
NO_ASAN static bool leave_c(const struct wasm_store *store, uintptr_t fp, uintptr_t *pc,
                            uintptr_t *sp)
{
    /* Saved fp at [fp], return address above it. */
    for (unsigned i = 0; i < 64 && readable(store, fp) && readable(store, fp + 8); i++) {
        uintptr_t next = ((uintptr_t *)fp)[0];
        *pc = ((uintptr_t *)fp)[1];
        *sp = fp + 16;
        if (range_find(*pc))
            return true;
        if (next <= fp)
            return false;
        fp = next;
    }
    return false;
}

/* From an entry thunk, called from a host function that a call came to before, to that call. The
 * outermost one has changed stacks: what would be its frame is not readable. */
NO_ASAN static bool leave_entry(const struct wasm_store *store, const struct module_thunk *thunk,
                                uintptr_t *pc, uintptr_t *sp)
{
    uintptr_t at = *sp + thunk->frame;
    return readable(store, at) && leave_c(store, *(uintptr_t *)(at - target_entry_fp), pc, sp);
}

NO_ASAN void trace_capture(struct wasm_store *store, uintptr_t pc, uintptr_t sp)
{
    store->trace_count = 0;
    for (bool first = true; store->trace_count < TRACE_FRAMES; first = false) {
        struct wasm_module *module = range_find(pc);
        if (!module)
            return;
        uint32_t offset = (uint32_t)(pc - (uintptr_t)module->code);
        uint32_t func = module_find_func(module, offset), frame = ~0u, popped = 0;
        if (func != ~0u) {
            add_frames(store, module, func, module_find_pos(module, offset));
            frame = module->funcs[func].frame_size;
            popped = module->funcs[func].popped;
        } else {
            const struct module_thunk *thunk = module_find_thunk(module, offset);
            if (!thunk)
                return;
            if (thunk->kind == THUNK_ENTRY) {
                if (first || !leave_entry(store, thunk, &pc, &sp))
                    return;
                continue;
            }
            frame = thunk->frame;
            popped = thunk->popped;
        }
        uintptr_t at = first ? first_return(store, sp, frame) : sp + frame;
        if (!readable(store, at))
            return;
        pc = *(uintptr_t *)at;
        sp = at + sizeof(uintptr_t) + popped;
    }
}

NO_ASAN void trace_capture_host(struct wasm_store *store, uintptr_t fp)
{
    uintptr_t pc, sp;
    store->trace_count = 0;
    if (leave_c(store, fp, &pc, &sp))
        trace_capture(store, pc, sp);
}

/* What FRAME is called and how far into it the trap is; N as snprintf(). Control characters become
 * "?", and a long name is cut between characters. */
static void describe(const struct trace_frame *frame, char *text, size_t size)
{
    const char *name = wasm_module_func_name(frame->module, frame->func);
    uint32_t start =
        frame->module->info.bodies[frame->func - frame->module->info.imported_funcs].start;
    int length = 0;
    while (length < 80 && name[length])
        length++;
    while (name[length] && length && ((unsigned char)name[length] & 0xc0) == 0x80)
        length--;
    char number[24];
    if (!length) {
        length = snprintf(number, sizeof(number), "func[%u]", frame->func);
        name = number;
    }
    snprintf(text, size, "%.*s+0x%x", length, name, frame->pos >= start ? frame->pos - start : 0);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
}

void trace_innermost(const struct wasm_store *store, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < store->trace_count; i++) {
        char frame[TRACE_NAME];
        describe(&store->trace[i], frame, sizeof(frame));
        if (used + strlen(frame) + 4 > size)
            return;
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? " < " : " in ", frame);
    }
}

size_t wasm_backtrace(struct wasm_instance *instance, char *text, size_t size)
{
    const struct wasm_store *store = instance_of(instance)->store;
    size_t used = 0;
    if (size)
        text[0] = '\0';
    for (uint32_t i = 0; i < store->trace_count && used < size; i++) {
        char frame[TRACE_NAME];
        describe(&store->trace[i], frame, sizeof(frame));
        int n = snprintf(text + used, size - used, "  #%u %s (wasm offset 0x%x)\n", i, frame,
                         store->trace[i].pos);
        if (n < 0)
            break;
        used += (size_t)n;
    }
    return used < size ? used : size ? size - 1 : 0;
}
