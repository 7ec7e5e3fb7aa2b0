/* Backtraces: every frame by name and by the offset of its instruction in the module, for traps of
 * every origin: faults, helpers, host functions, nested calls, other instances, an exhausted stack,
 * a spent budget, the start function; with a name section and without. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "port.h"
#include "wasm.h"

static unsigned number, failed;

static void check(bool ok, const char *module, const char *name, const char *got)
{
    printf("%sok %u - %s: %s\n", ok ? "" : "not ", ++number, module, name);
    for (const char *line = got; !ok && *line; line += strcspn(line, "\n") + 1)
        printf("# %.*s\n", (int)strcspn(line, "\n"), line);
    fflush(stdout);
    failed += !ok;
}

struct file {
    uint8_t bytes[1 << 16];
    size_t size;
};
static struct file named, nameless, linked;

static bool read_file(struct file *file, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    file->size = fread(file->bytes, 1, sizeof(file->bytes), f);
    fclose(f);
    return file->size > 0;
}

/* What the modules import. */

static char inner[8192]; /* the backtrace of the innermost nested call */

static void host_back(struct wasm_instance *caller, uint32_t n)
{
    union wasm_value arg = {.i32 = n - 1};
    struct wasm_func *func = wasm_instance_func(caller, n ? "nested" : "memory");
    enum wasm_trap trap = wasm_call(func, &arg, NULL);
    if (!n)
        wasm_backtrace(caller, inner, sizeof(inner));
    if (trap)
        wasm_trap(caller, trap);
}

static void host_refuse(struct wasm_instance *caller)
{
    wasm_trap(caller, WASM_TRAP_HOST);
}

static void host_quiet(struct wasm_instance *caller)
{
    (void)caller;
}

static struct {
    struct wasm_func *back, *refuse, *quiet;
    struct wasm_global *fail;
    struct wasm_instance *a;
} world;

static bool resolve(void *context, const struct wasm_import *import, struct wasm_extern *out)
{
    (void)context;
    if (!strcmp(import->module, "a"))
        return wasm_instance_export(world.a, import->name, import->name_len, out);
    if (!strcmp(import->name, "fail")) {
        out->kind = WASM_GLOBAL;
        out->global = world.fail;
        return true;
    }
    out->kind = WASM_FUNC;
    out->func = !strcmp(import->name, "back")     ? world.back
                : !strcmp(import->name, "refuse") ? world.refuse
                                                  : world.quiet;
    return true;
}

static struct wasm_instance *make(const struct file *file, struct wasm_error *err)
{
    struct wasm_module *module = wasm_module_load(file->bytes, file->size, NULL, err);
    struct wasm_instance_options options = {.resolve = resolve, .stack_size = 256 * 1024};
    struct wasm_instance *instance = module ? wasm_instance_new(module, &options, err) : NULL;
    wasm_module_release(module);
    return instance;
}

/* Whether TEXT has exactly the frames WANTED: words "name:opcode", innermost first, "b.name:opcode"
 * when the second instance's. The offset must be that of an instruction with this opcode (hex; "*":
 * any), and the same beyond the name, counted from the function's start. FILE is the first
 * instance's module. */
static bool frames_are(const char *text, const char *wanted, const struct file *file)
{
    for (unsigned i = 0; *wanted; i++) {
        char name[64], opcode[8], got_name[64];
        unsigned got_number, within, offset;
        int word = 0, line = 0;
        if (sscanf(wanted, "%63[^:]:%7s%n", name, opcode, &word) != 2)
            return false;
        const struct file *in = strncmp(name, "b.", 2) ? file : &linked;
        if (sscanf(text, " #%u %63[^+]+0x%x (wasm offset 0x%x)\n%n", &got_number, got_name, &within,
                   &offset, &line) != 4 ||
            !line)
            return false;
        if (got_number != i || strcmp(got_name, name + (in == &linked ? 2 : 0)) ||
            offset >= in->size || within >= offset)
            return false;
        if (*opcode != '*' && in->bytes[offset] != strtoul(opcode, NULL, 16))
            return false;
        /* A body begins behind its size; what is counted from there begins with the locals. */
        if (*opcode != '*' && in->bytes[offset - within - 1] < within)
            return false;
        wanted += word + (wanted[word] == ' ');
        text += line;
    }
    return !*text;
}

