/* The internet checksum against the definition, two bytes at a time. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

uint16_t net_checksum(const void *data, int len);

static uint16_t plain(const unsigned char *p, int len)
{
    uint32_t sum = 0;
    for (int i = 0; i < len; i += 2)
        sum += (uint32_t)(p[i] | (i + 1 < len ? p[i + 1] << 8 : 0));
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

int main(void)
{
    unsigned random = 7;
    bool good = true, ones = true;
    for (int len = 0; len <= 1600 && good; len++) {
        for (int offset = 0; offset < 4 && good; offset++) {
            /* exactly as large as it is read, so that the sanitizer sees a byte beyond */
            unsigned char *data = malloc((size_t)(offset + len) + 1);
            for (int i = 0; i < offset + len; i++) {
                random = random * 1103515245 + 12345;
                data[i] = (unsigned char)(random >> 16);
            }
            unsigned char *exact =
                realloc(data, (size_t)(offset + len) ? (size_t)(offset + len) : 1);
            good = net_checksum(exact + offset, len) == plain(exact + offset, len);
            free(exact);
        }
    }
    unsigned char *full = malloc(65535);
    for (int i = 0; i < 65535; i++)
        full[i] = 0xff;
    for (int len = 65500; len <= 65535; len++)
        ones = ones && net_checksum(full, len) == plain(full, len);
    free(full);
    printf("%sok 1 - every length to 1600 at every offset\n", good ? "" : "not ");
    printf("%sok 2 - the largest frames of all ones\n1..2\n", ones ? "" : "not ");
    return !(good && ones);
}
