/* What may become an extension: see admit.h. */
#include "extend/admit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "boot.h"
#include "log.h"

/* One key after another; quince build puts them there. */
extern const uint8_t __start_keys[][SIGNATURE_KEY] __attribute__((weak)),
    __stop_keys[][SIGNATURE_KEY] __attribute__((weak));

const uint8_t (*admit_keys(uint32_t *count))[SIGNATURE_KEY]
{
    *count = (uint32_t)(__stop_keys - __start_keys);
    return __start_keys;
}

bool admit_signed_only(void)
{
    char value[8];
    return boot_option("signed-only", value, sizeof value) >= 0 && strcmp(value, "no") != 0;
}

static int signature_errno(enum signature_state state)
{
    static const int errors[] = {
        [SIGNATURE_NOT_COMPILED] = -EINVAL, [SIGNATURE_NONE] = -ENOKEY,
        [SIGNATURE_UNKNOWN_KEY] = -ENOKEY,  [SIGNATURE_BAD] = -EKEYREJECTED,
        [SIGNATURE_BAD_FORMAT] = -ESTALE,   [SIGNATURE_WRONG_MODULE] = -EBADMSG,
    };
    return errors[state];
}

static int engine_errno(const struct wasm_error *err)
{
    switch (err->kind) {
    case WASM_ERR_NOMEM: return -ENOMEM;
    case WASM_ERR_LIMIT: return -E2BIG;
    case WASM_ERR_UNSUPPORTED:
    case WASM_ERR_FEATURE: return -ENOTSUP;
    case WASM_ERR_VERSION: return -ESTALE;
    case WASM_ERR_TIMEOUT: return -ETIMEDOUT;
    default: return -EINVAL;
    }
}

static struct wasm_module *load_compiled(const uint8_t *bytes, size_t len,
                                         const struct wasm_load_options *options,
                                         char signed_by[SIGNATURE_ID_TEXT], int *error,
                                         struct wasm_error *err, char *reason, size_t reason_size)
{
    uint32_t count;
    const uint8_t(*keys)[SIGNATURE_KEY] = admit_keys(&count);
    enum signature_state state =
        signature_check(bytes, len, keys, count, signed_by, reason, reason_size);
    if (state != SIGNATURE_GOOD) {
        *error = signature_errno(state);
        return NULL;
    }
    klog(LOG_DEBUG, "module verified: %s", reason);
    return wasm_module_load_compiled(bytes, len, options, err);
}

struct wasm_module *admit_module(const uint8_t *bytes, size_t len,
                                 const struct wasm_load_options *options,
                                 char signed_by[SIGNATURE_ID_TEXT], int *error, char *reason,
                                 size_t reason_size)
{
    struct wasm_error err = {.kind = WASM_OK};
    struct wasm_module *module = NULL;
    *error = 0;
    signed_by[0] = 0;
    bool compiled = wasm_is_compiled(bytes, len);
    if (!compiled && (!wasm_has_compiler() || admit_signed_only())) {
        *error = wasm_has_compiler() ? -EPERM : -ENOTSUP;
        snprintf(reason, reason_size,
                 "this kernel %s and takes signed .qwo files only: make one with 'quince compile "
                 "FILE.wasm --key NAME.key'",
                 wasm_has_compiler() ? "was started with signed-only" : "has no compiler");
        return NULL;
    }
    module = compiled
                 ? load_compiled(bytes, len, options, signed_by, error, &err, reason, reason_size)
                 : wasm_module_load(bytes, len, options, &err);
    if (module || *error) {
        return module;
    }
    *error = engine_errno(&err);
    bool placed = !compiled && (err.kind == WASM_ERR_MALFORMED || err.kind == WASM_ERR_INVALID ||
                                err.kind == WASM_ERR_UNSUPPORTED);
    if (placed) {
        snprintf(reason, reason_size, "offset 0x%x: %s", err.offset, err.message);
    } else {
        snprintf(reason, reason_size, "%s", err.message);
    }
    return NULL;
}
