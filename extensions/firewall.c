/* firewall: drops packets by rules, the first that matches decides; packets that none matches pass.
 *
 * Settings: rule.1, rule.2, … up to 32 without a gap, each
 *     drop|pass  [in|out]  [ip|ipv6|tcp|udp|icmp]  [src ADDRESS[/BITS]] [dst ADDRESS[/BITS]]
 *                [sport PORT[-PORT]] [dport PORT[-PORT]]
 * with IPv4 addresses, for instance `drop in tcp dport 8081`. A rule that cannot be read is an
 * error of the load: better no firewall than another one than was meant.
 *
 * The map `matches` counts packets by rule (key: its number; 0: none matched). Later fragments have
 * no ports, so that rules with ports do not match them; the first fragment's fate decides whether
 * they can be put together. */
#include <quince_ext.h>

QUINCE_MANIFEST("name=firewall\n"
                "hook=net.rx,net.tx prio=0 snap=128\n"
                "map=matches array value=8 max=33\n"
                "memory=128K stack=32K budget=20ms\n"
                "need=log\n"
                "on_fault=drop\n");

QUINCE_FORMAT("matches=rule:u32,packets:u64\n");

enum { MATCHES, RULES = 32 };
QUINCE_PACKET_BUFFER(128);

enum direction { ANY_DIRECTION, IN, OUT };
enum { ANY_PROTOCOL = 256, ANY_IPV4, ANY_IPV6 };

struct prefix {
    uint32_t address, mask; /* mask 0: any; host order */
    bool given;
};
struct ports {
    uint16_t first, last;
    bool given;
};
struct rule {
    uint32_t verdict;
    enum direction direction;
    uint32_t protocol;
    struct prefix source, destination;
    struct ports sport, dport;
};
static struct rule rules[RULES];
static uint32_t rule_count;

/* Reading rules. */

struct text {
    const char *at, *end;
};

static bool next_word(struct text *text, struct text *word)
{
    while (text->at < text->end && *text->at == ' ') {
        text->at++;
    }
    word->at = text->at;
    while (text->at < text->end && *text->at != ' ') {
        text->at++;
    }
    word->end = text->at;
    return word->at < word->end;
}

static bool is(struct text word, const char *name)
{
    size_t len = strlen(name);
    return (size_t)(word.end - word.at) == len && memcmp(word.at, name, len) == 0;
}

static bool number(struct text *text, uint32_t max, uint32_t *value)
{
    const char *start = text->at;
    *value = 0;
    while (text->at < text->end && *text->at >= '0' && *text->at <= '9') {
        *value = *value * 10 + (uint32_t)(*text->at++ - '0');
        if (*value > max) {
            return false;
        }
    }
    return text->at > start;
}

static bool skip(struct text *text, char c)
{
    bool there = text->at < text->end && *text->at == c;
    text->at += there;
    return there;
}

static bool read_prefix(struct text word, struct prefix *prefix)
{
    uint32_t address = 0, part, bits = 32;
    for (int i = 0; i < 4; i++) {
        if ((i && !skip(&word, '.')) || !number(&word, 255, &part)) {
            return false;
        }
        address = address << 8 | part;
    }
    if (skip(&word, '/') && !number(&word, 32, &bits)) {
        return false;
    }
    prefix->mask = bits ? 0xffffffffu << (32 - bits) : 0;
    prefix->address = address & prefix->mask;
    prefix->given = true;
    return word.at == word.end;
}

static bool read_ports(struct text word, struct ports *ports)
{
    uint32_t first, last;
    if (!number(&word, 65535, &first)) {
        return false;
    }
    last = first;
    if (skip(&word, '-') && !number(&word, 65535, &last)) {
        return false;
    }
    *ports = (struct ports){(uint16_t)first, (uint16_t)last, true};
    return word.at == word.end && first <= last;
}

static const struct {
    const char *name;
    uint32_t number;
} protocols[] = {
    {"ip", ANY_IPV4},    {"ipv6", ANY_IPV6},    {"tcp", QUINCE_TCP},
    {"udp", QUINCE_UDP}, {"icmp", QUINCE_ICMP},
};

static bool read_protocol(struct text word, uint32_t *protocol)
{
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        if (is(word, protocols[i].name)) {
            *protocol = protocols[i].number;
            return true;
        }
    }
    return false;
}

