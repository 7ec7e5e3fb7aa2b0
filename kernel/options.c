/* Options on the machine's command line: `name=value` words before " -- ". */
#include <string.h>
#include "include/boot.h"

int boot_option(const char *name, char *value, size_t size)
{
    const char *p = boot_info.command_line;
    size_t name_length = strlen(name);
    while (*p) {
        while (*p == ' ')
            p++;
        size_t length = strcspn(p, " ");
        if (length == 2 && p[0] == '-' && p[1] == '-')
            break;
        if (length > name_length && memcmp(p, name, name_length) == 0 && p[name_length] == '=') {
            const char *start = p + name_length + 1;
            size_t found = length - name_length - 1;
            size_t copied = found < size ? found : size ? size - 1 : 0;
            memcpy(value, start, copied);
            if (size)
                value[copied] = '\0';
            return (int)copied;
        }
        p += length;
    }
    return -1;
}
