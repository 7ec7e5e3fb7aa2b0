/* `quince keygen`, `sign` and `verify`: who made a module that was compiled ahead of time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "compiled.h"
#include "keys.h"
#include "options.h"
#include "wasm.h"

static const char *key_path, *module_path;

int cmd_keygen(int argc, char **argv)
{
    static const struct option_spec specs[] = {{.kind = OPTION_END}};
    static const struct usage usage = {
        "quince keygen NAME",
        "Makes a pair of keys: NAME.key signs and stays with you; NAME.pub is built into images\n"
        "that are to take what you sign ('quince build --key NAME.pub').",
        specs, -1, false};
    if (parse_options(&usage, argc, argv) != 1) {
        usage_error(&usage, "which name? one NAME");
    }
    uint8_t public[SIGNATURE_KEY], id[SIGNATURE_KEY_ID];
    char text[SIGNATURE_ID_TEXT];
    key_generate(argv[0], public);
    signature_key_id(public, id);
    signature_id_text(id, text);
    printf("key %s: %s.key signs (keep it to yourself), %s.pub verifies\n", text, argv[0], argv[0]);
    return 0;
}

int cmd_sign(int argc, char **argv)
{
    static const struct option_spec specs[] = {
        {OPTION_STRING, 'k', "key", "NAME.key", "the secret key", &key_path},
        {.kind = OPTION_END},
    };
    static const struct usage usage = {"quince sign --key NAME.key FILE.qwo",
                                       "Signs a module that 'quince compile' made; a signature it "
                                       "has already is replaced.",
                                       specs, -1, false};
    if (parse_options(&usage, argc, argv) != 1 || !key_path) {
        usage_error(&usage, key_path ? "which module? one FILE.qwo" : "with which key? --key");
    }
    size_t size;
    struct signing_key key;
    struct wasm_compiled file;
    struct wasm_error error;
    uint8_t *bytes = (uint8_t *)read_file(argv[0], &size), hash[32];
    if (!bytes) {
        die("cannot read %s: %s", argv[0], strerror(errno));
    }
    if (!wasm_compiled_open(bytes, size, &file, &error)) {
        die("%s: %s", argv[0], error.message);
    }
    signature_module_hash(file.module, file.module_len, hash);
    if (memcmp(hash, file.module_hash, sizeof hash) != 0) {
        die("%s: wrong module hash: it would be refused; compile it again", argv[0]);
    }
    key_read_secret(key_path, &key);
    key_sign(&key, bytes, size);
    key_forget(&key);
    compiled_write(argv[0], bytes, size);
    free(bytes);
    return 0;
}

int cmd_verify(int argc, char **argv)
{
    static const struct option_spec specs[] = {
        {OPTION_STRING, 'k', "key", "NAME.pub", "the public key of whom you trust", &key_path},
        {OPTION_STRING, 0, "module", "FILE.wasm", "and it has to be compiled from this module",
         &module_path},
        {.kind = OPTION_END},
    };
    static const struct usage usage = {
        "quince verify --key NAME.pub [--module FILE.wasm] FILE.qwo",
        "Would a kernel of this build that knows the key take the file? Exit code 0: yes.", specs,
        -1, false};
    if (parse_options(&usage, argc, argv) != 1 || !key_path) {
        usage_error(&usage, key_path ? "which module? one FILE.qwo" : "by which key? --key");
    }
    uint8_t key[1][SIGNATURE_KEY];
    char reason[256];
    size_t size, wasm_size = 0;
    struct wasm_compiled file;
    struct wasm_error error;
    key_read_public(key_path, key[0]);
    uint8_t *bytes = (uint8_t *)read_file(argv[0], &size);
    char *wasm = bytes && module_path ? read_file(module_path, &wasm_size) : NULL;
    if (!bytes || (module_path && !wasm)) {
        die("cannot read %s: %s", bytes ? module_path : argv[0], strerror(errno));
    }
    enum signature_state state = signature_check(bytes, size, (const uint8_t(*)[SIGNATURE_KEY])key,
                                                 1, NULL, reason, sizeof reason);
    bool good = state == SIGNATURE_GOOD;
    if (good &&
        !(wasm_compiled_open(bytes, size, &file, &error) && wasm_compiled_fits(&file, &error))) {
        snprintf(reason, sizeof reason, "%s", error.message);
        good = false;
    }
    if (good && wasm &&
        (wasm_size != file.module_len || memcmp(wasm, file.module, wasm_size) != 0)) {
        snprintf(reason, sizeof reason, "another module: not compiled from %.150s", module_path);
        good = false;
    }
    if (good) {
        printf("%s: %s\n", argv[0], reason);
    } else {
        warn("%s: %s", argv[0], reason);
    }
    free(wasm);
    free(bytes);
    return good ? 0 : 1;
}