static const struct {
    const char *func;
    uint32_t arg;
    enum wasm_trap trap;
    const char *named, *nameless;
} cases[] = {
    {"memory", 0, WASM_TRAP_MEMORY, "load:28 memory:10", "func[3]:28 memory:10"},
    {"helper", 0, WASM_TRAP_MEMORY, "fill:fc helper:10", "func[4]:fc helper:10"},
    {"division", 0, WASM_TRAP_DIV_ZERO, "divide:6d division:10", "func[5]:6d division:10"},
    {"unreachable", 0, WASM_TRAP_UNREACHABLE, "stop:0 unreachable:10", "func[9]:0 unreachable:10"},
    {"host", 0, WASM_TRAP_HOST, "ask:10 host:10", "func[11]:10 host:10"},
    {"across", 0, WASM_TRAP_UNREACHABLE, "b.crash:0 b.direct:10 across:11",
     "b.crash:0 b.direct:10 across:11"},
    {"across", 1, WASM_TRAP_MEMORY, "load:28 memory:10 b.return:10 across:11",
     "func[3]:28 memory:10 b.return:10 across:11"},
    {"across", 5, WASM_TRAP_NULL, "across:11", "across:11"},
    {"across", 99, WASM_TRAP_UNDEFINED, "across:11", "across:11"},
    {"timeout", 0, WASM_TRAP_TIMEOUT, "spin:* timeout:10", "func[18]:* timeout:10"},
    /* What ended the nested call, handed on by the outermost host function. */
    {"nested", 2, WASM_TRAP_MEMORY, "nest:10 nested:10", "func[13]:10 nested:10"},
};

static void test_module(const struct file *file, const char *label, bool names)
{
    struct wasm_error err;
    world.a = make(file, &err);
    world.fail = wasm_global_new(WASM_I32, false, (union wasm_value){.i32 = 0});
    struct wasm_instance *b = world.a ? make(&linked, &err) : NULL;
    if (!b) {
        check(false, label, "load", err.message);
        return;
    }
    wasm_instance_set_budget(world.a, 20000000);
    char text[8192];
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char name[96];
        union wasm_value arg = {.i32 = cases[i].arg};
        enum wasm_trap trap = wasm_call(wasm_instance_func(world.a, cases[i].func), &arg, NULL);
        wasm_backtrace(world.a, text, sizeof(text));
        snprintf(name, sizeof(name), "%s(%u), %s", cases[i].func, cases[i].arg,
                 wasm_trap_name(trap));
        check(trap == cases[i].trap &&
                  frames_are(text, names ? cases[i].named : cases[i].nameless, file),
              label, name, text);
    }
    check(frames_are(inner,
                     names
                         ? "load:28 memory:10 nest:10 nested:10 nest:10 nested:10 nest:10 nested:10"
                         : "func[3]:28 memory:10 func[13]:10 nested:10 func[13]:10 nested:10 "
                           "func[13]:10 nested:10",
                     file),
          label, "the innermost of nested calls, with what lies around it", inner);
    wasm_instance_set_budget(world.a, 0);
    enum wasm_trap trap = wasm_call(wasm_instance_func(world.a, "overflow"), NULL, NULL);
    size_t length = wasm_backtrace(world.a, text, sizeof(text)), lines = 0, right = 0;
    const char *deeper = names ? " deeper+0x" : " func[16]+0x";
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1, lines++)
        right += strstr(line, deeper) && strstr(line, deeper) < strchr(line, '\n');
    check(trap == WASM_TRAP_STACK && length == strlen(text) && lines == 64 && right == 64, label,
          "an exhausted stack: the innermost 64 frames", text);
    memset(text, 'x', sizeof(text));
    length = wasm_backtrace(world.a, text, 40);
    check(length == 39 && strlen(text) == 39 && text[40] == 'x', label,
          "a backtrace cut to the room there is", text);
    wasm_instance_free(b);
    wasm_global_release(world.fail);

    world.fail = wasm_global_new(WASM_I32, false, (union wasm_value){.i32 = 1});
    b = make(&linked, &err);
    check(!b && err.kind == WASM_ERR_TRAP && err.trap == WASM_TRAP_UNREACHABLE &&
              strstr(err.message, "start function: unreachable in crash+0x") &&
              strstr(err.message, " < begin+0x"),
          label, "the start function's message", err.message);
    wasm_instance_free(b);
    wasm_global_release(world.fail);
    wasm_instance_free(world.a);
}

int main(int argc, char **argv)
{
    if (argc != 4 || !read_file(&named, argv[1]) || !read_file(&nameless, argv[2]) ||
        !read_file(&linked, argv[3]) || !host_port_thread_init()) {
        fprintf(stderr, "usage: backtrace MODULE.wasm NAMELESS.wasm LINKED.wasm\n");
        return 2;
    }
    world.back = wasm_func_host("i:", (wasm_host_fn)host_back);
    world.refuse = wasm_func_host(":", (wasm_host_fn)host_refuse);
    world.quiet = wasm_func_host(":", (wasm_host_fn)host_quiet);
    test_module(&named, "with names", true);
    test_module(&nameless, "without names", false);
    wasm_func_release(world.back);
    wasm_func_release(world.refuse);
    wasm_func_release(world.quiet);
    printf("1..%u\n", number);
    return failed != 0;
}
