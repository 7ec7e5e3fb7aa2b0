/* Keys and what is signed with them: see keys.h. A secret key's file holds the 32-byte seed of
 * which the rest is made. */
#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "wasm.h"

#define SECRET_PREFIX "quince-secret-key "
enum { LINE_MAX_BYTES = 128 };

static void sodium_ready(void)
{
    if (sodium_init() < 0) {
        die("libsodium cannot start: the system gives no random numbers");
    }
}

/* One line of a key file; its length without the newline. */
static size_t read_line(const char *path, char line[LINE_MAX_BYTES], struct stat *status)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 || fstat(fd, status) ? -1 : read(fd, line, LINE_MAX_BYTES);
    if (got < 0) {
        die("cannot read the key %s: %s", path, strerror(errno));
    }
    close(fd);
    return (size_t)got;
}

void key_read_public(const char *path, uint8_t key[SIGNATURE_KEY])
{
    char line[LINE_MAX_BYTES];
    struct stat status;
    size_t len = read_line(path, line, &status);
    if (!signature_key_parse(line, len, key)) {
        die("%s is not a public key as 'quince keygen NAME' writes it to NAME.pub", path);
    }
}

void key_read_secret(const char *path, struct signing_key *key)
{
    char line[LINE_MAX_BYTES];
    uint8_t seed[crypto_sign_SEEDBYTES];
    struct stat status;
    sodium_ready();
    size_t len = read_line(path, line, &status), prefix = sizeof SECRET_PREFIX - 1;
    len -= len && line[len - 1] == '\n';
    if (len != prefix + 2 * sizeof seed || memcmp(line, SECRET_PREFIX, prefix) != 0 ||
        !signature_hex(line + prefix, seed, sizeof seed)) {
        die("%s is not a secret key as 'quince keygen NAME' writes it to NAME.key", path);
    }
    if (status.st_mode & 077) {
        die("%s may be read by others than its owner; if it is still secret: chmod 600 %s", path,
            path);
    }
    crypto_sign_seed_keypair(key->public, key->secret, seed);
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(line, sizeof line);
}

void key_forget(struct signing_key *key)
{
    sodium_memzero(key, sizeof *key);
}

void key_sign(const struct signing_key *key, uint8_t *bytes, size_t len)
{
    size_t signed_len = len - WASM_COMPILED_SIGNATURE;
    signature_key_id(key->public, bytes + signed_len - SIGNATURE_KEY_ID);
    crypto_sign_detached(bytes + signed_len, NULL, bytes, signed_len, key->secret);
}

static void write_new(const char *path, mode_t mode, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    size_t len = strlen(text);
    if (fd < 0 || fchmod(fd, mode) != 0 || write(fd, text, len) != (ssize_t)len || close(fd) != 0) {
        die("cannot write the key %s: %s", path, strerror(errno));
    }
}

void key_generate(const char *name, uint8_t public[SIGNATURE_KEY])
{
    uint8_t seed[crypto_sign_SEEDBYTES], secret[crypto_sign_SECRETKEYBYTES];
    char digits[2 * SIGNATURE_KEY + 1];
    char *secret_path = xformat("%s.key", name), *public_path = xformat("%s.pub", name);
    if (access(public_path, F_OK) == 0) {
        die("%s exists already; a key is never overwritten", public_path);
    }
    sodium_ready();
    randombytes_buf(seed, sizeof seed);
    crypto_sign_seed_keypair(public, secret, seed);
    sodium_bin2hex(digits, sizeof digits, seed, sizeof seed);
    char *line = xformat(SECRET_PREFIX "%s\n", digits);
    write_new(secret_path, 0600, line);
    sodium_memzero(line, strlen(line));
    free(line);
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(secret, sizeof secret);
    sodium_bin2hex(digits, sizeof digits, public, SIGNATURE_KEY);
    line = xformat(SIGNATURE_KEY_PREFIX "%s\n", digits);
    write_new(public_path, 0644, line);
    free(line);
    free(secret_path);
    free(public_path);
}
