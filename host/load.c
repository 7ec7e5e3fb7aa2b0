/* `quince load`: grafts an extension onto a running kernel. */
#include "load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "format.h"
#include "machine.h"
#include "module.h"
#include "options.h"
#include "table.h"
#include "wasm.h"

static const char *name, *budget, *memory;
static struct strings grants, settings;
static bool json;
static const struct option_spec specs[] = {
    {OPTION_LIST, 'g', "grant", "NAME,…",
     "what it may do, as 'quince inspect' shows that it asks for; all: everything it asks for",
     &grants},
    {OPTION_STRING, 'n', "name", "NAME", "what to call it (what its manifest says)", &name},
    {OPTION_ITEMS, 'c', "config", "KEY=VALUE", "a setting it may read", &settings},
    {OPTION_STRING, 0, "budget", "TIME", "time limit of a call: 500us, 2ms (its manifest's)",
     &budget},
    {OPTION_STRING, 0, "memory", "SIZE", "limit of its memory: 512K, 4M (its manifest's)", &memory},
    {OPTION_FLAG, 0, "json", NULL, "the answer as JSON", &json},
    {.kind = OPTION_END},
};
static const struct usage usage = {
    "quince load [options] FILE.wasm | FILE.qwo",
    "Validates, compiles, initialises and attaches FILE.wasm in the running kernel; of a FILE.qwo\n"
    "('quince compile') it verifies the signature instead. A name without a slash may also be an\n"
    "extension that ships with Quince: pcap, flows, firewall.",
    specs, -1, true};

struct unit {
    const char *suffix;
    double factor;
};
static const struct unit times[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {NULL, 0}};
static const struct unit sizes[] = {
    {"", 1}, {"K", 1024}, {"M", 1048576}, {"G", 1073741824}, {NULL, 0}};

static void add_quantity(cJSON *request, const char *member, const char *option, const char *text,
                         const struct unit *units)
{
    char *end;
    double value = text ? strtod(text, &end) : 0;
    if (!text) {
        return;
    }
    for (const struct unit *unit = units; end != text && value > 0 && unit->suffix; unit++) {
        if (strcmp(end, unit->suffix) == 0) {
            cJSON_AddNumberToObject(request, member, (double)(long long)(value * unit->factor));
            return;
        }
    }
    usage_error(&usage, "--%s %s: not a number with %s", option, text,
                units == times ? "ns, us, ms or s" : "K, M or G");
}

/* What the kernel is asked; the module is the request's body. */
static cJSON *make_request(const char *path)
{
    cJSON *request = client_request("load");
    const char *base = strrchr(path, '/');
    cJSON_AddStringToObject(request, "file", base ? base + 1 : path);
    if (name) {
        cJSON_AddStringToObject(request, "name", name);
    }
    cJSON *list = cJSON_AddArrayToObject(request, "grant");
    for (int i = 0; i < grants.count; i++) {
        cJSON_AddItemToArray(list, cJSON_CreateString(grants.items[i]));
    }
    cJSON *config = cJSON_AddObjectToObject(request, "config");
    for (int i = 0; i < settings.count; i++) {
        const char *equals = strchr(settings.items[i], '=');
        if (!equals || equals == settings.items[i]) {
            usage_error(&usage, "--config %s: not KEY=VALUE", settings.items[i]);
        }
        char *key = xformat("%.*s", (int)(equals - settings.items[i]), settings.items[i]);
        cJSON_AddStringToObject(config, key, equals + 1);
        free(key);
    }
    add_quantity(request, "budget_ns", "budget", budget, times);
    add_quantity(request, "memory", "memory", memory, sizes);
    return request;
}

void load_keep_formats(const char *machine, const char *extension, const struct module_file *file)
{
    char *folder = machine_path(machine, "formats");
    mkdir(folder, 0700);
    char *path = xformat("%s/%s", folder, extension);
    remove(path);
    FILE *out = NULL;
    size_t size, length;
    const uint8_t *wasm = module_wasm(file, &size), *section;
    for (unsigned n = 0; (section = module_section(wasm, size, FORMAT_SECTION, n, &length)) != NULL;
         n++) {
        out = out ? out : fopen(path, "we");
        if (out) {
            fwrite(section, 1, length, out);
            fputc('\n', out);
        }
    }
    if (out) {
        fclose(out);
    }
    free(path);
    free(folder);
}

/* What to do about a refusal, where that can be said. */
static void advise(const struct answer *answer, const char *path)
{
    const char *error = meta_string(answer->header, "error", "");
    if (strcmp(error, "EPERM") == 0) {
        warn("grant it with --grant; 'quince inspect %s' shows all it asks for", path);
    } else if (strcmp(error, "EEXIST") == 0) {
        warn("unload the other first, or load this one under another --name");
    } else if (strcmp(error, "ENOKEY") == 0) {
        warn("the kernel takes what the owners of the keys in its image signed: 'quince build "
             "--key'");
    } else if (strcmp(error, "ESTALE") == 0) {
        warn("compile the module again with the quince that this image was built with");
    }
}

int cmd_load(int argc, char **argv)
{
    if (parse_options(&usage, argc, argv) != 1) {
        usage_error(&usage, "which module? one FILE.wasm or FILE.qwo");
    }
    struct module_file file = module_find(argv[0]);
    if (file.size > FRAME_BODY_MAX) {
        die("%s is larger than 64 MiB, the most that can be sent", file.path);
    }
    cJSON *request = make_request(file.path);
    const char *machine = machine_choose(NULL);
    struct client *client = client_open(machine);
    struct answer answer;
    if (!client_try(client, request, file.bytes, (uint32_t)file.size, CLIENT_LOAD_TIMEOUT_MS,
                    &answer)) {
        warn("%s was not loaded: %s (%s)", file.path, answer_reason(&answer),
             meta_string(answer.header, "error", "EIO"));
        advise(&answer, file.path);
        return 1;
    }
    const char *loaded = meta_string(answer.header, "name", "?");
    if (machine_name_valid(loaded)) {
        load_keep_formats(machine, loaded, &file);
    }
    if (json) {
        char *text = cJSON_Print(answer.header);
        puts(text);
        cJSON_free(text);
    } else {
        bool compiled = wasm_is_compiled((const uint8_t *)file.bytes, file.size);
        size_t size;
        module_wasm(&file, &size);
        printf("%s loaded: %s of Wasm %s %s of code in %s, initialised in %s\n", loaded,
               human_bytes((double)size), compiled ? "verified as" : "made",
               human_bytes(meta_number(answer.header, "code_bytes", 0)),
               human_time(meta_number(answer.header, "compile_ns", 0)),
               human_time(meta_number(answer.header, "init_ns", 0)));
    }
    answer_free(&answer);
    client_close(client);
    module_free(&file);
    return 0;
}
