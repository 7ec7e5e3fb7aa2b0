/* The kernel log: lines to the console and to a ring that the control channel reads. Anywhere. */
#ifndef QUINCE_LOG_H
#define QUINCE_LOG_H

#include <stddef.h>
#include <stdarg.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
/* One line, without newline. Lines above the level of the command line option `loglevel=` (error,
 * warn (default), info, debug) go only to the ring. */
void klog(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
void console_write(const char *text, size_t len); /* raw bytes to the console */
/* Bytes that wait at the console, without blocking; callable in interrupts. */
size_t console_read(char *buffer, size_t size);
/* FN is called in interrupt context when bytes wait; it must take all by console_read(). 0, -errno.
 */
int console_on_input(void (*fn)(void));
/* Copies what was logged since *CURSOR (0: all that is kept); advances it. Bytes copied. */
size_t klog_read(uint64_t *cursor, char *buffer, size_t size);

/* vsnprintf for the log: %d %i %u %x %X %o %c %s %p %% with -, 0, width, precision and the lengths
 * hh h l ll z j t. Needs little stack and no floating point, since it runs in interrupts and in a
 * panic. Returns the length that the whole text has. */
int format_text(char *buffer, size_t size, const char *format, va_list arguments);
int format(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
