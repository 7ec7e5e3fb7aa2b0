/* Manifests and grants: what is accepted, and the line that refuses the rest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "extend/grant.h"
#include "extend/manifest.h"
#include "unit.h"

static bool parse(struct manifest *m, const char *text, struct manifest_error *err)
{
    /* A copy of exactly this length, so that the sanitizer sees a read beyond it. */
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);
    memcpy(copy, text, len);
    manifest_init(m);
    bool good = manifest_parse(m, copy, len, err) && manifest_finish(m, err);
    free(copy);
    return good;
}

static void accepted(void)
{
    struct manifest m;
    struct manifest_error err = {0};
    bool good = parse(&m,
                      "name=flows\n"
                      "# a comment\n"
                      "\n"
                      "hook=net.rx,net.tx prio=-10 snap=256\n"
                      "map=by_flow lru key=13 value=16 max=4096\n"
                      "map=table array value=8 max=4K\n"
                      "map=count counter key=16 max=10\n"
                      "ring=events 64K\n"
                      "memory=4M stack=64K budget=2ms init_budget=1s\n"
                      "on_fault=drop\n"
                      "need=log,clock\n"
                      "need=random",
                      &err);
    check(good, "a full manifest is accepted %s", err.message);
    check(strcmp(m.name, "flows") == 0, "its name");
    check(m.hook_count == 2 && strcmp(m.hooks[1].point, "net.tx") == 0 && m.hooks[0].prio == -10 &&
              m.hooks[1].snap == 256,
          "hooks share their options");
    check(m.map_count == 3 && m.maps[0].kind == MAP_LRU && m.maps[0].max == 4096 &&
              m.maps[1].key == 4 && m.maps[1].max == 4096 && m.maps[2].value == 8,
          "maps");
    check(m.ring_count == 1 && m.rings[0].size == 65536, "a ring");
    check(m.memory == 4u << 20 && m.stack == 65536 && m.budget_ns == 2000000 &&
              m.init_budget_ns == 1000000000,
          "sizes and times");
    check(m.on_fault == ON_FAULT_DROP, "on_fault");
    check(m.need_count == 3 && strcmp(m.needs[2], "random") == 0, "needs");

    manifest_init(&m);
    static const char one[] = "name=a\0hook=net.rx\r\n", two[] = "need=log";
    good = manifest_parse(&m, one, sizeof one, &err) &&
           manifest_parse(&m, two, sizeof two - 1, &err) && manifest_finish(&m, &err);
    check(good && m.hook_count == 1 && m.need_count == 1, "sections add up; NUL and CR end lines");
}

static const struct {
    const char *text, *message;
} bad[] = {
    {"", "the module has no custom section 'quince'"},
    {"hook=net.rx\n", "the manifest has no name="},
    {"name=a\nhok=net.rx\n", "line 2: unknown key 'hok'"},
    {"name=a\nname=b\n", "line 2: name= is given twice"},
    {"name=A\n", "line 1: name 'A' is not 1 to 31 of a-z 0-9 _ - ."},
    {"name=\n", "line 1: name '' is not 1 to 31 of a-z 0-9 _ - ."},
    {"name=../x\n", "line 1: name '../x' is not 1 to 31 of a-z 0-9 _ - ."},
    {"name=a23456789012345678901234567890123\n",
     "line 1: name 'a23456789012345678901234567890123' is not 1 to 31 of a-z 0-9 _ - ."},
    {"name\n", "line 1: 'name' is not key=value"},
    {"name=a\n\x01=b\n", "line 2: byte 0x01 is not printable ASCII"},
    {"name=\xc3\xa4\n", "line 1: byte 0xc3 is not printable ASCII"},
    {"name=a hook=net.rx,,\n", "line 1: hook point '' is not 1 to 31 of a-z 0-9 _ - ."},
    {"hook=net.rx,net.rx\n", "line 1: hook point 'net.rx' is given twice"},
    {"hook=net.rx prio=1001\n", "line 1: prio: 1001 is not within 0 to 1000"},
    {"hook=net.rx prio=--1\n", "line 1: prio: '-1' is not a number"},
    {"hook=net.rx snap=1M\n", "line 1: snap: 1M is not within 0 to 65536"},
    {"hook=net.rx snap=18446744073709551616\n",
     "line 1: snap: '18446744073709551616' is not a number"},
    {"hook=net.rx colour=red\n", "line 1: hook: unknown key 'colour'"},
    {"hook=net.rx fast\n", "line 1: 'fast' is not key=value"},
    {"map=m tree key=1 value=1 max=1\n", "line 1: map m: unknown kind 'tree'"},
    {"map=m hash key=1 value=1\n", "line 1: map m: max= is missing"},
    {"map=m hash key=0 value=1 max=1\n", "line 1: key: 0 is not within 1 to 256"},
    {"map=m hash key=257 value=1 max=1\n", "line 1: key: 257 is not within 1 to 256"},
    {"map=m array key=8 value=1 max=1\n", "line 1: map m: the key of an array is 4 bytes"},
    {"map=m hash key=1 value=1 max=2M\n", "line 1: max: 2M is not within 1 to 1048576"},
    {"name=a\nmap=m hash key=256 value=64K max=1M\n", "the maps take more than 64M together"},
    {"map=m array value=1 max=1\nmap=m array value=1 max=1\n", "line 2: map 'm' is given twice"},
    {"ring=r\n", "line 1: ring size: '' is not a number"},
    {"ring=r 5K\n", "line 1: ring r: 5120 bytes is not a power of two"},
    {"ring=r 32M\n", "line 1: ring size: 32M is not within 4096 to 16777216"},
    {"ring=r 4K big\n", "line 1: ring: unexpected 'big'"},
    {"memory=4T\n", "line 1: memory: unknown unit 'T'"},
    {"memory=17179869184G\n", "line 1: memory: 17179869184G is not within 65536 to 1073741824"},
    {"memory=1K\n", "line 1: memory: 1K is not within 65536 to 1073741824"},
    {"budget=1h\n", "line 1: budget: unknown unit 'h'"},
    {"budget=1s\n", "line 1: budget: 1s is not within 10000 to 100000000"},
    {"on_fault=reboot\n", "line 1: on_fault: 'reboot' is neither pass nor drop"},
    {"need=log,a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p\n", "line 1: more than 16 needs"},
};