static bool read_rule(struct text text, struct rule *rule)
{
    struct text word, value;
    *rule = (struct rule){.verdict = QUINCE_DROP, .protocol = ANY_PROTOCOL};
    if (!next_word(&text, &word) || (!is(word, "drop") && !is(word, "pass"))) {
        return false;
    }
    rule->verdict = is(word, "drop") ? QUINCE_DROP : QUINCE_PASS;
    while (next_word(&text, &word)) {
        bool good;
        if (is(word, "in") || is(word, "out")) {
            rule->direction = is(word, "in") ? IN : OUT;
            good = true;
        } else if (read_protocol(word, &rule->protocol)) {
            good = true;
        } else if (!next_word(&text, &value)) {
            good = false;
        } else if (is(word, "src")) {
            good = read_prefix(value, &rule->source);
        } else if (is(word, "dst")) {
            good = read_prefix(value, &rule->destination);
        } else if (is(word, "sport")) {
            good = read_ports(value, &rule->sport);
        } else {
            good = is(word, "dport") && read_ports(value, &rule->dport);
        }
        if (!good) {
            return false;
        }
    }
    return true;
}

/* Ends the load with the rule in the log. */
static void refuse(const char *text, int32_t len)
{
    static const char prefix[] = "cannot read rule: ";
    char line[192];
    uint32_t used = sizeof prefix - 1;
    memcpy(line, prefix, used);
    for (int32_t i = 0; i < len && used < sizeof line; i++) {
        line[used++] = text[i];
    }
    quince_log(QUINCE_LOG_ERROR, line, used);
    __builtin_trap();
}

QUINCE_ON_INIT
{
    for (uint32_t n = 1; n <= RULES; n++) {
        char name[8] = "rule.", text[160];
        uint32_t len = 5;
        if (n >= 10) {
            name[len++] = (char)('0' + n / 10);
        }
        name[len++] = (char)('0' + n % 10);
        int32_t size = quince_cfg_read(name, len, text, sizeof text);
        if (size < 0) {
            break;
        }
        if (size > (int32_t)sizeof text ||
            !read_rule((struct text){text, text + size}, &rules[n - 1])) {
            refuse(text, size > (int32_t)sizeof text ? (int32_t)sizeof text : size);
        }
        rule_count = n;
    }
}

/* Matching. */

struct view {
    bool ip;
    struct quince_ip header;
    uint32_t source, destination; /* IPv4, host order */
    bool has_ports;
    uint16_t sport, dport;
};

static bool prefix_matches(const struct prefix *prefix, const struct view *view, uint32_t address)
{
    return !prefix->given ||
           (view->header.version == 4 && (address & prefix->mask) == prefix->address);
}

static bool ports_match(const struct ports *ports, const struct view *view, uint16_t port)
{
    return !ports->given || (view->has_ports && port >= ports->first && port <= ports->last);
}

static bool protocol_matches(uint32_t protocol, const struct view *view)
{
    switch (protocol) {
    case ANY_PROTOCOL: return true;
    case ANY_IPV4: return view->ip && view->header.version == 4;
    case ANY_IPV6: return view->ip && view->header.version == 6;
    case QUINCE_ICMP:
        return view->ip && view->header.protocol == (view->header.version == 4 ? 1 : QUINCE_ICMPV6);
    default: return view->ip && view->header.protocol == protocol;
    }
}

static bool matches(const struct rule *rule, const struct view *view, bool sent)
{
    bool addressed = rule->source.given || rule->destination.given;
    return (rule->direction == ANY_DIRECTION || (rule->direction == OUT) == sent) &&
           protocol_matches(rule->protocol, view) && (!addressed || view->ip) &&
           prefix_matches(&rule->source, view, view->source) &&
           prefix_matches(&rule->destination, view, view->destination) &&
           ports_match(&rule->sport, view, view->sport) &&
           ports_match(&rule->dport, view, view->dport);
}

QUINCE_ON_PACKET(packet)
{
    struct view view = {.ip = false};
    view.ip = quince_parse_ip(packet, &view.header);
    if (view.ip) {
        view.has_ports = quince_parse_ports(packet, &view.header, &view.sport, &view.dport);
        if (view.header.version == 4) {
            view.source = quince_get32(packet->data + view.header.source);
            view.destination = quince_get32(packet->data + view.header.destination);
        }
    }
    uint32_t verdict = QUINCE_PASS, number = 0;
    for (uint32_t i = 0; i < rule_count && number == 0; i++) {
        if (matches(&rules[i], &view, packet->direction != QUINCE_RX)) {
            verdict = rules[i].verdict;
            number = i + 1;
        }
    }
    quince_map_add(MATCHES, &number, 0, 1);
    return verdict;
}
