/* Chains of extensions on packets: see hook.h. The chains are changed between two packets only, so
 * the packet path reads them without a lock. */
#include "extend/hook.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "drivers/random.h"
#include "extend/flowhash.h"
#include "sched/thread.h"
#include "time/clock.h"

/* An image may be linked without the network; these are then absent. */
#pragma weak packet_length
#pragma weak packet_read
#pragma weak packet_write
#pragma weak packet_adjust
#pragma weak packet_set_hook
#pragma weak net_call

struct chain_entry {
    struct extension *ext;
    int32_t prio;
    uint32_t snap;
};
struct chain {
    struct chain_entry entries[HOOK_CHAIN_MAX];
    unsigned count;
};
static struct chain chains[2]; /* by enum packet_direction */
static uint64_t flow_seed;

static const struct {
    const char *point;
    enum packet_direction direction;
} points[] = {{"net.rx", PACKET_RX}, {"net.tx", PACKET_TX}};

uint32_t hook_buffer_size(const struct manifest *manifest)
{
    uint32_t snap = 0;
    for (uint32_t i = 0; i < manifest->hook_count; i++) {
        snap = manifest->hooks[i].snap > snap ? manifest->hooks[i].snap : snap;
    }
    return (uint32_t)sizeof(struct packet_context) + snap;
}

size_t hook_packet_length(const struct packet *packet)
{
    return packet_length(packet);
}

int hook_packet_read(const struct packet *packet, uint32_t offset, void *buffer, uint32_t len)
{
    return packet_read(packet, offset, buffer, len);
}

int hook_packet_write(struct packet *packet, uint32_t offset, const void *buffer, uint32_t len)
{
    return packet_write(packet, offset, buffer, len);
}

int hook_packet_adjust(struct packet *packet, int32_t head, int32_t tail)
{
    return packet_adjust(packet, head, tail);
}

int hook_between_packets(void (*fn)(void *context), void *context)
{
    if (net_call) {
        return net_call(fn, context);
    }
    fn(context);
    return 0;
}

/* Shows PACKET to one extension. */
static enum verdict decide(const struct chain_entry *entry, struct packet *packet, uint32_t hash)
{
    struct extension *ext = entry->ext;
    struct running *running = ext->running;
    if (!running || ext->inside) {
        return extension_fault_verdict(ext);
    }
    uint8_t *buffer = wasm_memory_at(running->instance, running->buffer, running->buffer_size);
    if (!buffer) { /* checked at load, and memories never shrink */
        extension_fault(ext, WASM_TRAP_MEMORY, "packet buffer");
        return extension_fault_verdict(ext);
    }
    uint32_t length = (uint32_t)packet_length(packet);
    struct packet_context context = {
        .length = length,
        .captured = length < entry->snap ? length : entry->snap,
        .timestamp = packet->timestamp,
        .flow_hash = hash,
        .interface = packet->interface,
        .vlan = packet->vlan,
        .direction = packet->direction == PACKET_TX,
        .checksum = (uint8_t)packet->checksum_flags,
    };
    memcpy(buffer, &context, sizeof context);
    if (context.captured) {
        packet_read(packet, 0, buffer + sizeof context, context.captured);
    }
    uint32_t answer;
    ext->packet = packet;
    enum wasm_trap trap = running_packet(ext, context.captured, &answer);
    ext->packet = NULL;
    if (trap != WASM_TRAP_NONE) {
        extension_fault(ext, trap, "quince_packet");
        return extension_fault_verdict(ext);
    }
    ext->clean_runs++;
    enum verdict verdict = answer <= VERDICT_REDIRECT ? (enum verdict)answer : VERDICT_ABORTED;
    ext->verdicts[verdict]++;
    return verdict;
}

static enum verdict run_chain(struct packet *packet)
{
    const struct chain *chain = &chains[packet->direction == PACKET_TX];
    uint8_t head[FLOWHASH_BYTES];
    size_t len = packet_length(packet);
    len = len < sizeof head ? len : sizeof head;
    uint32_t hash = 0;
    if (packet_read(packet, 0, head, len) >= 0) {
        hash = flowhash(head, len, flow_seed);
    }
    enum verdict verdict = VERDICT_PASS;
    for (unsigned i = 0; i < chain->count && verdict == VERDICT_PASS; i++) {
        verdict = decide(&chain->entries[i], packet, hash);
    }
    return verdict;
}

static void insert(struct chain *chain, struct chain_entry entry)
{
    unsigned at = chain->count++;
    while (at && chain->entries[at - 1].prio > entry.prio) {
        chain->entries[at] = chain->entries[at - 1];
        at--;
    }
    chain->entries[at] = entry;
}

static void set_hooks(void)
{
    packet_set_hook(PACKET_RX, chains[0].count ? run_chain : NULL);
    packet_set_hook(PACKET_TX, chains[1].count ? run_chain : NULL);
}

static void remove_all(void *context)
{
    for (unsigned direction = 0; direction < 2; direction++) {
        struct chain *chain = &chains[direction];
        unsigned kept = 0;
        for (unsigned i = 0; i < chain->count; i++) {
            if (chain->entries[i].ext != context) {
                chain->entries[kept++] = chain->entries[i];
            }
        }
        chain->count = kept;
    }
    set_hooks();
}

struct attachment {
    struct extension *ext;
    const char *full; /* the point whose chain has no room */
};

static void insert_all(void *context)
{
    struct attachment *attachment = context;
    const struct manifest *manifest = &attachment->ext->manifest;
    for (uint32_t i = 0; i < manifest->hook_count; i++) {
        for (unsigned p = 0; p < sizeof points / sizeof *points; p++) {
            const struct hook_spec *spec = &manifest->hooks[i];
            if (strcmp(spec->point, points[p].point) != 0) {
                continue;
            }
            struct chain *chain = &chains[points[p].direction == PACKET_TX];
            if (chain->count == HOOK_CHAIN_MAX) {
                attachment->full = spec->point;
                remove_all(attachment->ext);
                return;
            }
            insert(chain, (struct chain_entry){attachment->ext, spec->prio, spec->snap});
        }
    }
    set_hooks();
}

int hook_attach(struct extension *ext, char *reason, size_t size)
{
    if (!extension_on_packets(ext)) {
        return 0;
    }
    if (!net_call) {
        snprintf(reason, size, "hook point '%s': this image has no network",
                 ext->manifest.hooks[0].point);
        return -ENODEV;
    }
    if (flow_seed == 0) {
        random_bytes(&flow_seed, sizeof flow_seed);
    }
    struct attachment attachment = {ext, NULL};
    int error = net_call(insert_all, &attachment);
    if (error == 0 && attachment.full) {
        snprintf(reason, size, "hook point '%s' has %d extensions already", attachment.full,
                 HOOK_CHAIN_MAX);
        error = -ENOSPC;
    } else if (error) {
        snprintf(reason, size, "the network does not answer");
    }
    return error;
}

void hook_detach(struct extension *ext)
{
    /* Without the gate there is no telling whether a packet is inside: the network thread must
     * answer. It does whenever its current packet's budget is over. */
    while (extension_on_packets(ext) && net_call && net_call(remove_all, ext) != 0) {
        thread_sleep_until(clock_now() + NS_PER_MS);
    }
}