static void refused(void)
{
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct manifest m;
        struct manifest_error err = {0};
        bool good = parse(&m, bad[i].text, &err);
        check(!good && strcmp(err.message, bad[i].message) == 0, "refused: %s", bad[i].message);
        if (!good && strcmp(err.message, bad[i].message) != 0) {
            check(false, "but the message was: %s", err.message);
        }
    }
}

/* Every prefix and every changed byte of a manifest: no crash, an answer either way. */
static void mutated(void)
{
    static const char text[] = "name=flows\nhook=net.rx,net.tx prio=10 snap=128\n"
                               "map=by_flow lru key=13 value=16 max=4096\nring=events 64K\n"
                               "memory=4M stack=64K budget=2ms\non_fault=pass\nneed=log,clock\n";
    char changed[sizeof text];
    unsigned accepted_count = 0;
    for (size_t i = 0; i < sizeof text - 1; i++) {
        for (unsigned byte = 0; byte < 256; byte += 5) {
            struct manifest m;
            struct manifest_error err = {0};
            memcpy(changed, text, sizeof text);
            changed[i] = (char)byte;
            manifest_init(&m);
            accepted_count +=
                manifest_parse(&m, changed, sizeof text - 1, &err) && manifest_finish(&m, &err);
            manifest_init(&m);
            manifest_parse(&m, changed, i, &err);
        }
    }
    check(accepted_count > 0, "mutated manifests are answered (%u accepted)", accepted_count);
}

void test_manifest(void)
{
    accepted();
    refused();
    mutated();
}

void test_grant(void)
{
    struct manifest m;
    struct manifest_error err;
    const char *const some[] = {"net.rx", "log"}, *const all[] = {"all"}, *const odd[] = {"root"};
    char reason[160] = "";
    uint32_t authority = 0;
    parse(&m, "name=a\nhook=net.rx\nneed=log\n", &err);
    check(grant_decide(&m, some, 2, &authority, reason, sizeof reason) == 0 &&
              authority == (GRANT_NET_RX | GRANT_LOG),
          "declared and granted");
    check(grant_decide(&m, all, 1, &authority, reason, sizeof reason) == 0 &&
              authority == (GRANT_NET_RX | GRANT_LOG),
          "all grants what is declared, not more");
    check(grant_decide(&m, some, 1, &authority, reason, sizeof reason) == -EPERM &&
              strcmp(reason, "need 'log' is declared but not granted: load with --grant log") == 0,
          "a missing need is named");
    check(grant_decide(&m, some + 1, 1, &authority, reason, sizeof reason) == -EPERM &&
              strcmp(reason,
                     "hook 'net.rx' is declared but not granted: load with --grant net.rx") == 0,
          "a missing hook is named");
    check(grant_decide(&m, odd, 1, &authority, reason, sizeof reason) == -EINVAL &&
              strcmp(reason, "there is no grant 'root'") == 0,
          "an unknown grant is named");
    parse(&m, "name=a\nhook=log\n", &err);
    check(grant_decide(&m, all, 1, &authority, reason, sizeof reason) == -EINVAL &&
              strcmp(reason, "there is no hook point 'log'") == 0,
          "a need is no hook point");
    parse(&m, "name=a\nneed=everything\n", &err);
    check(grant_decide(&m, all, 1, &authority, reason, sizeof reason) == -EINVAL &&
              strcmp(reason, "there is no need 'everything'") == 0,
          "an unknown need is named");
}
