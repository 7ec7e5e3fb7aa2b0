/* The kernel log: lines to the console and to a ring that the control channel reads. Anywhere. */
#ifndef QUINCE_LOG_H
#define QUINCE_LOG_H

#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
/* One line, without newline. Lines above the level of the command line option `loglevel=` (error,
 * warn (default), info, debug) go only to the ring. */
void klog(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void console_write(const char *text, size_t len); /* raw bytes to the console */
/* Copies what was logged since *CURSOR (0: all that is kept); advances it. Bytes copied. */
size_t klog_read(uint64_t *cursor, char *buffer, size_t size);

#endif
