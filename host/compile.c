/* `quince compile`: a module becomes machine code ahead of time, a .qwo file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "compiled.h"
#include "host.h"
#include "keys.h"
#include "module.h"
#include "options.h"
#include "table.h"
#include "wasm.h"

static const char *output, *cpu = "baseline", *key_path;
static const struct option_spec specs[] = {
    {OPTION_STRING, 'o', "output", "FILE.qwo", "the result (the module's name with .qwo)", &output},
    {OPTION_STRING, 0, "cpu", "CPU",
     "baseline: any x86-64 (the default); native: this one; or features: sse4.1,popcnt,avx2", &cpu},
    {OPTION_STRING, 'k', "key", "NAME.key", "sign it, too", &key_path},
    {.kind = OPTION_END},
};
static const struct usage usage = {"quince compile [options] FILE.wasm",
                                   "Compiles FILE.wasm ahead of time. A kernel takes the result "
                                   "when one of the keys built into it\n"
                                   "signed it; one without the compiler takes nothing else.",
                                   specs, -1, false};

void compiled_write(const char *path, const uint8_t *bytes, size_t size)
{
    char *fresh = xformat("%s.new", path);
    FILE *out = fopen(fresh, "wbe");
    bool good = out && fwrite(bytes, 1, size, out) == size;
    int error = errno;
    if (out && fclose(out) != 0 && good) {
        good = false;
        error = errno;
    }
    if (good && rename(fresh, path) != 0) {
        good = false;
        error = errno;
    }
    if (!good) {
        unlink(fresh);
        die("cannot write %s: %s", path, strerror(error));
    }
    free(fresh);
}

char *compiled_features(uint64_t features)
{
    char *text = xstrdup("");
    for (unsigned bit = 0; bit < 64; bit++) {
        if (!(features >> bit & 1)) {
            continue;
        }
        const char *name = wasm_feature_name(bit);
        char *longer = name ? xformat("%s%s%s", text, *text ? ", " : "", name)
                            : xformat("%s%sbit %u", text, *text ? ", " : "", bit);
        free(text);
        text = longer;
    }
    if (!*text) {
        free(text);
        text = xstrdup("none");
    }
    return text;
}

/* flows.wasm → flows.qwo, beside where quince is called. */
static char *default_output(const char *input)
{
    const char *slash = strrchr(input, '/'), *name = slash ? slash + 1 : input;
    const char *dot = strrchr(name, '.');
    return xformat("%.*s.qwo", (int)(dot ? (size_t)(dot - name) : strlen(name)), name);
}

int cmd_compile(int argc, char **argv)
{
    if (parse_options(&usage, argc, argv) != 1) {
        usage_error(&usage, "which module? one FILE.wasm");
    }
    struct module_file file = module_find(argv[0]);
    struct wasm_error error;
    struct wasm_load_options options = {.cpu = cpu};
    struct signing_key key;
    if (key_path) {
        key_read_secret(key_path, &key);
    }
    struct wasm_module *module =
        wasm_module_load((const uint8_t *)file.bytes, file.size, &options, &error);
    if (!module) {
        warn("%s is refused: at byte %u: %s%s", file.path, error.offset, error.message,
             strstr(error.message, "SSE4.1") ? "; give it with --cpu sse4.1" : "");
        return 1;
    }
    uint8_t hash[32];
    size_t size = 0;
    signature_module_hash((const uint8_t *)file.bytes, file.size, hash);
    uint8_t *bytes = wasm_module_save(module, hash, &size);
    if (!bytes) {
        die("out of memory");
    }
    if (key_path) {
        key_sign(&key, bytes, size);
        key_forget(&key);
    }
    char *path = output ? xstrdup(output) : default_output(file.path);
    compiled_write(path, bytes, size);
    printf("%s: %s of Wasm made %s of code, ", path, human_bytes((double)file.size),
           human_bytes((double)wasm_module_code_size(module)));
    printf("%s\n", key_path ? "signed" : "not signed yet");
    free(path);
    wasm_host_free(bytes);
    wasm_module_release(module);
    module_free(&file);
    return 0;
}
