/* Capture files: see pcapng.h. libpcap reads pcapng but writes only pcap, so the three blocks that
 * are needed (section header, interface description, enhanced packet) are formed here. */
#include "pcapng.h"

#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"

enum {
    BLOCK_SECTION = 0x0a0d0d0a,
    BLOCK_INTERFACE = 1,
    BLOCK_PACKET = 6,
    BYTE_ORDER_MAGIC = 0x1a2b3c4d,
    LINK_ETHERNET = 1,
    OPTION_NAME = 2,        /* if_name */
    OPTION_RESOLUTION = 9,  /* if_tsresol */
    OPTION_APPLICATION = 4, /* shb_userappl */
    SNAP_MAX = 65535,
};

struct packet_writer {
    FILE *out;
    bool failed;
    pcap_t *dead; /* NULL: pcapng */
    pcap_dumper_t *dumper;
};

struct block {
    uint8_t head[256];
    uint32_t used;
};

static void put(struct block *block, const void *bytes, uint32_t size)
{
    static const uint8_t zeroes[4];
    memcpy(block->head + block->used, bytes, size);
    block->used += size;
    uint32_t pad = -size & 3;
    memcpy(block->head + block->used, zeroes, pad);
    block->used += pad;
}

static void put32(struct block *block, uint32_t value)
{
    put(block, &value, sizeof value);
}

static void put_option(struct block *block, uint16_t code, const void *bytes, uint16_t size)
{
    put32(block, code | (uint32_t)size << 16);
    put(block, bytes, size);
}

/* HEAD, then TAIL padded, framed as a block of TYPE. Little endian, as this host is. */
static void write_block(struct packet_writer *writer, uint32_t type, const struct block *block,
                        const void *tail, uint32_t tail_size)
{
    static const uint8_t zeroes[4];
    uint32_t pad = -tail_size & 3, total = 12 + block->used + tail_size + pad;
    uint32_t prefix[2] = {type, total};
    bool good = fwrite(prefix, sizeof prefix, 1, writer->out) == 1 &&
                fwrite(block->head, 1, block->used, writer->out) == block->used &&
                fwrite(tail, 1, tail_size, writer->out) == tail_size &&
                fwrite(zeroes, 1, pad, writer->out) == pad &&
                fwrite(&total, sizeof total, 1, writer->out) == 1;
    writer->failed |= !good;
}

static void write_headers(struct packet_writer *writer, const char *interface)
{
    static const char application[] = "quince " QUINCE_VERSION;
    static const uint8_t nanoseconds = 9;
    struct block section = {.used = 0};
    put32(&section, BYTE_ORDER_MAGIC);
    put32(&section, 1); /* version 1.0 */
    put32(&section, UINT32_MAX);
    put32(&section, UINT32_MAX); /* length not known */
    put_option(&section, OPTION_APPLICATION, application, sizeof application - 1);
    put32(&section, 0);
    write_block(writer, BLOCK_SECTION, &section, "", 0);

    struct block description = {.used = 0};
    put32(&description, LINK_ETHERNET);
    put32(&description, SNAP_MAX);
    size_t length = strlen(interface);
    put_option(&description, OPTION_NAME, interface, (uint16_t)(length < 64 ? length : 64));
    put_option(&description, OPTION_RESOLUTION, &nanoseconds, 1);
    put32(&description, 0);
    write_block(writer, BLOCK_INTERFACE, &description, "", 0);
}

struct packet_writer *packet_writer_new(FILE *out, bool pcapng, const char *interface)
{
    struct packet_writer *writer = xcalloc(1, sizeof *writer);
    writer->out = out;
    if (pcapng) {
        write_headers(writer, interface);
        return writer;
    }
    writer->dead =
        pcap_open_dead_with_tstamp_precision(DLT_EN10MB, SNAP_MAX, PCAP_TSTAMP_PRECISION_NANO);
    writer->dumper = writer->dead ? pcap_dump_fopen(writer->dead, out) : NULL;
    if (!writer->dumper) {
        die("cannot write pcap: %s", writer->dead ? pcap_geterr(writer->dead) : "out of memory");
    }
    return writer;
}

void packet_write(struct packet_writer *writer, const struct captured *packet)
{
    if (writer->dumper) {
        struct pcap_pkthdr header = {.caplen = packet->captured, .len = packet->length};
        header.ts.tv_sec = (time_t)(packet->ns / 1000000000u);
        header.ts.tv_usec = (suseconds_t)(packet->ns % 1000000000u); /* nanoseconds, as opened */
        pcap_dump((u_char *)writer->dumper, &header, packet->bytes);
        return;
    }
    struct block block = {.used = 0};
    put32(&block, 0); /* the interface */
    put32(&block, (uint32_t)(packet->ns >> 32));
    put32(&block, (uint32_t)packet->ns);
    put32(&block, packet->captured);
    put32(&block, packet->length);
    write_block(writer, BLOCK_PACKET, &block, packet->bytes, packet->captured);
}

bool packet_writer_flush(struct packet_writer *writer)
{
    int result = writer->dumper ? pcap_dump_flush(writer->dumper) : fflush(writer->out);
    writer->failed |= result != 0 || ferror(writer->out);
    return !writer->failed;
}

void packet_writer_free(struct packet_writer *writer)
{
    if (writer->dumper) {
        pcap_dump_close(writer->dumper);
        pcap_close(writer->dead);
    }
    free(writer);
}
