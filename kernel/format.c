/* The log's own formatter. musl's would do, but needs kilobytes of stack (interrupt stacks have
 * eight) and brings floating point into images that print nothing but the log. */
#include "include/log.h"
#include <stdbool.h>

struct output {
    char *buffer;
    size_t size, length;
};

static void put(struct output *out, char c)
{
    if (out->length + 1 < out->size)
        out->buffer[out->length] = c;
    out->length++;
}

static void put_field(struct output *out, const char *text, size_t length, size_t width, bool left)
{
    size_t padding = width > length ? width - length : 0;
    for (size_t i = 0; !left && i < padding; i++)
        put(out, ' ');
    for (size_t i = 0; i < length; i++)
        put(out, text[i]);
    for (size_t i = 0; left && i < padding; i++)
        put(out, ' ');
}

struct spec {
    bool left, zero, precise, alternate;
    unsigned width, precision;
};

static void put_number(struct output *out, uint64_t value, bool negative, unsigned base, bool upper,
                       const struct spec *spec)
{
    char digits[72];
    size_t at = sizeof digits;
    const char *alphabet = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    for (; value; value /= base)
        digits[--at] = alphabet[value % base];
    size_t prefix = (negative ? 1u : 0u) + (spec->alternate ? 2u : 0u);
    size_t least = spec->precise ? spec->precision : 1;
    if (spec->zero && !spec->left && !spec->precise && spec->width > prefix)
        least = spec->width - prefix;
    while (sizeof digits - at < least && at > 3)
        digits[--at] = '0';
    if (spec->alternate) {
        digits[--at] = 'x';
        digits[--at] = '0';
    }
    if (negative)
        digits[--at] = '-';
    put_field(out, digits + at, sizeof digits - at, spec->width, spec->left);
}

static unsigned number(const char **format, va_list *arguments)
{
    unsigned value = 0;
    if (**format == '*') {
        (*format)++;
        int given = va_arg(*arguments, int);
        return given > 0 ? (unsigned)given : 0;
    }
    for (; **format >= '0' && **format <= '9'; (*format)++)
        value = value * 10 + (unsigned)(**format - '0');
    return value;
}

/* The argument of an integer conversion, with LONGS l's (z, j and t are one) or SHORTS h's. */
static uint64_t integer(va_list *arguments, bool is_signed, int size)
{
    if (is_signed) {
        int64_t value = size > 0 ? va_arg(*arguments, long) : va_arg(*arguments, int);
        if (size == -1)
            value = (short)value;
        if (size == -2)
            value = (signed char)value;
        return (uint64_t)value;
    }
    uint64_t value = size > 0 ? va_arg(*arguments, unsigned long) : va_arg(*arguments, unsigned);
    if (size == -1)
        value = (unsigned short)value;
    if (size == -2)
        value = (unsigned char)value;
    return value;
}

static void put_conversion(struct output *out, char conversion, int size, struct spec *spec,
                           va_list *arguments)
{
    switch (conversion) {
    case 'd':
    case 'i': {
        int64_t value = (int64_t)integer(arguments, true, size);
        uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
        spec->alternate = false;
        put_number(out, magnitude, value < 0, 10, false, spec);
        break;
    }
    case 'u':
    case 'o':
        spec->alternate = false;
        put_number(out, integer(arguments, false, size), false, conversion == 'o' ? 8 : 10, false,
                   spec);
        break;
    case 'x':
    case 'X':
        put_number(out, integer(arguments, false, size), false, 16, conversion == 'X', spec);
        break;
    case 'p':
        spec->alternate = true;
        put_number(out, (uintptr_t)va_arg(*arguments, void *), false, 16, false, spec);
        break;
    case 'c': {
        char c = (char)va_arg(*arguments, int);
        put_field(out, &c, 1, spec->width, spec->left);
        break;
    }
    case 's': {
        const char *text = va_arg(*arguments, const char *);
        if (!text)
            text = "(null)";
        size_t length = 0;
        while ((!spec->precise || length < spec->precision) && text[length])
            length++;
        put_field(out, text, length, spec->width, spec->left);
        break;
    }
    case '%': put(out, '%'); break;
    default: /* unknown: as it stands */ put(out, '%'); put(out, conversion);
    }
}

int format_text(char *buffer, size_t size, const char *format, va_list given)
{
    struct output out = {buffer, size, 0};
    va_list arguments;
    va_copy(arguments, given);
    while (*format) {
        if (*format != '%') {
            put(&out, *format++);
            continue;
        }
        format++;
        struct spec spec = {0};
        for (;; format++) {
            if (*format == '-')
                spec.left = true;
            else if (*format == '0')
                spec.zero = true;
            else if (*format == '#')
                spec.alternate = true;
            else if (*format != '+' && *format != ' ')
                break;
        }
        spec.width = number(&format, &arguments);
        if (*format == '.') {
            format++;
            spec.precise = true;
            spec.precision = number(&format, &arguments);
        }
        int length = 0;
        for (;; format++) {
            if (*format == 'h')
                length--;
            else if (*format == 'l' || *format == 'z' || *format == 'j' || *format == 't')
                length++;
            else
                break;
        }
        if (!*format)
            break;
        put_conversion(&out, *format++, length, &spec, &arguments);
    }
    va_end(arguments);
    if (size)
        buffer[out.length < size ? out.length : size - 1] = '\0';
    return (int)out.length;
}

int format(char *buffer, size_t size, const char *text, ...)
{
    va_list arguments;
    va_start(arguments, text);
    int length = format_text(buffer, size, text, arguments);
    va_end(arguments);
    return length;
}
